/** What a checker finds, by name, with the operations that show it. */
import { type Place, placeText } from './history.ts'

export const FAULT_KINDS = [
  /** Acknowledged, and neither in the log nor deleted by retention or compaction. */
  'lost-write',
  /** Twice in the log, of a producer that must not, or more often than it was sent. */
  'duplicate',
  /** Records of one producer in another order than it sent them. */
  'reordered',
  /** Two records seen at one offset, or one at two: two polls, a poll and the log, an acknowledgement and the log. */
  'inconsistent-offset',
  /** A poll passed over a record, or a group was never given one. */
  'unseen-record',
  /** A poll went back, without a seek or a rebalance. */
  'nonmonotonic-poll',
  /** After a rebalance a group began below what it had committed. */
  'lost-commit',
  /** A commit below one that was over before it began was accepted. */
  'commit-went-back',
  /** Polled, and not in the log: the cluster showed what it then did not keep. */
  'uncommitted-read',
  /** A record that nobody wrote there. */
  'phantom',
  /** In the log, or polled, though the producer was told that it is not written. */
  'failed-but-visible',
  /** Nobody read the log at the end: nothing can be said. */
  'no-final-read',
  /** The history contradicts itself: a fault of whoever recorded it. */
  'malformed',
] as const

export type FaultKind = (typeof FAULT_KINDS)[number]

export interface Fault extends Place {
  readonly kind: FaultKind
  readonly message: string
  /** The operations and records that show it, for people. */
  readonly evidence: readonly string[]
}

/** Faults kept of each kind; the others are counted. */
const KEPT_PER_KIND = 20

export class Faults {
  readonly #kept: Fault[] = []
  readonly #counts = new Map<FaultKind, number>()

  add(kind: FaultKind, place: Place, message: string, evidence: readonly (string | null)[]): void {
    const count = (this.#counts.get(kind) ?? 0) + 1
    this.#counts.set(kind, count)
    if (count > KEPT_PER_KIND) return
    const { topic, partition } = place
    this.#kept.push({
      ...{ kind, topic, partition, message },
      evidence: evidence.filter((text) => text !== null),
    })
  }

  /** False: one more of this kind is only counted, and needs no evidence. */
  keeps(kind: FaultKind): boolean {
    return (this.#counts.get(kind) ?? 0) < KEPT_PER_KIND
  }

  /** The first of each kind. */
  get kept(): readonly Fault[] {
    return this.#kept
  }

  get counts(): Readonly<Partial<Record<FaultKind, number>>> {
    return Object.fromEntries(this.#counts)
  }
}

export const describeFault = (fault: Fault): string =>
  [
    `${fault.kind} in ${placeText(fault)}: ${fault.message}`,
    ...fault.evidence.map((line) => `    ${line}`),
  ].join('\n')

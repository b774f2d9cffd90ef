import type { PartitionNumber } from '../../base/ids.ts'
import type { DiskError } from '../../log/disk.ts'
import type { HardStates } from '../../log/hard-states.ts'
import type { ReplicaGroup } from './replica-group.ts'

export interface HardStateWritesOptions {
  /** Opened when the first group is. Throws DiskError. */
  readonly hardStates: () => HardStates
  /** What was written of it is durable. */
  readonly stored: (group: ReplicaGroup) => void
  /** Terms and votes cannot be kept any more. */
  readonly onBroken: (reason: DiskError) => void
}

/** Hard states that could not be written are tried again after this, … */
const WRITE_AGAIN_MS = 100
/** … and a broker that cannot write them for so long cannot go on. */
const GIVE_UP_AFTER_MS = 2_000

/** What a broker's groups have voted is made durable: of all of them with one write a turn. On the broker's thread. */
export class HardStateWrites {
  readonly #options: HardStateWritesOptions
  /** Whose hard states are set and not written. */
  #unwritten: ReplicaGroup[] = []
  /** How many are set of a partition and not durable, whatever has become of its group since. */
  readonly #undurable = new Map<PartitionNumber, number>()
  /** Not before, after a write that failed. */
  #writeAtMs = 0
  #firstFailedAtMs: number | null = null

  constructor(options: HardStateWritesOptions) {
    this.#options = options
  }

  /** Monotonic milliseconds at which there is something to write. */
  get nextAtMs(): number {
    return this.#unwritten.length > 0 ? this.#writeAtMs : Number.POSITIVE_INFINITY
  }

  /** What is set of it may be lost: a group that is opened with that must not speak before it is durable. */
  isUndurable(partition: PartitionNumber): boolean {
    return this.#undurable.has(partition)
  }

  /** Also of one that is closed since, or whose hard state is set already: it is told when all that was set so far is durable. */
  add(group: ReplicaGroup): void {
    this.#unwritten.push(group)
    const { partition } = group
    this.#undurable.set(partition, (this.#undurable.get(partition) ?? 0) + 1)
  }

  write(nowMs: number): void {
    if (this.#unwritten.length === 0 || nowMs < this.#writeAtMs) return
    const { stored, onBroken } = this.#options
    const hardStates = this.#options.hardStates()
    const failed = hardStates.write()
    // tried again, but not all the time: until then nobody is told
    if (failed !== null) {
      this.#writeAtMs = nowMs + WRITE_AGAIN_MS
      this.#firstFailedAtMs ??= nowMs
      if (nowMs - this.#firstFailedAtMs >= GIVE_UP_AFTER_MS) onBroken(failed)
      return
    }
    this.#firstFailedAtMs = null
    const groups = this.#unwritten
    this.#unwritten = []
    hardStates.requestFlush((error) => {
      if (error !== null) {
        onBroken(error)
        return
      }
      for (const { partition } of groups) this.#isDurable(partition)
      for (const group of groups) stored(group)
    })
  }

  #isDurable(partition: PartitionNumber): void {
    const left = this.#undurable.get(partition)! - 1
    if (left > 0) this.#undurable.set(partition, left)
    else this.#undurable.delete(partition)
  }
}

import type { PartitionNumber } from '../base/ids.ts'

/** A fetch waits for who leads a partition before it sees to the others: until its deadline, but so long at most, since somebody leads by then most often, … */
const UNLED_MS_MAX = 500
/** … and so long at least. */
export const UNLED_MS = 100

export const waitUntilMs = (nowMs: number, deadlineMs: number): number =>
  nowMs + Math.max(UNLED_MS, Math.min(UNLED_MS_MAX, deadlineMs - nowMs))

/**
 * Partitions without a leader of which somebody has asked where records are, and does not wait for the answer any more: whoever looks there next does not
 * ask as well, so that questions do not gather while nobody leads. Belongs to the front's thread.
 */
export class HeldLooks {
  readonly #counts = new Map<PartitionNumber, number>()

  has(partition: PartitionNumber): boolean {
    return this.#counts.has(partition)
  }

  add(partition: PartitionNumber): void {
    this.#counts.set(partition, (this.#counts.get(partition) ?? 0) + 1)
  }

  /** The question was answered at last. */
  remove(partition: PartitionNumber): void {
    const left = (this.#counts.get(partition) ?? 0) - 1
    if (left > 0) this.#counts.set(partition, left)
    else this.#counts.delete(partition)
  }
}

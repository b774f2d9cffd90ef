import type { PartitionNumber } from '../../base/ids.ts'

/** Beyond that, whoever asks is to ask again. */
const WAITING_MAX = 4_096
/** Each may make files. */
const PER_TURN = 8

/** Partitions whose groups others want awake: a bounded number, a few a turn. On the broker's thread. */
export class WakeRequests {
  readonly #waiting = new Set<PartitionNumber>()

  get isEmpty(): boolean {
    return this.#waiting.size === 0
  }

  add(partitions: readonly PartitionNumber[]): void {
    for (const number of partitions) {
      if (this.#waiting.size < WAITING_MAX) this.#waiting.add(number)
    }
  }

  /** Those whose turn it is. */
  take(): PartitionNumber[] {
    const taken: PartitionNumber[] = []
    for (const number of this.#waiting) {
      if (taken.length === PER_TURN) break
      taken.push(number)
    }
    for (const number of taken) this.#waiting.delete(number)
    return taken
  }
}

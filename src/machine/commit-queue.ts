import { invariant } from '../base/assert.ts'

/**
 * Responses that wait until the entries before them are committed: the one place where a {@link ReplicatedMachine}'s answers wait.
 * `T` is what its owner needs to deliver an answer. A response that led to no entry waits too, at the end of the log, because
 * `decide` looked at state that may not be committed.
 */
export class CommitQueue<T> {
  #offsets: number[] = []
  #parked: (T | undefined)[] = []
  #head = 0

  get size(): number {
    return this.#parked.length - this.#head
  }

  /** Holds `response` until everything below `offset` is committed. Offsets never fall. */
  park(offset: number, response: T): void {
    invariant(
      this.#offsets.length === 0 || offset >= this.#offsets[this.#offsets.length - 1]!,
      'responses are parked in log order',
    )
    this.#offsets.push(offset)
    this.#parked.push(response)
  }

  /** Delivers, in order, what waits for positions up to `offset`; returns how many. `deliver` may park anew. */
  commit(offset: number, deliver: (response: T) => void): number {
    const from = this.#head
    while (this.#head < this.#offsets.length && this.#offsets[this.#head]! <= offset) {
      this.#deliverNext(deliver)
    }
    const count = this.#head - from
    this.#compact()
    return count
  }

  /** The term is lost: hands over everything that waits, in order, to be failed; returns how many. */
  fail(deliver: (response: T) => void): number {
    const end = this.#parked.length
    const count = end - this.#head
    while (this.#head < end) this.#deliverNext(deliver)
    this.#compact()
    return count
  }

  #deliverNext(deliver: (response: T) => void): void {
    const response = this.#parked[this.#head] as T
    this.#parked[this.#head++] = undefined
    deliver(response)
  }

  #compact(): void {
    if (this.#head === this.#parked.length) {
      this.#offsets.length = this.#parked.length = this.#head = 0
    } else if (this.#head > 1_024 && this.#head * 2 > this.#parked.length) {
      this.#offsets = this.#offsets.slice(this.#head)
      this.#parked = this.#parked.slice(this.#head)
      this.#head = 0
    }
  }
}

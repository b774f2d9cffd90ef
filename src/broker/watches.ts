/** Called with how many answers the waiter's front has reserved room for. */
export type Fire = (waiter: number, count: number) => void

/**
 * Who waits for one partition's high watermark: per waiter, which is a front and what it waits for, one offset, the lowest it asked for. Each WATCH is answered by
 * one WOKEN, so a front that lowers its offset while it waits gets as many as it sent.
 */
export class Watches {
  readonly #offsets: Float64Array
  readonly #counts: Uint32Array
  #active = 0
  /** No watch is below: the one comparison that a produce costs. */
  #lowest = Number.POSITIVE_INFINITY

  constructor(waiters: number) {
    this.#offsets = new Float64Array(waiters)
    this.#counts = new Uint32Array(waiters)
  }

  get active(): number {
    return this.#active
  }

  add(waiter: number, offset: number): void {
    if (this.#counts[waiter]!++ === 0) {
      this.#active++
      this.#offsets[waiter] = offset
    } else if (offset < this.#offsets[waiter]!) {
      this.#offsets[waiter] = offset
    }
    this.#lowest = Math.min(this.#lowest, offset)
  }

  /** Fires and forgets every watch below `highWatermark`. */
  fireBelow(highWatermark: number, fire: Fire): void {
    if (this.#lowest >= highWatermark) return
    this.#lowest = Number.POSITIVE_INFINITY
    for (let waiter = 0; waiter < this.#counts.length; waiter++) {
      const count = this.#counts[waiter]!
      if (count === 0) continue
      const offset = this.#offsets[waiter]!
      if (offset < highWatermark) {
        this.#counts[waiter] = 0
        this.#active--
        fire(waiter, count)
      } else if (offset < this.#lowest) {
        this.#lowest = offset
      }
    }
  }
}

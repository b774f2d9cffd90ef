/** Called with how many WOKEN the front has reserved room for. */
export type Fire = (front: number, count: number) => void

/**
 * Who waits for one partition's high watermark: per front one offset, the lowest it asked for. Each WATCH is answered by one WOKEN,
 * so a front that lowers its offset while it waits gets as many as it sent.
 */
export class Watches {
  readonly #offsets: Float64Array
  readonly #counts: Uint32Array
  #active = 0
  /** No watch is below: the one comparison that a produce costs. */
  #lowest = Number.POSITIVE_INFINITY

  constructor(fronts: number) {
    this.#offsets = new Float64Array(fronts)
    this.#counts = new Uint32Array(fronts)
  }

  get active(): number {
    return this.#active
  }

  add(front: number, offset: number): void {
    if (this.#counts[front]!++ === 0) {
      this.#active++
      this.#offsets[front] = offset
    } else if (offset < this.#offsets[front]!) {
      this.#offsets[front] = offset
    }
    this.#lowest = Math.min(this.#lowest, offset)
  }

  /** Fires and forgets every watch below `highWatermark`. */
  fireBelow(highWatermark: number, fire: Fire): void {
    if (this.#lowest >= highWatermark) return
    this.#lowest = Number.POSITIVE_INFINITY
    for (let front = 0; front < this.#counts.length; front++) {
      const count = this.#counts[front]!
      if (count === 0) continue
      const offset = this.#offsets[front]!
      if (offset < highWatermark) {
        this.#counts[front] = 0
        this.#active--
        fire(front, count)
      } else if (offset < this.#lowest) {
        this.#lowest = offset
      }
    }
  }
}

/** A set of integers as intervals: the numbers that a producer has sent, the offsets that a group was given. */
export class IntervalSet {
  /** Ascending; interval i is [starts[i], ends[i]), and none touches the next. */
  readonly #starts: number[] = []
  readonly #ends: number[] = []

  get isEmpty(): boolean {
    return this.#starts.length === 0
  }

  /** One more than the largest member; −Infinity when empty. */
  get end(): number {
    return this.#ends.at(-1) ?? Number.NEGATIVE_INFINITY
  }

  /** The smallest member; Infinity when empty. */
  get start(): number {
    return this.#starts[0] ?? Number.POSITIVE_INFINITY
  }

  has(value: number): boolean {
    const i = this.#firstEndingAfter(value)
    return i < this.#starts.length && this.#starts[i]! <= value
  }

  add(start: number, end: number): void {
    if (start >= end) return
    // the first that ends at or behind `start`, so that neighbours become one
    const from = this.#firstEndingAfter(start - 1)
    let to = from
    let [newStart, newEnd] = [start, end]
    while (to < this.#starts.length && this.#starts[to]! <= end) {
      newStart = Math.min(newStart, this.#starts[to]!)
      newEnd = Math.max(newEnd, this.#ends[to]!)
      to++
    }
    if (to === from + 1) {
      this.#starts[from] = newStart
      this.#ends[from] = newEnd
    } else {
      this.#starts.splice(from, to - from, newStart)
      this.#ends.splice(from, to - from, newEnd)
    }
  }

  /** The parts of [start, end) that are in the set. */
  *within(start: number, end: number): Generator<readonly [number, number]> {
    for (let i = this.#firstEndingAfter(start); i < this.#starts.length; i++) {
      if (this.#starts[i]! >= end) return
      yield [Math.max(start, this.#starts[i]!), Math.min(end, this.#ends[i]!)]
    }
  }

  /** The parts of [start, end) that are not. */
  *missing(start: number, end: number): Generator<readonly [number, number]> {
    let at = start
    for (const [from, to] of this.within(start, end)) {
      if (at < from) yield [at, from]
      at = to
    }
    if (at < end) yield [at, end]
  }

  #firstEndingAfter(value: number): number {
    let [low, high] = [0, this.#ends.length]
    // what is added mostly lies at the end
    if (high > 0 && this.#ends[high - 1]! <= value) return high
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#ends[middle]! > value) high = middle
      else low = middle + 1
    }
    return low
  }
}

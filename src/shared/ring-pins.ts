import { invariant } from '../base/assert.ts'
import type { RingLogReader } from './ring-log-reader.ts'

/**
 * Which positions of one ring log a front's sockets still hold, on that front's thread: publishes the oldest in
 * the front's pin word. Positions mostly come in rising order and leave in any.
 */
export class RingPins {
  readonly #reader: RingLogReader
  /** Sorted, oldest first, from `#first` on; released ones stay until they are the oldest. */
  readonly #positions: number[] = []
  readonly #holds: number[] = []
  #first = 0
  #size = 0

  constructor(reader: RingLogReader) {
    this.#reader = reader
  }

  /** How many holds are out. */
  get size(): number {
    return this.#size
  }

  /** The oldest position held, or null. */
  get oldestPosition(): number | null {
    return this.#size === 0 ? null : this.#positions[this.#first]!
  }

  /** Holds everything from `position` on; false when it is overwritten already (or the ring retired before any hold). */
  hold(position: number): boolean {
    const oldest = this.oldestPosition
    if (oldest === null || ((position - oldest) | 0) < 0) {
      if (!this.#reader.pin(position)) return false
    }
    const at = this.#search(position)
    if (at < this.#positions.length && this.#positions[at] === position) {
      this.#holds[at]!++
    } else {
      this.#positions.splice(at, 0, position)
      this.#holds.splice(at, 0, 1)
    }
    this.#size++
    return true
  }

  /** Ends one hold of `position`. */
  release(position: number): void {
    const at = this.#search(position)
    invariant(this.#positions[at] === position && this.#holds[at]! > 0, 'ring pins: not held')
    this.#holds[at]!--
    this.#size--
    if (at !== this.#first) return
    while (this.#first < this.#holds.length && this.#holds[this.#first] === 0) this.#first++
    if (this.#size === 0) {
      this.#positions.length = this.#holds.length = this.#first = 0
      this.#reader.unpin()
    } else if (this.#first !== at) {
      this.#reader.pinTo(this.#positions[this.#first]!)
      this.#compact()
    }
  }

  #compact(): void {
    if (this.#first < 64 || this.#first * 2 < this.#positions.length) return
    this.#positions.splice(0, this.#first)
    this.#holds.splice(0, this.#first)
    this.#first = 0
  }

  /** Index of the first position not older than `position`. */
  #search(position: number): number {
    let low = this.#first
    let high = this.#positions.length
    const last = this.#positions[high - 1]
    if (last === undefined || ((position - last) | 0) > 0) return high
    while (low < high) {
      const middle = (low + high) >> 1
      if (((this.#positions[middle]! - position) | 0) < 0) low = middle + 1
      else high = middle
    }
    return low
  }
}

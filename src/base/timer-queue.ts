/** A timer in a {@link TimerQueue}; `heapIndex` is −1 once it has fired or was cancelled. */
export interface Timer {
  readonly atMs: number
  readonly fire: (nowMs: number) => void
  heapIndex: number
}

/**
 * Binary heap of deadlines on somebody else's clock: arming and cancelling cost O(log n), and only due timers
 * are ever touched. Belongs to one thread.
 */
export class TimerQueue {
  readonly #heap: Timer[] = []

  get size(): number {
    return this.#heap.length
  }

  /** Monotonic milliseconds of the next deadline, or Infinity. */
  get nextAtMs(): number {
    return this.#heap[0]?.atMs ?? Number.POSITIVE_INFINITY
  }

  schedule(atMs: number, fire: (nowMs: number) => void): Timer {
    const timer: Timer = { atMs, fire, heapIndex: this.#heap.length }
    this.#heap.push(timer)
    this.#up(timer.heapIndex)
    return timer
  }

  cancel(timer: Timer): void {
    const at = timer.heapIndex
    if (at < 0) return
    timer.heapIndex = -1
    const last = this.#heap.pop()!
    if (last === timer) return
    this.#heap[at] = last
    last.heapIndex = at
    this.#up(at)
    this.#down(last.heapIndex)
  }

  /** Fires what is due at `nowMs`, earliest first, at most `limit` of them; returns how many. */
  fireDue(nowMs: number, limit = Number.POSITIVE_INFINITY): number {
    let fired = 0
    while (fired < limit && this.nextAtMs <= nowMs) {
      const timer = this.#heap[0]!
      this.cancel(timer)
      timer.fire(nowMs)
      fired++
    }
    return fired
  }

  #up(from: number): void {
    const heap = this.#heap
    const timer = heap[from]!
    let at = from
    while (at > 0) {
      const parent = (at - 1) >> 1
      const other = heap[parent]!
      if (other.atMs <= timer.atMs) break
      heap[at] = other
      other.heapIndex = at
      at = parent
    }
    heap[at] = timer
    timer.heapIndex = at
  }

  #down(from: number): void {
    const heap = this.#heap
    const timer = heap[from]!
    let at = from
    for (;;) {
      let child = at * 2 + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && heap[child + 1]!.atMs < heap[child]!.atMs) child++
      const other = heap[child]!
      if (other.atMs >= timer.atMs) break
      heap[at] = other
      other.heapIndex = at
      at = child
    }
    heap[at] = timer
    timer.heapIndex = at
  }
}

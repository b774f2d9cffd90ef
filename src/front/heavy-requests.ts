import type { Clock } from '../base/clock.ts'
import type { TimerQueue } from '../base/timer-queue.ts'
import type { InFlightBudget } from '../net/in-flight.ts'
import type { ReplySlot } from '../net/reply-slot.ts'

/** From so many elements in its arrays on a request is heavy. Ordinary ones have some ten thousand at most. */
export const HEAVY_ELEMENTS = 50_000
/** What an element takes on the way from its frame to its answer: a few bytes of the one or the other. */
export const ELEMENT_BYTES = 256
/** Garbage of so many elements is collected before another heavy request is worked on. */
const COLLECT_ELEMENTS = 100_000
/** When no other comes, after this. */
const COLLECT_AFTER_MS = 1_000

export interface HeavyRequestsOptions {
  readonly budget: InFlightBudget
  readonly timers: TimerQueue
  readonly clock: Clock
  /** Has the engine collect this thread's garbage, all of it, at once. */
  readonly collectGarbage: () => void
}

/**
 * Requests of a few megabytes that become a hundred in the heap. Each takes all the room that large requests have, so that those
 * that come after it wait until it is answered; and what it leaves behind is collected at once: V8 lets half a gigabyte of
 * garbage pile up in a process's main thread before it looks. On the front's thread.
 */
export class HeavyRequests {
  readonly #options: HeavyRequestsOptions
  #elements = 0
  #isTimed = false

  constructor(options: HeavyRequestsOptions) {
    this.#options = options
  }

  /** A request has been decoded; `counts`: it says itself what it holds while it waits. */
  onDecoded(slot: ReplySlot, elements: number, counts: boolean): void {
    if (elements < HEAVY_ELEMENTS) return
    if (this.#elements >= COLLECT_ELEMENTS) this.#collect()
    this.#elements += elements
    this.#arm()
    if (counts) return
    const { budget } = this.#options
    // the last eighth is for small ones, who do not wait for it
    const roomBytes = Math.max(0, budget.largeBytesMax - budget.usedBytes)
    slot.grow(Math.min(elements * ELEMENT_BYTES, roomBytes))
  }

  #collect(): void {
    this.#elements = 0
    this.#options.collectGarbage()
  }

  #arm(): void {
    if (this.#isTimed) return
    this.#isTimed = true
    const { timers, clock } = this.#options
    timers.schedule(clock.monotonicMs() + COLLECT_AFTER_MS, () => {
      this.#isTimed = false
      if (this.#elements > 0) this.#collect()
    })
  }
}

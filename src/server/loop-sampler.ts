/** How late and how busy an event loop is, sampled at each beat into the thread's own counters. On the sampled thread. */
import { performance } from 'node:perf_hooks'
import { LoopCounter } from '../link/counters.ts'
import { HEARTBEAT_MS } from './duty-cycle.ts'

/** The worst lag is that of this long, and of what has passed of the next. */
const WINDOW_MS = 15_000

export class LoopSampler {
  readonly #own: Float64Array
  #beatAtMs = Number.NaN
  #windowEndMs = 0
  #worstUs = 0
  #worstBeforeUs = 0

  constructor(own: Float64Array) {
    this.#own = own
  }

  /** Call it every {@link HEARTBEAT_MS}, by a timer of that loop. */
  beat(nowMs: number): void {
    const own = this.#own
    const lagUs = Math.max(0, nowMs - this.#beatAtMs - HEARTBEAT_MS) * 1_000
    this.#beatAtMs = nowMs
    if (nowMs >= this.#windowEndMs) {
      this.#windowEndMs = nowMs + WINDOW_MS
      this.#worstBeforeUs = this.#worstUs
      this.#worstUs = 0
    }
    // the first beat has nothing to be late for
    if (Number.isFinite(lagUs)) {
      this.#worstUs = Math.max(this.#worstUs, lagUs)
      own[LoopCounter.LAG_US_NOW] = lagUs
      own[LoopCounter.LAG_US_MAX_NOW] = Math.max(this.#worstUs, this.#worstBeforeUs)
    }
    const { active, idle } = performance.eventLoopUtilization()
    own[LoopCounter.ACTIVE_US] = active * 1_000
    own[LoopCounter.IDLE_US] = idle * 1_000
  }
}

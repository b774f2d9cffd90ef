/** Time as an argument, so that tests and the simulator can own it. */
export interface Clock {
  /** Wall-clock milliseconds since the epoch, an integer: what goes into records and files. */
  wallMs(): number
  /** Monotonic milliseconds, fractional: what timers and latencies use. */
  monotonicMs(): number
}

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
}

/** A clock that moves only when told to. */
export class ManualClock implements Clock {
  #nowMs: number

  constructor(nowMs = 1_000_000) {
    this.#nowMs = nowMs
  }

  wallMs(): number {
    return Math.floor(this.#nowMs)
  }

  monotonicMs(): number {
    return this.#nowMs
  }

  advance(ms: number): void {
    this.#nowMs += ms
  }
}

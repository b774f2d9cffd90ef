import type { Clock } from '../../src/base/clock.ts'

/** One clock for everybody; the wall's may jump, the other one never. */
export class SimClock implements Clock {
  #monotonicMs = 1_000_000
  #wallMs = 1_700_000_000_000

  wallMs(): number {
    return Math.floor(this.#wallMs)
  }

  monotonicMs(): number {
    return this.#monotonicMs
  }

  advance(ms: number): void {
    this.#monotonicMs += ms
    this.#wallMs += ms
  }

  jump(ms: number): void {
    this.#wallMs += ms
  }
}

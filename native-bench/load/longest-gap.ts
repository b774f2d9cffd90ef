/** The longest time within the measured window in which a producer had no answer. */
import type { Times } from './messages.ts'

export class LongestGap {
  readonly #times: Pick<Times, 'fromUs' | 'toUs'>
  us = 0

  constructor(times: Pick<Times, 'fromUs' | 'toUs'>) {
    this.#times = times
  }

  /** Nothing came between the two. What began before the window counts from its begin, what lasts at its end to the last. */
  add(sinceUs: number, untilUs: number): void {
    const { fromUs, toUs } = this.#times
    if (untilUs <= fromUs || sinceUs >= toUs) return
    this.us = Math.max(this.us, untilUs - Math.max(sinceUs, fromUs))
  }
}

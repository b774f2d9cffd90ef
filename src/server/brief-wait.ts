/** Looks for an answer that is on its way for a few microseconds before its thread falls asleep over it. */
import { availableParallelism } from 'node:os'
import type { Clock } from '../base/clock.ts'

/** What is waited for. */
export interface Awaiting {
  /** Answers are on their way from other threads, and too few to keep this one busy meanwhile. */
  readonly isAnswerDue: boolean
  /** Whether one has come: a few loads, nothing is taken. */
  hasAnswer(): boolean
}

/** Microseconds; about what being woken costs, so that a look in vain at most doubles it. */
const LOOK_US = 50
/** Looks between two looks at the clock. */
const LOOKS_PER_CLOCK = 16
/** After looks in vain this many chances are let go by, at most, before the next one. */
const SKIPPED_MAX = 127

export interface BriefWaitOptions {
  readonly awaiting: Awaiting
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly cores?: number
}

/**
 * Being woken by another thread takes an event loop 28 µs, and the two threads 70 µs of CPU; looking for the answer
 * to one produce takes half of that. Where answers take longer (a flush, a slow disk, a core that others want), each
 * look in vain halves how often it is tried, down to one chance in 128.
 */
export class BriefWait {
  readonly #awaiting: Awaiting
  readonly #clock: BriefWaitOptions['clock']
  readonly #isAlone: boolean
  #toSkip = 0
  #skipped = 0

  constructor({ awaiting, clock, cores = availableParallelism() }: BriefWaitOptions) {
    this.#awaiting = awaiting
    this.#clock = clock
    // with one core nobody can answer while this thread looks
    this.#isAlone = cores < 2
  }

  /** Whether {@link look} is worth its time now; counts as one chance. */
  isWorthwhile(): boolean {
    if (this.#isAlone || !this.#awaiting.isAnswerDue) return false
    if (this.#skipped >= this.#toSkip) return true
    this.#skipped++
    return false
  }

  /** Blocks until there is an answer, for 50 µs at most; true when there is one. */
  look(): boolean {
    const untilMs = this.#clock.monotonicMs() + LOOK_US / 1_000
    this.#skipped = 0
    do {
      for (let i = 0; i < LOOKS_PER_CLOCK; i++) {
        if (!this.#awaiting.hasAnswer()) continue
        this.#toSkip = 0
        return true
      }
    } while (this.#clock.monotonicMs() < untilMs)
    this.#toSkip = Math.min(2 * this.#toSkip + 1, SKIPPED_MAX)
    return false
  }
}

import type { Clock } from '../base/clock.ts'
import type { LogFields, Logger, LogLevel } from '../base/log.ts'

/**
 * A logger for what clients can cause at will: at most `linesMax` lines per `windowMs`, then one that tells how many
 * were left out. Belongs to one thread.
 */
export class RateLimitedLog {
  readonly #logger: Logger
  readonly #clock: Clock
  readonly #linesMax: number
  readonly #windowMs: number
  #windowStartMs = Number.NEGATIVE_INFINITY
  #lines = 0

  constructor(logger: Logger, clock: Clock, linesMax = 10, windowMs = 1000) {
    this.#logger = logger
    this.#clock = clock
    this.#linesMax = linesMax
    this.#windowMs = windowMs
  }

  log(level: LogLevel, message: string, fields?: LogFields): void {
    const nowMs = this.#clock.monotonicMs()
    if (nowMs - this.#windowStartMs >= this.#windowMs) {
      const left = this.#lines - this.#linesMax
      this.#windowStartMs = nowMs
      this.#lines = 0
      if (left > 0) this.#logger.log('warn', 'further lines like these were left out', { left })
    }
    if (++this.#lines <= this.#linesMax) this.#logger.log(level, message, fields)
  }
}

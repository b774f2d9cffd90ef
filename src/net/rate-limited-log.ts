import type { Clock } from '../base/clock.ts'
import type { LogFields, Logger, LogLevel } from '../base/log.ts'

/** Characters of one text in a line: clients choose names of up to 32,767 bytes. */
const TEXT_CHARS_MAX = 200

/**
 * A logger for what clients can cause at will: at most `linesMax` lines per `windowMs`, then one that tells how many
 * were left out; long texts are cut. Belongs to one thread.
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

  /** Monotonic milliseconds at which {@link flush} has something to tell, or Infinity. */
  get nextFlushAtMs(): number {
    return this.#lines > this.#linesMax
      ? this.#windowStartMs + this.#windowMs
      : Number.POSITIVE_INFINITY
  }

  /** Tells how many lines were left out, once their time is up, also if none like them follows; returns how many. */
  flush(nowMs: number): number {
    if (nowMs < this.nextFlushAtMs) return 0
    const left = this.#lines - this.#linesMax
    this.#lines = this.#linesMax
    this.#logger.log('warn', 'further lines like these were left out', { left })
    return left
  }

  log(level: LogLevel, message: string, fields?: LogFields): void {
    const nowMs = this.#clock.monotonicMs()
    if (nowMs - this.#windowStartMs >= this.#windowMs) {
      this.flush(nowMs)
      this.#windowStartMs = nowMs
      this.#lines = 0
    }
    if (++this.#lines <= this.#linesMax) this.#logger.log(level, message, cut(fields))
  }
}

function cut(fields: LogFields | undefined): LogFields | undefined {
  if (fields === undefined) return undefined
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      typeof value === 'string' && value.length > TEXT_CHARS_MAX
        ? `${value.slice(0, TEXT_CHARS_MAX)}… (${value.length} characters)`
        : value,
    ]),
  )
}

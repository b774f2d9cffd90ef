import type { FlushBook } from './flush-book.ts'
import type { LogConfig } from './log-config.ts'
import type { LogRing } from './log-ring.ts'
import type { PartitionLog } from './partition-log.ts'

const RETENTION_CHECK_MS = 300_000
const EXPIRY_CHECK_MS = 600_000
const RING_CHECK_MS = 10_000

/** What one log does by time: retention, flush.ms, producer expiry, an idle ring. Monotonic ms. */
export class LogTimers {
  readonly #log: PartitionLog
  readonly #book: FlushBook
  readonly #ring: LogRing | null
  readonly #retentionCheckMs: number
  #retentionAtMs: number
  #expiryAtMs: number
  #ringCheckAtMs = Number.POSITIVE_INFINITY

  constructor(log: PartitionLog, book: FlushBook, ring: LogRing | null) {
    const { clock, random, retentionCheckMs } = log.environment
    this.#log = log
    this.#book = book
    this.#ring = ring
    this.#retentionCheckMs = retentionCheckMs ?? RETENTION_CHECK_MS
    const nowMs = clock.monotonicMs()
    // Not all logs at the same time.
    const spread = random.uint32() / 2 ** 32
    this.#retentionAtMs = nowMs + this.#retentionCheckMs * (0.5 + spread / 2)
    this.#expiryAtMs = nowMs + EXPIRY_CHECK_MS
  }

  /** When {@link fire} is to be called. */
  get nextAtMs(): number {
    return Math.min(
      this.#retentionAtMs,
      this.#expiryAtMs,
      this.#ringCheckAtMs,
      this.#book.flushAtMs,
    )
  }

  /** Retention is looked at with the next {@link fire}. */
  retainSoon(): void {
    this.#retentionAtMs = this.#log.environment.clock.monotonicMs()
  }

  /** The topic's config is another than `before`. */
  reconfigured(before: LogConfig): void {
    const log = this.#log
    const { retentionMs, retentionBytes, cleanupPolicy, flushMs } = log.config
    const same =
      retentionMs === before.retentionMs &&
      retentionBytes === before.retentionBytes &&
      cleanupPolicy.delete === before.cleanupPolicy.delete
    if (!same) this.retainSoon()
    if (flushMs >= Number.MAX_SAFE_INTEGER) this.#book.flushAtMs = Number.POSITIVE_INFINITY
    else if (log.durableOffset < log.logEndOffset) {
      const atMs = log.environment.clock.monotonicMs() + flushMs
      this.#book.flushAtMs = Math.min(this.#book.flushAtMs, atMs)
    }
  }

  /** Something was appended: flush.ms runs from the first that is not flushed. */
  appended(): void {
    const { clock } = this.#log.environment
    const { flushMs } = this.#log.config
    if (flushMs < Number.MAX_SAFE_INTEGER && this.#book.flushAtMs === Infinity) {
      this.#book.flushAtMs = clock.monotonicMs() + flushMs
    }
    if (this.#ringCheckAtMs === Infinity && this.#ring !== null && this.#ring.writer !== null) {
      this.#ringCheckAtMs = clock.monotonicMs() + RING_CHECK_MS
    }
  }

  /** Does whatever is due at `nowMs`. */
  fire(nowMs: number): void {
    const log = this.#log
    const wallMs = log.environment.clock.wallMs()
    if (nowMs >= this.#book.flushAtMs) {
      this.#book.flushAtMs = Number.POSITIVE_INFINITY
      if (log.durableOffset < log.logEndOffset) log.requestFlush()
    }
    if (nowMs >= this.#retentionAtMs) {
      this.#retentionAtMs = nowMs + this.#retentionCheckMs
      log.applyRetention()
    }
    if (nowMs >= this.#expiryAtMs) {
      this.#expiryAtMs = nowMs + EXPIRY_CHECK_MS
      log.producers.expire(wallMs)
    }
    if (nowMs >= this.#ringCheckAtMs) {
      log.environment.rings?.sweep()
      if (this.#ring !== null && wallMs >= this.#ring.idleAtMs) this.#ring.giveUpRing()
      const none = this.#ring === null || this.#ring.writer === null
      this.#ringCheckAtMs = none ? Number.POSITIVE_INFINITY : nowMs + RING_CHECK_MS
    }
  }
}

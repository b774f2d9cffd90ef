import { DiskError, type FlushPort } from './disk.ts'
import type { Segment } from './segment.ts'

/** Where a log ended, in offsets and in bytes, at some moment. */
export interface LogPoint {
  readonly offset: number
  readonly segment: Segment | null
  readonly position: number
}

/** What the log tells, and is told, about flushing. */
export interface DurabilityHost {
  /** A round is about to be asked for: what it flushes may be lost with it. Throws DiskError when that cannot be noted. */
  onRound(): void
  /** It has ended, well or not, whatever has become of this log. */
  onRoundEnd(): void
  /** Paths whose flush makes durable what is written now; with `everything`, also what recovery could do without. */
  collect(everything: boolean): string[]
  /** Everything below `point` is durable; `everything` as it was collected. */
  onDurable(point: LogPoint, everything: boolean): void
  /** A flush that anybody asked for has failed since the log was opened: those that succeed prove nothing any more. */
  readonly hasLostFlush: boolean
  onFlushFailed(error: DiskError): void
  /** Whether the file has been removed meanwhile, so that there is nothing to flush. */
  isGone(path: string): boolean
}

type Done = (error: DiskError | null) => void

/**
 * Flush rounds of one log: one at a time, each covers all that was written before it. Offsets are durable, and may be
 * acknowledged, as Kafka's flush.messages has it: an append that makes that many unflushed waits for the flush.
 */
export class Durability {
  readonly #flush: FlushPort
  readonly #host: DurabilityHost
  #end: LogPoint
  #durable: number
  #acknowledged: LogPoint
  /** Where the log ended when it was opened: that it is there does not say that it is durable. */
  #foundTo: number
  #flushMessages: number
  #remaining = 0
  #failed: DiskError | null = null
  /** Final: after a failed flush the system may take for written what is not, so no later one is believed. */
  #lost: DiskError | null = null
  #wantsRound = false
  #wantsEverything = false
  #waiters: Done[] = []
  #epoch = 0
  /** One path of the round in flight is done. */
  #ended: () => void = () => {}

  constructor(flush: FlushPort, host: DurabilityHost, end: LogPoint, durable: number) {
    this.#flush = flush
    this.#host = host
    this.#end = end
    this.#durable = durable
    this.#acknowledged = end
    this.#foundTo = end.offset
    this.#flushMessages = Number.MAX_SAFE_INTEGER
  }

  /** A flush has failed: the log must be opened again. */
  get isLost(): boolean {
    return this.#lost !== null
  }

  get durableOffset(): number {
    return this.#durable
  }

  /** The end of what may be read. */
  get acknowledged(): LogPoint {
    return this.#acknowledged
  }

  /**
   * A produce whose last offset is below may be answered. That is what may be read, but for batches that an opening
   * found and no flush has covered yet: whoever sends them again is told when they are durable.
   */
  get answerableOffset(): number {
    const { offset } = this.#acknowledged
    const isProven =
      this.#durable >= this.#foundTo || this.#end.offset - this.#durable < this.#flushMessages
    return isProven ? offset : Math.min(offset, this.#durable)
  }

  set flushMessages(count: number) {
    this.#flushMessages = count
    this.#advance(this.#end.offset === this.#durable ? this.#end : null)
  }

  /** A round is under way. */
  get isFlushing(): boolean {
    return this.#remaining > 0
  }

  /** The log now ends at `end`. Starts a round when flush.messages asks for it. */
  wrote(end: LogPoint): void {
    this.#end = end
    if (end.offset - this.#durable < this.#flushMessages) this.#acknowledged = end
    else this.request(false)
  }

  /** The log was cut back to `end`. */
  truncated(end: LogPoint): void {
    this.#end = end
    this.#epoch++
    this.#durable = Math.min(this.#durable, end.offset)
    this.#foundTo = Math.min(this.#foundTo, end.offset)
    if (this.#acknowledged.offset > end.offset) this.#acknowledged = end
  }

  /** Starts a round, or another when the one in flight has ended. After one that failed, `done` is told of that at once. */
  request(everything: boolean, done: Done | null = null): void {
    if (this.#lost !== null) {
      done?.(this.#lost)
      return
    }
    if (done !== null) this.#waiters.push(done)
    this.#wantsRound = true
    this.#wantsEverything ||= everything
    if (this.#remaining === 0) this.#start()
  }

  /** A round that is under way ends when this is durable as well, as it is now. */
  include(path: string): void {
    if (this.#remaining > 0) this.#flushPath(path)
  }

  #start(): void {
    const everything = this.#wantsEverything
    const waiters = this.#waiters
    const point = this.#end
    const epoch = this.#epoch
    this.#wantsRound = this.#wantsEverything = false
    this.#waiters = []
    this.#failed = this.#noteRound()
    const paths = this.#failed === null ? this.#host.collect(everything) : []
    this.#ended = () => {
      if (--this.#remaining > 0) return
      this.#host.onRoundEnd()
      const failed = this.#failed ?? this.#lostMeanwhile()
      if (failed !== null) this.#lose(failed)
      else if (epoch === this.#epoch) {
        this.#durable = Math.max(this.#durable, point.offset)
        this.#advance(point)
        this.#host.onDurable(point, everything)
      }
      for (const done of waiters) done(failed)
      if (this.#wantsRound && this.#remaining === 0) this.#start()
    }
    // One more, so that a port that answers at once does not end the round early.
    this.#remaining = 1
    for (const path of paths) this.#flushPath(path)
    this.#ended()
  }

  #noteRound(): DiskError | null {
    try {
      this.#host.onRound()
      return null
    } catch (error) {
      if (error instanceof DiskError) return error
      throw error
    }
  }

  #flushPath(path: string): void {
    this.#remaining++
    this.#flush.request(path, (error) => {
      if (error !== null && !this.#host.isGone(path)) this.#failed = error
      this.#ended()
    })
  }

  #lostMeanwhile(): DiskError | null {
    return this.#host.hasLostFlush ? new DiskError('EIO', 'an earlier flush', 'flush') : null
  }

  #lose(error: DiskError): void {
    this.#lost = error
    this.#host.onFlushFailed(error)
    this.#wantsRound = this.#wantsEverything = false
    const waiters = this.#waiters
    this.#waiters = []
    for (const done of waiters) done(error)
  }

  /** `flushed`: the point that has just become durable. */
  #advance(flushed: LogPoint | null): void {
    if (this.#end.offset - this.#durable < this.#flushMessages) this.#acknowledged = this.#end
    else if (flushed !== null && flushed.offset > this.#acknowledged.offset) {
      this.#acknowledged = flushed
    }
  }
}

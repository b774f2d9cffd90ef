import { ErrorCode } from '../base/error-code.ts'
import { segmentName } from '../base/paths.ts'
import { DiskError } from './disk.ts'
import type { FoundStarts } from './files.ts'
import type { FlushBook } from './flush-book.ts'
import type { PartitionLog } from './partition-log.ts'
import { evenWhenFull } from './retention.ts'
import type { Segment } from './segment.ts'

/** Of the empty file whose name says where a log begins; the highest counts. */
export const LOG_START_SUFFIX = '.logstart'

/** Of a start that counts no more: what it is renamed to until that is durable. */
const DROPPED_SUFFIX = '.logstart-dropped'

export type DeleteRecordsDone = (error: ErrorCode, lowWatermark: number) => void

/** What was flushed when a log came to begin where it does: up to its start, and to the end of the batch that this lies in. Throws DiskError. */
export function flushedWithStart({
  logStartOffset,
  logEndOffset,
  segments,
}: {
  readonly logStartOffset: number
  readonly logEndOffset: number
  readonly segments: readonly Segment[]
}): number {
  const segment = segments.findLast(({ baseOffset }) => baseOffset < logStartOffset)
  if (segment === undefined || logStartOffset >= logEndOffset) return logStartOffset
  const batch = segment.findBatch(logStartOffset, segment.size)
  const isWithin = batch !== null && batch.baseOffset < logStartOffset
  return isWithin ? batch.lastOffset + 1 : logStartOffset
}

/**
 * DeleteRecords: moves the start of a log into or behind a segment. What is kept of it is the name of an empty file, which
 * cannot be torn, and which is durable before anybody sees the new start or a segment goes. Everything below is flushed first, so that no
 * power cut leaves a log that ends before it begins.
 */
export class LogStart {
  readonly #log: PartitionLog
  readonly #book: FlushBook
  /** Offsets of the files there are, rising. */
  #files: number[]
  /** Offsets of the starts that were dropped, as long as a power cut may bring them back. */
  #dropped: readonly number[]

  constructor(log: PartitionLog, book: FlushBook, found: FoundStarts) {
    this.#log = log
    this.#book = book
    this.#files = [...found.offsets]
    this.#dropped = found.dropped
  }

  /**
   * The log takes no appends yet: a start above them was dropped, and were that lost in a power cut, what was appended
   * below it would be gone with the next opening.
   */
  get isUnsettled(): boolean {
    return this.#dropped.length > 0
  }

  /**
   * Of a log that has just been opened, before anything is flushed: drops the starts above its end, which has lost what
   * they were in; it begins at its end then. The new start is there before the old ones go, and those are renamed, not
   * removed: whoever opens the log next must know that they may come back. Throws DiskError.
   */
  dropBeyondEnd(): void {
    const { directory, environment, logEndOffset, logStartOffset, partition } = this.#log
    const { disk, logger } = environment
    const beyond = this.#files.filter((offset) => offset > logEndOffset)
    if (beyond.length === 0) return
    const why = `Log ends at offset ${logEndOffset}, below its start ${beyond.at(-1)}`
    logger.log('warn', `${why}: it begins at its end`, { directory, partition })
    this.#files = this.#files.filter((offset) => offset <= logEndOffset)
    if (logStartOffset > (this.#files.at(-1) ?? 0)) {
      disk.open(this.#path(logStartOffset), 'append').close()
      this.#files.push(logStartOffset)
      this.#book.add(this.#path(logStartOffset))
    }
    for (const offset of beyond) disk.rename(this.#path(offset), this.#path(offset, DROPPED_SUFFIX))
    this.#dropped = [...this.#dropped, ...beyond]
  }

  /** What was dropped is made durable; then the log takes appends. */
  settle(): void {
    if (!this.isUnsettled) return
    const log = this.#log
    this.#book.add(log.directory)
    log.requestFlush((failed) => {
      if (failed !== null || this.#isOver) return
      const paths = this.#dropped.map((offset) => this.#path(offset, DROPPED_SUFFIX))
      this.#dropped = []
      this.#remove(paths)
    })
  }

  /** `offset` −1 is the high watermark. `done` is called once, at the latest after two flushes. */
  deleteBelow(offset: number, done: DeleteRecordsDone): void {
    const log = this.#log
    const target = offset === -1 ? log.highWatermark : offset
    const error = this.#refusal(target)
    if (error !== ErrorCode.NONE) done(error, -1)
    else if (target <= log.logStartOffset) done(ErrorCode.NONE, log.logStartOffset)
    else if (log.durableOffset >= target) this.#record(target, done)
    else {
      log.requestFlush((failed) => {
        if (failed !== null || this.#isOver) done(ErrorCode.KAFKA_STORAGE_ERROR, -1)
        else this.#record(target, done)
      })
    }
  }

  #refusal(target: number): ErrorCode {
    const { config, failure, highWatermark } = this.#log
    if (failure !== null) return ErrorCode.KAFKA_STORAGE_ERROR
    if (!config.cleanupPolicy.delete) return ErrorCode.POLICY_VIOLATION
    return target < 0 || target > highWatermark ? ErrorCode.OFFSET_OUT_OF_RANGE : ErrorCode.NONE
  }

  get #isOver(): boolean {
    return this.#log.closed || this.#log.failure !== null
  }

  #record(target: number, done: DeleteRecordsDone): void {
    const log = this.#log
    const path = this.#path(target)
    try {
      evenWhenFull(log, () => log.environment.disk.open(path, 'append').close())
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      const { directory, partition } = log
      const fields = { directory, partition, reason: error.message }
      log.environment.logger.log('error', 'The start of a log cannot be kept', fields)
      done(ErrorCode.KAFKA_STORAGE_ERROR, -1)
      return
    }
    this.#book.add(path)
    this.#book.add(log.directory)
    if (!this.#files.includes(target)) this.#files.push(target)
    log.requestFlush((failed) => {
      if (failed !== null || this.#isOver) {
        done(ErrorCode.KAFKA_STORAGE_ERROR, -1)
        return
      }
      log.beginsAt(target)
      this.#removeBelow(target)
      done(ErrorCode.NONE, log.logStartOffset)
    })
  }

  /** What cannot be removed does no harm. */
  #removeBelow(target: number): void {
    const gone = this.#files.filter((offset) => offset < target)
    this.#files = this.#files.filter((offset) => offset >= target)
    this.#remove(gone.map((offset) => this.#path(offset)))
  }

  #remove(paths: readonly string[]): void {
    const { environment } = this.#log
    for (const path of paths) {
      try {
        if (environment.disk.exists(path)) environment.disk.remove(path)
      } catch (error) {
        if (!(error instanceof DiskError)) throw error
        environment.logger.log('warn', `An old log start stays for now: ${error.message}`)
      }
    }
  }

  #path(offset: number, suffix = LOG_START_SUFFIX): string {
    return `${this.#log.directory}/${segmentName(offset, suffix)}`
  }
}

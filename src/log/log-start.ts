import { ErrorCode } from '../base/error-code.ts'
import { segmentName } from '../base/paths.ts'
import { DiskError } from './disk.ts'
import type { FlushBook } from './flush-book.ts'
import type { PartitionLog } from './partition-log.ts'
import { evenWhenFull } from './retention.ts'

/** Of the empty file whose name says where a log begins; the highest counts. */
export const LOG_START_SUFFIX = '.logstart'

export type DeleteRecordsDone = (error: ErrorCode, lowWatermark: number) => void

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

  constructor(log: PartitionLog, book: FlushBook, files: readonly number[]) {
    this.#log = log
    this.#book = book
    this.#files = [...files]
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
    const { environment } = this.#log
    const gone = this.#files.filter((offset) => offset < target)
    this.#files = this.#files.filter((offset) => offset >= target)
    for (const path of gone.map((offset) => this.#path(offset))) {
      try {
        if (environment.disk.exists(path)) environment.disk.remove(path)
      } catch (error) {
        if (!(error instanceof DiskError)) throw error
        environment.logger.log('warn', `An old log start stays for now: ${error.message}`)
      }
    }
  }

  #path(offset: number): string {
    return `${this.#log.directory}/${segmentName(offset, LOG_START_SUFFIX)}`
  }
}

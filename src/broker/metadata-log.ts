/** The controller's log: a partition log of its own in broker 1's directory, flushed by the flusher, on the broker's thread. */
import { InvariantError, invariant } from '../base/assert.ts'
import { ErrorCode, errorName } from '../base/error-code.ts'
import { asPartitionNumber } from '../base/ids.ts'
import { DiskError } from '../log/disk.ts'
import type { LogEnvironment } from '../log/environment.ts'
import { DEFAULT_LOG_CONFIG, type LogConfig } from '../log/log-config.ts'
import { newAppendOutcome } from '../log/outcomes.ts'
import { PartitionLog } from '../log/partition-log.ts'
import type { EntryLog } from '../machine/entry-log.ts'
import { buildBatch } from '../record/builder.ts'
import { RecordCursor } from '../record/records.ts'

/** Never given to a topic's partition: the controller numbers those from 1. */
export const METADATA_PARTITION = asPartitionNumber(0)

const CONFIG: LogConfig = {
  ...DEFAULT_LOG_CONFIG,
  retentionMs: -1,
  retentionBytes: -1,
  // nothing goes by itself: only what a snapshot has taken the place of
  cleanupPolicy: { delete: true, compact: false },
  segmentBytes: 16 * 2 ** 20,
  segmentMs: Number.MAX_SAFE_INTEGER,
  // an append is one batch, whole or not at all
  maxMessageBytes: 2 ** 28,
  messageTimestampAfterMaxMs: Number.MAX_SAFE_INTEGER,
}

export interface MetadataLogOptions {
  readonly environment: LogEnvironment
  readonly directory: string
  /** What {@link MetadataLog.deleteBelow} leaves is less than two of them beyond what it must. */
  readonly segmentBytes?: number
}

/**
 * Entries as records, one batch per append. Not durable by itself: {@link MetadataLog.requestFlush}. When the disk loses a flush the
 * log takes nothing more until the process starts anew: what was not durable may or may not be there then.
 */
export class MetadataLog implements EntryLog {
  readonly #log: PartitionLog
  readonly #environment: LogEnvironment
  readonly directory: string
  readonly #outcome = newAppendOutcome()
  #durableOffset: number
  #isClosed = false

  /** Opens and recovers it. Throws DiskError. */
  static open(options: MetadataLogOptions): MetadataLog {
    return new MetadataLog(options)
  }

  private constructor({ environment, directory, segmentBytes }: MetadataLogOptions) {
    this.#environment = environment
    this.directory = directory
    this.#log = PartitionLog.open({
      // nobody reads it over a ring
      environment: { ...environment, rings: null },
      directory,
      partition: METADATA_PARTITION,
      config: segmentBytes === undefined ? CONFIG : { ...CONFIG, segmentBytes },
      origin: 'broker',
      appendsWhenFull: true,
    })
    this.#durableOffset = this.#log.durableOffset
  }

  get startOffset(): number {
    return this.#log.logStartOffset
  }

  get endOffset(): number {
    return this.#log.logEndOffset
  }

  get durableOffset(): number {
    return this.#durableOffset
  }

  /** Why nothing more can be appended, or null. */
  get failure(): string | null {
    return this.#log.failure
  }

  get nextTimerAtMs(): number {
    return this.#isClosed ? Number.POSITIVE_INFINITY : this.#log.nextTimerAtMs
  }

  /** Runs the log's timers; of the thread's duty cycle. */
  doWork(nowMs: number): number {
    if (this.#isClosed || nowMs < this.#log.nextTimerAtMs) return 0
    this.#log.onTimer(nowMs)
    return 1
  }

  append(entries: readonly Uint8Array[]): number {
    if (entries.length === 0) return this.endOffset
    const timestampMs = this.#environment.clock.wallMs()
    const batch = buildBatch(entries.map((value) => ({ timestampMs, key: null, value })))
    const outcome = this.#outcome
    this.#log.stage(batch, timestampMs, 0, outcome)
    if (outcome.error === ErrorCode.KAFKA_STORAGE_ERROR) {
      throw new DiskError('EIO', this.directory, 'write')
    }
    if (outcome.error !== ErrorCode.NONE) {
      const why = outcome.faultMessage ?? errorName(outcome.error)
      throw new InvariantError(`the metadata log refuses its own batch: ${why}`)
    }
    const error = this.#log.write()
    if (error !== null) throw error
    return this.endOffset
  }

  read(fromOffset: number, each: (offset: number, bytes: Uint8Array) => void): void {
    if (fromOffset >= this.endOffset) return
    this.#log.readBatches(fromOffset, (bytes, at) => {
      const cursor = new RecordCursor(bytes, at)
      while (cursor.next()) {
        if (cursor.offset < fromOffset) continue
        const entry = cursor.value()
        invariant(entry !== null, 'a metadata entry has a value')
        each(cursor.offset, entry)
      }
      return true
    })
  }

  requestFlush(): void {
    const endOffset = this.endOffset
    // The entries alone: indexes are made again from them, and could fail on their own.
    this.#log.requestFlush((error) => {
      if (error === null && this.#log.failure === null)
        this.#durableOffset = Math.max(this.#durableOffset, endOffset)
      else if (error !== null) this.#tell(error)
    })
  }

  epochBefore(offset: number): number {
    return Math.max(0, this.#log.epochs.at(offset - 1))
  }

  deleteBelow(offset: number): void {
    if (this.#isClosed) return
    this.#log.deleteRecords(offset, (error) => {
      if (error === ErrorCode.NONE) return
      const { logger } = this.#environment
      const fields = { offset, reason: errorName(error) }
      logger.log('warn', 'The metadata log cannot be cut short', fields)
    })
  }

  /** For the broker's stop, with the others of its logs. */
  flushAll(done: (error: DiskError | null) => void): void {
    this.#log.flushAll(done)
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#log.close()
  }

  #tell(error: DiskError): void {
    this.#environment.logger.log('error', `The metadata log cannot be flushed: ${error.message}`)
  }
}

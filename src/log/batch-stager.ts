import { invariant } from '../base/assert.ts'
import { copyBytes } from '../base/copy.ts'
import { ErrorCode } from '../base/error-code.ts'
import {
  BATCH_CRC_FROM,
  isTransactional,
  lastOffsetDeltaOf,
  maxTimestampOf,
  producerIdOf,
  setLogAppendTime,
  sizeInBytesOf,
  stampOffsets,
} from '../record/batch.ts'
import { type BatchLimits, validateBatch } from '../record/validate.ts'
import { DiskError } from './disk.ts'
import type { Durability } from './durability.ts'
import type { LogConfig } from './log-config.ts'
import { LogRing } from './log-ring.ts'
import type { AppendOutcome } from './outcomes.ts'
import type { PartitionLog } from './partition-log.ts'
import { readProducerBatch } from './producer-state.ts'
import { newVerdict, type ProducerBatch } from './producers.ts'
import { shouldRoll } from './rules.ts'
import type { Segment } from './segment.ts'

export interface StagerOptions {
  readonly config: LogConfig
  readonly origin: 'client' | 'broker'
  readonly appendsWhenFull: boolean
}

const limitsOf = (config: LogConfig, origin: 'client' | 'broker'): BatchLimits => ({
  maxMessageBytes: config.maxMessageBytes,
  origin,
  timestampType: config.messageTimestampType === 'LogAppendTime' ? 'logAppendTime' : 'createTime',
  timestampBeforeMaxMs: config.messageTimestampBeforeMaxMs,
  timestampAfterMaxMs: config.messageTimestampAfterMaxMs,
})

/** What a client is told of a write that failed. */
export const faultOfWrite = (error: DiskError): 'diskFull' | 'writeFailed' =>
  error.code === 'ENOSPC' || error.code === 'EDQUOT' ? 'diskFull' : 'writeFailed'

/** Below, a copy into the ring log and a share of one write cost less than a write of one's own. */
const DIRECT_FROM_BYTES = 16 * 1024

/** Judged and then thrown away within one call: one of each per thread is enough. */
const verdict = newVerdict()
const producerBatch: ProducerBatch = {
  producerId: -1,
  epoch: -1,
  baseSequence: -1,
  lastOffsetDelta: 0,
}

/**
 * Appends in two steps: `stage` judges a batch, gives it its place and copies it once, into the ring log; `write` brings
 * all that a turn has staged into the active segment with one vectored write, and then makes it visible. What does
 * not fit a ring, or is large while nobody reads the end, is written while its bytes are there. On the broker's thread.
 */
export class BatchStager {
  readonly #log: PartitionLog
  readonly #ring: LogRing | null
  readonly #durability: Durability
  readonly #origin: 'client' | 'broker'
  readonly #appendsWhenFull: boolean
  #config: LogConfig
  #limits: BatchLimits
  #nextOffset: number
  #stagedBytes = 0
  /** A write within this turn has failed: the turn takes nothing more, and `write` says why. */
  #turnError: DiskError | null = null
  readonly #header = new Uint8Array(BATCH_CRC_FROM)
  readonly #pieces: Uint8Array[] = []

  constructor(
    log: PartitionLog,
    ring: LogRing | null,
    durability: Durability,
    options: StagerOptions,
  ) {
    this.#log = log
    this.#ring = ring
    this.#durability = durability
    this.#config = options.config
    this.#origin = options.origin
    this.#appendsWhenFull = options.appendsWhenFull
    this.#limits = limitsOf(options.config, options.origin)
    this.#nextOffset = log.logEndOffset
  }

  get hasStaged(): boolean {
    return this.#stagedBytes > 0 || this.#turnError !== null
  }

  // What a new ring begins with, and what is published with each write.
  get logStartOffset(): number {
    return this.#log.logStartOffset
  }
  get highWatermark(): number {
    return this.#log.highWatermark
  }
  get lastStableOffset(): number {
    return this.#log.lastStableOffset
  }
  get logEndOffset(): number {
    return this.#log.logEndOffset
  }

  updateConfig(config: LogConfig): void {
    this.#config = config
    this.#limits = limitsOf(config, this.#origin)
  }

  /** The log's end has moved by other ways than this one. */
  moved(): void {
    this.#nextOffset = this.#log.logEndOffset
  }

  /** Forgets what is staged: the log is about to be removed. */
  abandon(): void {
    this.#stagedBytes = 0
    this.#turnError = null
    this.#ring?.rollback()
  }

  /** `roomBytes`: what its tenant may still write; a batch that is there already takes none. */
  stage(
    batch: Uint8Array,
    nowMs: number,
    leaderEpoch: number,
    out: AppendOutcome,
    roomBytes: number,
  ): void {
    out.error = ErrorCode.NONE
    out.baseOffset = out.lastOffset = out.logAppendTimeMs = -1
    out.logStartOffset = this.#log.logStartOffset
    out.duplicate = false
    out.fault = out.faultMessage = null
    if (!this.#takesAppends(out) || !this.#isGood(batch, nowMs, out)) return
    const hasProducer = producerIdOf(batch, 0) >= 0
    if (hasProducer && !this.#isInSequence(batch, out)) return
    if (batch.length > roomBytes) {
      out.error = ErrorCode.POLICY_VIOLATION
      out.fault = 'overStorage'
      out.faultMessage = `Record batch of ${batch.length} bytes exceeds the ${roomBytes} that its tenant has left`
      return
    }
    try {
      this.#append(batch, nowMs, leaderEpoch, hasProducer, out)
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.#refuse(out, error)
    }
  }

  #takesAppends(out: AppendOutcome): boolean {
    const { environment, unsettled } = this.#log
    const failure = this.#log.failure ?? unsettled
    const { space } = environment
    if (failure !== null) {
      out.fault = this.#durability.isLost ? 'flushFailed' : 'logFailed'
      out.faultMessage = failure
    } else if (this.#turnError !== null) {
      out.fault = faultOfWrite(this.#turnError)
      out.faultMessage = this.#turnError.message
    } else if (this.#appendsWhenFull || space === null || space.admits()) return true
    else {
      out.fault = 'diskFull'
      out.faultMessage = 'The disk is full'
    }
    out.error = ErrorCode.KAFKA_STORAGE_ERROR
    return false
  }

  #isGood(batch: Uint8Array, nowMs: number, out: AppendOutcome): boolean {
    const fault = validateBatch(batch, 0, batch.length, this.#limits, nowMs)
    if (fault !== null) {
      out.error = fault.errorCode
      out.fault = fault.kind
      out.faultMessage = fault.message
      return false
    }
    if (sizeInBytesOf(batch, 0) !== batch.length) {
      out.error = ErrorCode.INVALID_RECORD
      out.fault = 'trailingBytes'
      out.faultMessage = 'More than one record batch'
    } else if (batch.length > this.#config.segmentBytes) {
      out.error = ErrorCode.RECORD_LIST_TOO_LARGE
      out.fault = 'beyondSegment'
      out.faultMessage = `Record batch of ${batch.length} bytes exceeds segment.bytes (${this.#config.segmentBytes})`
    } else if (this.#origin === 'client' && isTransactional(batch, 0)) {
      // As Kafka answers a batch of a transaction that the request does not name.
      out.error = ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
      out.fault = 'transactional'
      out.faultMessage = 'Transactions are not supported yet'
    }
    return out.error === ErrorCode.NONE
  }

  #isInSequence(batch: Uint8Array, out: AppendOutcome): boolean {
    try {
      this.#log.producers.ensureLoaded()
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.#refuse(out, error)
      return false
    }
    readProducerBatch(batch, 0, producerBatch)
    this.#log.producers.table.check(producerBatch, verdict)
    if (verdict.duplicate) {
      out.duplicate = true
      out.baseOffset = verdict.baseOffset
      out.lastOffset = verdict.lastOffset
      if (this.#limits.timestampType === 'logAppendTime') out.logAppendTimeMs = verdict.timestampMs
      return false
    }
    out.error = verdict.error
    out.fault = verdict.fault
    out.faultMessage = verdict.message
    return verdict.error === ErrorCode.NONE
  }

  #append(
    batch: Uint8Array,
    nowMs: number,
    leaderEpoch: number,
    hasProducer: boolean,
    out: AppendOutcome,
  ): void {
    const log = this.#log
    const stamped = this.#limits.timestampType === 'logAppendTime'
    const maxTimestamp = stamped ? nowMs : maxTimestampOf(batch, 0)
    const delta = lastOffsetDeltaOf(batch, 0)
    const segment = this.#segmentFor(batch.length, maxTimestamp, delta, nowMs)
    // All that can fail comes before the ring is touched, except for writes that begin a turn anew.
    if (leaderEpoch > log.epochs.latest) log.tail.assignEpoch(leaderEpoch, this.#nextOffset)
    if (this.#stagedBytes === 0) segment.mark()
    const ring = stamped || this.#wantsRing(batch) ? this.#ring : null
    let index = ring?.reserve(batch.length, this, nowMs) ?? LogRing.NO_ROOM
    if (index === LogRing.WRITE_FIRST) {
      this.#writeStaged()
      segment.mark()
      index = ring!.reserve(batch.length, this, nowMs)
      invariant(index !== LogRing.WRITE_FIRST, 'a ring is full of nothing')
    }
    if (index === LogRing.NO_ROOM && this.#stagedBytes > 0) {
      this.#writeStaged()
      segment.mark()
    }
    const baseOffset = this.#nextOffset
    if (index >= 0) {
      const { bytes } = ring!.writer!
      copyBytes(bytes, index, batch)
      stampOffsets(bytes, index, baseOffset, leaderEpoch)
      if (stamped) setLogAppendTime(bytes, index, nowMs)
    }
    const lastOffset = baseOffset + delta
    const position = segment.size + this.#stagedBytes
    segment.account(
      position,
      batch.length,
      lastOffset,
      maxTimestamp,
      this.#config.indexIntervalBytes,
    )
    if (hasProducer) {
      readProducerBatch(batch, 0, producerBatch)
      log.producers.table.append(producerBatch, lastOffset, maxTimestamp, nowMs)
    }
    this.#nextOffset = lastOffset + 1
    this.#stagedBytes += batch.length
    if (index < 0) this.#writeDirect(batch, baseOffset, leaderEpoch, stamped ? nowMs : -1)
    out.baseOffset = baseOffset
    out.lastOffset = lastOffset
    if (stamped) out.logAppendTimeMs = nowMs
  }

  /** A large batch that nobody is about to read goes to the file from where it is; small ones share a write. */
  #wantsRing(batch: Uint8Array): boolean {
    return batch.length < DIRECT_FROM_BYTES || this.#log.isReadAtEnd
  }

  /** The segment that a batch goes to, begun or rolled if need be. Throws DiskError. */
  #segmentFor(byteLength: number, maxTimestamp: number, delta: number, nowMs: number): Segment {
    const log = this.#log
    log.tail.markDirty()
    const active = log.active
    if (active === undefined) return log.tail.addSegment(nowMs)
    active.knowTimestamps()
    const position = active.size + this.#stagedBytes
    const lastOffset = this.#nextOffset + delta
    const { config } = log
    if (!shouldRoll(active, config, position, byteLength, maxTimestamp, lastOffset, nowMs)) {
      return active
    }
    this.#writeStaged()
    return log.tail.roll(nowMs)
  }

  /** One write for everything staged; null, or why it is undone. */
  write(): DiskError | null {
    const failed = this.#turnError
    this.#turnError = null
    if (failed !== null) return failed
    if (this.#stagedBytes === 0) return null
    try {
      this.#writeStaged()
      return null
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.#turnError = null
      return error
    }
  }

  #writeStaged(): void {
    if (this.#stagedBytes === 0) return
    const pieces = this.#pieces
    pieces.length = 0
    this.#ring!.stagedPieces(pieces)
    const bytes = this.#stagedBytes
    try {
      this.#writePieces(pieces)
    } catch (error) {
      if (error instanceof DiskError) this.#turnError = error
      throw error
    } finally {
      pieces.length = 0
    }
    this.#ring!.publish(this, bytes)
  }

  /** Writes a batch from its sender's memory, which is not ours to change: the stamped header goes before the rest. */
  #writeDirect(batch: Uint8Array, baseOffset: number, leaderEpoch: number, stampMs: number): void {
    const pieces = this.#pieces
    pieces.length = 0
    if (stampMs >= 0) {
      const copy = batch.slice()
      stampOffsets(copy, 0, baseOffset, leaderEpoch)
      setLogAppendTime(copy, 0, stampMs)
      pieces.push(copy)
    } else {
      const header = this.#header
      header.set(batch.subarray(0, BATCH_CRC_FROM))
      stampOffsets(header, 0, baseOffset, leaderEpoch)
      pieces.push(header, batch.subarray(BATCH_CRC_FROM))
    }
    this.#writePieces(pieces)
    pieces.length = 0
    this.#ring?.skipTo(this)
  }

  /** The one place where records reach a file. Throws DiskError when they did not, all traces removed. */
  #writePieces(pieces: readonly Uint8Array[]): void {
    const log = this.#log
    const { space } = log.environment
    const segment = log.active!
    const bytes = this.#stagedBytes
    const write = () => {
      segment.log.get().write(pieces, segment.size)
      segment.commitIndexes()
    }
    try {
      if (this.#appendsWhenFull && space !== null) space.withReserve(write)
      else write()
    } catch (error) {
      this.#undo(segment)
      if (error instanceof DiskError) space?.failed(error)
      throw error
    }
    segment.size += bytes
    this.#stagedBytes = 0
    log.producers.table.commit()
    log.tail.appended(this.#nextOffset, bytes)
    space?.wrote(bytes)
  }

  #undo(segment: Segment): void {
    this.#ring?.rollback()
    this.#stagedBytes = 0
    this.#nextOffset = this.#log.logEndOffset
    this.#log.producers.table.undo()
    try {
      segment.undo()
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.#log.fail(`what a failed write left could not be removed (${error.message})`)
    }
  }

  #refuse(out: AppendOutcome, error: DiskError): void {
    out.error = ErrorCode.KAFKA_STORAGE_ERROR
    out.baseOffset = out.lastOffset = -1
    out.fault = faultOfWrite(error)
    out.faultMessage = error.message
    this.#log.environment.space?.failed(error)
  }
}

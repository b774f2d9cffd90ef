import { invariant } from '../base/assert.ts'
import { copyBytes } from '../base/copy.ts'
import {
  BATCH_HEADER_BYTES,
  baseOffsetOf,
  isControl,
  lastOffsetDeltaOf,
  lastOffsetOf,
  leaderEpochOf,
  maxTimestampOf,
  producerIdOf,
  sizeInBytesOf,
} from '../record/batch.ts'
import type { BatchFaultKind } from '../record/fault.ts'
import { type BatchLimits, validateCrc, validateHeader } from '../record/validate.ts'
import type { RingLogPublication } from '../shared/ring-log-writer.ts'
import { faultOfWrite } from './batch-stager.ts'
import { DiskError } from './disk.ts'
import { LogRing } from './log-ring.ts'
import type { PartitionLog } from './partition-log.ts'
import { readProducerBatch } from './producer-state.ts'
import type { ProducerBatch } from './producers.ts'
import { shouldRoll } from './rules.ts'
import type { Segment } from './segment.ts'

export interface CopyOptions {
  /** Wall-clock ms. */
  readonly nowMs: number
  /** Below, batches need not follow one another: the log that they come from was cleaned that far. */
  readonly gapsTo: number
  /** false: the bytes were checked on their way, or come from a file whose batches were. */
  readonly checksCrc: boolean
}

export type CopyFault =
  | BatchFaultKind
  /** It does not begin where the log ends. */
  | 'wrongOffset'
  /** Its leader epoch is below that of the log's last batch. */
  | 'epochGoesBack'
  | 'diskFull'
  | 'writeFailed'
  | 'flushFailed'
  | 'logFailed'

export interface CopyOutcome {
  /** In the log and its file now, of the bytes given. */
  takenBytes: number
  /** What the batch takes that follows what was taken, where it is not whole; 0 where its header is not there either. */
  nextBytes: number
  /** Why nothing was taken beyond that; null where all whole batches were. */
  fault: CopyFault | null
  faultMessage: string | null
}

export const newCopyOutcome = (): CopyOutcome => ({
  takenBytes: 0,
  nextBytes: 0,
  fault: null,
  faultMessage: null,
})

/** What holds for every batch in a log, whoever has let it in. */
const LIMITS: BatchLimits = {
  maxMessageBytes: Number.POSITIVE_INFINITY,
  origin: 'broker',
  timestampType: 'createTime',
  timestampBeforeMaxMs: Number.POSITIVE_INFINITY,
  timestampAfterMaxMs: Number.POSITIVE_INFINITY,
}

const producerBatch: ProducerBatch = {
  producerId: -1,
  epoch: -1,
  baseSequence: -1,
  lastOffsetDelta: 0,
}

/**
 * Appends batches as another replica's log has them, offsets, epochs and all: the leader has judged them, here is seen to it that they are whole and
 * go on where this log ends. A run of them is one write, from the memory in which they came. On the broker's thread.
 */
export class BatchCopier {
  readonly #log: PartitionLog
  readonly #ring: LogRing | null
  /** Of the batches that are accounted for and not written yet: where they begin in the caller's bytes, and how long they are. */
  #from = 0
  #bytes = 0
  #nextOffset = 0
  /** The first offset that is not in the log yet. */
  #firstOffset = 0
  readonly #pieces: Uint8Array[] = []

  constructor(log: PartitionLog, ring: LogRing | null) {
    this.#log = log
    this.#ring = ring
  }

  /** Takes whole batches of `bytes`, from `from` up to `to`, until one cannot be taken. Nothing may be staged. */
  append(
    bytes: Uint8Array,
    from: number,
    to: number,
    options: CopyOptions,
    out: CopyOutcome,
  ): void {
    out.takenBytes = out.nextBytes = 0
    out.fault = out.faultMessage = null
    if (!this.#takesCopies(out)) return
    this.#dropEpochsBeyondEnd()
    this.#from = from
    this.#bytes = 0
    this.#nextOffset = this.#firstOffset = this.#log.logEndOffset
    let at = from
    try {
      while (at < to && this.#isNext(bytes, at, to, options, out)) {
        this.#take(bytes, at, options)
        at += sizeInBytesOf(bytes, at)
      }
      this.#write(bytes, options)
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.#log.environment.space?.failed(error)
      out.nextBytes = 0
      out.fault = faultOfWrite(error)
      out.faultMessage = error.message
      if (this.#bytes > 0) this.#undo()
      this.#dropEpochsBeyondEnd()
    }
    out.takenBytes = this.#from - from
  }

  #takesCopies(out: CopyOutcome): boolean {
    const { failure, hasLostFlush, unsettled } = this.#log
    if (failure === null && unsettled === null) return true
    out.fault = hasLostFlush ? 'flushFailed' : 'logFailed'
    out.faultMessage = failure ?? unsettled
    return false
  }

  /** An epoch has begun here, but the write of its first batch failed, or that was this replica's own: it is not in the log. */
  #dropEpochsBeyondEnd(): void {
    const { epochs, logEndOffset } = this.#log
    const last = epochs.lines.at(-1)
    if (last !== undefined && last.startOffset >= logEndOffset) epochs.truncate(logEndOffset)
  }

  /** Whether a whole batch is at `at` that goes on where the log ends. */
  #isNext(
    bytes: Uint8Array,
    at: number,
    to: number,
    options: CopyOptions,
    out: CopyOutcome,
  ): boolean {
    const available = to - at
    if (available < BATCH_HEADER_BYTES) return false
    const fault = validateHeader(bytes, at, available, LIMITS, options.nowMs)
    if (fault?.kind === 'truncated') {
      out.nextBytes = sizeInBytesOf(bytes, at)
      return false
    }
    const bad = fault ?? (options.checksCrc ? validateCrc(bytes, at) : null)
    if (bad !== null) {
      out.fault = bad.kind
      out.faultMessage = bad.message
      return false
    }
    const base = baseOffsetOf(bytes, at)
    const epoch = leaderEpochOf(bytes, at)
    const { latest } = this.#log.epochs
    const follows = base === this.#nextOffset || (base > this.#nextOffset && base <= options.gapsTo)
    if (!follows) {
      out.fault = 'wrongOffset'
      out.faultMessage = `A batch of offset ${base} does not go on where the log ends, at ${this.#nextOffset}`
    } else if (epoch < latest) {
      out.fault = 'epochGoesBack'
      out.faultMessage = `A batch of leader epoch ${epoch} does not follow on epoch ${latest}`
    }
    return out.fault === null
  }

  #take(bytes: Uint8Array, at: number, options: CopyOptions): void {
    const log = this.#log
    const size = sizeInBytesOf(bytes, at)
    const base = baseOffsetOf(bytes, at)
    const lastOffset = lastOffsetOf(bytes, at)
    const maxTimestamp = maxTimestampOf(bytes, at)
    const hasProducer = producerIdOf(bytes, at) >= 0 && !isControl(bytes, at)
    if (hasProducer) log.producers.ensureLoaded()
    const segment = this.#segmentFor(bytes, size, maxTimestamp, lastOffset, options)
    if (base > this.#nextOffset) log.tail.allowGaps(options.gapsTo)
    const epoch = leaderEpochOf(bytes, at)
    if (epoch > log.epochs.latest) log.tail.assignEpoch(epoch, base)
    if (this.#bytes === 0) segment.mark()
    const position = segment.size + this.#bytes
    segment.account(position, size, lastOffset, maxTimestamp, log.config.indexIntervalBytes)
    if (hasProducer) {
      readProducerBatch(bytes, at, producerBatch)
      log.producers.table.append(producerBatch, lastOffset, maxTimestamp, options.nowMs)
    }
    this.#nextOffset = lastOffset + 1
    this.#bytes += size
  }

  #segmentFor(
    bytes: Uint8Array,
    size: number,
    maxTimestamp: number,
    lastOffset: number,
    options: CopyOptions,
  ): Segment {
    const { active, config, tail } = this.#log
    tail.markDirty()
    if (active === undefined) return tail.addSegment(options.nowMs)
    active.knowTimestamps()
    const position = active.size + this.#bytes
    if (!shouldRoll(active, config, position, size, maxTimestamp, lastOffset, options.nowMs)) {
      return active
    }
    this.#write(bytes, options)
    return tail.roll(options.nowMs)
  }

  /** One write for what is accounted for. Throws DiskError. */
  #write(bytes: Uint8Array, options: CopyOptions): void {
    const length = this.#bytes
    if (length === 0) return
    const log = this.#log
    const { space } = log.environment
    const segment = log.active!
    const from = this.#from
    this.#pieces[0] = bytes.subarray(from, from + length)
    const write = () => {
      segment.log.get().write(this.#pieces, segment.size)
      segment.commitIndexes()
    }
    try {
      // what is in the leader's log already comes here too, disk full or not, as long as the reserve lasts
      if (space === null) write()
      else space.withReserve(write)
    } finally {
      this.#pieces.length = 0
    }
    segment.size += length
    this.#from += length
    this.#bytes = 0
    log.producers.table.commit()
    log.tail.appended(this.#nextOffset, length)
    space?.wrote(length)
    this.#feedRing(bytes, from, from + length, options.nowMs)
    this.#firstOffset = this.#nextOffset
  }

  #undo(): void {
    const log = this.#log
    this.#bytes = 0
    log.producers.table.undo()
    try {
      log.active!.undo()
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      log.fail(`what a failed write left could not be removed (${error.message})`)
    }
  }

  /** What is in the file now goes to the ring, too, where somebody reads the end of this replica. */
  #feedRing(bytes: Uint8Array, from: number, to: number, nowMs: number): void {
    const ring = this.#ring
    if (ring === null) return
    if (this.#log.isReadAtEnd && this.#fill(ring, bytes, from, to, nowMs)) return
    ring.rollback()
    ring.skipTo(this.#log)
  }

  #fill(ring: LogRing, bytes: Uint8Array, from: number, to: number, nowMs: number): boolean {
    let endOffset = this.#firstOffset
    let staged = 0
    const publish = () => {
      ring.publish(this.#publication(endOffset), staged)
      staged = 0
    }
    for (let at = from; at < to; ) {
      const size = sizeInBytesOf(bytes, at)
      let index = ring.reserve(size, this.#publication(endOffset), nowMs)
      if (index === LogRing.WRITE_FIRST) {
        publish()
        index = ring.reserve(size, this.#publication(endOffset), nowMs)
        invariant(index !== LogRing.WRITE_FIRST, 'a ring is full of nothing')
      }
      if (index < 0) return false
      copyBytes(ring.writer!.bytes, index, bytes.subarray(at, at + size))
      staged += size
      endOffset = baseOffsetOf(bytes, at) + lastOffsetDeltaOf(bytes, at) + 1
      at += size
    }
    publish()
    return true
  }

  #publication(logEndOffset: number): RingLogPublication {
    const { logStartOffset, highWatermark, lastStableOffset } = this.#log
    return {
      logEndOffset,
      logStartOffset: Math.min(logStartOffset, logEndOffset),
      highWatermark: Math.min(highWatermark, logEndOffset),
      lastStableOffset: Math.min(lastStableOffset, logEndOffset),
    }
  }
}

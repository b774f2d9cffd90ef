/** Where bytes, offsets and times are in a log: what fronts ask before they read. */
import { ErrorCode } from '../base/error-code.ts'
import {
  baseOffsetOf,
  computedCrcOf,
  lastOffsetOf,
  leaderEpochOf,
  maxTimestampOf,
  storedCrcOf,
  timestampTypeOf,
} from '../record/batch.ts'
import type { RingLogWriter } from '../shared/ring-log-writer.ts'
import type { CleanPoint } from './clean-point.ts'
import { DiskError } from './disk.ts'
import type { LogPoint } from './durability.ts'
import type { DamagedRange } from './files.ts'
import type { LeaderEpochs } from './leader-epochs.ts'
import {
  EARLIEST_LOCAL_TIMESTAMP,
  EARLIEST_PENDING_UPLOAD_TIMESTAMP,
  EARLIEST_TIMESTAMP,
  LATEST_TIERED_TIMESTAMP,
  LATEST_TIMESTAMP,
  type LocateOutcome,
  LocateSource,
  MAX_TIMESTAMP,
  type OffsetsOutcome,
  TimestampSource,
} from './outcomes.ts'
import type { BatchPlace, Segment } from './segment.ts'
import { BatchWalker, shortWalker } from './walk.ts'

/** A log as its readers see it. */
export interface ReadableLog {
  readonly directory: string
  readonly segments: readonly Segment[]
  readonly damaged: readonly DamagedRange[]
  readonly epochs: LeaderEpochs
  readonly cleanPoint: Pick<CleanPoint, 'gapsTo'>
  readonly logStartOffset: number
  readonly logEndOffset: number
  /** The end of what may be read. */
  readonly committed: LogPoint
}

const isDamaged = (log: ReadableLog, offset: number): boolean =>
  log.damaged.some((range) => offset >= range.from && offset < range.to)

/** Index of the segment that holds `offset`, −1 for one before the first. */
function floorSegment(segments: readonly Segment[], offset: number): number {
  let low = 0
  let high = segments.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (segments[middle]!.baseOffset <= offset) low = middle + 1
    else high = middle
  }
  return low - 1
}

/** Readable bytes of a segment. */
const limitOf = (log: ReadableLog, segment: Segment): number =>
  log.committed.segment === segment ? Math.min(log.committed.position, segment.size) : segment.size

/** Fills `out` for a fetch at `offset`: the ring log if it holds that, or a stretch of a segment file. Throws DiskError. */
export function locate(
  log: ReadableLog,
  ring: RingLogWriter | null,
  offset: number,
  maxBytes: number,
  out: LocateOutcome,
): void {
  out.error = ErrorCode.NONE
  out.source = LocateSource.NONE
  out.logStartOffset = log.logStartOffset
  out.highWatermark = out.lastStableOffset = log.committed.offset
  out.logEndOffset = log.logEndOffset
  out.segmentBaseOffset = out.position = out.byteLength = 0
  out.batchBaseOffset = -1
  out.leaderEpoch = log.epochs.latest
  out.ringByteOffset = ring?.region.byteOffset ?? -1
  out.ringByteLength = ring?.region.byteLength ?? 0
  out.ringGeneration = ring?.generation ?? 0
  if (offset < log.logStartOffset || offset > log.logEndOffset) {
    out.error = ErrorCode.OFFSET_OUT_OF_RANGE
  } else if (offset >= log.committed.offset) {
    // At the end: nothing yet.
  } else if (ring !== null && offset >= ring.oldestOffset) out.source = LocateSource.RING
  else locateInFiles(log, offset, maxBytes, out)
}

/**
 * Visits the batches from the one that holds `offset` on, up to the log end, until `visit` says false. Who reads a log itself goes by what is in it: each batch is checked,
 * and what is bad or missing is no end of the log but an error (EBADMSG). Throws DiskError.
 */
export function readBatches(
  log: ReadableLog,
  offset: number,
  visit: (bytes: Uint8Array, at: number, byteLength: number) => boolean,
): void {
  const walker = new BatchWalker(256 * 1024, true)
  const { gapsTo } = log.cleanPoint
  let due = offset
  let more = true
  for (const [index, segment] of log.segments.entries()) {
    const end = log.segments[index + 1]?.baseOffset ?? log.logEndOffset
    if (!more) break
    if (end <= offset) continue
    let isFirst = offset > segment.baseOffset
    if (!isFirst) {
      // what was before the first one was deleted, is a gap, or was set aside
      const isLost = segment.baseOffset > Math.max(due, log.logStartOffset, gapsTo)
      if (isLost) throw new DiskError('EBADMSG', segment.log.path, 'read')
      due = Math.max(due, segment.baseOffset)
    }
    const start = segment.findBatch(offset, segment.size)?.position ?? segment.size
    const reached = walker.walk(segment.log, start, segment.size, ({ bytes, at, size }) => {
      const base = baseOffsetOf(bytes, at)
      const last = lastOffsetOf(bytes, at)
      // no CRC covers the offsets
      const follows = base === due || (base > due ? base <= gapsTo : isFirst && last >= due)
      const isGood = follows && last >= base && last < end
      if (!isGood || storedCrcOf(bytes, at) !== computedCrcOf(bytes, at)) return false
      isFirst = false
      due = last + 1
      more = visit(bytes, at, size)
      return more
    })
    if (!more) break
    if (reached < segment.size || (due < end && end > gapsTo)) {
      throw new DiskError('EBADMSG', segment.log.path, 'read')
    }
    due = end
  }
  // set aside at the end, or all there was
  if (more && log.damaged.some(({ to }) => to > due)) {
    throw new DiskError('EBADMSG', log.directory, 'read')
  }
}

/** Finds the bytes of `offset` in the segment files: fills source, segmentBaseOffset, position and byteLength. */
function locateInFiles(
  log: ReadableLog,
  offset: number,
  maxBytes: number,
  out: LocateOutcome,
): void {
  const { segments } = log
  for (let index = Math.max(0, floorSegment(segments, offset)); index < segments.length; index++) {
    const segment = segments[index]!
    const end = log.committed.offset
    if (segment.baseOffset >= end || isDamaged(log, Math.max(offset, segment.baseOffset))) break
    // Beyond the last record of a segment, which may have gaps, the next one goes on.
    const limit = limitOf(log, segment)
    const place = segment.findBatch(offset, limit)
    if (place === null) {
      const next = segments[index + 1]
      if (next !== undefined && isDamaged(log, offset)) break
      continue
    }
    out.source = LocateSource.FILE
    out.segmentBaseOffset = segment.baseOffset
    out.position = place.position
    out.batchBaseOffset = place.baseOffset
    out.byteLength = segment.endWithin(place, maxBytes, limit) - place.position
    return
  }
  out.error = ErrorCode.KAFKA_STORAGE_ERROR
}

/** ListOffsets (KIP-79, KIP-734, KIP-405, KIP-1023). Without anything tiered, −4 is −2, and −5 and −6 find nothing. */
export function findTimestamp(log: ReadableLog, timestamp: number, out: OffsetsOutcome): void {
  out.error = ErrorCode.NONE
  out.source = TimestampSource.ANSWERED
  out.offset = out.timestamp = out.leaderEpoch = -1
  out.byteLength = out.segmentBaseOffset = out.position = 0
  out.logStartOffset = log.logStartOffset
  switch (timestamp) {
    case LATEST_TIMESTAMP:
      out.offset = log.committed.offset
      out.leaderEpoch = log.epochs.latest
      return
    case EARLIEST_TIMESTAMP:
    case EARLIEST_LOCAL_TIMESTAMP:
      out.offset = log.logStartOffset
      out.leaderEpoch = log.epochs.at(log.logStartOffset)
      return
    case LATEST_TIERED_TIMESTAMP:
    case EARLIEST_PENDING_UPLOAD_TIMESTAMP:
      return
    case MAX_TIMESTAMP:
      findMaxTimestamp(log, out)
      return
    default:
      if (timestamp < 0) out.error = ErrorCode.INVALID_REQUEST
      else findFrom(log, timestamp, 0, out)
  }
}

function findFrom(log: ReadableLog, timestamp: number, from: number, out: OffsetsOutcome): void {
  const { segments } = log
  for (let index = from; index < segments.length; index++) {
    const segment = segments[index]!
    if (segment.baseOffset >= log.committed.offset) return
    segment.knowTimestamps()
    if (segment.maxTimestamp < timestamp) continue
    const limit = limitOf(log, segment)
    const place = segment.findTimestamp(timestamp, log.logStartOffset, limit)
    if (place === null) continue
    answer(log, segment, place, timestamp, out)
    return
  }
}

/** The first record that has the largest timestamp of all (KIP-734). */
function findMaxTimestamp(log: ReadableLog, out: OffsetsOutcome): void {
  let largest = -1
  let at = -1
  log.segments.forEach((segment, index) => {
    if (segment.baseOffset >= log.committed.offset) return
    segment.knowTimestamps()
    if (segment.maxTimestamp <= largest) return
    // What is not committed yet or is deleted does not count: then the readable part is looked through.
    const limit = limitOf(log, segment)
    const isWhole = limit === segment.size && segment.baseOffset >= log.logStartOffset
    const timestamp = isWhole
      ? segment.maxTimestamp
      : largestWithin(segment, limit, log.logStartOffset)
    if (timestamp <= largest) return
    largest = timestamp
    at = index
  })
  if (at >= 0) findFrom(log, largest, at, out)
}

function largestWithin(segment: Segment, limit: number, from: number): number {
  let largest = -1
  shortWalker.walk(segment.log, 0, limit, (batch) => {
    if (lastOffsetOf(batch.bytes, batch.at) < from) return true
    largest = Math.max(largest, maxTimestampOf(batch.bytes, batch.at))
    return true
  })
  return largest
}

function answer(
  log: ReadableLog,
  segment: Segment,
  place: BatchPlace,
  timestamp: number,
  out: OffsetsOutcome,
): void {
  shortWalker.walk(segment.log, place.position, place.position + place.byteLength, (batch) => {
    const { bytes, at } = batch
    out.leaderEpoch = leaderEpochOf(bytes, at)
    if (timestampTypeOf(bytes, at) === 'logAppendTime') {
      out.offset = Math.max(baseOffsetOf(bytes, at), log.logStartOffset)
      out.timestamp = maxTimestampOf(bytes, at)
      return false
    }
    out.source = TimestampSource.BATCH
    out.timestamp = timestamp
    out.offset = place.baseOffset
    out.segmentBaseOffset = segment.baseOffset
    out.position = place.position
    // A timestamp in the header that no record has would find nothing: the rest may be read on.
    out.byteLength = place.byteLength
    return false
  })
}

import {
  BATCH_HEADER_BYTES,
  baseOffsetOf,
  computedCrcOf,
  lastOffsetOf,
  leaderEpochOf,
  MAGIC_V2,
  maxTimestampOf,
  sizeInBytesOf,
  storedCrcOf,
} from '../record/batch.ts'
import type { LeaderEpochs } from './leader-epochs.ts'
import type { FileHandle } from './open-files.ts'
import { Rewriter } from './rewriter.ts'
import type { Segment } from './segment.ts'
import { shortWalker, type WalkedBatch, wholeWalker } from './walk.ts'

const WINDOW_BYTES = 1 << 20
/** Looking for a good batch among bad bytes, no longer jumps of the offset are believed. */
const OFFSET_JUMP_MAX = 2 ** 40

export interface ScanOptions {
  /** Offset at which the segment must begin to continue the log. */
  readonly expected: number
  /** Batches up to this offset need not follow one another: the log was cleaned that far. */
  readonly gapsTo: number
  /** Below, only headers are looked at; above, CRCs too. */
  readonly wholeTo: number
  /** The indexes are not to be trusted. */
  readonly rebuild: boolean
  readonly indexIntervalBytes: number
  readonly epochs: LeaderEpochs
}

export interface ScanResult {
  /** Bytes of good batches. */
  readonly goodBytes: number
  readonly endOffset: number
  readonly scannedBytes: number
}

/**
 * Checks the end of one segment from `wholeTo` on, and makes its indexes anew for that part. What is found good there is
 * written again, as it was read: a flush of it may have failed. Throws DiskError.
 */
export function scanSegment(segment: Segment, options: ScanOptions): ScanResult {
  const { wholeTo, gapsTo, indexIntervalBytes, epochs } = options
  const size = segment.size
  let from = segment.cutIndexes(options.rebuild ? segment.baseOffset : wholeTo)
  if (from > 0 && !startsBatch(segment, from)) from = segment.cutIndexes(segment.baseOffset)
  let expected = from === 0 ? options.expected : -1
  const take = (batch: Readonly<WalkedBatch>): void => {
    const { bytes, at } = batch
    expected = lastOffsetOf(bytes, at) + 1
    epochs.assign(leaderEpochOf(bytes, at), baseOffsetOf(bytes, at))
    const timestamp = maxTimestampOf(bytes, at)
    segment.account(batch.position, batch.size, expected - 1, timestamp, indexIntervalBytes)
  }
  const follows = ({ bytes, at }: Readonly<WalkedBatch>): boolean => {
    const base = baseOffsetOf(bytes, at)
    if (lastOffsetOf(bytes, at) < base) return false
    return expected < 0 || base === expected || (base > expected && base <= gapsTo)
  }
  if (from > 0) {
    shortWalker.walk(segment.log, 0, size, (batch) => {
      segment.firstTimestamp = maxTimestampOf(batch.bytes, batch.at)
      return false
    })
  }
  const unflushed = shortWalker.walk(segment.log, from, size, (batch) => {
    const below = lastOffsetOf(batch.bytes, batch.at) < wholeTo
    if (!below || !follows(batch)) return false
    take(batch)
    return true
  })
  const rewriter = new Rewriter(segment.log)
  const goodBytes = wholeWalker.walk(segment.log, unflushed, size, (batch) => {
    if (!follows(batch) || !crcMatches(batch.bytes, batch.at)) return false
    take(batch)
    rewriter.add(batch.bytes, batch.at, batch.size, batch.position)
    return true
  })
  rewriter.end()
  segment.size = goodBytes
  segment.commitIndexes()
  const endOffset = expected < 0 ? Math.max(wholeTo, segment.baseOffset) : expected
  return { goodBytes, endOffset, scannedBytes: size - unflushed }
}

const crcMatches = (bytes: Uint8Array, at: number): boolean =>
  storedCrcOf(bytes, at) === computedCrcOf(bytes, at)

function startsBatch(segment: Segment, position: number): boolean {
  let found = false
  shortWalker.walk(segment.log, position, segment.size, () => {
    found = true
    return false
  })
  return found
}

/** Whether a whole batch of an offset at or after `minOffset` lies anywhere beyond `from` in the file. */
export function hasGoodBatch(
  file: FileHandle,
  from: number,
  size: number,
  minOffset: number,
): boolean {
  const window = new Uint8Array(WINDOW_BYTES + BATCH_HEADER_BYTES)
  for (let start = from; start + BATCH_HEADER_BYTES <= size; start += WINDOW_BYTES) {
    const got = file.get().read(window, 0, Math.min(window.length, size - start), start)
    const last = Math.min(WINDOW_BYTES - 1, got - BATCH_HEADER_BYTES)
    for (let magic = window.indexOf(MAGIC_V2, 16); magic >= 0; ) {
      const at = magic - 16
      if (at > last) break
      if (isGood(file, window, at, start + at, size, minOffset)) return true
      magic = window.indexOf(MAGIC_V2, magic + 1)
    }
  }
  return false
}

function isGood(
  file: FileHandle,
  window: Uint8Array,
  at: number,
  position: number,
  size: number,
  minOffset: number,
): boolean {
  const bytes = sizeInBytesOf(window, at)
  if (bytes < BATCH_HEADER_BYTES || position + bytes > size) return false
  const base = baseOffsetOf(window, at)
  if (base < minOffset || base > minOffset + OFFSET_JUMP_MAX) return false
  const batch = new Uint8Array(bytes)
  file.get().read(batch, 0, bytes, position)
  return crcMatches(batch, 0)
}

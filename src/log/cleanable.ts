/** What of a log is to be cleaned: Kafka's rules, as functions of what the log knows. */
import { OFFSET_ENTRY_BYTES, TIME_ENTRY_BYTES } from './index-file.ts'
import type { PartitionLog } from './partition-log.ts'
import { RELATIVE_MAX, type Segment } from './segment.ts'

export interface Cleanable {
  /** Where the part begins that may hold more than one value per key. */
  readonly firstDirtyOffset: number
  /** Cleaning may go up to here: a segment's end. */
  readonly endOffset: number
  readonly cleanBytes: number
  readonly dirtyBytes: number
}

/**
 * What may be cleaned: sealed segments, durable, committed, and followed by one whose name is durable, so that the log's end
 * never depends on them. null when there is nothing.
 */
export function cleanablePart(log: PartitionLog, nowMs: number): Cleanable | null {
  const { segments, config } = log
  const limit = Math.min(log.durableOffset, log.highWatermark, log.lastStableOffset)
  const firstDirtyOffset = Math.max(log.cleanPoint.cleanTo, segments[0]?.baseOffset ?? 0)
  let [cleanBytes, dirtyBytes, endOffset] = [0, 0, firstDirtyOffset]
  for (let index = 0; index < segments.length - 1; index++) {
    const [segment, next] = [segments[index]!, segments[index + 1]!]
    if (!segment.flushed || !next.named || next.baseOffset > limit) break
    if (next.baseOffset <= firstDirtyOffset) {
      cleanBytes += segment.size
      continue
    }
    const lagMs = config.minCompactionLagMs
    if (lagMs > 0 && segment.newestMs() > nowMs - lagMs) break
    dirtyBytes += segment.size
    endOffset = next.baseOffset
  }
  return endOffset > firstDirtyOffset
    ? { firstDirtyOffset, endOffset, cleanBytes, dirtyBytes }
    : null
}

/** Kafka's min.cleanable.dirty.ratio. */
export const isDirtyEnough = ({ cleanBytes, dirtyBytes }: Cleanable, minRatio: number): boolean =>
  dirtyBytes > 0 && dirtyBytes >= minRatio * (cleanBytes + dirtyBytes)

/** How many segments from `index` on fit into one, by their sizes as they are: at least one. None begins at `endOffset` or later. */
export function groupLength(
  log: PartitionLog,
  index: number,
  endOffset: number,
  segmentsMax: number,
): number {
  const { segments, config } = log
  const base = segments[index]!.baseOffset
  let [bytes, offsetBytes, timeBytes] = [0, 0, 0]
  let count = 0
  while (count < segmentsMax && index + count < segments.length - 1) {
    const segment = segments[index + count]!
    const end = segments[index + count + 1]!.baseOffset
    if (segment.baseOffset >= endOffset) break
    bytes += segment.size
    offsetBytes += indexBytes(segment, OFFSET_ENTRY_BYTES)
    timeBytes += indexBytes(segment, TIME_ENTRY_BYTES)
    const fits =
      bytes <= config.segmentBytes &&
      Math.max(offsetBytes, timeBytes) <= config.segmentIndexBytes &&
      end - 1 - base <= RELATIVE_MAX
    if (count > 0 && !fits) break
    count++
  }
  return count
}

const indexBytes = (segment: Segment, entryBytes: number): number =>
  (entryBytes === OFFSET_ENTRY_BYTES ? segment.offsets : segment.times).count * entryBytes

/** When a segment is rolled and when it may go: Kafka's rules, as pure functions. */
import type { LogConfig } from './log-config.ts'
import type { Segment } from './segment.ts'

/** Whether the batch to come needs a new segment (Kafka's LogSegment.shouldRoll). `position` counts what is staged. */
export function shouldRoll(
  segment: Segment,
  config: LogConfig,
  position: number,
  byteLength: number,
  maxTimestamp: number,
  lastOffset: number,
  nowMs: number,
): boolean {
  if (position === 0) return !segment.canHold(lastOffset)
  if (position + byteLength > config.segmentBytes) return true
  const sinceMs = segment.firstTimestamp >= 0 ? segment.firstTimestamp : segment.createdMs
  const untilMs = segment.firstTimestamp >= 0 ? maxTimestamp : nowMs
  if (untilMs - sinceMs > config.segmentMs - segment.jitterMs) return true
  return segment.isIndexFull(config.segmentIndexBytes) || !segment.canHold(lastOffset)
}

/**
 * How many of the oldest segments retention wants gone, of those wholly below `highWatermark`: those below the log start,
 * and those that the config lets go. The last one counts only when it holds something, and is to be rolled first.
 */
export function expiredSegments(
  segments: readonly Segment[],
  config: LogConfig,
  highWatermark: number,
  nowMs: number,
  logEndOffset: number,
  logStartOffset = 0,
): number {
  const below = segments.findLastIndex(({ baseOffset }) => baseOffset <= logStartOffset)
  return Math.max(below, expiredByConfig(segments, config, highWatermark, nowMs, logEndOffset))
}

function expiredByConfig(
  segments: readonly Segment[],
  config: LogConfig,
  highWatermark: number,
  nowMs: number,
  logEndOffset: number,
): number {
  if (!config.cleanupPolicy.delete) return 0
  let excess = -1
  if (config.retentionBytes >= 0) {
    excess = -config.retentionBytes
    for (const segment of segments) excess += segment.size
  }
  let count = 0
  for (const segment of segments) {
    const end = segments[count + 1]?.baseOffset ?? logEndOffset
    const isLast = count === segments.length - 1
    if (end > highWatermark || (isLast && segment.size === 0)) break
    const bySize = excess >= 0 && excess - segment.size >= 0
    if (!bySize && !isOld(segment, config.retentionMs, nowMs)) break
    excess -= segment.size
    count++
  }
  return count
}

const isOld = (segment: Segment, retentionMs: number, nowMs: number): boolean =>
  retentionMs >= 0 && nowMs - segment.newestMs() > retentionMs

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
 * and those that the config lets go. One that is empty (cleaning leaves such) goes with the next that is not: it has no time
 * of its own. The last one counts only when it holds something, and is to be rolled first.
 */
export function expiredSegments(
  segments: readonly Segment[],
  config: LogConfig,
  highWatermark: number,
  nowMs: number,
  logEndOffset: number,
  logStartOffset = 0,
): number {
  const isAllBelow = logEndOffset <= logStartOffset && (segments.at(-1)?.size ?? 0) > 0
  const below = isAllBelow
    ? segments.length
    : segments.findLastIndex(({ baseOffset }) => baseOffset <= logStartOffset)
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
  for (let index = 0; index < segments.length; index++) {
    const segment = segments[index]!
    const end = segments[index + 1]?.baseOffset ?? logEndOffset
    if (end > highWatermark) break
    if (segment.size === 0) continue
    const bySize = excess >= 0 && excess - segment.size >= 0
    if (!bySize && !isOld(segment, config.retentionMs, nowMs)) break
    excess -= segment.size
    count = index + 1
  }
  return count
}

/** Wall-clock ms at which retention.ms will want the first segment gone, Infinity for never. Throws DiskError. */
export function retentionDueAtMs(segments: readonly Segment[], config: LogConfig): number {
  const { cleanupPolicy, retentionMs } = config
  if (!cleanupPolicy.delete || retentionMs < 0) return Number.POSITIVE_INFINITY
  const first = segments.find(({ size }) => size > 0)
  return first === undefined ? Number.POSITIVE_INFINITY : first.newestMs() + retentionMs
}

const isOld = (segment: Segment, retentionMs: number, nowMs: number): boolean =>
  retentionMs >= 0 && nowMs - segment.newestMs() > retentionMs

/** The topic is to be flushed beyond what the system does by itself: Kafka's flush.messages and flush.ms; what is cleaned must be durable first. */
export const asksForFlushes = ({ cleanupPolicy, flushMessages, flushMs }: LogConfig): boolean =>
  cleanupPolicy.compact ||
  flushMessages < Number.MAX_SAFE_INTEGER ||
  flushMs < Number.MAX_SAFE_INTEGER

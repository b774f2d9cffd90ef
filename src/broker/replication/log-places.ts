import { type AppendPlace, NO_PLACE } from '../../link/raft-messages.ts'
import type { PartitionLog } from '../../log/partition-log.ts'

/** Of the batch that holds the log's start, which may lie within it: a follower begins with whole batches. Throws DiskError. */
export function firstOffsetOf(log: PartitionLog): number {
  const { logStartOffset, logEndOffset } = log
  if (logStartOffset >= logEndOffset) return logStartOffset
  const { batchBaseOffset } = placeIn(log, logStartOffset)
  return batchBaseOffset < 0 ? logStartOffset : Math.min(batchBaseOffset, logStartOffset)
}

/** Where the batch that holds `offset` is in a log's files. Throws DiskError. */
export function placeIn(log: PartitionLog, offset: number): AppendPlace {
  const { segments } = log
  const index = segments.findLastIndex((segment) => segment.baseOffset <= offset)
  for (const segment of segments.slice(Math.max(0, index))) {
    const found = segment.findBatch(offset, segment.size)
    if (found === null) continue
    return {
      segmentBaseOffset: segment.baseOffset,
      filePosition: found.position,
      batchBaseOffset: found.baseOffset,
      gapsTo: log.cleanPoint.gapsTo,
    }
  }
  return NO_PLACE
}

import { type AppendPlace, NO_PLACE } from '../../link/raft-messages.ts'
import type { PartitionLog } from '../../log/partition-log.ts'
import type { Message } from '../../raft/types.ts'
import type { ReplicaFiles } from './replica-files.ts'

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

/** Bytes in front of the batch that holds `offset`; all where none does. Throws DiskError. */
function bytesBefore(log: PartitionLog, offset: number): number {
  const { segmentBaseOffset, filePosition, batchBaseOffset } = placeIn(log, offset)
  let bytes = 0
  for (const { baseOffset, size } of log.segments) {
    if (batchBaseOffset >= 0 && baseOffset === segmentBaseOffset) return bytes + filePosition
    bytes += size
  }
  return bytes
}

/** Bytes of the batches from the one that holds `from` up to the one that holds `to`. Throws DiskError. */
export const bytesBetween = (log: PartitionLog, from: number, to: number): number =>
  to <= from ? 0 : Math.max(0, bytesBefore(log, to) - bytesBefore(log, from))

/** Where a run of whole batches ends that begins with the one that holds `from`: `bytes` long, or less, but for a single larger batch. Throws DiskError. */
export function endWithin(log: PartitionLog, from: number, bytes: number): number {
  const { logEndOffset } = log
  const start = bytesBefore(log, from)
  const first = placeIn(log, from).batchBaseOffset
  if (first < 0 || bytesBefore(log, logEndOffset) - start <= bytes) return logEndOffset
  let low = from
  let high = logEndOffset
  // the last offset whose batch begins within the bytes: what is before that batch fits
  while (high - low > 1) {
    const middle = low + Math.floor((high - low) / 2)
    if (bytesBefore(log, middle) - start <= bytes) low = middle
    else high = middle
  }
  const end = placeIn(log, low).batchBaseOffset
  // a single batch is larger: it goes all the same, up to where the next one begins
  return end > from ? end : high
}

/** Where what followers are sent lies in a leader's log. Of one replica, on the broker's thread. */
export class AppendPlaces {
  /** Where the last append of its own began: what is sent next, nearly always. */
  #tail: AppendPlace = NO_PLACE

  /** Before an append. */
  noteTail({ active, cleanPoint, logEndOffset }: PartitionLog): void {
    this.#tail = {
      segmentBaseOffset: active?.baseOffset ?? -1,
      filePosition: active?.size ?? 0,
      batchBaseOffset: active === undefined ? -1 : logEndOffset,
      gapsTo: cleanPoint.gapsTo,
    }
  }

  forgetTail(): void {
    this.#tail = NO_PLACE
  }

  /** Where the range of an append begins. Throws DiskError. */
  of(
    { controls, log }: ReplicaFiles,
    { start, end }: Extract<Message, { type: 'append' }>,
  ): AppendPlace {
    const offset = controls.offsetOf(start)
    if (end === start || controls.offsetOf(end) === offset) return NO_PLACE
    const { batchBaseOffset, segmentBaseOffset } = this.#tail
    // with that append a new segment may have begun, and the one before may have been cleaned or removed since
    const isThere = segmentBaseOffset === log.active?.baseOffset
    return batchBaseOffset === offset && isThere ? this.#tail : placeIn(log, offset)
  }
}

/** Replies of a broker to a front; layouts are drawn in `commands.ts`. */
import { asPartitionNumber, type PartitionNumber } from '../base/ids.ts'

export interface ProducedReply {
  correlation: number
  error: number
  /** Of ProduceReason: NONE with error NONE. */
  reason: number
  baseOffset: number
  /** −1 with CreateTime. */
  logAppendTimeMs: number
  logStartOffset: number
}

export function writeProduced(view: DataView, at: number, reply: Readonly<ProducedReply>): void {
  view.setUint32(at, reply.correlation, true)
  view.setInt16(at + 4, reply.error, true)
  view.setUint16(at + 6, reply.reason, true)
  view.setFloat64(at + 8, reply.baseOffset, true)
  view.setFloat64(at + 16, reply.logAppendTimeMs, true)
  view.setFloat64(at + 24, reply.logStartOffset, true)
}

export function readProduced(view: DataView, at: number, into: ProducedReply): void {
  into.correlation = view.getUint32(at, true)
  into.error = view.getInt16(at + 4, true)
  into.reason = view.getUint16(at + 6, true)
  into.baseOffset = view.getFloat64(at + 8, true)
  into.logAppendTimeMs = view.getFloat64(at + 16, true)
  into.logStartOffset = view.getFloat64(at + 24, true)
}

/** The answer to LOCATE. Ring coordinates (within the broker's arena) are given whenever the partition has a ring log. */
export interface LocatedReply {
  /** Whose files and ring it names: no part of the layout, the front stores it. */
  brokerId?: number
  correlation: number
  error: number
  source: number
  logStartOffset: number
  highWatermark: number
  lastStableOffset: number
  logEndOffset: number
  segmentBaseOffset: number
  /** Byte position in the segment file of the batch that holds the asked offset. */
  position: number
  /** Committed bytes of whole batches from `position` on, capped near the asked maximum (at least one batch). */
  byteLength: number
  leaderEpoch: number
  /** −1 without a ring log. */
  ringByteOffset: number
  ringByteLength: number
  ringGeneration: number
  /** Base offset of the batch at `position`, by which a reader knows that it has read the file that was meant. */
  batchBaseOffset: number
}

export function writeLocated(view: DataView, at: number, reply: Readonly<LocatedReply>): void {
  view.setUint32(at, reply.correlation, true)
  view.setInt16(at + 4, reply.error, true)
  view.setUint8(at + 6, reply.source)
  view.setUint8(at + 7, 0)
  view.setFloat64(at + 8, reply.logStartOffset, true)
  view.setFloat64(at + 16, reply.highWatermark, true)
  view.setFloat64(at + 24, reply.lastStableOffset, true)
  view.setFloat64(at + 32, reply.logEndOffset, true)
  view.setFloat64(at + 40, reply.segmentBaseOffset, true)
  view.setFloat64(at + 48, reply.position, true)
  view.setUint32(at + 56, reply.byteLength, true)
  view.setInt32(at + 60, reply.leaderEpoch, true)
  view.setFloat64(at + 64, reply.ringByteOffset, true)
  view.setUint32(at + 72, reply.ringByteLength, true)
  view.setInt32(at + 76, reply.ringGeneration, true)
  view.setFloat64(at + 80, reply.batchBaseOffset, true)
}

export function readLocated(view: DataView, at: number, into: LocatedReply): void {
  into.correlation = view.getUint32(at, true)
  into.error = view.getInt16(at + 4, true)
  into.source = view.getUint8(at + 6)
  into.logStartOffset = view.getFloat64(at + 8, true)
  into.highWatermark = view.getFloat64(at + 16, true)
  into.lastStableOffset = view.getFloat64(at + 24, true)
  into.logEndOffset = view.getFloat64(at + 32, true)
  into.segmentBaseOffset = view.getFloat64(at + 40, true)
  into.position = view.getFloat64(at + 48, true)
  into.byteLength = view.getUint32(at + 56, true)
  into.leaderEpoch = view.getInt32(at + 60, true)
  into.ringByteOffset = view.getFloat64(at + 64, true)
  into.ringByteLength = view.getUint32(at + 72, true)
  into.ringGeneration = view.getInt32(at + 76, true)
  into.batchBaseOffset = view.getFloat64(at + 80, true)
}

export interface WokenReply {
  partition: PartitionNumber
  /** Not NONE when the partition went away or failed: whoever waits must look again. */
  error: number
  highWatermark: number
}

export function writeWoken(view: DataView, at: number, reply: Readonly<WokenReply>): void {
  view.setUint32(at, reply.partition, true)
  view.setInt16(at + 4, reply.error, true)
  view.setInt16(at + 6, 0, true)
  view.setFloat64(at + 8, reply.highWatermark, true)
}

export function readWoken(view: DataView, at: number, into: WokenReply): void {
  into.partition = asPartitionNumber(view.getUint32(at, true))
  into.error = view.getInt16(at + 4, true)
  into.highWatermark = view.getFloat64(at + 8, true)
}

export interface OffsetsReply {
  /** Whose files it names: no part of the layout, the front stores it. */
  brokerId?: number
  correlation: number
  error: number
  source: number
  /** The answer, or with BATCH the base offset of the batch at `position`. */
  offset: number
  timestamp: number
  leaderEpoch: number
  byteLength: number
  segmentBaseOffset: number
  position: number
  logStartOffset: number
}

export function writeOffsets(view: DataView, at: number, reply: Readonly<OffsetsReply>): void {
  view.setUint32(at, reply.correlation, true)
  view.setInt16(at + 4, reply.error, true)
  view.setUint8(at + 6, reply.source)
  view.setUint8(at + 7, 0)
  view.setFloat64(at + 8, reply.offset, true)
  view.setFloat64(at + 16, reply.timestamp, true)
  view.setInt32(at + 24, reply.leaderEpoch, true)
  view.setUint32(at + 28, reply.byteLength, true)
  view.setFloat64(at + 32, reply.segmentBaseOffset, true)
  view.setFloat64(at + 40, reply.position, true)
  view.setFloat64(at + 48, reply.logStartOffset, true)
}

export function readOffsets(view: DataView, at: number, into: OffsetsReply): void {
  into.correlation = view.getUint32(at, true)
  into.error = view.getInt16(at + 4, true)
  into.source = view.getUint8(at + 6)
  into.offset = view.getFloat64(at + 8, true)
  into.timestamp = view.getFloat64(at + 16, true)
  into.leaderEpoch = view.getInt32(at + 24, true)
  into.byteLength = view.getUint32(at + 28, true)
  into.segmentBaseOffset = view.getFloat64(at + 32, true)
  into.position = view.getFloat64(at + 40, true)
  into.logStartOffset = view.getFloat64(at + 48, true)
}

export interface DeletedReply {
  correlation: number
  error: number
  /** Where the log begins now; −1 with an error. */
  lowWatermark: number
}

export function writeDeleted(view: DataView, at: number, reply: Readonly<DeletedReply>): void {
  view.setUint32(at, reply.correlation, true)
  view.setInt16(at + 4, reply.error, true)
  view.setUint16(at + 6, 0, true)
  view.setFloat64(at + 8, reply.lowWatermark, true)
}

export function readDeleted(view: DataView, at: number, into: DeletedReply): void {
  into.correlation = view.getUint32(at, true)
  into.error = view.getInt16(at + 4, true)
  into.lowWatermark = view.getFloat64(at + 8, true)
}

export interface EpochEndedReply {
  correlation: number
  error: number
  /** The largest epoch not above the asked one, −1 for none. */
  leaderEpoch: number
  /** −1 for none. */
  endOffset: number
}

export function writeEpochEnded(
  view: DataView,
  at: number,
  reply: Readonly<EpochEndedReply>,
): void {
  view.setUint32(at, reply.correlation, true)
  view.setInt16(at + 4, reply.error, true)
  view.setUint16(at + 6, 0, true)
  view.setInt32(at + 8, reply.leaderEpoch, true)
  view.setUint32(at + 12, 0, true)
  view.setFloat64(at + 16, reply.endOffset, true)
}

export function readEpochEnded(view: DataView, at: number, into: EpochEndedReply): void {
  into.correlation = view.getUint32(at, true)
  into.error = view.getInt16(at + 4, true)
  into.leaderEpoch = view.getInt32(at + 8, true)
  into.endOffset = view.getFloat64(at + 16, true)
}

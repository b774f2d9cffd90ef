/**
 * What a front and a broker say to each other through their pair of rings: fixed little-endian layouts, written into
 * and read out of ring memory in place. Version 1. A ring record's type is one of {@link CommandType} (front → broker)
 * or {@link ReplyType} (broker → front). `correlation` is the front's, echoed in the reply.
 *
 *   PRODUCE       u32 correlation · u32 partition · f64 nowMs · i8 acks · u8 batchIn · u16 0 · u32 bufferId · u32 byteLength · u32 0 · batch bytes
 *   LOCATE        u32 correlation · u32 partition · f64 offset · i32 maxBytes · i32 currentLeaderEpoch
 *   WATCH         u32 partition · u32 0 · f64 offset
 *   LIST_OFFSETS  u32 correlation · u32 partition · f64 timestamp · i32 currentLeaderEpoch · u32 0
 *   COORDINATE    u32 correlation · u32 partition · u8 requestIn · u8 hostBytes · u16 0 · u32 bufferId · u32 byteLength · u32 0
 *                 · client's host (ASCII) · the request's frame without its size
 *   DELETE_RECORDS u32 correlation · u32 partition · f64 offset
 *   EPOCH_END     u32 correlation · u32 partition · i32 leaderEpoch · i32 currentLeaderEpoch
 *   REPLICA_LOCATE, REPLICA_WATCH   as LOCATE and WATCH, of the broker's own replica, whether it leads or not
 *
 *   PRODUCED      u32 correlation · i16 error · u16 reason (ProduceReason) · f64 baseOffset · f64 logAppendTimeMs · f64 logStartOffset
 *   LOCATED       u32 correlation · i16 error · u8 source · u8 0 · f64 logStartOffset · f64 highWatermark · f64 lastStableOffset · f64 logEndOffset
 *                 · f64 segmentBaseOffset · f64 position · u32 byteLength · i32 leaderEpoch · f64 ringByteOffset · u32 ringByteLength · i32 ringGeneration
 *                 · f64 batchBaseOffset
 *   WOKEN, REPLICA_WOKEN   u32 partition · i16 error · i16 0 · f64 highWatermark
 *   OFFSETS       u32 correlation · i16 error · u8 source · u8 0 · f64 offset · f64 timestamp · i32 leaderEpoch · u32 byteLength
 *                 · f64 segmentBaseOffset · f64 position · f64 logStartOffset
 *   DELETED       u32 correlation · i16 error · u16 0 · f64 lowWatermark
 *   EPOCH_ENDED   u32 correlation · i16 error · u16 0 · i32 leaderEpoch · u32 0 · f64 endOffset
 */
import { asPartitionNumber, type PartitionNumber } from '../base/ids.ts'

export const CommandType = {
  PRODUCE: 1,
  LOCATE: 2,
  WATCH: 3,
  LIST_OFFSETS: 4,
  DELETE_RECORDS: 5,
  EPOCH_END: 6,
  COORDINATE: 7,
  REPLICA_LOCATE: 8,
  REPLICA_WATCH: 9,
} as const
export const ReplyType = {
  PRODUCED: 65,
  LOCATED: 66,
  WOKEN: 67,
  OFFSETS: 68,
  DELETED: 69,
  EPOCH_ENDED: 70,
  REPLICA_WOKEN: 71,
} as const

/**
 * Where a produce's batch, or a coordinator's request, is: behind the command itself; in a buffer of its own that came by
 * control message; a batch also in the frame that it came in, `bufferId` bytes into the front's memory for frames, where it stays
 * as it is until it is answered.
 */
export const BatchIn = { RING: 0, BUFFER: 1, FRAME: 2 } as const

/** Where a located fetch finds its bytes: nowhere (at the end, or an error), in a segment file, or in the ring log. */
export const FetchSource = { NONE: 0, FILE: 1, RING: 2 } as const

/** Where a timestamp look-up ends: answered, or the batch at `position` holds the record and must be read by the front. */
export const OffsetSource = { ANSWERED: 0, BATCH: 1 } as const

export const PRODUCE_HEADER_BYTES = 32
export const LOCATE_BYTES = 24
export const WATCH_BYTES = 16
export const LIST_OFFSETS_BYTES = 24
export const COORDINATE_HEADER_BYTES = 24
export const DELETE_RECORDS_BYTES = 16
export const EPOCH_END_BYTES = 16
export const PRODUCED_BYTES = 32
export const LOCATED_BYTES = 88
export const WOKEN_BYTES = 16
export const OFFSETS_BYTES = 56
export const DELETED_BYTES = 16
export const EPOCH_ENDED_BYTES = 24

/** Ring bytes that a reply may take with its record header and alignment; a front reserves this before it sends. */
export const REPLY_BYTES_MAX = 96

export interface ProduceCommand {
  correlation: number
  partition: PartitionNumber
  /** Wall clock of the front, for the log line only; the broker stamps with its own. */
  nowMs: number
  acks: number
  batchIn: number
  bufferId: number
  byteLength: number
}

export function writeProduce(view: DataView, at: number, command: Readonly<ProduceCommand>): void {
  view.setUint32(at, command.correlation, true)
  view.setUint32(at + 4, command.partition, true)
  view.setFloat64(at + 8, command.nowMs, true)
  view.setInt8(at + 16, command.acks)
  view.setUint8(at + 17, command.batchIn)
  view.setUint16(at + 18, 0, true)
  view.setUint32(at + 20, command.bufferId, true)
  view.setUint32(at + 24, command.byteLength, true)
  view.setUint32(at + 28, 0, true)
}

export function readProduce(view: DataView, at: number, into: ProduceCommand): void {
  into.correlation = view.getUint32(at, true)
  into.partition = asPartitionNumber(view.getUint32(at + 4, true))
  into.nowMs = view.getFloat64(at + 8, true)
  into.acks = view.getInt8(at + 16)
  into.batchIn = view.getUint8(at + 17)
  into.bufferId = view.getUint32(at + 20, true)
  into.byteLength = view.getUint32(at + 24, true)
}

export interface LocateCommand {
  correlation: number
  partition: PartitionNumber
  offset: number
  maxBytes: number
  /** The client's idea of the leader epoch (KIP-320), −1 for none. */
  currentLeaderEpoch: number
}

export function writeLocate(view: DataView, at: number, command: Readonly<LocateCommand>): void {
  view.setUint32(at, command.correlation, true)
  view.setUint32(at + 4, command.partition, true)
  view.setFloat64(at + 8, command.offset, true)
  view.setInt32(at + 16, command.maxBytes, true)
  view.setInt32(at + 20, command.currentLeaderEpoch, true)
}

export function readLocate(view: DataView, at: number, into: LocateCommand): void {
  into.correlation = view.getUint32(at, true)
  into.partition = asPartitionNumber(view.getUint32(at + 4, true))
  into.offset = view.getFloat64(at + 8, true)
  into.maxBytes = view.getInt32(at + 16, true)
  into.currentLeaderEpoch = view.getInt32(at + 20, true)
}

/** "Wake me once the high watermark is beyond `offset`": answered by exactly one WOKEN, at once if it already is. */
export interface WatchCommand {
  partition: PartitionNumber
  offset: number
}

export function writeWatch(view: DataView, at: number, command: Readonly<WatchCommand>): void {
  view.setUint32(at, command.partition, true)
  view.setUint32(at + 4, 0, true)
  view.setFloat64(at + 8, command.offset, true)
}

export function readWatch(view: DataView, at: number, into: WatchCommand): void {
  into.partition = asPartitionNumber(view.getUint32(at, true))
  into.offset = view.getFloat64(at + 8, true)
}

export interface ListOffsetsCommand {
  correlation: number
  partition: PartitionNumber
  /** Milliseconds, or Kafka's −1 latest, −2 earliest, −3 max timestamp, −4 earliest local, −5 latest tiered. */
  timestamp: number
  currentLeaderEpoch: number
}

export function writeListOffsets(
  view: DataView,
  at: number,
  command: Readonly<ListOffsetsCommand>,
): void {
  view.setUint32(at, command.correlation, true)
  view.setUint32(at + 4, command.partition, true)
  view.setFloat64(at + 8, command.timestamp, true)
  view.setInt32(at + 16, command.currentLeaderEpoch, true)
  view.setUint32(at + 20, 0, true)
}

export function readListOffsets(view: DataView, at: number, into: ListOffsetsCommand): void {
  into.correlation = view.getUint32(at, true)
  into.partition = asPartitionNumber(view.getUint32(at + 4, true))
  into.timestamp = view.getFloat64(at + 8, true)
  into.currentLeaderEpoch = view.getInt32(at + 16, true)
}

/**
 * A request for the coordinator that lives in a partition of an internal topic. It has no reply in the ring: answers may be long
 * in coming, and large, so they come by control message (`coordinated`), and reserve no room.
 */
export interface CoordinateCommand {
  correlation: number
  partition: PartitionNumber
  requestIn: number
  /** Of the client's host, which goes before the request. */
  hostBytes: number
  bufferId: number
  /** Of the request's frame. */
  byteLength: number
}

export function writeCoordinate(
  view: DataView,
  at: number,
  command: Readonly<CoordinateCommand>,
): void {
  view.setUint32(at, command.correlation, true)
  view.setUint32(at + 4, command.partition, true)
  view.setUint8(at + 8, command.requestIn)
  view.setUint8(at + 9, command.hostBytes)
  view.setUint16(at + 10, 0, true)
  view.setUint32(at + 12, command.bufferId, true)
  view.setUint32(at + 16, command.byteLength, true)
  view.setUint32(at + 20, 0, true)
}

export function readCoordinate(view: DataView, at: number, into: CoordinateCommand): void {
  into.correlation = view.getUint32(at, true)
  into.partition = asPartitionNumber(view.getUint32(at + 4, true))
  into.requestIn = view.getUint8(at + 8)
  into.hostBytes = view.getUint8(at + 9)
  into.bufferId = view.getUint32(at + 12, true)
  into.byteLength = view.getUint32(at + 16, true)
}

export interface DeleteRecordsCommand {
  correlation: number
  partition: PartitionNumber
  /** Where the log is to begin; −1 for the high watermark. */
  offset: number
}

export function writeDeleteRecords(
  view: DataView,
  at: number,
  command: Readonly<DeleteRecordsCommand>,
): void {
  view.setUint32(at, command.correlation, true)
  view.setUint32(at + 4, command.partition, true)
  view.setFloat64(at + 8, command.offset, true)
}

export function readDeleteRecords(view: DataView, at: number, into: DeleteRecordsCommand): void {
  into.correlation = view.getUint32(at, true)
  into.partition = asPartitionNumber(view.getUint32(at + 4, true))
  into.offset = view.getFloat64(at + 8, true)
}

export interface EpochEndCommand {
  correlation: number
  partition: PartitionNumber
  /** The epoch whose end is asked for. */
  leaderEpoch: number
  currentLeaderEpoch: number
}

export function writeEpochEnd(
  view: DataView,
  at: number,
  command: Readonly<EpochEndCommand>,
): void {
  view.setUint32(at, command.correlation, true)
  view.setUint32(at + 4, command.partition, true)
  view.setInt32(at + 8, command.leaderEpoch, true)
  view.setInt32(at + 12, command.currentLeaderEpoch, true)
}

export function readEpochEnd(view: DataView, at: number, into: EpochEndCommand): void {
  into.correlation = view.getUint32(at, true)
  into.partition = asPartitionNumber(view.getUint32(at + 4, true))
  into.leaderEpoch = view.getInt32(at + 8, true)
  into.currentLeaderEpoch = view.getInt32(at + 12, true)
}

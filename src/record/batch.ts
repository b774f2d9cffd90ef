import { crc32c } from './crc32c.ts'

/*
 * Record batch v2 (KIP-98), big-endian. The CRC covers everything from `attributes` to the end.
 *
 *    0  baseOffset            int64      23  lastOffsetDelta       int32
 *    8  batchLength           int32      27  baseTimestamp         int64
 *   12  partitionLeaderEpoch  int32      35  maxTimestamp          int64
 *   16  magic                 int8       43  producerId            int64
 *   17  crc                   uint32     51  producerEpoch         int16
 *   21  attributes            int16      53  baseSequence          int32
 *                                        57  recordCount           int32
 *                                        61  records
 *
 * attributes: bits 0–2 codec, 3 timestamp type, 4 transactional, 5 control, 6 delete horizon (KIP-534).
 *
 * Every accessor reads one field of the batch that starts at `at`, allocates nothing and checks nothing: the
 * caller has made sure that the header is there. int64 fields come as numbers, exact up to 2^53; what goes
 * beyond (no offset, producer id or date does) is refused by validateBatch.
 */

/** Bytes before the records. */
export const BATCH_HEADER_BYTES = 61
/** Bytes before what `batchLength` counts. */
export const BATCH_LENGTH_FROM = 12
/** Where the bytes under the CRC begin. */
export const BATCH_CRC_FROM = 21
/** The only format that is stored or accepted. */
export const MAGIC_V2 = 2
/** The least bytes a record can take: seven fields of one byte each. */
export const RECORD_BYTES_MIN = 7

export const NO_PRODUCER_ID = -1
export const NO_PRODUCER_EPOCH = -1
export const NO_SEQUENCE = -1
export const NO_TIMESTAMP = -1
export const NO_LEADER_EPOCH = -1

export const Codec = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const
export type Codec = (typeof Codec)[keyof typeof Codec]
export type CodecName = keyof typeof Codec

const codecNames: readonly CodecName[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

/** Kafka's name of `codec`, as `compression.type` spells it. */
export const codecName = (codec: number): string => codecNames[codec] ?? `codec ${codec}`

export type TimestampType = 'createTime' | 'logAppendTime'

export const AttributeBits = {
  codec: 0x07,
  logAppendTime: 0x08,
  transactional: 0x10,
  control: 0x20,
  deleteHorizon: 0x40,
} as const

export const readInt16 = (bytes: Uint8Array, at: number): number =>
  ((bytes[at]! << 24) | (bytes[at + 1]! << 16)) >> 16

export const readInt32 = (bytes: Uint8Array, at: number): number =>
  (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!

/** A big-endian int64 as a number: exact within ±2^53, rounded beyond. */
export const readInt64 = (bytes: Uint8Array, at: number): number =>
  readInt32(bytes, at) * 4_294_967_296 + (readInt32(bytes, at + 4) >>> 0)

export function writeInt16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 8
  bytes[at + 1] = value
}

export function writeInt32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 24
  bytes[at + 1] = value >> 16
  bytes[at + 2] = value >> 8
  bytes[at + 3] = value
}

/** Writes an integer within ±2^53 as a big-endian int64. */
export function writeInt64(bytes: Uint8Array, at: number, value: number): void {
  writeInt32(bytes, at, Math.floor(value / 4_294_967_296) | 0)
  writeInt32(bytes, at + 4, value | 0)
}

export const baseOffsetOf = (bytes: Uint8Array, at: number): number => readInt64(bytes, at)
export const batchLengthOf = (bytes: Uint8Array, at: number): number => readInt32(bytes, at + 8)
/** The whole batch in bytes, header included. */
export const sizeInBytesOf = (bytes: Uint8Array, at: number): number =>
  BATCH_LENGTH_FROM + readInt32(bytes, at + 8)
export const leaderEpochOf = (bytes: Uint8Array, at: number): number => readInt32(bytes, at + 12)
export const magicOf = (bytes: Uint8Array, at: number): number => (bytes[at + 16]! << 24) >> 24
/** The CRC as stored, unsigned. */
export const storedCrcOf = (bytes: Uint8Array, at: number): number =>
  readInt32(bytes, at + 17) >>> 0
export const attributesOf = (bytes: Uint8Array, at: number): number => readInt16(bytes, at + 21)
export const lastOffsetDeltaOf = (bytes: Uint8Array, at: number): number =>
  readInt32(bytes, at + 23)
export const baseTimestampOf = (bytes: Uint8Array, at: number): number => readInt64(bytes, at + 27)
export const maxTimestampOf = (bytes: Uint8Array, at: number): number => readInt64(bytes, at + 35)
export const producerIdOf = (bytes: Uint8Array, at: number): number => readInt64(bytes, at + 43)
export const producerEpochOf = (bytes: Uint8Array, at: number): number => readInt16(bytes, at + 51)
export const baseSequenceOf = (bytes: Uint8Array, at: number): number => readInt32(bytes, at + 53)
export const recordCountOf = (bytes: Uint8Array, at: number): number => readInt32(bytes, at + 57)

export const lastOffsetOf = (bytes: Uint8Array, at: number): number =>
  readInt64(bytes, at) + readInt32(bytes, at + 23)
/** The codec as stored: 5 to 7 mean nothing, and validateBatch refuses them. */
export const codecOf = (bytes: Uint8Array, at: number): number =>
  bytes[at + 22]! & AttributeBits.codec
export const timestampTypeOf = (bytes: Uint8Array, at: number): TimestampType =>
  bytes[at + 22]! & AttributeBits.logAppendTime ? 'logAppendTime' : 'createTime'
export const isTransactional = (bytes: Uint8Array, at: number): boolean =>
  (bytes[at + 22]! & AttributeBits.transactional) !== 0
export const isControl = (bytes: Uint8Array, at: number): boolean =>
  (bytes[at + 22]! & AttributeBits.control) !== 0
/** Whether `baseTimestamp` is the time after which tombstones and markers may go (KIP-534). */
export const hasDeleteHorizon = (bytes: Uint8Array, at: number): boolean =>
  (bytes[at + 22]! & AttributeBits.deleteHorizon) !== 0
export const hasProducerId = (bytes: Uint8Array, at: number): boolean =>
  readInt32(bytes, at + 43) >= 0

/** Sequences are int32 that wrap to 0 after 2^31 − 1. */
export const addToSequence = (sequence: number, delta: number): number =>
  sequence > 2_147_483_647 - delta ? delta - (2_147_483_647 - sequence) - 1 : sequence + delta

/** The last record's sequence, or {@link NO_SEQUENCE}. */
export function lastSequenceOf(bytes: Uint8Array, at: number): number {
  const base = baseSequenceOf(bytes, at)
  return base === NO_SEQUENCE ? NO_SEQUENCE : addToSequence(base, lastOffsetDeltaOf(bytes, at))
}

/** The CRC as it should be. The whole batch must be there. */
export const computedCrcOf = (bytes: Uint8Array, at: number): number =>
  crc32c(bytes, at + BATCH_CRC_FROM, at + sizeInBytesOf(bytes, at))

/** Stores the CRC anew, after a change to what it covers. */
export const stampCrc = (bytes: Uint8Array, at: number): void =>
  writeInt32(bytes, at + 17, computedCrcOf(bytes, at))

/** Gives the batch its place in a log. Both fields lie outside the CRC. */
export function stampOffsets(
  bytes: Uint8Array,
  at: number,
  baseOffset: number,
  leaderEpoch: number,
): void {
  writeInt64(bytes, at, baseOffset)
  writeInt32(bytes, at + 12, leaderEpoch)
}

/**
 * Makes the batch's timestamp type LogAppendTime and its max timestamp `timestampMs`, and computes the CRC anew;
 * base timestamp and the records' deltas stay, readers ignore them.
 */
export function setLogAppendTime(bytes: Uint8Array, at: number, timestampMs: number): void {
  bytes[at + 22] = bytes[at + 22]! | AttributeBits.logAppendTime
  writeInt64(bytes, at + 35, timestampMs)
  stampCrc(bytes, at)
}

/** Stores a max timestamp that the sender left out or got wrong, and computes the CRC anew. */
export function setMaxTimestamp(bytes: Uint8Array, at: number, timestampMs: number): void {
  if (maxTimestampOf(bytes, at) === timestampMs) return
  writeInt64(bytes, at + 35, timestampMs)
  stampCrc(bytes, at)
}

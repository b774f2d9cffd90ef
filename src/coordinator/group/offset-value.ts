import { type TopicId, ZERO_TOPIC_ID } from '../../base/ids.ts'
import { offsetCommitValue } from '../../protocol/consumer-offsets-records.ts'
import { decodeName } from '../../protocol/string-cache.ts'
import { decodeUuid } from '../../protocol/uuid-bytes.ts'
import { decodeVersioned, encodeVersioned } from '../../protocol/versioned-message.ts'

/** What a group committed for a partition. */
export interface OffsetValue {
  readonly offset: number
  /** −1: not known. */
  readonly leaderEpoch: number
  readonly metadata: string
  /** Wall clock. */
  readonly commitTimestampMs: number
  /** Wall clock; −1: the broker's retention decides. Only clients before OffsetCommit 5 say it. */
  readonly expireTimestampMs: number
  /** All zeros: written before topics had ids. */
  readonly topicId: TopicId
}

/** In Kafka's versions: 4, or 1 with a time of expiry, which the others have no place for. */
export function encodeOffsetValue(value: OffsetValue): Uint8Array {
  const version = value.expireTimestampMs === -1 ? 4 : 1
  return encodeVersioned(offsetCommitValue, version, {
    offset: value.offset,
    leaderEpoch: value.leaderEpoch,
    metadata: value.metadata,
    commitTimestamp: value.commitTimestampMs,
    expireTimestamp: value.expireTimestampMs,
    topicId: value.topicId,
  })
}

/**
 * Reads a committed offset of any version. Those that are written now (3 and 4) are read by hand: loading a million of them
 * is what a start waits for. Everything else goes to the codec, which throws WireFormatError for what is no such value.
 */
export function decodeOffsetValue(b: Uint8Array): OffsetValue {
  if (b[0] === 0 && b[1] === 4) {
    const read = readVersion4(b)
    if (read !== undefined) return read
  } else if (b[0] === 0 && b[1] === 3) {
    const read = readVersion3(b)
    if (read !== undefined) return read
  }
  const { value } = decodeVersioned(offsetCommitValue, b)
  return {
    offset: value.offset,
    leaderEpoch: value.leaderEpoch,
    metadata: value.metadata,
    commitTimestampMs: value.commitTimestamp,
    expireTimestampMs: value.expireTimestamp,
    topicId: value.topicId as TopicId,
  }
}

const FIXED_BYTES = 2 + 8 + 4

function readVersion4(b: Uint8Array): OffsetValue | undefined {
  // A compact string under 127 bytes has a length of one byte; tag 0 is the topic id, and nothing else is known.
  const lengthByte = b[FIXED_BYTES]!
  if (b.length < FIXED_BYTES + 10 || lengthByte === 0 || lengthByte > 127) return undefined
  const start = FIXED_BYTES + 1
  const end = start + lengthByte - 1
  if (end + 9 > b.length) return undefined
  let topicId = ZERO_TOPIC_ID
  if (b[end + 8] !== 0) {
    const isTopicId = b[end + 8] === 1 && b[end + 9] === 0 && b[end + 10] === 16
    if (!isTopicId || end + 27 > b.length) return undefined
    topicId = decodeUuid(b, end + 11) as TopicId
  }
  return {
    offset: int64(b, 2),
    leaderEpoch: int32(b, 10),
    metadata: decodeName(b, start, end - start),
    commitTimestampMs: int64(b, end),
    expireTimestampMs: -1,
    topicId,
  }
}

function readVersion3(b: Uint8Array): OffsetValue | undefined {
  if (b.length < FIXED_BYTES + 10) return undefined
  const start = FIXED_BYTES + 2
  const end = start + ((((b[FIXED_BYTES]! << 8) | b[FIXED_BYTES + 1]!) << 16) >> 16)
  if (end < start || end + 8 > b.length) return undefined
  return {
    offset: int64(b, 2),
    leaderEpoch: int32(b, 10),
    metadata: decodeName(b, start, end - start),
    commitTimestampMs: int64(b, end),
    expireTimestampMs: -1,
    topicId: ZERO_TOPIC_ID,
  }
}

const int32 = (b: Uint8Array, at: number): number =>
  (b[at]! << 24) | (b[at + 1]! << 16) | (b[at + 2]! << 8) | b[at + 3]!

const int64 = (b: Uint8Array, at: number): number =>
  int32(b, at) * 4_294_967_296 + (int32(b, at + 4) >>> 0)

import { ErrorCode } from '../base/error-code.ts'
import {
  AttributeBits,
  BATCH_HEADER_BYTES,
  BATCH_LENGTH_FROM,
  baseOffsetOf,
  baseSequenceOf,
  baseTimestampOf,
  Codec,
  codecOf,
  computedCrcOf,
  lastOffsetDeltaOf,
  MAGIC_V2,
  magicOf,
  maxTimestampOf,
  NO_PRODUCER_ID,
  NO_TIMESTAMP,
  producerEpochOf,
  producerIdOf,
  RECORD_BYTES_MIN,
  recordCountOf,
  sizeInBytesOf,
  storedCrcOf,
  type TimestampType,
} from './batch.ts'
import type { BatchFault, BatchFaultKind } from './fault.ts'

/** What a batch is measured against. Keep one object per topic: validateBatch allocates nothing itself. */
export interface BatchLimits {
  /** `max.message.bytes`: the whole batch, header included. */
  readonly maxMessageBytes: number
  /**
   * `client`: what Kafka asks of producers is checked too. `broker`: only what holds for every batch in a log
   * (coordinators write control batches, compaction leaves gaps and empty batches).
   */
  readonly origin: 'client' | 'broker'
  /** The topic's `message.timestamp.type`: of `logAppendTime` the sender's timestamps are not looked at. */
  readonly timestampType: TimestampType
  /** `message.timestamp.before.max.ms`; Infinity for no limit. */
  readonly timestampBeforeMaxMs: number
  /** `message.timestamp.after.max.ms`; Infinity for no limit. */
  readonly timestampAfterMaxMs: number
}

const fault = (kind: BatchFaultKind, errorCode: ErrorCode, message: string): BatchFault => ({
  kind,
  errorCode,
  message,
})

const invalid = (kind: BatchFaultKind, message: string): BatchFault =>
  fault(kind, ErrorCode.INVALID_RECORD, message)

/** Length, magic and size of the batch at `at`, of which `available` bytes are there. */
function frameFault(
  bytes: Uint8Array,
  at: number,
  available: number,
  maxMessageBytes: number,
): BatchFault | null {
  if (available < BATCH_HEADER_BYTES) {
    return fault(
      'truncated',
      ErrorCode.CORRUPT_MESSAGE,
      `A record batch takes ${BATCH_HEADER_BYTES} bytes at least, only ${available} are there`,
    )
  }
  // Magic comes first: the older formats have their length where v2 has it, but are shorter.
  const magic = magicOf(bytes, at)
  if (magic !== MAGIC_V2) {
    if (magic === 0 || magic === 1) {
      return invalid('badMagic', `Only record batches of magic 2 are accepted, this has ${magic}`)
    }
    return fault(
      'badMagic',
      ErrorCode.CORRUPT_MESSAGE,
      `There is no record batch of magic ${magic}`,
    )
  }
  const size = sizeInBytesOf(bytes, at)
  if (size < BATCH_HEADER_BYTES) {
    return fault(
      'badLength',
      ErrorCode.CORRUPT_MESSAGE,
      `Record batch length ${size - BATCH_LENGTH_FROM} is less than its header takes (${BATCH_HEADER_BYTES - BATCH_LENGTH_FROM})`,
    )
  }
  if (size > maxMessageBytes) {
    return fault(
      'tooLarge',
      ErrorCode.MESSAGE_TOO_LARGE,
      `Record batch of ${size} bytes exceeds max.message.bytes (${maxMessageBytes})`,
    )
  }
  if (size > available) {
    return fault(
      'truncated',
      ErrorCode.CORRUPT_MESSAGE,
      `Record batch claims ${size} bytes, only ${available} are there`,
    )
  }
  return null
}

function countFault(bytes: Uint8Array, at: number, fromClient: boolean): BatchFault | null {
  const count = recordCountOf(bytes, at)
  const delta = lastOffsetDeltaOf(bytes, at)
  if (fromClient) {
    if (baseOffsetOf(bytes, at) !== 0) {
      return invalid(
        'badBaseOffset',
        `Base offset of a produced record batch must be 0, it is ${baseOffsetOf(bytes, at)}`,
      )
    }
    if (count <= 0) return invalid('badCount', `Record batch claims ${count} records`)
    if (delta !== count - 1) {
      return invalid(
        'badCount',
        `Record batch claims ${count} records, but its last offset delta is ${delta}`,
      )
    }
  } else if (count < 0 || delta < 0 || count > delta + 1) {
    return invalid(
      'badCount',
      `Record batch claims ${count} records with a last offset delta of ${delta}`,
    )
  }
  const body = sizeInBytesOf(bytes, at) - BATCH_HEADER_BYTES
  if (codecOf(bytes, at) === Codec.none && count * RECORD_BYTES_MIN > body) {
    return invalid('badCount', `Record batch claims ${count} records in ${body} bytes`)
  }
  return null
}

/**
 * Producer fields. Without a producer id, epoch and sequence mean nothing and are not looked at: kafkajs sends
 * 0 there.
 */
function producerFault(bytes: Uint8Array, at: number): BatchFault | null {
  const producerId = producerIdOf(bytes, at)
  if (producerId === NO_PRODUCER_ID) {
    return (bytes[at + 22]! & AttributeBits.transactional) === 0
      ? null
      : invalid('badProducer', 'A transactional record batch needs a producer id, it has -1')
  }
  if (producerId < 0 || producerId > Number.MAX_SAFE_INTEGER) {
    return invalid('badProducer', `No producer was given the id ${producerId}`)
  }
  const epoch = producerEpochOf(bytes, at)
  if (epoch < 0) {
    return invalid(
      'badProducer',
      `Producer id ${producerId} comes with the producer epoch ${epoch}`,
    )
  }
  const sequence = baseSequenceOf(bytes, at)
  if (sequence < 0) {
    return invalid('badProducer', `Producer id ${producerId} comes with the sequence ${sequence}`)
  }
  return null
}

/** Header timestamps, as Kafka's LogValidator looks at each record's. −1 is "no timestamp". */
function timestampFault(
  bytes: Uint8Array,
  at: number,
  limits: BatchLimits,
  nowMs: number,
): BatchFault | null {
  if ((bytes[at + 22]! & AttributeBits.logAppendTime) !== 0) {
    return fault(
      'badTimestamp',
      ErrorCode.INVALID_TIMESTAMP,
      'Producers must not set the timestamp type to LogAppendTime',
    )
  }
  if (limits.timestampType === 'logAppendTime') return null
  const base = baseTimestampOf(bytes, at)
  const max = maxTimestampOf(bytes, at)
  return oneTimestampFault(base, limits, nowMs) ?? oneTimestampFault(max, limits, nowMs)
}

function oneTimestampFault(
  timestampMs: number,
  limits: BatchLimits,
  nowMs: number,
): BatchFault | null {
  if (timestampMs === NO_TIMESTAMP) return null
  if (timestampMs < 0 || timestampMs > Number.MAX_SAFE_INTEGER) {
    return fault(
      'badTimestamp',
      ErrorCode.INVALID_TIMESTAMP,
      `Timestamp ${timestampMs} is not a date in milliseconds`,
    )
  }
  if (nowMs - timestampMs > limits.timestampBeforeMaxMs) {
    return fault(
      'timestampOutOfRange',
      ErrorCode.INVALID_TIMESTAMP,
      `Timestamp ${timestampMs} is ${nowMs - timestampMs} ms past, message.timestamp.before.max.ms is ${limits.timestampBeforeMaxMs}`,
    )
  }
  if (timestampMs - nowMs > limits.timestampAfterMaxMs) {
    return fault(
      'timestampOutOfRange',
      ErrorCode.INVALID_TIMESTAMP,
      `Timestamp ${timestampMs} is ${timestampMs - nowMs} ms ahead, message.timestamp.after.max.ms is ${limits.timestampAfterMaxMs}`,
    )
  }
  return null
}

/**
 * Judges the batch at `at`, of which `available` bytes are there, by its header and CRC: null when it may be
 * appended. `nowMs` is wall-clock time. Any thread; allocates nothing on the good path but the view that a native
 * CRC takes.
 */
export function validateBatch(
  bytes: Uint8Array,
  at: number,
  available: number,
  limits: BatchLimits,
  nowMs: number,
): BatchFault | null {
  const header = validateHeader(bytes, at, available, limits, nowMs)
  return header ?? validateCrc(bytes, at)
}

/** {@link validateBatch} without the CRC: for batches whose bytes were checked before. */
export function validateHeader(
  bytes: Uint8Array,
  at: number,
  available: number,
  limits: BatchLimits,
  nowMs: number,
): BatchFault | null {
  const frame = frameFault(bytes, at, available, limits.maxMessageBytes)
  if (frame !== null) return frame
  const fromClient = limits.origin === 'client'
  const codec = codecOf(bytes, at)
  if (codec > Codec.zstd) {
    return fault(
      'unknownCodec',
      ErrorCode.UNSUPPORTED_COMPRESSION_TYPE,
      `There is no compression codec ${codec}`,
    )
  }
  const count = countFault(bytes, at, fromClient)
  if (count !== null || !fromClient) return count
  if ((bytes[at + 22]! & AttributeBits.control) !== 0) {
    return invalid('controlFromClient', 'Clients must not write control records')
  }
  return producerFault(bytes, at) ?? timestampFault(bytes, at, limits, nowMs)
}

/** Compares stored and computed CRC. The whole batch must be there. */
export function validateCrc(bytes: Uint8Array, at: number): BatchFault | null {
  const computed = computedCrcOf(bytes, at)
  const stored = storedCrcOf(bytes, at)
  if (stored === computed) return null
  return fault(
    'badCrc',
    ErrorCode.CORRUPT_MESSAGE,
    `Record batch is corrupt: stored CRC ${stored}, computed ${computed}`,
  )
}

/** Offset, size, CRC and magic: what messages of all formats begin with. */
const OLD_HEADER_BYTES = 17

/** Checks that `bytes` is one whole batch and nothing else, as a produce request's partition must be (KIP-98). */
export function soleBatch(bytes: Uint8Array): BatchFault | null {
  if (bytes.length === 0)
    return invalid('truncated', 'A partition needs one record batch, it has none')
  // Messages of older formats are shorter than a batch header.
  const isOld =
    bytes.length >= OLD_HEADER_BYTES && magicOf(bytes, 0) < MAGIC_V2 && magicOf(bytes, 0) >= 0
  const available = isOld ? Number.POSITIVE_INFINITY : bytes.length
  const frame = frameFault(bytes, 0, available, Number.POSITIVE_INFINITY)
  // What is not all there is no batch at all to Kafka, and nothing to send again.
  if (frame?.kind === 'truncated') return { ...frame, errorCode: ErrorCode.INVALID_RECORD }
  if (frame !== null) return frame
  const size = sizeInBytesOf(bytes, 0)
  return size === bytes.length
    ? null
    : invalid(
        'trailingBytes',
        `A partition takes exactly one record batch, ${bytes.length - size} bytes follow the first`,
      )
}

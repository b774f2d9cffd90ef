import { ErrorCode } from '../base/error-code.ts'
import {
  AttributeBits,
  BATCH_HEADER_BYTES,
  BATCH_LENGTH_FROM,
  type Codec,
  codecOf,
  maxTimestampOf,
  NO_TIMESTAMP,
  setMaxTimestamp,
  sizeInBytesOf,
  stampCrc,
  timestampTypeOf,
  writeInt32,
} from './batch.ts'
import { compress, decompress } from './compression.ts'
import {
  type BatchFault,
  type BatchFaultKind,
  DecompressedTooLargeError,
  RecordFormatError,
} from './fault.ts'
import { RecordCursor } from './records.ts'

/*
 * What needs the records inside a batch, as pure functions for the pool. Batches come whole and with a header that
 * validateBatch has passed.
 */

export interface RecordChecks {
  /** A compacted topic: every record must have a key. */
  readonly requireKeys: boolean
  /** The bound on decompressed records. */
  readonly decompressedBytesMax: number
  /** Where the records' own timestamps must lie; left out where nobody looks at them. */
  readonly times?: TimeBounds
}

/** What `message.timestamp.before.max.ms` and `.after.max.ms` come to at some moment: Unix milliseconds, both allowed. */
export interface TimeBounds {
  readonly oldestMs: number
  readonly newestMs: number
}

export interface RecompressOptions extends RecordChecks {
  /** Of gzip and zstd, see compress(). */
  readonly compressionLevel?: number
}

export type RecompressResult =
  | { readonly kind: 'batch'; readonly batch: Uint8Array }
  | { readonly kind: 'fault'; readonly fault: BatchFault }

/**
 * The records' bytes of the batch at `at`, decompressed (a view where they are not compressed). Throws
 * {@link RecordFormatError}.
 */
export function decompressedBody(batch: Uint8Array, at: number, maxBytes: number): Uint8Array {
  const body = batch.subarray(at + BATCH_HEADER_BYTES, at + sizeInBytesOf(batch, at))
  return decompress(codecOf(batch, at) as Codec, body, maxBytes)
}

/**
 * Reads every record of a client's batch: null when they parse, agree with the header, have keys where they must and
 * times that are allowed. On the pool: the time grows with the decompressed size.
 */
export function checkRecords(batch: Uint8Array, checks: RecordChecks): BatchFault | null {
  const scanned = readBody(batch, checks)
  return scanned.kind === 'fault' ? scanned.fault : null
}

/**
 * `batch` with its records compressed by `codec`, after {@link checkRecords}, and its max timestamp that of its records;
 * `batch` itself when nothing changes. Offsets, producer fields and other attributes stay. On the pool.
 */
export function recompress(
  batch: Uint8Array,
  codec: Codec,
  options: RecompressOptions,
): RecompressResult {
  const scanned = readBody(batch, options)
  if (scanned.kind === 'fault') return scanned
  let result = batch
  if (codecOf(batch, 0) !== codec) {
    result = withCodec(batch, codec, compress(codec, scanned.body, options.compressionLevel))
  }
  // Kafka takes the records' word for it, and some clients leave the header's -1.
  if (timestampTypeOf(batch, 0) === 'createTime') {
    if (result === batch && maxTimestampOf(batch, 0) !== scanned.maxTimestampMs) {
      result = batch.slice()
    }
    setMaxTimestamp(result, 0, scanned.maxTimestampMs)
  }
  return { kind: 'batch', batch: result }
}

type Scanned =
  | { readonly kind: 'body'; readonly body: Uint8Array; readonly maxTimestampMs: number }
  | { readonly kind: 'fault'; readonly fault: BatchFault }

/** Decompresses and reads all records; what the bytes make throw becomes a fault. */
function readBody(batch: Uint8Array, checks: RecordChecks): Scanned {
  try {
    const body = decompressedBody(batch, 0, checks.decompressedBytesMax)
    return scan(batch, body, checks)
  } catch (error) {
    if (!(error instanceof RecordFormatError)) throw error
    const errorCode =
      error instanceof DecompressedTooLargeError
        ? ErrorCode.MESSAGE_TOO_LARGE
        : ErrorCode.INVALID_RECORD
    const kind = error instanceof DecompressedTooLargeError ? 'tooLarge' : 'badRecords'
    return { kind: 'fault', fault: { kind, errorCode, message: error.message } }
  }
}

function scan(batch: Uint8Array, body: Uint8Array, { requireKeys, times }: RecordChecks): Scanned {
  const cursor = new RecordCursor(batch, 0, body)
  let maxTimestampMs = NO_TIMESTAMP
  while (cursor.next()) {
    // A gap would leave offsets that no record has: what only compaction may do.
    if (cursor.offsetDelta !== cursor.index) {
      const message = `record ${cursor.index}: offset delta is ${cursor.offsetDelta}`
      return invalid('badRecords', cursor.index, message)
    }
    if (requireKeys && cursor.keyLength < 0) {
      const message = `record ${cursor.index}: has no key, which a compacted topic requires`
      return invalid('keyMissing', cursor.index, message)
    }
    const { timestampMs } = cursor
    if (times !== undefined && isOutside(timestampMs, times)) {
      const message = `record ${cursor.index}: timestamp ${timestampMs} is not from ${times.oldestMs} to ${times.newestMs}`
      return invalid('timestampOutOfRange', cursor.index, message, ErrorCode.INVALID_TIMESTAMP)
    }
    if (timestampMs > maxTimestampMs) maxTimestampMs = timestampMs
  }
  return { kind: 'body', body, maxTimestampMs }
}

const isOutside = (timestampMs: number, { oldestMs, newestMs }: TimeBounds): boolean =>
  timestampMs !== NO_TIMESTAMP && (timestampMs < oldestMs || timestampMs > newestMs)

const invalid = (
  kind: BatchFaultKind,
  recordIndex: number,
  message: string,
  errorCode: ErrorCode = ErrorCode.INVALID_RECORD,
): Scanned => ({ kind: 'fault', fault: { kind, errorCode, message, recordIndex } })

/** A new batch of `batch`'s header and `body`, which `codec` has compressed. */
function withCodec(batch: Uint8Array, codec: Codec, body: Uint8Array): Uint8Array {
  const made = new Uint8Array(BATCH_HEADER_BYTES + body.length)
  made.set(batch.subarray(0, BATCH_HEADER_BYTES))
  made.set(body, BATCH_HEADER_BYTES)
  writeInt32(made, 8, made.length - BATCH_LENGTH_FROM)
  made[22] = (made[22]! & ~AttributeBits.codec) | codec
  stampCrc(made, 0)
  return made
}

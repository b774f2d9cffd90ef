import {
  AttributeBits,
  BATCH_HEADER_BYTES,
  BATCH_LENGTH_FROM,
  Codec,
  MAGIC_V2,
  NO_LEADER_EPOCH,
  NO_PRODUCER_EPOCH,
  NO_PRODUCER_ID,
  NO_SEQUENCE,
  NO_TIMESTAMP,
  stampCrc,
  type TimestampType,
  writeInt16,
  writeInt32,
  writeInt64,
} from './batch.ts'
import { compress } from './compression.ts'
import { varintBytes, writeVarint } from './varint.ts'

/** A record to write; its offset is its place in the list unless `offsetDelta` says otherwise. */
export interface NewRecord {
  readonly timestampMs: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers?: readonly { readonly key: string; readonly value: Uint8Array | null }[]
  /** Set by compaction, which keeps offsets and leaves gaps. */
  readonly offsetDelta?: number
}

export interface BatchOptions {
  readonly baseOffset?: number
  readonly leaderEpoch?: number
  readonly codec?: Codec
  /** Of gzip and zstd, see compress(). */
  readonly compressionLevel?: number
  readonly timestampType?: TimestampType
  /** The time of all records, where the type is logAppendTime. */
  readonly appendTimeMs?: number
  readonly producerId?: number
  readonly producerEpoch?: number
  readonly baseSequence?: number
  readonly transactional?: boolean
  readonly control?: boolean
  /** The last offset delta where it is not the last record's (compaction). */
  readonly lastOffsetDelta?: number
  /** When tombstones and markers may go (KIP-534); takes the base timestamp's place. */
  readonly deleteHorizonMs?: number
}

const noHeaders: NonNullable<NewRecord['headers']> = []

/**
 * Builds one batch, CRC included; any thread (with zstd, one that has awaited prepareCompression()). Timestamps are
 * integers within ±2^52.
 */
export function buildBatch(records: readonly NewRecord[], options: BatchOptions = {}): Uint8Array {
  const codec = options.codec ?? Codec.none
  const baseTimestampMs = options.deleteHorizonMs ?? records[0]?.timestampMs ?? NO_TIMESTAMP
  const bodyBytes = records.reduce(
    (sum, record, i) => sum + recordBytes(record, record.offsetDelta ?? i, baseTimestampMs),
    0,
  )
  // Uncompressed records are written where they stay.
  const plain = new Uint8Array(BATCH_HEADER_BYTES + bodyBytes)
  let at = BATCH_HEADER_BYTES
  for (let i = 0; i < records.length; i++) {
    at = writeRecord(plain, at, records[i]!, records[i]!.offsetDelta ?? i, baseTimestampMs)
  }
  if (codec === Codec.none) return finish(plain, records, baseTimestampMs, options)
  return finish(
    withBody(compress(codec, plain.subarray(BATCH_HEADER_BYTES), options.compressionLevel)),
    records,
    baseTimestampMs,
    options,
  )
}

/** A buffer with room for a header before `body`. */
function withBody(body: Uint8Array): Uint8Array {
  const batch = new Uint8Array(BATCH_HEADER_BYTES + body.length)
  batch.set(body, BATCH_HEADER_BYTES)
  return batch
}

function finish(
  batch: Uint8Array,
  records: readonly NewRecord[],
  baseTimestampMs: number,
  options: BatchOptions,
): Uint8Array {
  const appended = options.timestampType === 'logAppendTime'
  const lastDelta = records.at(-1)?.offsetDelta ?? records.length - 1
  const max = records.reduce((most, { timestampMs }) => Math.max(most, timestampMs), NO_TIMESTAMP)
  const attributes =
    (options.codec ?? Codec.none) |
    (appended ? AttributeBits.logAppendTime : 0) |
    (options.transactional ? AttributeBits.transactional : 0) |
    (options.control ? AttributeBits.control : 0) |
    (options.deleteHorizonMs === undefined ? 0 : AttributeBits.deleteHorizon)
  writeInt64(batch, 0, options.baseOffset ?? 0)
  writeInt32(batch, 8, batch.length - BATCH_LENGTH_FROM)
  writeInt32(batch, 12, options.leaderEpoch ?? NO_LEADER_EPOCH)
  batch[16] = MAGIC_V2
  writeInt16(batch, 21, attributes)
  writeInt32(batch, 23, options.lastOffsetDelta ?? lastDelta)
  writeInt64(batch, 27, baseTimestampMs)
  writeInt64(batch, 35, appended ? (options.appendTimeMs ?? max) : max)
  writeInt64(batch, 43, options.producerId ?? NO_PRODUCER_ID)
  writeInt16(batch, 51, options.producerEpoch ?? NO_PRODUCER_EPOCH)
  writeInt32(batch, 53, options.baseSequence ?? NO_SEQUENCE)
  writeInt32(batch, 57, records.length)
  stampCrc(batch, 0)
  return batch
}

export type ControlType = 'abort' | 'commit'

/** The marker that ends a transaction (KIP-98): one control record, as the transaction coordinator has it written. */
export function buildTransactionMarker(
  type: ControlType,
  producerId: number,
  producerEpoch: number,
  coordinatorEpoch: number,
  timestampMs: number,
): Uint8Array {
  const key = Uint8Array.of(0, 0, 0, type === 'commit' ? 1 : 0)
  const value = new Uint8Array(6)
  writeInt32(value, 2, coordinatorEpoch)
  return buildBatch([{ timestampMs, key, value }], {
    producerId,
    producerEpoch,
    transactional: true,
    control: true,
  })
}

const blobBytes = (blob: Uint8Array | null): number =>
  blob === null ? 1 : varintBytes(blob.length) + blob.length

function writeBlob(out: Uint8Array, from: number, blob: Uint8Array | null): number {
  if (blob === null) return writeVarint(out, from, -1)
  const at = writeVarint(out, from, blob.length)
  out.set(blob, at)
  return at + blob.length
}

/** Bytes of a record after its length. */
function recordBodyBytes(record: NewRecord, offsetDelta: number, baseTimestampMs: number): number {
  const headers = record.headers ?? noHeaders
  let bytes =
    1 +
    varintBytes(record.timestampMs - baseTimestampMs) +
    varintBytes(offsetDelta) +
    blobBytes(record.key) +
    blobBytes(record.value) +
    varintBytes(headers.length)
  for (const header of headers) {
    const keyBytes = Buffer.byteLength(header.key)
    bytes += varintBytes(keyBytes) + keyBytes + blobBytes(header.value)
  }
  return bytes
}

function recordBytes(record: NewRecord, offsetDelta: number, baseTimestampMs: number): number {
  const body = recordBodyBytes(record, offsetDelta, baseTimestampMs)
  return varintBytes(body) + body
}

function writeRecord(
  out: Uint8Array,
  from: number,
  record: NewRecord,
  offsetDelta: number,
  baseTimestampMs: number,
): number {
  const headers = record.headers ?? noHeaders
  let at = writeVarint(out, from, recordBodyBytes(record, offsetDelta, baseTimestampMs))
  out[at++] = 0
  at = writeVarint(out, at, record.timestampMs - baseTimestampMs)
  at = writeVarint(out, at, offsetDelta)
  at = writeBlob(out, at, record.key)
  at = writeBlob(out, at, record.value)
  at = writeVarint(out, at, headers.length)
  for (const header of headers) {
    at = writeBlob(out, at, Buffer.from(header.key))
    at = writeBlob(out, at, header.value)
  }
  return at
}

import {
  AttributeBits,
  BATCH_HEADER_BYTES,
  baseOffsetOf,
  baseTimestampOf,
  lastOffsetDeltaOf,
  maxTimestampOf,
  recordCountOf,
  sizeInBytesOf,
} from './batch.ts'
import { RecordFormatError } from './fault.ts'

/*
 * A record (KIP-98), all lengths zigzag varints, −1 for null:
 *
 *   length · attributes int8 · timestampDelta varlong · offsetDelta ·
 *   keyLength · key · valueLength · value · headerCount · { keyLength · key · valueLength · value }*
 */

export interface RecordHeader {
  readonly key: string
  readonly value: Uint8Array | null
}

export interface LogRecord {
  readonly offset: number
  readonly timestampMs: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: readonly RecordHeader[]
}

export interface TimestampAndOffset {
  readonly offset: number
  readonly timestampMs: number
}

/**
 * Walks over the records of one batch without allocating: after each `next()` its fields describe the record.
 * `body` is the batch's records, decompressed. Methods throw {@link RecordFormatError} for what is malformed.
 */
export class RecordCursor {
  /** Index of the record in its batch; −1 before the first. */
  index = -1
  offsetDelta = 0
  offset = 0
  timestampMs = 0
  /** Bytes of the key, −1 for null. */
  keyLength = -1
  /** Bytes of the value, −1 for null (a tombstone). */
  valueLength = -1
  headerCount = 0
  /** Where the record lies in the body: from its length on, and its fields from the offset delta on. */
  from = 0
  offsetDeltaFrom = 0

  readonly count: number
  readonly #body: Uint8Array
  readonly #end: number
  readonly #baseOffset: number
  readonly #baseTimestampMs: number
  readonly #lastOffsetDelta: number
  /** The timestamp of every record of a LogAppendTime batch. */
  readonly #appendTimeMs: number | null
  #at: number
  #keyAt = 0
  #valueAt = 0
  #headersAt = 0
  #recordEnd = 0

  /**
   * Reads the batch that starts at `at` in `batch`. `body` holds its decompressed records; without it, the batch must be
   * uncompressed and whole.
   */
  constructor(batch: Uint8Array, at: number, body?: Uint8Array) {
    if (body === undefined && (batch[at + 22]! & AttributeBits.codec) !== 0) {
      throw new RecordFormatError('records are compressed and were not decompressed')
    }
    this.#body = body ?? batch
    this.#at = body === undefined ? at + BATCH_HEADER_BYTES : 0
    this.#end = body === undefined ? at + sizeInBytesOf(batch, at) : body.length
    if (this.#end > this.#body.length) throw new RecordFormatError('batch is cut off')
    this.count = recordCountOf(batch, at)
    this.#baseOffset = baseOffsetOf(batch, at)
    this.#baseTimestampMs = baseTimestampOf(batch, at)
    this.#lastOffsetDelta = lastOffsetDeltaOf(batch, at)
    const appendTime = (batch[at + 22]! & AttributeBits.logAppendTime) !== 0
    this.#appendTimeMs = appendTime ? maxTimestampOf(batch, at) : null
  }

  /** Moves to the next record; false after the last, once the header's count and the bytes are seen to agree. */
  next(): boolean {
    if (this.index + 1 >= this.count) {
      if (this.#at !== this.#end) {
        throw this.#bad(`${this.#end - this.#at} bytes follow the last of ${this.count} records`)
      }
      return false
    }
    this.index++
    if (this.#at >= this.#end) {
      throw this.#bad(`batch ends, its header claims ${this.count} records`)
    }
    this.#recordEnd = this.#end
    this.from = this.#at
    const length = this.#varint('length')
    if (length < 0 || length > this.#end - this.#at) {
      throw this.#bad(`length ${length} where ${this.#end - this.#at} bytes are left`)
    }
    this.#recordEnd = this.#at + length
    this.#skip(1, 'attributes')
    const timestampDelta = this.#varlong('timestamp delta')
    this.timestampMs = this.#appendTimeMs ?? this.#baseTimestampMs + timestampDelta
    this.offsetDeltaFrom = this.#at
    this.offsetDelta = this.#varint('offset delta')
    if (this.offsetDelta < 0 || this.offsetDelta > this.#lastOffsetDelta) {
      throw this.#bad(
        `offset delta ${this.offsetDelta} is outside the batch (last ${this.#lastOffsetDelta})`,
      )
    }
    this.offset = this.#baseOffset + this.offsetDelta
    this.keyLength = this.#varint('key length')
    this.#keyAt = this.#at
    this.#skip(this.keyLength, 'key')
    this.valueLength = this.#varint('value length')
    this.#valueAt = this.#at
    this.#skip(this.valueLength, 'value')
    this.headerCount = this.#varint('header count')
    this.#headersAt = this.#at
    this.#skipHeaders()
    if (this.#at !== this.#recordEnd) {
      throw this.#bad(`${this.#recordEnd - this.#at} bytes follow its headers`)
    }
    return true
  }

  /** One past the record's last byte in the body. */
  get to(): number {
    return this.#recordEnd
  }

  /** Where the key begins in the body; it has {@link keyLength} bytes. */
  get keyFrom(): number {
    return this.#keyAt
  }

  /** The key as a view, or null. */
  key(): Uint8Array | null {
    return this.keyLength < 0
      ? null
      : this.#body.subarray(this.#keyAt, this.#keyAt + this.keyLength)
  }

  /** The value as a view, or null. */
  value(): Uint8Array | null {
    return this.valueLength < 0
      ? null
      : this.#body.subarray(this.#valueAt, this.#valueAt + this.valueLength)
  }

  /** The headers, in order, values as views. */
  headers(): RecordHeader[] {
    const headers: RecordHeader[] = []
    const resumeAt = this.#at
    this.#at = this.#headersAt
    for (let i = 0; i < this.headerCount; i++) {
      const keyLength = this.#varint('header key length')
      const keyAt = this.#at
      this.#at += keyLength
      const valueLength = this.#varint('header value length')
      const valueAt = this.#at
      this.#at += Math.max(0, valueLength)
      headers.push({
        key: utf8(this.#body, keyAt, keyAt + keyLength),
        value: valueLength < 0 ? null : this.#body.subarray(valueAt, this.#at),
      })
    }
    this.#at = resumeAt
    return headers
  }

  #skipHeaders(): void {
    if (this.headerCount < 0 || this.headerCount > this.#recordEnd - this.#at) {
      throw this.#bad(
        `${this.headerCount} headers where ${this.#recordEnd - this.#at} bytes are left`,
      )
    }
    for (let i = 0; i < this.headerCount; i++) {
      const keyLength = this.#varint('header key length')
      if (keyLength < 0) throw this.#bad(`header key length ${keyLength}`)
      this.#skip(keyLength, 'header key')
      this.#skip(this.#varint('header value length'), 'header value')
    }
  }

  /** Passes `length` bytes, none for null. */
  #skip(length: number, what: string): void {
    if (length <= 0) return
    if (length > this.#recordEnd - this.#at)
      throw this.#bad(`${what} of ${length} bytes is cut off`)
    this.#at += length
  }

  #varint(what: string): number {
    let raw = 0
    for (let shift = 0; ; shift += 7) {
      if (this.#at >= this.#recordEnd) throw this.#bad(`${what} is cut off`)
      const byte = this.#body[this.#at++]!
      if (shift === 28 && byte > 0x0f) throw this.#bad(`${what} is longer than 32 bits`)
      raw |= (byte & 0x7f) << shift
      if (byte < 0x80) return (raw >>> 1) ^ -(raw & 1)
    }
  }

  /** A zigzag varlong within ±2^53: what a difference of dates needs. */
  #varlong(what: string): number {
    let raw = 0
    for (let factor = 1; ; factor *= 128) {
      if (this.#at >= this.#recordEnd) throw this.#bad(`${what} is cut off`)
      const byte = this.#body[this.#at++]!
      raw += (byte & 0x7f) * factor
      if (raw > Number.MAX_SAFE_INTEGER) throw this.#bad(`${what} is beyond 53 bits`)
      if (byte < 0x80) return raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2
      if (factor > 2 ** 56) throw this.#bad(`${what} is longer than 64 bits`)
    }
  }

  #bad(what: string): RecordFormatError {
    return new RecordFormatError(`record ${this.index}: ${what}`)
  }
}

const utf8 = (bytes: Uint8Array, from: number, to: number): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('utf8')

/**
 * All records of the batch at `at`, keys and values as views: for tools, coordinators and tests. Throws
 * {@link RecordFormatError}; what is asked for elsewhere as for {@link RecordCursor}.
 */
export function readRecords(batch: Uint8Array, at: number, body?: Uint8Array): LogRecord[] {
  const records: LogRecord[] = []
  const cursor = new RecordCursor(batch, at, body)
  while (cursor.next()) {
    records.push({
      offset: cursor.offset,
      timestampMs: cursor.timestampMs,
      key: cursor.key(),
      value: cursor.value(),
      headers: cursor.headers(),
    })
  }
  return records
}

/** Whether some record has no key, which a compacted topic refuses. */
export function hasKeylessRecord(batch: Uint8Array, at: number, body?: Uint8Array): boolean {
  const cursor = new RecordCursor(batch, at, body)
  while (cursor.next()) if (cursor.keyLength < 0) return true
  return false
}

/**
 * The first record not older than `timestampMs` from `startOffset` on, or null: what ListOffsets answers. Every record of
 * a LogAppendTime batch has the batch's time, so there it is the batch's first.
 */
export function firstRecordAtOrAfter(
  batch: Uint8Array,
  at: number,
  timestampMs: number,
  startOffset = 0,
  body?: Uint8Array,
): TimestampAndOffset | null {
  const cursor = new RecordCursor(batch, at, body)
  while (cursor.next()) {
    if (cursor.timestampMs >= timestampMs && cursor.offset >= startOffset) {
      return { offset: cursor.offset, timestampMs: cursor.timestampMs }
    }
  }
  return null
}

/** The first of the records with the greatest timestamp, or null of an empty batch: ListOffsets' MAX_TIMESTAMP (KIP-734). */
export function maxTimestampRecord(
  batch: Uint8Array,
  at: number,
  body?: Uint8Array,
): TimestampAndOffset | null {
  const cursor = new RecordCursor(batch, at, body)
  let offset = -1
  let timestampMs = Number.NEGATIVE_INFINITY
  while (cursor.next()) {
    if (cursor.timestampMs > timestampMs) {
      offset = cursor.offset
      timestampMs = cursor.timestampMs
    }
  }
  return offset < 0 ? null : { offset, timestampMs }
}

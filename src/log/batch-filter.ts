import {
  AttributeBits,
  attributesOf,
  BATCH_HEADER_BYTES,
  BATCH_LENGTH_FROM,
  baseOffsetOf,
  baseTimestampOf,
  Codec,
  codecOf,
  hasDeleteHorizon,
  isControl,
  lastOffsetOf,
  NO_TIMESTAMP,
  sizeInBytesOf,
  stampCrc,
  timestampTypeOf,
  writeInt16,
  writeInt32,
  writeInt64,
} from '../record/batch.ts'
import { compress, decompress } from '../record/compression.ts'
import { RecordCursor } from '../record/records.ts'
import { varintBytes, writeVarint } from '../record/varint.ts'
import type { KeyOffsets } from './key-offsets.ts'

export interface FilterRules {
  /** The last offsets of keys below {@link endOffset}, where they are known. */
  readonly keys: KeyOffsets
  /** Batches that begin here or later stay as they are, records too. */
  readonly endOffset: number
  /** Wall clock. */
  readonly nowMs: number
  /** Kafka's delete.retention.ms. */
  readonly deleteRetentionMs: number
  readonly decompressedBytesMax: number
  /** Whether the batch stays even without records: it holds what no other does. */
  keepsEmpty(bytes: Uint8Array, at: number): boolean
}

/**
 * Decides record by record what stays of a batch, by the rules of Kafka's log cleaner, and makes the batch that stays: of the
 * same offsets and sequences, the records' bytes as they were. A value stays while it is its key's last, a tombstone besides
 * until the delete horizon that its batch is given the first time (KIP-534); records without a key go; control batches stay.
 */
export class BatchFilter {
  readonly #rules: FilterRules
  #batch: Uint8Array = new Uint8Array(0)
  #at = 0
  #body: Uint8Array = this.#batch
  #cursor: RecordCursor | null = null
  /** Stretches of the body that stay: from, to. */
  #kept: number[] = []
  #keptCount = 0
  #maxTimestampMs = NO_TIMESTAMP
  #hasTombstone = false
  /** Batches that changed or went, since the filter was made. */
  changes = 0

  constructor(rules: FilterRules) {
    this.#rules = rules
  }

  /** Begins with the whole batch at `at`, which must not change until its end. Throws RecordFormatError. */
  begin(batch: Uint8Array, at: number): void {
    this.#batch = batch
    this.#at = at
    this.#kept = []
    this.#keptCount = 0
    this.#maxTimestampMs = NO_TIMESTAMP
    this.#hasTombstone = false
    this.#cursor = null
    const stays = isControl(batch, at) || baseOffsetOf(batch, at) >= this.#rules.endOffset
    if (stays) return
    const codec = codecOf(batch, at) as Codec
    if (codec === Codec.none) {
      this.#body = batch
      this.#cursor = new RecordCursor(batch, at)
      return
    }
    const packed = batch.subarray(at + BATCH_HEADER_BYTES, at + sizeInBytesOf(batch, at))
    this.#body = decompress(codec, packed, this.#rules.decompressedBytesMax)
    this.#cursor = new RecordCursor(batch, at, this.#body)
  }

  /** Looks at up to `recordsMax` more records; returns how many. Fewer: it is through. Throws RecordFormatError. */
  look(recordsMax: number): number {
    const cursor = this.#cursor
    if (cursor === null) return 0
    for (let looked = 0; looked < recordsMax; looked++) {
      if (!cursor.next()) return looked
      if (this.#stays(cursor)) this.#keep(cursor)
    }
    return recordsMax
  }

  #stays(cursor: RecordCursor): boolean {
    const { keys, endOffset, nowMs } = this.#rules
    if (cursor.offset >= endOffset) return true
    if (cursor.keyLength < 0) return false
    const { keyFrom, keyLength } = cursor
    if (cursor.offset < keys.get(this.#body, keyFrom, keyFrom + keyLength)) return false
    if (cursor.valueLength >= 0) return true
    const isMarked = hasDeleteHorizon(this.#batch, this.#at)
    return !isMarked || nowMs < baseTimestampOf(this.#batch, this.#at)
  }

  #keep(cursor: RecordCursor): void {
    const kept = this.#kept
    if (kept.at(-1) === cursor.from) kept[kept.length - 1] = cursor.to
    else kept.push(cursor.from, cursor.to)
    this.#keptCount++
    this.#maxTimestampMs = Math.max(this.#maxTimestampMs, cursor.timestampMs)
    if (cursor.valueLength < 0) this.#hasTombstone = true
  }

  /**
   * What stays of the batch, once {@link look} is through: the batch itself, another, or null for nothing. `isNew` says that
   * it begins at 0 of its bytes, otherwise it is where it was.
   */
  end(): { readonly bytes: Uint8Array; readonly isNew: boolean } | null {
    const [batch, at, cursor] = [this.#batch, this.#at, this.#cursor]
    this.#cursor = null
    if (cursor === null) return { bytes: batch, isNew: false }
    const isWhole = this.#keptCount === cursor.count
    if (this.#keptCount === 0) {
      const stays = this.#rules.keepsEmpty(batch, at)
      // one that is empty already stays as it is
      if (stays && isWhole) return { bytes: batch, isNew: false }
      this.changes++
      return stays ? { bytes: this.#empty(), isNew: true } : null
    }
    const getsHorizon =
      this.#hasTombstone &&
      !hasDeleteHorizon(batch, at) &&
      lastOffsetOf(batch, at) < this.#rules.endOffset
    if (isWhole && !getsHorizon) return { bytes: batch, isNew: false }
    this.changes++
    return { bytes: this.#rebuilt(getsHorizon), isNew: true }
  }

  /** A batch without records keeps the place and the sequence; it has no time, so that none is looked up in it. */
  #empty(): Uint8Array {
    const bytes = new Uint8Array(BATCH_HEADER_BYTES)
    bytes.set(this.#batch.subarray(this.#at, this.#at + BATCH_HEADER_BYTES))
    const attributes = attributesOf(bytes, 0)
    writeInt16(bytes, 21, attributes & ~(AttributeBits.codec | AttributeBits.deleteHorizon))
    writeInt64(bytes, 27, NO_TIMESTAMP)
    writeInt64(bytes, 35, NO_TIMESTAMP)
    return this.#sealed(bytes, 0)
  }

  #rebuilt(getsHorizon: boolean): Uint8Array {
    const { nowMs, deleteRetentionMs } = this.#rules
    const [batch, at] = [this.#batch, this.#at]
    const horizonMs = Math.min(nowMs + deleteRetentionMs, Number.MAX_SAFE_INTEGER)
    const records = getsHorizon ? this.#rebased(horizonMs) : this.#joined()
    const codec = codecOf(batch, at) as Codec
    const body = codec === Codec.none ? records : compress(codec, records)
    const bytes = new Uint8Array(BATCH_HEADER_BYTES + body.length)
    bytes.set(batch.subarray(at, at + BATCH_HEADER_BYTES))
    bytes.set(body, BATCH_HEADER_BYTES)
    if (getsHorizon) {
      writeInt16(bytes, 21, attributesOf(bytes, 0) | AttributeBits.deleteHorizon)
      writeInt64(bytes, 27, horizonMs)
    }
    if (timestampTypeOf(bytes, 0) === 'createTime') writeInt64(bytes, 35, this.#maxTimestampMs)
    return this.#sealed(bytes, this.#keptCount)
  }

  #sealed(bytes: Uint8Array, count: number): Uint8Array {
    writeInt32(bytes, 8, bytes.length - BATCH_LENGTH_FROM)
    writeInt32(bytes, 57, count)
    stampCrc(bytes, 0)
    return bytes
  }

  /** The records that stay, as they are. */
  #joined(): Uint8Array {
    const kept = this.#kept
    const bytes = new Uint8Array(this.#joinedBytes)
    let to = 0
    for (let i = 0; i < kept.length; i += 2) {
      bytes.set(this.#body.subarray(kept[i]!, kept[i + 1]!), to)
      to += kept[i + 1]! - kept[i]!
    }
    return bytes
  }

  /** The records that stay, their times told from `baseMs` on. */
  #rebased(baseMs: number): Uint8Array {
    const body = this.#body
    const isOwn = body === this.#batch
    const cursor = new RecordCursor(this.#batch, this.#at, isOwn ? undefined : body)
    const kept = this.#kept
    const bytes = new Uint8Array(this.#joinedBytes + this.#keptCount * GROWTH_BYTES_MAX)
    let to = 0
    for (let i = 0; i < kept.length && cursor.next(); ) {
      if (cursor.from < kept[i]!) continue
      const deltaMs = cursor.timestampMs - baseMs
      const tail = cursor.to - cursor.offsetDeltaFrom
      to = writeVarint(bytes, to, 1 + varintBytes(deltaMs) + tail)
      // attributes of a record: none are defined
      bytes[to++] = 0
      to = writeVarint(bytes, to, deltaMs)
      bytes.set(body.subarray(cursor.offsetDeltaFrom, cursor.to), to)
      to += tail
      if (cursor.to === kept[i + 1]!) i += 2
    }
    return bytes.slice(0, to)
  }

  get #joinedBytes(): number {
    const kept = this.#kept
    let length = 0
    for (let i = 0; i < kept.length; i += 2) length += kept[i + 1]! - kept[i]!
    return length
  }
}

/** By which a record grows at most when its timestamp delta does: that, and its length. */
const GROWTH_BYTES_MAX = 8 + 4

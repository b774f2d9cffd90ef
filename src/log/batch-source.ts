import {
  BATCH_HEADER_BYTES,
  baseOffsetOf,
  computedCrcOf,
  lastOffsetOf,
  MAGIC_V2,
  magicOf,
  sizeInBytesOf,
  storedCrcOf,
} from '../record/batch.ts'
import type { Segment } from './segment.ts'

const WINDOW_BYTES = 256 * 1024

/** A log cannot be cleaned, as far as it was looked at, until something about it changes. */
export class UncleanableError extends Error {
  override name = 'UncleanableError'
}

/**
 * Reads the batches of one segment after another, whole, checked and in order, into a window that stays as it is between
 * two calls of {@link next}: work on a batch may take several turns. On the broker's thread.
 */
export class BatchSource {
  /** The batch is `bytes[at, at + size)`. */
  bytes = new Uint8Array(WINDOW_BYTES)
  at = 0
  size = 0
  #segment: Segment | null = null
  #windowStart = 0
  #windowEnd = 0
  /** Where the next batch begins. */
  #position = 0
  #nextOffset = 0
  #endOffset = 0
  #gapsTo = 0

  /** Begins with a segment whose offsets end at `endOffset`, where offsets up to `gapsTo` may be missing. */
  open(segment: Segment, endOffset: number, gapsTo: number): void {
    this.#segment = segment
    this.#position = this.#windowStart = this.#windowEnd = 0
    this.#nextOffset = segment.baseOffset
    this.#endOffset = endOffset
    this.#gapsTo = gapsTo
  }

  /** Takes the next batch; false at the end of the segment. Throws DiskError, and UncleanableError for what is no batch. */
  next(): boolean {
    const segment = this.#segment!
    const position = this.#position
    if (position === segment.size) {
      if (this.#nextOffset === this.#endOffset || this.#endOffset <= this.#gapsTo) return false
      throw this.#bad(`the end, where offset ${this.#nextOffset} is due`)
    }
    this.#fill(segment, position, Math.min(BATCH_HEADER_BYTES, segment.size - position))
    let at = position - this.#windowStart
    const { bytes } = this
    const size = segment.size - position < BATCH_HEADER_BYTES ? 0 : sizeInBytesOf(bytes, at)
    const isBatch = size >= BATCH_HEADER_BYTES && magicOf(bytes, at) === MAGIC_V2
    if (!isBatch || size > segment.size - position) throw this.#bad('no batch')
    this.#fill(segment, position, size)
    at = position - this.#windowStart
    if (storedCrcOf(this.bytes, at) !== computedCrcOf(this.bytes, at)) throw this.#bad('bad CRC')
    // no CRC covers the offsets
    const base = baseOffsetOf(this.bytes, at)
    const last = lastOffsetOf(this.bytes, at)
    const follows = base === this.#nextOffset || (base > this.#nextOffset && base <= this.#gapsTo)
    if (!follows || last < base || last >= this.#endOffset) {
      throw this.#bad(`offsets ${base} to ${last}, where ${this.#nextOffset} is due`)
    }
    this.#nextOffset = last + 1
    this.at = at
    this.size = size
    this.#position = position + size
    return true
  }

  #bad(what: string): UncleanableError {
    return new UncleanableError(`${what} at byte ${this.#position} of ${this.#segment!.log.path}`)
  }

  #fill(segment: Segment, position: number, length: number): void {
    if (position + length <= this.#windowEnd) return
    if (length > this.bytes.length) this.bytes = new Uint8Array(length)
    const wanted = Math.min(this.bytes.length, segment.size - position)
    const got = segment.log.get().read(this.bytes, 0, wanted, position)
    this.#windowStart = position
    this.#windowEnd = position + got
    if (got < length) throw this.#bad('the file ends too early')
  }
}

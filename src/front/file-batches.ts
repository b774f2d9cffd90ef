import {
  BATCH_HEADER_BYTES,
  baseOffsetOf,
  lastOffsetDeltaOf,
  MAGIC_V2,
  magicOf,
  sizeInBytesOf,
} from '../record/batch.ts'

/** What the whole batches in bytes read from a segment file come to. */
export interface WholeBatches {
  /** Bytes that may be sent; 0 with `needed` 0: these are not the batches that were asked for. */
  length: number
  /** After the last of them. */
  nextOffset: number
  /** Bytes of the first batch, when it has not come whole. */
  needed: number
}

/**
 * Checks that `bytes[0, length)` begin with the batch that the broker named, with base offset `baseOffset`, which holds `offset`
 * or is the next after it, and counts the bytes of whole batches in a row that end below `endOffset`; cleaning leaves gaps
 * between them. A read may have met a segment that was truncated or replaced since the broker named the place, so nothing
 * is sent unchecked: with another batch at that place, what lies between would be passed over.
 */
export function wholeBatches(
  bytes: Uint8Array,
  length: number,
  baseOffset: number,
  offset: number,
  endOffset: number,
  out: WholeBatches,
): WholeBatches {
  out.length = out.needed = 0
  let at = 0
  let next = -1
  while (at + BATCH_HEADER_BYTES <= length) {
    const size = sizeInBytesOf(bytes, at)
    const base = baseOffsetOf(bytes, at)
    const last = base + lastOffsetDeltaOf(bytes, at)
    if (magicOf(bytes, at) !== MAGIC_V2 || size < BATCH_HEADER_BYTES || last < base) break
    if (at === 0 ? base !== baseOffset : base < next) break
    if (last < offset || last >= endOffset) break
    if (at + size > length) {
      if (at === 0) out.needed = size
      break
    }
    at += size
    next = last + 1
  }
  out.length = at
  out.nextOffset = next
  return out
}

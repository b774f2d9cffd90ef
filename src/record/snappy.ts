import { readInt32, writeInt32 } from './batch.ts'
import { DecompressedTooLargeError, RecordFormatError } from './fault.ts'

/*
 * Snappy as Java's SnappyOutputStream frames it, which is what Kafka's clients write (librdkafka and some others
 * write one raw block instead; both are read):
 *
 *   0x82 "SNAPPY" 0 · version int32 = 1 · compatible version int32 = 1 · { length int32 · raw block }*
 *
 * Big-endian. Headers may come again between blocks: Java reads such concatenations.
 */

const MAGIC = [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0] as const
const HEADER_BYTES = 16
const BLOCK_BYTES = 32_768
/** Of a block besides its elements: its length, and that of its content. */
const BLOCK_OVERHEAD_MAX = 4 + 3
const HASH_BITS = 13
/** No element of a raw block stands for more than 64 bytes, or takes fewer than 2. */
const RATIO_MAX = 32

const bad = (what: string): RecordFormatError => new RecordFormatError(`snappy: ${what}`)

const isHeader = (bytes: Uint8Array, at: number): boolean =>
  at + HEADER_BYTES <= bytes.length && MAGIC.every((byte, i) => bytes[at + i] === byte)

/**
 * The most that elements take beyond what they stand for, one part in so many, and a last tag a block: 61 literals
 * behind a tag of two bytes and a far copy of four make 66 bytes of 65.
 */
const GROWTH = 65
const LAST_TAG_BYTES = 3

/** Where a block's four bytes were seen last, plus one; cleared for each block. One thread, one call at a time. */
const seen = new Uint16Array(1 << HASH_BITS)

/** `bytes` in Java's framing, blocks of 32 KB; any thread. */
export function snappyCompress(bytes: Uint8Array): Uint8Array {
  const blocks = Math.ceil(bytes.length / BLOCK_BYTES)
  const overhead = blocks * (BLOCK_OVERHEAD_MAX + LAST_TAG_BYTES) + Math.ceil(bytes.length / GROWTH)
  const out = new Uint8Array(HEADER_BYTES + bytes.length + overhead)
  out.set(MAGIC)
  writeInt32(out, 8, 1)
  writeInt32(out, 12, 1)
  let outAt = HEADER_BYTES
  for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
    const end = encodeBlock(bytes, at, Math.min(at + BLOCK_BYTES, bytes.length), out, outAt + 4)
    writeInt32(out, outAt, end - outAt - 4)
    outAt = end
  }
  return out.subarray(0, outAt)
}

const fourBytes = (b: Uint8Array, at: number): number =>
  b[at]! | (b[at + 1]! << 8) | (b[at + 2]! << 16) | (b[at + 3]! << 24)

/** Encodes `src[from, end)`, at most 32 KB, greedily as one raw block; returns where it ended in `out`. */
function encodeBlock(
  src: Uint8Array,
  from: number,
  end: number,
  out: Uint8Array,
  outFrom: number,
): number {
  let outAt = outFrom
  let rest = end - from
  for (; rest >= 0x80; rest >>>= 7) out[outAt++] = (rest & 0x7f) | 0x80
  out[outAt++] = rest
  let anchor = from
  let misses = 0
  seen.fill(0)
  for (let at = from; at <= end - 4; ) {
    const four = fourBytes(src, at)
    const slot = Math.imul(four, 0x1e35a7bd) >>> (32 - HASH_BITS)
    const candidate = from + seen[slot]! - 1
    seen[slot] = at - from + 1
    if (candidate < from || fourBytes(src, candidate) !== four) {
      // Data that do not compress are skipped through ever faster.
      at += 1 + (misses++ >> 5)
      continue
    }
    misses = 0
    let matched = at + 4
    for (let c = candidate + 4; matched < end && src[matched] === src[c]; c++) matched++
    outAt = writeLiterals(src, anchor, at - anchor, out, outAt)
    outAt = writeCopy(at - candidate, matched - at, out, outAt)
    anchor = at = matched
  }
  return writeLiterals(src, anchor, end - anchor, out, outAt)
}

function writeLiterals(
  src: Uint8Array,
  from: number,
  literals: number,
  out: Uint8Array,
  outFrom: number,
): number {
  let outAt = outFrom
  if (literals === 0) return outAt
  const less = literals - 1
  if (less < 60) {
    out[outAt++] = less << 2
  } else if (less < 256) {
    out[outAt++] = 60 << 2
    out[outAt++] = less
  } else {
    out[outAt++] = 61 << 2
    out[outAt++] = less
    out[outAt++] = less >> 8
  }
  if (literals > 32) {
    out.set(src.subarray(from, from + literals), outAt)
    return outAt + literals
  }
  for (let i = 0; i < literals; i++) out[outAt++] = src[from + i]!
  return outAt
}

/** A copy element takes 4 to 11 bytes at offsets under 2,048, or 1 to 64 at any offset in a block. */
function writeCopy(offset: number, length: number, out: Uint8Array, outFrom: number): number {
  let outAt = outFrom
  let rest = length
  while (rest > 0) {
    if (rest >= 4 && rest < 12 && offset < 2048) {
      out[outAt++] = 1 | ((rest - 4) << 2) | ((offset >> 8) << 5)
      out[outAt++] = offset
      return outAt
    }
    const part = Math.min(rest, 64)
    out[outAt++] = 2 | ((part - 1) << 2)
    out[outAt++] = offset
    out[outAt++] = offset >> 8
    rest -= part
  }
  return outAt
}

/**
 * The content of `bytes`, framed or one raw block; any thread.
 * Throws {@link DecompressedTooLargeError} beyond `maxBytes`, {@link RecordFormatError} for bad data.
 */
export function snappyDecompress(bytes: Uint8Array, maxBytes: number): Uint8Array {
  if (!isHeader(bytes, 0)) {
    const out = new Uint8Array(declaredLength(bytes, 0, bytes.length, 0, maxBytes))
    decodeBlock(bytes, 0, bytes.length, out, 0)
    return out
  }
  let size = 0
  forEachBlock(bytes, (at, end) => {
    size += declaredLength(bytes, at, end, size, maxBytes)
  })
  const out = new Uint8Array(size)
  let outAt = 0
  forEachBlock(bytes, (at, end) => {
    outAt = decodeBlock(bytes, at, end, out, outAt)
  })
  return out
}

function forEachBlock(bytes: Uint8Array, visit: (at: number, end: number) => void): void {
  let at = 0
  while (at < bytes.length) {
    if (isHeader(bytes, at)) {
      at += HEADER_BYTES
      continue
    }
    if (at + 4 > bytes.length) throw bad('block length cut off')
    const length = readInt32(bytes, at)
    at += 4
    if (length <= 0 || length > bytes.length - at) {
      throw bad(`block of ${length} bytes where ${bytes.length - at} are left`)
    }
    visit(at, at + length)
    at += length
  }
}

/** Reads a raw block's length without its varint's size, after which `before` bytes must still fit the bound. */
function declaredLength(
  bytes: Uint8Array,
  at: number,
  end: number,
  before: number,
  maxBytes: number,
): number {
  let length = 0
  for (let i = 0; ; i++) {
    if (i === 5 || at + i >= end) throw bad('content length cut off')
    const byte = bytes[at + i]!
    length += (byte & 0x7f) * 2 ** (7 * i)
    if (byte < 0x80) break
  }
  if (length > (end - at) * RATIO_MAX) {
    throw bad(`${end - at} bytes cannot hold the ${length} that they claim`)
  }
  if (before + length > maxBytes) {
    throw new DecompressedTooLargeError(
      `snappy: decompressed data exceed the limit of ${maxBytes} bytes`,
    )
  }
  return length
}

/** Decodes the raw block `bytes[from, end)` to `out` from `outFrom` on; returns where it ended. */
function decodeBlock(
  bytes: Uint8Array,
  from: number,
  end: number,
  out: Uint8Array,
  outFrom: number,
): number {
  let at = from
  let length = 0
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++]!
    length += (byte & 0x7f) * 2 ** shift
    if (byte < 0x80) break
  }
  const outEnd = outFrom + length
  let outAt = outFrom
  while (at < end) {
    const tag = bytes[at++]!
    const kind = tag & 3
    if (kind === 0) {
      let literals = (tag >> 2) + 1
      if (literals > 60) {
        const width = literals - 60
        if (at + width > end) throw bad('literal length cut off')
        literals = 1
        for (let i = 0; i < width; i++) literals += bytes[at++]! * 2 ** (8 * i)
      }
      if (literals > end - at) throw bad('literals cut off')
      if (literals > outEnd - outAt) throw bad('block is longer than it claims')
      if (literals > 32) {
        out.set(bytes.subarray(at, at + literals), outAt)
        outAt += literals
        at += literals
      } else {
        for (const stop = at + literals; at < stop; ) out[outAt++] = bytes[at++]!
      }
      continue
    }
    const width = kind === 3 ? 4 : kind
    if (at + width > end) throw bad('copy offset cut off')
    let offset = bytes[at]!
    let copied = (tag >> 2) + 1
    if (kind === 1) {
      copied = ((tag >> 2) & 7) + 4
      offset += (tag >> 5) << 8
    } else {
      for (let i = 1; i < width; i++) offset += bytes[at + i]! * 2 ** (8 * i)
    }
    at += width
    if (offset === 0 || offset > outAt - outFrom)
      throw bad(`copy offset ${offset} is outside its block`)
    if (copied > outEnd - outAt) throw bad('block is longer than it claims')
    for (const stop = outAt + copied; outAt < stop; outAt++) out[outAt] = out[outAt - offset]!
  }
  if (outAt !== outEnd) throw bad(`block holds ${outAt - outFrom} bytes, it claims ${length}`)
  return outAt
}

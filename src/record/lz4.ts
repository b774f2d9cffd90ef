import { DecompressedTooLargeError, RecordFormatError } from './fault.ts'
import { xxh32 } from './xxh32.ts'

/*
 * LZ4 frames as Kafka's clients read them: version 1, independent blocks, no dictionary.
 *
 *   magic 0x184d2204 · FLG · BD · [content size int64] · HC
 *   { size int32 (bit 31: stored as it is) · data · [block checksum int32] }* · 0 · [content checksum int32]
 *
 * Little-endian; HC is the second byte of xxh32 over FLG up to HC. Java's reader refuses linked blocks, and its
 * native block decoder wants the last match to begin 12 bytes before a block's end and 5 literals at the end:
 * the encoder here keeps to that.
 */

const MAGIC = 0x184d2204
const FLG_VERSION = 0x40
const FLG_INDEPENDENT = 0x20
const FLG_BLOCK_CHECKSUM = 0x10
const FLG_CONTENT_SIZE = 0x08
const FLG_CONTENT_CHECKSUM = 0x04
const STORED = 0x80000000

/** What Kafka's producer writes: blocks of 64 KB. */
const BLOCK_BYTES = 65_536
const BD_64_KB = 0x40
/** A match of any length costs a byte for each 255 bytes. */
const RATIO_MAX = 255

const MATCH_BYTES_MIN = 4
const LAST_MATCH_BEFORE_END = 12
const LITERALS_AT_END = 5
const HASH_BITS = 13

/** Where a block's four bytes were seen last, plus one; cleared for each block. One thread, one call at a time. */
const seen = new Uint16Array(1 << HASH_BITS)

const readUint32 = (b: Uint8Array, at: number): number =>
  (b[at]! | (b[at + 1]! << 8) | (b[at + 2]! << 16) | (b[at + 3]! << 24)) >>> 0

function writeUint32(b: Uint8Array, at: number, value: number): void {
  b[at] = value
  b[at + 1] = value >>> 8
  b[at + 2] = value >>> 16
  b[at + 3] = value >>> 24
}

const bad = (what: string): RecordFormatError => new RecordFormatError(`lz4: ${what}`)

interface Frame {
  readonly blocksAt: number
  readonly blockBytesMax: number
  readonly blockChecksums: boolean
  readonly contentChecksum: boolean
}

function readFrame(bytes: Uint8Array): Frame {
  if (bytes.length < 7) throw bad(`frame header cut off after ${bytes.length} bytes`)
  if (readUint32(bytes, 0) !== MAGIC) throw bad('not a frame (wrong magic)')
  const flags = bytes[4]!
  const descriptor = bytes[5]!
  if ((flags & 0xc0) !== FLG_VERSION) throw bad(`frame version ${flags >> 6} is unknown`)
  if ((flags & FLG_INDEPENDENT) === 0) throw bad('linked blocks, which Kafka does not read')
  if ((flags & 0x03) !== 0) throw bad(`reserved frame flags ${flags & 0x03}`)
  const sizeCode = descriptor >> 4
  if (sizeCode < 4 || sizeCode > 7 || (descriptor & 0x0f) !== 0) {
    throw bad(`block descriptor ${descriptor} is unknown`)
  }
  const checksumAt = flags & FLG_CONTENT_SIZE ? 14 : 6
  if (bytes.length <= checksumAt) throw bad(`frame header cut off after ${bytes.length} bytes`)
  if (bytes[checksumAt] !== ((xxh32(bytes, 4, checksumAt) >>> 8) & 0xff)) {
    throw bad('frame header checksum mismatch')
  }
  return {
    blocksAt: checksumAt + 1,
    blockBytesMax: 1 << (8 + 2 * sizeCode),
    blockChecksums: (flags & FLG_BLOCK_CHECKSUM) !== 0,
    contentChecksum: (flags & FLG_CONTENT_CHECKSUM) !== 0,
  }
}

/** The most that the frame's blocks can hold, from their headers; throws where the frame is cut off. */
function outputBound(bytes: Uint8Array, frame: Frame): number {
  let bound = 0
  let at = frame.blocksAt
  for (;;) {
    if (at + 4 > bytes.length) throw bad('frame ends without an end mark')
    const word = readUint32(bytes, at)
    at += 4
    if (word === 0) return bound
    const size = word & 0x7fffffff
    if (size > frame.blockBytesMax) {
      throw bad(`block of ${size} bytes in a frame of at most ${frame.blockBytesMax}`)
    }
    bound += word >= STORED ? size : Math.min(frame.blockBytesMax, size * RATIO_MAX)
    at += size + (frame.blockChecksums ? 4 : 0)
  }
}

/**
 * The content of the LZ4 frame in `bytes`; any thread.
 * Throws {@link DecompressedTooLargeError} beyond `maxBytes`, {@link RecordFormatError} for a bad frame.
 */
export function lz4Decompress(bytes: Uint8Array, maxBytes: number): Uint8Array {
  const frame = readFrame(bytes)
  const out = new Uint8Array(Math.min(outputBound(bytes, frame), maxBytes))
  let outAt = 0
  let at = frame.blocksAt
  for (;;) {
    const word = readUint32(bytes, at)
    at += 4
    if (word === 0) break
    const size = word & 0x7fffffff
    const end = at + size
    if (end > bytes.length) throw bad('block cut off')
    if (word >= STORED) {
      if (outAt + size > out.length) throw tooLarge(maxBytes)
      out.set(bytes.subarray(at, end), outAt)
      outAt += size
    } else {
      outAt = decodeBlock(bytes, at, end, out, outAt, frame.blockBytesMax, maxBytes)
    }
    if (frame.blockChecksums) {
      if (end + 4 > bytes.length) throw bad('block checksum cut off')
      if (readUint32(bytes, end) !== xxh32(bytes, at, end)) throw bad('block checksum mismatch')
    }
    at = end + (frame.blockChecksums ? 4 : 0)
  }
  if (frame.contentChecksum) {
    if (at + 4 > bytes.length) throw bad('content checksum cut off')
    if (readUint32(bytes, at) !== xxh32(out, 0, outAt)) throw bad('content checksum mismatch')
  }
  return out.subarray(0, outAt)
}

const tooLarge = (maxBytes: number) =>
  new DecompressedTooLargeError(`lz4: decompressed data exceed the limit of ${maxBytes} bytes`)

/** Decodes one block to `out` from `outFrom` on; returns where it ended. */
function decodeBlock(
  bytes: Uint8Array,
  from: number,
  end: number,
  out: Uint8Array,
  outFrom: number,
  blockBytesMax: number,
  maxBytes: number,
): number {
  const outEnd = Math.min(out.length, outFrom + blockBytesMax)
  const overrun = () =>
    outEnd === out.length ? tooLarge(maxBytes) : bad('block exceeds its frame')
  let at = from
  let outAt = outFrom
  for (;;) {
    if (at >= end) throw bad('block cut off')
    const token = bytes[at++]!
    let literals = token >> 4
    if (literals === 15) {
      for (let more = 255; more === 255; literals += more) {
        if (at >= end) throw bad('literal length cut off')
        more = bytes[at++]!
      }
    }
    if (literals > end - at) throw bad('literals cut off')
    if (literals > outEnd - outAt) throw overrun()
    if (literals > 32) {
      out.set(bytes.subarray(at, at + literals), outAt)
      outAt += literals
      at += literals
    } else {
      for (const stop = at + literals; at < stop; ) out[outAt++] = bytes[at++]!
    }
    if (at === end) return outAt
    if (at + 2 > end) throw bad('match offset cut off')
    const offset = bytes[at]! | (bytes[at + 1]! << 8)
    at += 2
    if (offset === 0 || offset > outAt - outFrom)
      throw bad(`match offset ${offset} is outside its block`)
    let length = token & 15
    if (length === 15) {
      for (let more = 255; more === 255; length += more) {
        if (at >= end) throw bad('match length cut off')
        more = bytes[at++]!
      }
    }
    length += MATCH_BYTES_MIN
    if (length > outEnd - outAt) throw overrun()
    if (offset >= length && length > 32) {
      out.copyWithin(outAt, outAt - offset, outAt - offset + length)
      outAt += length
    } else {
      for (const stop = outAt + length; outAt < stop; outAt++) out[outAt] = out[outAt - offset]!
    }
  }
}

/** `bytes` as an LZ4 frame of independent 64 KB blocks without checksums, as Kafka's producer writes it; any thread. */
export function lz4Compress(bytes: Uint8Array): Uint8Array {
  const blocks = Math.ceil(bytes.length / BLOCK_BYTES)
  const out = new Uint8Array(7 + bytes.length + 4 * blocks + 4)
  writeUint32(out, 0, MAGIC)
  out[4] = FLG_VERSION | FLG_INDEPENDENT
  out[5] = BD_64_KB
  out[6] = xxh32(out, 4, 6) >>> 8
  let outAt = 7
  for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
    const end = Math.min(at + BLOCK_BYTES, bytes.length)
    const encodedEnd = encodeBlock(bytes, at, end, out, outAt + 4)
    if (encodedEnd < 0) {
      writeUint32(out, outAt, STORED | (end - at))
      out.set(bytes.subarray(at, end), outAt + 4)
      outAt += 4 + end - at
    } else {
      writeUint32(out, outAt, encodedEnd - outAt - 4)
      outAt = encodedEnd
    }
  }
  writeUint32(out, outAt, 0)
  return out.subarray(0, outAt + 4)
}

/** Encodes one block greedily; returns where it ended in `out`, or −1 when that would save nothing. */
function encodeBlock(
  src: Uint8Array,
  from: number,
  end: number,
  out: Uint8Array,
  outFrom: number,
): number {
  const outEnd = outFrom + (end - from) - 1
  const matchUntil = end - LITERALS_AT_END
  let anchor = from
  let outAt = outFrom
  let misses = 0
  seen.fill(0)
  for (let at = from; at <= end - LAST_MATCH_BEFORE_END; ) {
    const four = src[at]! | (src[at + 1]! << 8) | (src[at + 2]! << 16) | (src[at + 3]! << 24)
    const slot = Math.imul(four, 0x9e3779b1) >>> (32 - HASH_BITS)
    const candidate = from + seen[slot]! - 1
    seen[slot] = at - from + 1
    if (
      candidate < from ||
      candidate >= at ||
      (src[candidate]! |
        (src[candidate + 1]! << 8) |
        (src[candidate + 2]! << 16) |
        (src[candidate + 3]! << 24)) !==
        four
    ) {
      // Data that do not compress are skipped through ever faster.
      at += 1 + (misses++ >> 6)
      continue
    }
    misses = 0
    let matched = at + MATCH_BYTES_MIN
    for (
      let c = candidate + MATCH_BYTES_MIN;
      matched < matchUntil && src[matched] === src[c];
      c++
    ) {
      matched++
    }
    const literals = at - anchor
    const length = matched - at - MATCH_BYTES_MIN
    if (outAt + literals + ((literals / 255) | 0) + ((length / 255) | 0) + 5 > outEnd) return -1
    outAt = writeLiterals(src, anchor, literals, Math.min(length, 15), out, outAt)
    const offset = at - candidate
    out[outAt++] = offset
    out[outAt++] = offset >> 8
    if (length >= 15) outAt = writeRest(out, outAt, length - 15)
    anchor = at = matched
  }
  const literals = end - anchor
  if (outAt + literals + ((literals / 255) | 0) + 2 > outEnd) return -1
  return writeLiterals(src, anchor, literals, 0, out, outAt)
}

function writeLiterals(
  src: Uint8Array,
  from: number,
  literals: number,
  matchNibble: number,
  out: Uint8Array,
  outFrom: number,
): number {
  let outAt = outFrom
  out[outAt++] = (Math.min(literals, 15) << 4) | matchNibble
  if (literals >= 15) outAt = writeRest(out, outAt, literals - 15)
  if (literals > 32) {
    out.set(src.subarray(from, from + literals), outAt)
    return outAt + literals
  }
  for (let i = 0; i < literals; i++) out[outAt++] = src[from + i]!
  return outAt
}

function writeRest(out: Uint8Array, outFrom: number, length: number): number {
  let outAt = outFrom
  let rest = length
  for (; rest >= 255; rest -= 255) out[outAt++] = 255
  out[outAt++] = rest
  return outAt
}

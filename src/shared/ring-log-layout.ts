import { invariant } from '../base/assert.ts'
import { alignUp } from './region.ts'

/*
 * Ring log: the newest record batches of one partition, in one block of an arena.
 *
 *   word                           stored by
 *      +-------------------------+
 *    0 | version                 | WRITER, while it formats the block
 *    1 | generation, 0 = retired | WRITER
 *    2 | partition number        | WRITER, while it formats
 *    3 | capacity (bytes of data)| WRITER, while it formats
 *    4 | index entries, 2^n      | WRITER, while it formats
 *    5 | fronts = pin words      | WRITER, while it formats
 *      +-------------------------+
 *   16 | head position           | WRITER, in reserve: every byte before it may be overwritten
 *      +-------------------------+
 *   32 | flip                    | WRITER, in publish: the low bit names the current header
 *      +-------------------------+
 *   48 | header 0                | WRITER   Two copies of what is published together. The writer fills the one
 *   80 | header 1                | WRITER   that is not current, then flips.
 *      +-------------------------+
 *  112 | pin of front 0          | FRONT 0  0 = none; else (oldest position in use, rounded down to even) | 1
 *  128 | pin of front 1          | FRONT 1  one line each. The writer clears one only after that front's exit
 *      :                         :
 *      +-------------------------+
 *      | index entries × 4 words | WRITER   offset low, offset high, position, unused
 *      +-------------------------+
 *      | data, capacity bytes    | WRITER   whole batches, each contiguous
 *      +-------------------------+
 *
 *   header: word
 *      0 | log start offset      (low, high)
 *      2 | high watermark        (low, high)
 *      4 | last stable offset    (low, high)
 *      6 | log end offset        (low, high)
 *      8 | oldest offset         (low, high)  base offset of the batch at `head`
 *     10 | head position         where the oldest batch starts
 *     11 | tail position         published end
 *     12 | committed position    end of the last batch below the high watermark
 *     13 | stable position       end of the last batch below the last stable offset
 *     14 | lap start             position of data index 0 in the lap that holds the tail
 *     15 | lap padding           position where the lap before that one stopped holding batches
 *     16 | index start           number of the oldest index entry still valid
 *     17 | index end             number of the next index entry
 *
 * Positions count bytes written, padding at the end of a lap included, as int32 that wrap. The capacity is no power of
 * two (the header shares its block), so an index is counted from a lap start: index = (position − lap start) modulo
 * capacity. What is held never spans more than one lap's end, so one padding position is enough.
 *
 * A stalled writer never holds a reader up: the current header is stable while the other one is being filled.
 *
 * ORDERS THAT CARRY PROOFS (all Atomics are sequentially consistent)
 *   overwrite   writer: head := h, then load pins, then overwrite bytes before h.
 *   copy        reader: copy bytes, then an Atomics.store to a word of its own (orders the plain loads before what
 *               follows, also on ARM), then load generation and head. Saw a byte of the new lap ⇒ sees the head that
 *               was stored before it ⇒ discards the copy.
 *   pin         reader: pin := p, then load generation and head. writer: head := h, then load pins. One of the two
 *               comes first: either the writer sees the pin and overwrites nothing, or the reader sees h > p and gives up.
 *   retire      writer: generation := 0, then load pins; reader as above. Either the block waits for the pin,
 *               or the reader sees that the ring is retired.
 *   reuse       A block read without a pin may be formatted again under the reader: so blocks of such an arena hold
 *               only structures with a never repeated generation in word 1, and formatting does not touch pin words (all
 *               0 when a block is freed). A reader that lost the race stores a pin for an instant, at worst a needless PINNED.
 */
export const RING_LOG_VERSION = 1
export const WORD_VERSION = 0
export const WORD_GENERATION = 1
export const WORD_PARTITION = 2
export const WORD_CAPACITY = 3
export const WORD_INDEX_ENTRIES = 4
export const WORD_FRONTS = 5
export const WORD_HEAD = 16
export const WORD_FLIP = 32
export const WORD_HEADERS = 48
export const HEADER_WORDS = 32
export const WORD_PINS = WORD_HEADERS + 2 * HEADER_WORDS
export const PIN_WORDS = 16

export const H_LOG_START = 0
export const H_HIGH_WATERMARK = 2
export const H_LAST_STABLE = 4
export const H_LOG_END = 6
export const H_OLDEST = 8
export const H_HEAD = 10
export const H_TAIL = 11
export const H_COMMITTED = 12
export const H_STABLE = 13
export const H_LAP_START = 14
export const H_LAP_PADDING = 15
export const H_INDEX_START = 16
export const H_INDEX_END = 17

/** Data bytes between two index entries, at least. */
export const INDEX_SPACING_BYTES = 8192
export const INDEX_ENTRY_WORDS = 4

export const RING_LOG_FRONTS_MAX = 8
export const RING_LOG_BYTES_MAX = 2 ** 30

/** Where the parts of a ring log begin in its block, in bytes from the block's start. */
export interface RingLogShape {
  readonly indexEntries: number
  readonly indexByte: number
  readonly dataByte: number
  readonly capacity: number
}

/** The shape that fits a block of `byteLength` bytes with pins for `fronts` fronts. */
export function ringLogShape(byteLength: number, fronts: number): RingLogShape {
  invariant(fronts >= 1 && fronts <= RING_LOG_FRONTS_MAX, 'ring log: number of fronts')
  invariant(byteLength >= 4096 && byteLength <= RING_LOG_BYTES_MAX, 'ring log: size of the block')
  const indexEntries = 2 ** Math.ceil(Math.log2(byteLength / INDEX_SPACING_BYTES + 3))
  const indexByte = (WORD_PINS + fronts * PIN_WORDS) * 4
  const dataByte = alignUp(indexByte + indexEntries * INDEX_ENTRY_WORDS * 4, 64)
  return { indexEntries, indexByte, dataByte, capacity: byteLength - dataByte }
}

/*
 * Record batch v2, as far as a ring log looks (big-endian):
 *   0 base offset int64 | 8 batch length int32, bytes after this field | … | 23 last offset delta int32 | … 61 records
 */
export const BATCH_BYTES_MIN = 61

export const batchBytes = (view: DataView, index: number): number => view.getInt32(index + 8) + 12

export const batchBaseOffset = (view: DataView, index: number): number =>
  view.getInt32(index) * 2 ** 32 + view.getUint32(index + 4)

export const batchLastOffset = (view: DataView, index: number): number =>
  batchBaseOffset(view, index) + view.getInt32(index + 23)

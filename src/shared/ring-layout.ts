import { invariant } from '../base/assert.ts'
import { type Region, wordsOf } from './region.ts'

/*
 * One-to-one ring: records from one writing thread to one reading thread.
 *
 *   byte   word                 stored by
 *        +---------------------+
 *      0 | version             | creator, before the region is handed to anybody
 *      4 | capacity (bytes)    | creator
 *        +---------------------+
 *    128 | head position       | READER (creator sets the start)
 *        +---------------------+
 *    256 | data, capacity bytes| WRITER, every byte
 *        +---------------------+
 *
 *   A record, 8-aligned and contiguous:
 *        +---------------------+
 *      0 | length + 8, or 0    | WRITER, last; 0 = nothing here yet
 *      4 | type > 0; −1 padding| WRITER
 *      8 | payload, padded to 8| WRITER
 *        +---------------------+
 *
 * Positions are int32 that wrap; `position & (capacity − 1)` is the index, capacity a power of two.
 *
 * The reader never clears what it has read (each word has one storing thread). Instead the writer
 * clears the length word of the *next* record before it publishes this one, which is why 8 bytes
 * always stay free. The tail needs no word: it is where the first zero length is.
 */
export const RING_VERSION = 1
export const RING_WORD_VERSION = 0
export const RING_WORD_CAPACITY = 1
export const RING_WORD_HEAD = 32
export const RING_DATA_BYTE = 256
export const RECORD_HEADER_BYTES = 8
export const PADDING_TYPE = -1
export const RING_CAPACITY_MIN = 1024
export const RING_CAPACITY_MAX = 2 ** 30

/** Bytes of shared memory that a ring of `capacity` data bytes needs; `capacity` is a power of two. */
export function ringBytes(capacity: number): number {
  invariant(
    capacity >= RING_CAPACITY_MIN &&
      capacity <= RING_CAPACITY_MAX &&
      (capacity & (capacity - 1)) === 0,
    'ring capacity must be a power of two from 1 KB to 1 GB',
  )
  return RING_DATA_BYTE + capacity
}

/** Payload bytes of the largest record: an eighth, so that a record and the padding before it always fit. */
export const ringMaxRecordBytes = (capacity: number): number => capacity >> 3

/**
 * Makes `region` an empty ring of the largest capacity that fits. Creating thread, before either side
 * opens it. `startPosition` is for tests near the wrap.
 */
export function formatRing(region: Region, startPosition = 0): Region {
  const words = wordsOf(region)
  const capacity = 2 ** Math.floor(Math.log2(region.byteLength - RING_DATA_BYTE))
  ringBytes(capacity)
  invariant((startPosition & 7) === 0, 'ring positions are 8-aligned')
  words[RING_WORD_CAPACITY] = capacity
  words[RING_WORD_HEAD] = startPosition | 0
  words[(RING_DATA_BYTE + (startPosition & (capacity - 1))) >> 2] = 0
  Atomics.store(words, RING_WORD_VERSION, RING_VERSION)
  return region
}

import { invariant } from '../base/assert.ts'
import { checkVersion, type Region, wordsOf } from './region.ts'
import {
  PADDING_TYPE,
  RECORD_HEADER_BYTES,
  RING_DATA_BYTE,
  RING_VERSION,
  RING_WORD_CAPACITY,
  RING_WORD_HEAD,
  RING_WORD_VERSION,
  ringMaxRecordBytes,
} from './ring-layout.ts'

/** The writing end of a ring, on the one thread that writes: claim, fill in place, commit. */
export class RingWriter {
  /** The whole data area; {@link claim} returns an index into it. */
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly capacityBytes: number
  /** Payload bytes of the largest record. */
  readonly maxRecordBytes: number
  readonly #words: Int32Array
  readonly #data: Int32Array
  readonly #mask: number
  #tail: number
  /** The head as last loaded: it only grows, so a stale one is merely pessimistic. */
  #headSeen: number
  #claimIndex = -1
  #claimLength = 0
  #claimType = 0

  /** Opens a ring formatted by `formatRing` to which nobody has written yet. */
  constructor(region: Region) {
    this.#words = wordsOf(region)
    checkVersion('ring', Atomics.load(this.#words, RING_WORD_VERSION), RING_VERSION)
    const capacity = this.#words[RING_WORD_CAPACITY]!
    const start = region.byteOffset + RING_DATA_BYTE
    this.bytes = new Uint8Array(region.sab, start, capacity)
    this.view = new DataView(region.sab, start, capacity)
    this.#data = new Int32Array(region.sab, start, capacity >> 2)
    this.capacityBytes = capacity
    this.maxRecordBytes = ringMaxRecordBytes(capacity)
    this.#mask = capacity - 1
    this.#tail = Atomics.load(this.#words, RING_WORD_HEAD)
    this.#headSeen = this.#tail
    invariant(
      Atomics.load(this.#data, (this.#tail & this.#mask) >> 2) === 0,
      'a ring has one writer for life: this one holds records already',
    )
  }

  /** Bytes that a record with its 8 byte header and a padding before it may still take. */
  get freeBytes(): number {
    this.#headSeen = Atomics.load(this.#words, RING_WORD_HEAD)
    return this.capacityBytes - RECORD_HEADER_BYTES - ((this.#tail - this.#headSeen) | 0)
  }

  /**
   * Reserves a record of up to `length` payload bytes and returns where its payload starts in
   * {@link bytes} (8-aligned, contiguous), or −1 when the ring is full. One claim at a time.
   */
  claim(type: number, length: number): number {
    invariant(this.#claimIndex < 0, 'the last claim was neither committed nor aborted')
    invariant(type > 0, 'record types are positive')
    invariant(length >= 0 && length <= this.maxRecordBytes, 'record longer than maxRecordBytes')
    const needed = (length + RECORD_HEADER_BYTES + 7) & ~7
    let index = this.#tail & this.#mask
    const toEnd = this.capacityBytes - index
    const padding = toEnd < needed ? toEnd : 0
    if (!this.#hasRoom(padding + needed)) return -1
    if (padding > 0) {
      this.#publish(index, PADDING_TYPE, padding)
      index = 0
    }
    this.#claimIndex = index
    this.#claimLength = length
    this.#claimType = type
    return index + RECORD_HEADER_BYTES
  }

  /** Publishes the claimed record, of `length` payload bytes if fewer than claimed. */
  commit(length = this.#claimLength): void {
    invariant(this.#claimIndex >= 0, 'nothing is claimed')
    invariant(length >= 0 && length <= this.#claimLength, 'more committed than claimed')
    this.#publish(this.#claimIndex, this.#claimType, length + RECORD_HEADER_BYTES)
    this.#claimIndex = -1
  }

  /** Gives the claim back; the reader never learns of it. */
  abort(): void {
    invariant(this.#claimIndex >= 0, 'nothing is claimed')
    this.#claimIndex = -1
  }

  #hasRoom(bytes: number): boolean {
    const limit = this.capacityBytes - RECORD_HEADER_BYTES - bytes
    if (((this.#tail - this.#headSeen) | 0) <= limit) return true
    this.#headSeen = Atomics.load(this.#words, RING_WORD_HEAD)
    return ((this.#tail - this.#headSeen) | 0) <= limit
  }

  /** The next length word is cleared first and this one stored last, so a reader never meets a stale one. */
  #publish(index: number, type: number, total: number): void {
    const aligned = (total + 7) & ~7
    const data = this.#data
    data[((index + aligned) & this.#mask) >> 2] = 0
    data[(index >> 2) + 1] = type
    Atomics.store(data, index >> 2, total)
    this.#tail = (this.#tail + aligned) | 0
  }
}

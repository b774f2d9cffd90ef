import { InvariantError, invariant } from '../base/assert.ts'
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

export interface RingHandler {
  /** A record of `length` bytes at `offset` of `reader.bytes`, valid until this returns. */
  onRecord(type: number, reader: RingReader, offset: number, length: number): void
}

/** The reading end of a ring, on the one thread that reads. */
export class RingReader {
  /** The whole data area; records are handed out as places in it. */
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly capacityBytes: number
  readonly #words: Int32Array
  readonly #data: Int32Array
  readonly #mask: number
  readonly #maxTotal: number
  /** Consumed bytes after which the head moves within a batch, so that a slow one starves nobody. */
  readonly #publishEvery: number
  #head: number
  #published: number
  #polling = false

  constructor(region: Region) {
    this.#words = wordsOf(region)
    checkVersion('ring', Atomics.load(this.#words, RING_WORD_VERSION), RING_VERSION)
    const capacity = this.#words[RING_WORD_CAPACITY]!
    const start = region.byteOffset + RING_DATA_BYTE
    this.bytes = new Uint8Array(region.sab, start, capacity)
    this.view = new DataView(region.sab, start, capacity)
    this.#data = new Int32Array(region.sab, start, capacity >> 2)
    this.capacityBytes = capacity
    this.#mask = capacity - 1
    this.#maxTotal = ringMaxRecordBytes(capacity) + RECORD_HEADER_BYTES
    this.#publishEvery = capacity >> 3
    this.#head = Atomics.load(this.#words, RING_WORD_HEAD)
    this.#published = this.#head
  }

  get isEmpty(): boolean {
    return Atomics.load(this.#data, (this.#head & this.#mask) >> 2) === 0
  }

  /**
   * Hands up to `limit` records to `handler` and returns how many; the head moves once per call, or once
   * per eighth of the ring.
   *
   * A handler that throws has consumed its record: the head moves past it, the error comes out of here
   * and the next poll goes on with the record after it. A corrupt length throws {@link InvariantError}
   * and is not passed: every further poll throws again.
   */
  poll(handler: RingHandler, limit: number): number {
    invariant(!this.#polling, 'poll is not reentrant')
    const data = this.#data
    let count = 0
    this.#polling = true
    try {
      while (count < limit) {
        const index = this.#head & this.#mask
        const total = Atomics.load(data, index >> 2)
        if (total === 0) break
        const type = data[(index >> 2) + 1]!
        this.#check(index, type, total)
        this.#head = (this.#head + ((total + 7) & ~7)) | 0
        if (type !== PADDING_TYPE) {
          count++
          handler.onRecord(type, this, index + RECORD_HEADER_BYTES, total - RECORD_HEADER_BYTES)
        }
        if (((this.#head - this.#published) | 0) >= this.#publishEvery) this.#publish()
      }
    } finally {
      this.#polling = false
      if (this.#head !== this.#published) this.#publish()
    }
    return count
  }

  #publish(): void {
    Atomics.store(this.#words, RING_WORD_HEAD, this.#head)
    this.#published = this.#head
  }

  #check(index: number, type: number, total: number): void {
    const fits = total >= RECORD_HEADER_BYTES && index + total <= this.capacityBytes
    if (fits && (type === PADDING_TYPE || (type > 0 && total <= this.#maxTotal))) return
    throw new InvariantError(`ring: corrupt record at ${index}: length ${total}, type ${type}`)
  }
}

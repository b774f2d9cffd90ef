import { InvariantError, invariant } from '../base/assert.ts'
import { type Region, wordsOf } from './region.ts'
import * as L from './ring-log-layout.ts'

/** Offsets that a partition's leader publishes together. */
export interface RingLogWatermarks {
  readonly logStartOffset: number
  readonly highWatermark: number
  readonly lastStableOffset: number
}

export interface RingLogPublication extends RingLogWatermarks {
  readonly logEndOffset: number
}

export interface RingLogOptions extends RingLogPublication {
  /** Never used before for any ring log of this arena, and not 0. */
  readonly generation: number
  /** The partition's number, for checks and dumps. */
  readonly partition: number
  /** How many fronts may read: one pin word each. */
  readonly fronts: number
  /** For tests near the wrap. */
  readonly startPosition?: number
}

/** What is staged, as one or two pieces of `writer.bytes`; a second length of 0 means one piece. */
export interface StagedRange {
  firstIndex: number
  firstLength: number
  secondIndex: number
  secondLength: number
}

/** The writing side of a ring log, on the thread of the broker that leads the partition. */
export class RingLogWriter {
  /** From {@link reserve}: more than half of this ring. Write it to the file alone, then {@link skipTo}. */
  static readonly TOO_LARGE = -1
  /** From {@link reserve}: a front still needs those bytes. {@link retire} this ring and take another. */
  static readonly PINNED = -2
  /** From {@link reserve}: what is staged fills the ring. Publish it first. */
  static readonly STAGED_FULL = -3

  readonly region: Region
  readonly generation: number
  /** The data area, into which batches are copied at the index that {@link reserve} returns. */
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly capacityBytes: number
  readonly #words: Int32Array
  readonly #fronts: number
  readonly #indexWord: number
  readonly #indexMask: number
  #retired = false
  #flip = 0

  // Published: positions and offsets of the current header.
  #head: number
  #tail: number
  #committed: number
  #stable: number
  #lapStart: number
  #lapPadding: number
  #oldestOffset: number
  #logEndOffset: number
  #highWatermark: number
  #lastStableOffset: number
  #logStartOffset: number
  #indexStart = 0
  #indexEnd = 0
  #lastIndexed: number

  /** Nothing before this position is pinned, nor can be any more. */
  #unpinnedTo: number

  // Staged: where the next batch goes, and the lap it would be in.
  #stagedStart: number
  #stagedTail: number
  #stagedLapStart: number
  #stagedLapPadding: number

  /** Formats `region` as an empty ring whose first batch will be at `options.logEndOffset`. */
  constructor(region: Region, options: RingLogOptions) {
    const words = wordsOf(region)
    const shape = L.ringLogShape(region.byteLength, options.fronts)
    const { capacity } = shape
    invariant(options.generation !== 0, 'ring log: generation 0 means retired')
    const start = (options.startPosition ?? 0) | 0
    this.region = region
    this.generation = options.generation
    this.bytes = new Uint8Array(region.sab, region.byteOffset + shape.dataByte, capacity)
    this.view = new DataView(region.sab, region.byteOffset + shape.dataByte, capacity)
    this.capacityBytes = capacity
    this.#words = words
    this.#fronts = options.fronts
    this.#indexWord = shape.indexByte >> 2
    this.#indexMask = shape.indexEntries - 1
    this.#head = this.#tail = this.#committed = this.#stable = start
    this.#lapStart = this.#lapPadding = start
    this.#stagedStart = this.#stagedTail = this.#stagedLapStart = this.#stagedLapPadding = start
    this.#unpinnedTo = start
    this.#lastIndexed = (start - L.INDEX_SPACING_BYTES) | 0
    this.#oldestOffset = this.#logEndOffset = options.logEndOffset
    this.#highWatermark = options.highWatermark
    this.#lastStableOffset = options.lastStableOffset
    this.#logStartOffset = options.logStartOffset

    Atomics.store(words, L.WORD_GENERATION, 0)
    Atomics.store(words, L.WORD_VERSION, L.RING_LOG_VERSION)
    Atomics.store(words, L.WORD_PARTITION, options.partition)
    Atomics.store(words, L.WORD_CAPACITY, capacity)
    Atomics.store(words, L.WORD_INDEX_ENTRIES, shape.indexEntries)
    Atomics.store(words, L.WORD_FRONTS, options.fronts)
    Atomics.store(words, L.WORD_HEAD, start)
    // Counted on from an earlier use of the block, so that no reader of that one sees its value again.
    this.#flip = Atomics.load(words, L.WORD_FLIP)
    this.#publishHeader()
    Atomics.store(words, L.WORD_GENERATION, options.generation)
  }

  get logEndOffset(): number {
    return this.#logEndOffset
  }

  get highWatermark(): number {
    return this.#highWatermark
  }

  /** Base offset of the oldest batch held; the log end when there is none. */
  get oldestOffset(): number {
    return this.#oldestOffset
  }

  /** Bytes from the oldest batch to the end of what is staged. */
  get usedBytes(): number {
    return (this.#stagedTail - this.#head) | 0
  }

  get stagedBytes(): number {
    return (this.#stagedTail - this.#stagedStart) | 0
  }

  /**
   * Makes room for `length` contiguous bytes, one or more whole batches, and returns their index in {@link bytes}, or
   * TOO_LARGE, PINNED or STAGED_FULL (all negative). The oldest batches go first: they are gone for readers even if
   * what is reserved is rolled back.
   */
  reserve(length: number): number {
    invariant(!this.#retired, 'ring log: retired')
    invariant(length >= L.BATCH_BYTES_MIN, 'ring log: shorter than a batch header')
    const capacity = this.capacityBytes
    if (length > capacity >> 1) return RingLogWriter.TOO_LARGE
    const tail = this.#stagedTail
    let lapStart = this.#stagedLapStart
    let start = tail
    if (((tail - lapStart) | 0) + length > capacity) start = lapStart = (lapStart + capacity) | 0
    const end = (start + length) | 0
    const empty = this.#stagedStart === tail
    const limit = (end - capacity) | 0
    if (!empty && ((limit - this.#stagedStart) | 0) > 0) return RingLogWriter.STAGED_FULL
    if (!this.#evictBefore(limit)) return RingLogWriter.PINNED
    if (lapStart !== this.#stagedLapStart) {
      this.#stagedLapPadding = tail
      this.#stagedLapStart = lapStart
    }
    if (empty) this.#stagedStart = start
    this.#stagedTail = end
    return (start - lapStart) | 0
  }

  /** Forgets what is staged; what was evicted for it stays evicted. */
  rollback(): void {
    this.#stagedStart = this.#stagedTail = this.#tail
    this.#stagedLapStart = this.#lapStart
    this.#stagedLapPadding = this.#lapPadding
    if (!this.#retired) this.#publishHeader()
  }

  /** Fills `out` with the pieces that hold what is staged, for one write to the segment file. */
  stagedRange(out: StagedRange): StagedRange {
    const startIndex = (this.#stagedStart - this.#stagedLapStart) | 0
    const endIndex = (this.#stagedTail - this.#stagedLapStart) | 0
    out.secondIndex = out.secondLength = 0
    if (startIndex >= 0) {
      out.firstIndex = startIndex
      out.firstLength = endIndex - startIndex
    } else {
      out.firstIndex = startIndex + this.capacityBytes
      out.firstLength = (this.#stagedLapPadding - this.#stagedStart) | 0
      out.secondLength = endIndex
    }
    return out
  }

  /** Makes what is staged visible, together with the new offsets. */
  publish(offsets: RingLogPublication): void {
    invariant(!this.#retired, 'ring log: retired')
    const start = this.#stagedStart
    const wasEmpty = this.#head === this.#tail
    const staged = start !== this.#stagedTail
    invariant(
      staged
        ? offsets.logEndOffset > this.#logEndOffset
        : offsets.logEndOffset === this.#logEndOffset,
      'ring log: the log end moves with batches, and only with them',
    )
    this.#tail = this.#stagedTail
    this.#lapStart = this.#stagedLapStart
    this.#lapPadding = this.#stagedLapPadding
    this.#logEndOffset = offsets.logEndOffset
    if (staged) {
      if (wasEmpty) {
        this.#startAt(start)
        Atomics.store(this.#words, L.WORD_HEAD, start)
      }
      this.#indexFrom(start)
      this.#stagedStart = this.#tail
    }
    this.#setWatermarks(offsets)
    this.#publishHeader()
  }

  /** Moves the offsets that trail the log end, and with them what consumers may read. */
  publishWatermarks(offsets: RingLogWatermarks): void {
    invariant(!this.#retired, 'ring log: retired')
    this.#setWatermarks(offsets)
    this.#publishHeader()
  }

  /** Empties the ring: the log now ends at `offset`, and what lies before is in the segment file alone. */
  skipTo(offset: number): void {
    invariant(!this.#retired, 'ring log: retired')
    invariant(this.#stagedStart === this.#stagedTail, 'ring log: skipTo with batches staged')
    this.#head = this.#committed = this.#stable = this.#tail
    this.#oldestOffset = this.#logEndOffset = offset
    Atomics.store(this.#words, L.WORD_HEAD, this.#head)
    this.#publishHeader()
  }

  /** Ends this ring for readers; those who hold a pin may go on reading what they pinned. */
  retire(): void {
    this.#retired = true
    Atomics.store(this.#words, L.WORD_GENERATION, 0)
  }

  /** Whether a retired ring's block may go back to the arena: no front has a pin left. */
  canFree(): boolean {
    if (!this.#retired) return false
    for (let front = 0; front < this.#fronts; front++) {
      if (Atomics.load(this.#words, L.WORD_PINS + front * L.PIN_WORDS) !== 0) return false
    }
    return true
  }

  /** Drops the pin of a front whose thread has exited: not before its `exit` event. */
  releaseFront(front: number): void {
    invariant(front >= 0 && front < this.#fronts, 'ring log: no such front')
    Atomics.store(this.#words, L.WORD_PINS + front * L.PIN_WORDS, 0)
  }

  /**
   * Evicts until nothing before `limit` is offered to readers; false when a front has pinned some of it (or, as
   * pins are rounded down, the byte at it).
   *
   * That the head is past the limit does not say that the pins are: it moves before they are looked at, by whole
   * batches, and a pin may be in the middle of one.
   */
  #evictBefore(limit: number): boolean {
    if (((this.#unpinnedTo - limit) | 0) >= 0) return true
    let head = this.#head
    while (head !== this.#tail && ((head - limit) | 0) < 0) head = this.#next(head)
    if (head !== this.#head) {
      this.#startAt(head)
      Atomics.store(this.#words, L.WORD_HEAD, head)
    }
    // These loads also keep the plain stores of the caller behind the store of the head.
    for (let front = 0; front < this.#fronts; front++) {
      const pin = Atomics.load(this.#words, L.WORD_PINS + front * L.PIN_WORDS)
      if (pin !== 0 && (((pin & ~1) - limit) | 0) < 0) return false
    }
    this.#unpinnedTo = limit
    return true
  }

  /** The oldest batch is now the one at `head`. */
  #startAt(head: number): void {
    this.#head = head
    if (head === this.#tail) this.#oldestOffset = this.#logEndOffset
    else this.#oldestOffset = L.batchBaseOffset(this.view, this.#indexOf(head))
    if (((this.#committed - head) | 0) < 0) this.#committed = head
    if (((this.#stable - head) | 0) < 0) this.#stable = head
  }

  #indexOf(position: number): number {
    const index = (position - this.#lapStart) | 0
    return index < 0 ? index + this.capacityBytes : index
  }

  /** Where the published batch after the one at `position` starts; the tail after the last. */
  #next(position: number): number {
    const bytes = L.batchBytes(this.view, this.#indexOf(position))
    const next = (position + bytes) | 0
    const inLap = ((position - this.#lapStart) | 0) >= 0
    const left = ((inLap ? this.#tail : this.#lapPadding) - next) | 0
    if (bytes < L.BATCH_BYTES_MIN || left < 0) {
      throw new InvariantError(`ring log: batch of ${bytes} bytes at ${position} overruns the log`)
    }
    return !inLap && left === 0 ? this.#lapStart : next
  }

  /** Walks the batches just published: checks that they fill exactly what was reserved, indexes some. */
  #indexFrom(start: number): void {
    while (((this.#indexEnd - this.#indexStart) | 0) > 0) {
      const at = this.#entryWord(this.#indexStart)
      if (((this.#words[at + 2]! - this.#head) | 0) >= 0) break
      this.#indexStart = (this.#indexStart + 1) | 0
    }
    for (let position = start; position !== this.#tail; position = this.#next(position)) {
      if (((position - this.#lastIndexed) | 0) < L.INDEX_SPACING_BYTES) continue
      const at = this.#entryWord(this.#indexEnd)
      const offset = L.batchBaseOffset(this.view, this.#indexOf(position))
      this.#words[at] = offset | 0
      this.#words[at + 1] = Math.floor(offset / 2 ** 32)
      Atomics.store(this.#words, at + 2, position)
      this.#indexEnd = (this.#indexEnd + 1) | 0
      this.#lastIndexed = position
    }
  }

  #entryWord(entry: number): number {
    return this.#indexWord + (entry & this.#indexMask) * L.INDEX_ENTRY_WORDS
  }

  #setWatermarks(offsets: RingLogWatermarks): void {
    this.#highWatermark = offsets.highWatermark
    this.#lastStableOffset = offsets.lastStableOffset
    this.#logStartOffset = offsets.logStartOffset
    this.#committed = this.#endOf(this.#committed, offsets.highWatermark)
    this.#stable = this.#endOf(this.#stable, offsets.lastStableOffset)
  }

  /** The end of the last batch at or after `from` whose offsets are all below `offset`. */
  #endOf(from: number, offset: number): number {
    if (offset >= this.#logEndOffset) return this.#tail
    let position = from
    // `from` may be where the last lap stopped, reached before this lap was begun.
    if (((from - this.#lapStart) | 0) < 0 && from === this.#lapPadding) position = this.#lapStart
    while (position !== this.#tail) {
      if (L.batchLastOffset(this.view, this.#indexOf(position)) >= offset) break
      position = this.#next(position)
    }
    return position
  }

  /** Fills the header that is not current, then flips. */
  #publishHeader(): void {
    const words = this.#words
    // A load that keeps the plain stores below behind the flip before this one.
    invariant(Atomics.load(words, L.WORD_FLIP) === this.#flip, 'ring log: two writers')
    const flip = (this.#flip + 1) | 0
    const at = L.WORD_HEADERS + (flip & 1) * L.HEADER_WORDS
    storeOffset(words, at + L.H_LOG_START, this.#logStartOffset)
    storeOffset(words, at + L.H_HIGH_WATERMARK, this.#highWatermark)
    storeOffset(words, at + L.H_LAST_STABLE, this.#lastStableOffset)
    storeOffset(words, at + L.H_LOG_END, this.#logEndOffset)
    storeOffset(words, at + L.H_OLDEST, this.#oldestOffset)
    words[at + L.H_HEAD] = this.#head
    words[at + L.H_TAIL] = this.#tail
    words[at + L.H_COMMITTED] = this.#committed
    words[at + L.H_STABLE] = this.#stable
    words[at + L.H_LAP_START] = this.#lapStart
    words[at + L.H_LAP_PADDING] = this.#lapPadding
    words[at + L.H_INDEX_START] = this.#indexStart
    words[at + L.H_INDEX_END] = this.#indexEnd
    this.#flip = flip
    Atomics.store(words, L.WORD_FLIP, flip)
  }
}

function storeOffset(words: Int32Array, at: number, offset: number): void {
  words[at] = offset | 0
  words[at + 1] = Math.floor(offset / 2 ** 32)
}

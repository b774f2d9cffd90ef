import { InvariantError, invariant } from '../base/assert.ts'
import { copyBytes } from '../base/copy.ts'
import { checkVersion, type Region, wordsOf } from './region.ts'
import * as L from './ring-log-layout.ts'

/** A consistent header of a ring log: fill it again with `RingLogReader.snapshot`. */
export class RingLogSnapshot {
  logStartOffset = 0
  highWatermark = 0
  lastStableOffset = 0
  logEndOffset = 0
  /** Base offset of the oldest batch held; the log end when there is none. */
  oldestOffset = 0
  headPosition = 0
  tailPosition = 0
  /** End of what consumers may read. */
  committedPosition = 0
  /** End of what read_committed consumers may read. */
  stablePosition = 0
  lapStart = 0
  lapPadding = 0
  indexStart = 0
  indexEnd = 0
}

/** Which offset bounds a read: the high watermark or the last stable offset. */
export type RingLogBound = 'committed' | 'stable'

/** A contiguous run of whole batches. */
export interface RingLogSpan {
  position: number
  length: number
}

/** Looks before giving a ring up whose writer laps the reader each time. */
const TRIES = 8

/**
 * The reading side of a ring log, on a front's thread: one per front per ring, since it owns that front's pin word.
 * Every method but the pins is a look at memory that may be overwritten or retired meanwhile, and says so when it was.
 */
export class RingLogReader {
  /** From {@link find}: older than the ring, or the ring is retired: ask the file. (No int32, so no position.) */
  static readonly NOT_FOUND = 2 ** 31
  /** From {@link find}: at or beyond what may be read: nothing there yet. */
  static readonly AT_END = 2 ** 31 + 1

  readonly region: Region
  readonly generation: number
  readonly partition: number
  readonly capacityBytes: number
  readonly #words: Int32Array
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #indexWord: number
  readonly #indexMask: number
  readonly #pinWord: number
  readonly #fence = new Int32Array(1)
  readonly #known = new RingLogSnapshot()
  readonly #fresh = new RingLogSnapshot()
  #lapStart = 0
  /** What this front's pin word holds. */
  #pin = 0

  /** Opens the ring log that had `generation` when its coordinates were sent; it may be retired by now. */
  constructor(region: Region, generation: number, front: number) {
    const words = wordsOf(region)
    checkVersion('ring log', Atomics.load(words, L.WORD_VERSION), L.RING_LOG_VERSION)
    const fronts = words[L.WORD_FRONTS]!
    const shape = L.ringLogShape(region.byteLength, fronts)
    invariant(generation !== 0, 'ring log: generation 0 means retired')
    invariant(front >= 0 && front < fronts, 'ring log: no pin word for this front')
    this.region = region
    this.generation = generation
    this.partition = words[L.WORD_PARTITION]!
    this.capacityBytes = shape.capacity
    this.#words = words
    this.#bytes = new Uint8Array(region.sab, region.byteOffset + shape.dataByte, shape.capacity)
    this.#view = new DataView(region.sab, region.byteOffset + shape.dataByte, shape.capacity)
    this.#indexWord = shape.indexByte >> 2
    this.#indexMask = shape.indexEntries - 1
    this.#pinWord = L.WORD_PINS + front * L.PIN_WORDS
    this.snapshot(this.#known)
  }

  /** The header by which the last `find` or `readable` went: filled again by the next. */
  get known(): Readonly<RingLogSnapshot> {
    return this.#known
  }

  /** Whether the ring is no longer what its coordinates said. */
  get isRetired(): boolean {
    return Atomics.load(this.#words, L.WORD_GENERATION) !== this.generation
  }

  /** Reads a consistent header into `out`; false when the ring is retired. */
  snapshot(out: RingLogSnapshot): boolean {
    const words = this.#words
    for (;;) {
      if (this.isRetired) return false
      const flip = Atomics.load(words, L.WORD_FLIP)
      const at = L.WORD_HEADERS + (flip & 1) * L.HEADER_WORDS
      out.logStartOffset = loadOffset(words, at + L.H_LOG_START)
      out.highWatermark = loadOffset(words, at + L.H_HIGH_WATERMARK)
      out.lastStableOffset = loadOffset(words, at + L.H_LAST_STABLE)
      out.logEndOffset = loadOffset(words, at + L.H_LOG_END)
      out.oldestOffset = loadOffset(words, at + L.H_OLDEST)
      out.headPosition = Atomics.load(words, at + L.H_HEAD)
      out.tailPosition = Atomics.load(words, at + L.H_TAIL)
      out.committedPosition = Atomics.load(words, at + L.H_COMMITTED)
      out.stablePosition = Atomics.load(words, at + L.H_STABLE)
      out.lapStart = Atomics.load(words, at + L.H_LAP_START)
      out.lapPadding = Atomics.load(words, at + L.H_LAP_PADDING)
      out.indexStart = Atomics.load(words, at + L.H_INDEX_START)
      out.indexEnd = Atomics.load(words, at + L.H_INDEX_END)
      // Only a publication within these few loads sends us round again: the writer makes progress then.
      if (Atomics.load(words, L.WORD_FLIP) !== flip || this.isRetired) continue
      this.#lapStart = out.lapStart
      return true
    }
  }

  /**
   * Position of the batch that holds `offset` (or, if none does, of the first one after it); AT_END from the
   * `bound` on; NOT_FOUND when the ring does not hold it (any more).
   */
  find(offset: number, bound: RingLogBound = 'committed'): number {
    const known = this.#known
    for (let tries = 0; tries < TRIES; tries++) {
      if (!this.snapshot(known)) return RingLogReader.NOT_FOUND
      const endOffset = bound === 'stable' ? known.lastStableOffset : known.highWatermark
      if (offset >= endOffset) return RingLogReader.AT_END
      if (offset < known.oldestOffset) return RingLogReader.NOT_FOUND
      const end = bound === 'stable' ? known.stablePosition : known.committedPosition
      const start = this.#startFor(offset)
      const found = this.#walkTo(offset, start, end)
      if (this.#overwritten(start)) continue
      if (found === RingLogReader.NOT_FOUND) {
        // The walk began beyond `offset`: at the oldest batch, or the index entry was replaced as we read it.
        if (start === this.#clamp(known.headPosition)) return found
        continue
      }
      return found
    }
    return RingLogReader.NOT_FOUND
  }

  /**
   * Fills `out` with the whole batches from `position` on that fit in `maxBytes` (at least one, however large), end at
   * `bound` and are contiguous; length 0 = at the end. `out.position` may lie after `position`, beyond a lap's padding.
   * False when the ring is retired or `position` no longer in it.
   */
  readable(
    position: number,
    maxBytes: number,
    out: RingLogSpan,
    bound: RingLogBound = 'committed',
  ): boolean {
    const known = this.#known
    if (!this.snapshot(known)) return false
    const start = this.#skipPadding(position)
    const end = bound === 'stable' ? known.stablePosition : known.committedPosition
    out.position = start
    out.length = 0
    if (((start - Atomics.load(this.#words, L.WORD_HEAD)) | 0) < 0) return false
    if (((end - start) | 0) <= 0) return true
    const lapEnd = ((start - known.lapStart) | 0) < 0 ? known.lapPadding : end
    const pieceEnd = ((lapEnd - end) | 0) < 0 ? lapEnd : end
    const available = (pieceEnd - start) | 0
    out.length = available <= maxBytes ? available : this.#wholeBatches(start, pieceEnd, maxBytes)
    return !this.#overwritten(start)
  }

  /** Whether the span lies within what consumers may read now. One that was found once does, unless the ring is not the one that it was found in. */
  isReadable(position: number, length: number): boolean {
    const fresh = this.#fresh
    if (length < 0 || !this.snapshot(fresh)) return false
    const { headPosition, committedPosition } = fresh
    const isBegun = ((position - headPosition) | 0) >= 0
    return isBegun && ((position + length - committedPosition) | 0) <= 0
  }

  /** Copies what consumers may read; false when the bytes were overwritten (before or meanwhile), are not for them, or the ring is retired. */
  copy(position: number, length: number, target: Uint8Array, targetOffset: number): boolean {
    if (!this.isReadable(position, length) || this.#overwritten(position)) return false
    const index = this.#indexOf(position)
    invariant(index + length <= this.capacityBytes, 'ring log: a span is contiguous')
    copyBytes(target, targetOffset, this.#bytes.subarray(index, index + length))
    return !this.#overwritten(position)
  }

  /** The bytes themselves: only under a pin at or before `position`, and until that pin moves past them. */
  view(position: number, length: number): Uint8Array {
    invariant(this.#pin !== 0, 'ring log: a view needs a pin')
    invariant((((this.#pin & ~1) - position) | 0) <= 0, 'ring log: a view before the pin')
    const index = this.#indexOf(position)
    invariant(index + length <= this.capacityBytes, 'ring log: a span is contiguous')
    return this.#bytes.subarray(index, index + length)
  }

  /**
   * Keeps everything from `position` on from being overwritten; false, and the pin as it was, when it is too
   * late. While one pin is out use {@link pinTo} to move it up, and this only to move it down.
   */
  pin(position: number): boolean {
    if (this.isRetired) return false
    const word = (position & ~1) | 1
    Atomics.store(this.#words, this.#pinWord, word)
    if (this.isRetired || ((position - Atomics.load(this.#words, L.WORD_HEAD)) | 0) < 0) {
      Atomics.store(this.#words, this.#pinWord, this.#pin)
      return false
    }
    this.#pin = word
    return true
  }

  /** Moves the pin up to `oldest`, the oldest position still in use. */
  pinTo(oldest: number): void {
    const word = (oldest & ~1) | 1
    invariant(this.#pin !== 0 && ((word - this.#pin) | 0) >= 0, 'ring log: pinTo only moves up')
    this.#pin = word
    Atomics.store(this.#words, this.#pinWord, word)
  }

  /** Drops the pin; a retired ring may be freed from then on. Without a pin it stores nothing. */
  unpin(): void {
    if (this.#pin === 0) return
    this.#pin = 0
    Atomics.store(this.#words, this.#pinWord, 0)
  }

  /** True when bytes from `position` on, read so far, may be from a later lap or another ring. */
  #overwritten(position: number): boolean {
    Atomics.store(this.#fence, 0, 0)
    return this.isRetired || ((position - Atomics.load(this.#words, L.WORD_HEAD)) | 0) < 0
  }

  /** Right for any lap start, however old: laps are one capacity apart. */
  #indexOf(position: number): number {
    const index = ((position - this.#lapStart) | 0) % this.capacityBytes
    return index < 0 ? index + this.capacityBytes : index
  }

  #skipPadding(position: number): number {
    const { lapStart, lapPadding } = this.#known
    if (((position - lapStart) | 0) >= 0 || ((position - lapPadding) | 0) < 0) return position
    return lapStart
  }

  /** `position`, or the head if that is already further: batches start at both. */
  #clamp(position: number): number {
    const head = Atomics.load(this.#words, L.WORD_HEAD)
    return this.#skipPadding(((position - head) | 0) < 0 ? head : position)
  }

  /** Where to begin walking to `offset`: the last index entry not beyond it, or the oldest batch. */
  #startFor(offset: number): number {
    const known = this.#known
    let low = 0
    let high = (known.indexEnd - known.indexStart) | 0
    while (low < high) {
      const middle = (low + high) >> 1
      if (loadOffset(this.#words, this.#entryWord(middle)) <= offset) low = middle + 1
      else high = middle
    }
    return this.#clamp(low === 0 ? known.headPosition : this.#entryPosition(low - 1))
  }

  #entryWord(entry: number): number {
    return (
      this.#indexWord + ((this.#known.indexStart + entry) & this.#indexMask) * L.INDEX_ENTRY_WORDS
    )
  }

  /** Of an entry replaced as we read it, this is beyond the tail: no walk starts there. */
  #entryPosition(entry: number): number {
    return Atomics.load(this.#words, this.#entryWord(entry) + 2)
  }

  /** The first batch from `start` on whose last offset reaches `offset`. What it read is checked by the caller. */
  #walkTo(offset: number, start: number, end: number): number {
    let position = start
    if (((start - this.#known.tailPosition) | 0) >= 0) return RingLogReader.NOT_FOUND
    if (this.#baseOffset(start) > offset) return RingLogReader.NOT_FOUND
    while (((position - end) | 0) < 0) {
      const index = this.#indexOf(position)
      if (index + L.BATCH_BYTES_MIN > this.capacityBytes) return RingLogReader.NOT_FOUND
      if (L.batchLastOffset(this.#view, index) >= offset) return position
      const bytes = L.batchBytes(this.#view, index)
      if (bytes < L.BATCH_BYTES_MIN || bytes > this.capacityBytes) {
        return this.#damaged(start, position, bytes)
      }
      position = this.#skipPadding((position + bytes) | 0)
    }
    return RingLogReader.AT_END
  }

  #baseOffset(position: number): number {
    const index = this.#indexOf(position)
    if (index + L.BATCH_BYTES_MIN > this.capacityBytes) return Number.POSITIVE_INFINITY
    return L.batchBaseOffset(this.#view, index)
  }

  /** Bytes of the whole batches from `start` within `maxBytes`, one at least. */
  #wholeBatches(start: number, end: number, maxBytes: number): number {
    const known = this.#known
    let low = 0
    let high = (known.indexEnd - known.indexStart) | 0
    const want = (start + maxBytes) | 0
    while (low < high) {
      const middle = (low + high) >> 1
      if (((this.#entryPosition(middle) - want) | 0) <= 0) low = middle + 1
      else high = middle
    }
    const jump = low === 0 ? start : this.#entryPosition(low - 1)
    let position = ((jump - start) | 0) > 0 && ((jump - want) | 0) <= 0 ? jump : start
    while (((position - end) | 0) < 0) {
      const index = this.#indexOf(position)
      const fits = index + L.BATCH_BYTES_MIN <= this.capacityBytes
      const bytes = fits ? L.batchBytes(this.#view, index) : 0
      if (bytes < L.BATCH_BYTES_MIN || bytes > this.capacityBytes) {
        return this.#damaged(start, position, bytes)
      }
      const next = (position + bytes) | 0
      if (((next - want) | 0) > 0) return position === start ? bytes : (position - start) | 0
      position = next
    }
    return (end - start) | 0
  }

  /** Nonsense in bytes that nobody overwrote is a bug; otherwise the caller's check discards what was read. */
  #damaged(start: number, position: number, bytes: number): number {
    if (this.#overwritten(start)) return RingLogReader.NOT_FOUND
    throw new InvariantError(`ring log: batch of ${bytes} bytes at position ${position}`)
  }
}

function loadOffset(words: Int32Array, at: number): number {
  const low = Atomics.load(words, at)
  return Atomics.load(words, at + 1) * 2 ** 32 + (low >>> 0)
}

import { segmentName } from '../base/paths.ts'
import { baseOffsetOf, lastOffsetOf, maxTimestampOf } from '../record/batch.ts'
import { DELETED, type Disk, DiskError, type FlushPort } from './disk.ts'
import {
  IndexFile,
  OFFSET_ENTRY_BYTES,
  offsetEntryOffset,
  offsetEntryPosition,
  TIME_ENTRY_BYTES,
  timeEntryOffset,
  timeEntryTimestamp,
  writeOffsetEntry,
  writeTimeEntry,
} from './index-file.ts'
import type { FileHandle, OpenFiles } from './open-files.ts'
import { shortWalker, type WalkedBatch } from './walk.ts'

/** Largest relative offset an index can hold. */
export const RELATIVE_MAX = 2 ** 31 - 1

/** Where a batch is in a segment file. */
export interface BatchPlace {
  readonly position: number
  readonly byteLength: number
  readonly baseOffset: number
  readonly lastOffset: number
}

const placeOf = ({ bytes, at, position, size }: Readonly<WalkedBatch>): BatchPlace => ({
  position,
  byteLength: size,
  baseOffset: baseOffsetOf(bytes, at),
  lastOffset: lastOffsetOf(bytes, at),
})

/** What of a segment changes with an append, so that one can be undone. */
interface Tail {
  maxTimestamp: number
  maxTimestampOffset: number
  firstTimestamp: number
  bytesSinceEntry: number
  offsetEntries: number
  timeEntries: number
  timeLast: number
}

/**
 * One segment: its three files, and for the active one what its next index entries depend on. Appends are accounted
 * for one batch at a time and written together. On the broker's thread.
 */
export class Segment {
  readonly baseOffset: number
  readonly directory: string
  readonly log: FileHandle
  /** Bytes of whole batches in the file. */
  size: number
  /** Largest timestamp so far, −1 for none or not looked up, and the last offset of the batch that has it. */
  maxTimestamp = -1
  maxTimestampOffset = -1
  /** Of the first batch: what segment.ms counts from; −1 for none. */
  firstTimestamp = -1
  /** Wall-clock ms; what segment.ms counts from without timestamps. */
  createdMs = 0
  jitterMs = 0
  /** All of its files are durable, and it is sealed. */
  flushed = false
  /** Its directory entry is durable. */
  named = false
  readonly #disk: Disk
  readonly #files: OpenFiles
  readonly #ending: string
  #offsets: IndexFile | null = null
  #times: IndexFile | null = null
  #bytesSinceEntry = 0
  /** Timestamp of the last time index entry, staged ones included. */
  #timeLast = -1
  #timeKnown: boolean
  readonly #tail: Tail = {
    maxTimestamp: -1,
    maxTimestampOffset: -1,
    firstTimestamp: -1,
    bytesSinceEntry: 0,
    offsetEntries: 0,
    timeEntries: 0,
    timeLast: -1,
  }

  /** `ending` follows the names of all three files: of a segment that is not in its log yet. */
  constructor(
    disk: Disk,
    files: OpenFiles,
    directory: string,
    baseOffset: number,
    size: number,
    ending = '',
  ) {
    this.#disk = disk
    this.#files = files
    this.#ending = ending
    this.directory = directory
    this.baseOffset = baseOffset
    this.size = size
    this.log = files.handle(this.path('.log'), 'append')
    this.#timeKnown = size === 0
  }

  path(suffix: string): string {
    return `${this.directory}/${segmentName(this.baseOffset, suffix)}${this.#ending}`
  }

  get offsets(): IndexFile {
    this.#offsets ??= this.#openIndex('.index', OFFSET_ENTRY_BYTES)
    return this.#offsets
  }

  get times(): IndexFile {
    this.#times ??= this.#openIndex('.timeindex', TIME_ENTRY_BYTES)
    return this.#times
  }

  #openIndex(suffix: string, entryBytes: number): IndexFile {
    const path = this.path(suffix)
    const bytes = this.#disk.exists(path) ? this.#disk.size(path) : 0
    return new IndexFile(
      this.#files.handle(path, 'append'),
      entryBytes,
      Math.floor(bytes / entryBytes),
    )
  }

  canHold(lastOffset: number): boolean {
    return lastOffset - this.baseOffset <= RELATIVE_MAX
  }

  /** Before the first batch of a write: what {@link undo} goes back to. */
  mark(): void {
    const tail = this.#tail
    tail.maxTimestamp = this.maxTimestamp
    tail.maxTimestampOffset = this.maxTimestampOffset
    tail.firstTimestamp = this.firstTimestamp
    tail.bytesSinceEntry = this.#bytesSinceEntry
    tail.offsetEntries = this.offsets.count
    tail.timeEntries = this.times.count
    tail.timeLast = this.#timeLast
  }

  /** Accounts for a batch at `position`: index entries as Kafka sets them. */
  account(
    position: number,
    byteLength: number,
    lastOffset: number,
    maxTimestamp: number,
    indexIntervalBytes: number,
  ): void {
    if (maxTimestamp > this.maxTimestamp) {
      this.maxTimestamp = maxTimestamp
      this.maxTimestampOffset = lastOffset
    }
    if (position === 0) this.firstTimestamp = maxTimestamp
    if (this.#bytesSinceEntry > indexIntervalBytes) {
      writeOffsetEntry(this.offsets, lastOffset - this.baseOffset, position)
      this.#addTimeEntry()
      this.#bytesSinceEntry = 0
    }
    this.#bytesSinceEntry += byteLength
  }

  #addTimeEntry(): void {
    if (this.maxTimestamp <= this.#timeLast) return
    writeTimeEntry(this.times, this.maxTimestamp, this.maxTimestampOffset - this.baseOffset)
    this.#timeLast = this.maxTimestamp
  }

  /** Writes the entries of what was accounted for. */
  commitIndexes(): void {
    this.offsets.commit()
    this.times.commit()
  }

  /** Goes back to {@link mark}, in the files too. Throws DiskError when that fails. */
  undo(): void {
    const tail = this.#tail
    this.maxTimestamp = tail.maxTimestamp
    this.maxTimestampOffset = tail.maxTimestampOffset
    this.firstTimestamp = tail.firstTimestamp
    this.#bytesSinceEntry = tail.bytesSinceEntry
    this.#timeLast = tail.timeLast
    this.log.get().truncate(this.size)
    this.offsets.undo(tail.offsetEntries)
    this.times.undo(tail.timeEntries)
  }

  /** The last time index entry, as Kafka adds it when a segment is sealed or its log closed. */
  seal(): void {
    this.knowTimestamps()
    const last = this.#timeLast
    const entries = this.times.count
    this.#addTimeEntry()
    try {
      this.commitIndexes()
    } catch (error) {
      // it is not in the file: the next to seal this segment has to add it
      this.#timeLast = last
      this.times.undo(entries)
      throw error
    }
    // Made even when empty, as Kafka's tools look for them.
    this.offsets.file.get()
    this.times.file.get()
  }

  isIndexFull(segmentIndexBytes: number): boolean {
    return (
      this.offsets.stagedCount >= Math.floor(segmentIndexBytes / OFFSET_ENTRY_BYTES) ||
      this.times.stagedCount >= Math.floor(segmentIndexBytes / TIME_ENTRY_BYTES) - 1
    )
  }

  /** Makes {@link maxTimestamp} known: from the time index, and the batches after its last entry. */
  knowTimestamps(): void {
    if (this.#timeKnown) return
    this.maxTimestamp = this.maxTimestampOffset = this.#timeLast = -1
    const count = this.times.count
    if (count > 0) {
      const { bytes, at } = this.times.read(count - 1)
      this.#timeLast = this.maxTimestamp = timeEntryTimestamp(bytes, at)
      this.maxTimestampOffset = this.baseOffset + timeEntryOffset(bytes, at)
    }
    const from = this.#lastEntryPosition()
    this.#bytesSinceEntry = this.size - from
    shortWalker.walk(this.log, from, this.size, (batch) => {
      const timestamp = maxTimestampOf(batch.bytes, batch.at)
      if (timestamp > this.maxTimestamp) {
        this.maxTimestamp = timestamp
        this.maxTimestampOffset = lastOffsetOf(batch.bytes, batch.at)
      }
      return true
    })
    shortWalker.walk(this.log, 0, this.size, (batch) => {
      this.firstTimestamp = maxTimestampOf(batch.bytes, batch.at)
      return false
    })
    // only now: a read that failed is made again
    this.#timeKnown = true
  }

  /**
   * Cuts both indexes to the entries of batches that end below `offset`; where the last of those batches starts, from
   * which batches are to be accounted for anew.
   */
  cutIndexes(offset: number): number {
    const relative = offset - this.baseOffset
    const isBefore = (bytes: Uint8Array, at: number) => offsetEntryOffset(bytes, at) < relative
    const kept = this.offsets.search(isBefore)
    this.offsets.truncate(kept)
    let from = 0
    let last = -1
    if (kept > 0) {
      const { bytes, at } = this.offsets.read(kept - 1)
      from = offsetEntryPosition(bytes, at)
      last = offsetEntryOffset(bytes, at)
    }
    this.times.truncate(this.times.search((bytes, at) => timeEntryOffset(bytes, at) <= last))
    this.maxTimestamp = this.#timeLast = this.maxTimestampOffset = -1
    this.#bytesSinceEntry = 0
    this.#timeKnown = true
    if (this.times.count > 0) {
      const { bytes, at } = this.times.read(this.times.count - 1)
      this.maxTimestamp = this.#timeLast = timeEntryTimestamp(bytes, at)
      this.maxTimestampOffset = this.baseOffset + timeEntryOffset(bytes, at)
    }
    return from
  }

  /**
   * Whether the indexes are those of batches that are there. What a power cut has lost of them is zeros, anywhere: then entries do not rise, or the first is of no
   * batch. Reads all of both.
   */
  indexesAreWhole(): boolean {
    const { offsets, times } = this
    return (
      offsets.rises(offsetEntryOffset) &&
      times.rises(timeEntryOffset) &&
      times.rises(timeEntryTimestamp) &&
      [0, offsets.count - 1].every((entry) => this.#isOffsetEntryRight(entry)) &&
      [0, times.count - 1].every((entry) => this.#isTimeEntryRight(entry))
    )
  }

  #isOffsetEntryRight(number: number): boolean {
    if (this.offsets.count === 0) return true
    const entry = this.offsets.read(number)
    const relative = offsetEntryOffset(entry.bytes, entry.at)
    const position = offsetEntryPosition(entry.bytes, entry.at)
    let found = false
    shortWalker.walk(this.log, position, this.size, (batch) => {
      found = lastOffsetOf(batch.bytes, batch.at) === this.baseOffset + relative
      return false
    })
    return found
  }

  #isTimeEntryRight(number: number): boolean {
    if (this.times.count === 0) return true
    const { bytes, at } = this.times.read(number)
    const timestamp = timeEntryTimestamp(bytes, at)
    const offset = this.baseOffset + timeEntryOffset(bytes, at)
    const place = this.findBatch(offset, this.size)
    if (place === null || place.lastOffset !== offset) return false
    let found = false
    shortWalker.walk(this.log, place.position, this.size, (batch) => {
      found = maxTimestampOf(batch.bytes, batch.at) === timestamp
      return false
    })
    return found
  }

  /** Cuts the file before `place`, the first batch with `offset` or more. Returns the new end offset. Throws DiskError. */
  truncateTo(offset: number, place: BatchPlace | null, indexIntervalBytes: number): number {
    if (place === null) return this.findEnd().offset
    const from = this.cutIndexes(offset)
    this.log.get().truncate(place.position)
    this.size = place.position
    let end = this.baseOffset
    shortWalker.walk(this.log, from, this.size, ({ bytes, at, position, size }) => {
      end = lastOffsetOf(bytes, at) + 1
      this.account(position, size, end - 1, maxTimestampOf(bytes, at), indexIntervalBytes)
      return true
    })
    this.commitIndexes()
    return end
  }

  /** What retention.ms counts from: the largest timestamp, or without any the time of the last write. */
  newestMs(): number {
    this.knowTimestamps()
    if (this.maxTimestamp >= 0) return this.maxTimestamp
    return this.#disk.exists(this.log.path) ? this.#disk.modifiedMs(this.log.path) : this.createdMs
  }

  #lastEntryPosition(): number {
    const count = this.offsets.count
    if (count === 0) return 0
    const { bytes, at } = this.offsets.read(count - 1)
    return Math.min(offsetEntryPosition(bytes, at), this.size)
  }

  /** One past the last offset, by the index and the batches after its last entry, and where that batch ends in the file. */
  findEnd(): { readonly offset: number; readonly position: number } {
    let offset = this.baseOffset
    const position = shortWalker.walk(this.log, this.#lastEntryPosition(), this.size, (batch) => {
      offset = lastOffsetOf(batch.bytes, batch.at) + 1
      return true
    })
    return { offset, position }
  }

  /** Position of an indexed batch at or before the one that holds `offset`. */
  #floorPosition(offset: number): number {
    const relative = offset - this.baseOffset
    const before = this.offsets.search((bytes, at) => offsetEntryOffset(bytes, at) <= relative)
    if (before === 0) return 0
    const { bytes, at } = this.offsets.read(before - 1)
    const position = offsetEntryPosition(bytes, at)
    return position <= this.size ? position : 0
  }

  /** The first batch below byte `limit` whose last offset is `offset` or more. */
  findBatch(offset: number, limit: number): BatchPlace | null {
    let found: BatchPlace | null = null
    shortWalker.walk(this.log, this.#floorPosition(offset), limit, (batch) => {
      const lastOffset = lastOffsetOf(batch.bytes, batch.at)
      if (lastOffset < offset) return true
      found = placeOf(batch)
      return false
    })
    return found
  }

  /** The end of whole batches from `place` on: `maxBytes` at most, but that batch at least; not beyond `limit`. */
  endWithin(place: BatchPlace, maxBytes: number, limit: number): number {
    const first = place.position + place.byteLength
    const wanted = place.position + maxBytes
    if (wanted >= limit) return limit
    if (wanted <= first) return first
    const before = this.offsets.search((bytes, at) => offsetEntryPosition(bytes, at) <= wanted)
    let from = first
    if (before > 0) {
      const { bytes, at } = this.offsets.read(before - 1)
      from = Math.max(first, offsetEntryPosition(bytes, at))
    }
    let end = from
    shortWalker.walk(this.log, from, limit, (batch) => {
      if (batch.position + batch.size > wanted) return false
      end = batch.position + batch.size
      return true
    })
    return end
  }

  /** The first batch, of those ending at `fromOffset` or later, whose largest timestamp is `timestamp` or more. */
  findTimestamp(timestamp: number, fromOffset: number, limit: number): BatchPlace | null {
    const earlier = this.times.search((bytes, at) => timeEntryTimestamp(bytes, at) < timestamp)
    let offset = fromOffset
    if (earlier > 0) {
      const { bytes, at } = this.times.read(earlier - 1)
      offset = Math.max(offset, this.baseOffset + timeEntryOffset(bytes, at))
    }
    let found: BatchPlace | null = null
    shortWalker.walk(this.log, this.#floorPosition(offset), limit, (batch) => {
      const lastOffset = lastOffsetOf(batch.bytes, batch.at)
      if (lastOffset < fromOffset || maxTimestampOf(batch.bytes, batch.at) < timestamp) return true
      found = placeOf(batch)
      return false
    })
    return found
  }

  /** Closes the descriptors; the segment can still be used. */
  release(): void {
    this.log.release()
    this.#offsets?.file.release()
    this.#times?.file.release()
  }

  /** As {@link remove}, but that the flusher frees what the cache holds of the log. Throws DiskError while the log is there. */
  discard(flush: FlushPort): void {
    const path = this.path('.log')
    try {
      this.#disk.rename(path, path + DELETED)
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      // a longer name may need a block that a full disk has not; to remove one needs none
      this.remove()
      return
    }
    this.release()
    this.#offsets = this.#times = null
    // what cannot be removed is logged there, and removed when the log is opened again
    flush.remove(path + DELETED, () => {})
    for (const suffix of ['.index', '.timeindex']) {
      try {
        this.#disk.remove(this.path(suffix))
      } catch (error) {
        // not there yet, or an opening finds it without its log; no other log will have this name
        if (!(error instanceof DiskError)) throw error
      }
    }
  }

  /** Removes the files: the log last, so that no index is ever left for another log of that name. */
  remove(): void {
    this.release()
    // should one of them stay, what is known of its indexes holds no more
    this.#offsets = this.#times = null
    for (const suffix of ['.index', '.timeindex', '.log']) {
      const path = this.path(suffix)
      if (this.#disk.exists(path)) this.#disk.remove(path)
    }
  }
}

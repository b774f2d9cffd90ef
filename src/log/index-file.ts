import { readInt32, readInt64, writeInt32, writeInt64 } from '../record/batch.ts'
import type { FileHandle } from './open-files.ts'

/*
 * Kafka's index files, big-endian, entries in rising order.
 *   .index      offset relative to the segment's base int32 · byte position of that batch int32
 *   .timeindex  largest timestamp so far int64 · relative offset of the batch that has it int32
 * The offset is that of a batch's last record.
 */
export const OFFSET_ENTRY_BYTES = 8
export const TIME_ENTRY_BYTES = 12

const BLOCK_BYTES = 4092
/** The block read last by any index of this thread: a sequential reader finds its next entry there. */
const block = new Uint8Array(4096)
let blockOwner: IndexFile | null = null
let blockFirst = 0
let blockCount = 0

/** Entries of fixed size in one file: appended in two steps, found by binary search. On the broker's thread. */
export class IndexFile {
  readonly file: FileHandle
  readonly #entryBytes: number
  #count: number
  #pending: Uint8Array | null = null
  #pendingBytes = 0

  constructor(file: FileHandle, entryBytes: number, count: number) {
    this.file = file
    this.#entryBytes = entryBytes
    this.#count = count
  }

  /** Entries in the file. */
  get count(): number {
    return this.#count
  }

  /** Entries with those that wait for {@link commit}. */
  get stagedCount(): number {
    return this.#count + this.#pendingBytes / this.#entryBytes
  }

  /** Room for one more entry, and where to write it. Good until the next call. */
  stage(): { readonly bytes: Uint8Array; readonly at: number } {
    const at = this.#pendingBytes
    let bytes = this.#pending
    if (bytes === null || at + this.#entryBytes > bytes.length) {
      const grown = new Uint8Array(Math.max(4 * this.#entryBytes, at * 2))
      if (bytes !== null) grown.set(bytes)
      bytes = this.#pending = grown
    }
    this.#pendingBytes = at + this.#entryBytes
    return { bytes, at }
  }

  /** Writes what was staged. Throws DiskError, and then {@link undo} is due. */
  commit(): void {
    if (this.#pendingBytes === 0) return
    this.file
      .get()
      .write([this.#pending!.subarray(0, this.#pendingBytes)], this.#count * this.#entryBytes)
    this.#count += this.#pendingBytes / this.#entryBytes
    this.#pendingBytes = 0
    if (this.#pending!.length > BLOCK_BYTES) this.#pending = null
    if (blockOwner === this) blockOwner = null
  }

  /** Forgets what was staged, and cuts the file back to `count` entries. */
  undo(count: number): void {
    const touched = this.#pendingBytes > 0
    this.#pendingBytes = 0
    if (count < this.#count || touched) this.truncate(count)
  }

  truncate(count: number): void {
    if (blockOwner === this) blockOwner = null
    this.#count = Math.min(this.#count, count)
    this.file.get().truncate(this.#count * this.#entryBytes)
  }

  /** The number of entries for which `isBefore` holds; it must hold for a first part of them only. */
  search(isBefore: (bytes: Uint8Array, at: number) => boolean): number {
    let low = 0
    let high = this.#count
    const perBlock = Math.floor(BLOCK_BYTES / this.#entryBytes)
    const inBlock = (entry: number) =>
      blockOwner === this && entry >= blockFirst && entry < blockFirst + blockCount
    while (low < high) {
      const middle = (low + high) >>> 1
      if (!inBlock(middle)) {
        const all = high - low <= perBlock
        this.#load(all ? low : middle, all ? high - low : 1)
      }
      const at = (middle - blockFirst) * this.#entryBytes
      if (isBefore(block, at)) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Entry `number`, in a buffer that the next call on any index reuses. */
  read(number: number): { readonly bytes: Uint8Array; readonly at: number } {
    const inBlock = blockOwner === this && number >= blockFirst && number < blockFirst + blockCount
    if (!inBlock) this.#load(number, 1)
    return { bytes: block, at: (number - blockFirst) * this.#entryBytes }
  }

  /** Whether each entry is more than the one before, by `fieldOf`, which is never below 0. */
  rises(fieldOf: (bytes: Uint8Array, at: number) => number): boolean {
    const perBlock = Math.floor(BLOCK_BYTES / this.#entryBytes)
    let before = -1
    for (let first = 0; first < this.#count; first += perBlock) {
      const count = Math.min(perBlock, this.#count - first)
      this.#load(first, count)
      for (let i = 0; i < count; i++) {
        const value = fieldOf(block, i * this.#entryBytes)
        if (value <= before) return false
        before = value
      }
    }
    return true
  }

  #load(first: number, count: number): void {
    blockOwner = null
    const length = count * this.#entryBytes
    const got = this.file.get().read(block, 0, length, first * this.#entryBytes)
    // A file shorter than it was is damage: no entry is found there, and the log is walked instead.
    if (got < length) block.fill(0xff, got, length)
    blockOwner = this
    blockFirst = first
    blockCount = count
  }
}

export const offsetEntryOffset = (bytes: Uint8Array, at: number): number => readInt32(bytes, at)
export const offsetEntryPosition = (bytes: Uint8Array, at: number): number =>
  readInt32(bytes, at + 4) >>> 0
export const timeEntryTimestamp = (bytes: Uint8Array, at: number): number => readInt64(bytes, at)
export const timeEntryOffset = (bytes: Uint8Array, at: number): number => readInt32(bytes, at + 8)

export function writeOffsetEntry(index: IndexFile, relativeOffset: number, position: number): void {
  const { bytes, at } = index.stage()
  writeInt32(bytes, at, relativeOffset)
  writeInt32(bytes, at + 4, position)
}

export function writeTimeEntry(index: IndexFile, timestamp: number, relativeOffset: number): void {
  const { bytes, at } = index.stage()
  writeInt64(bytes, at, timestamp)
  writeInt32(bytes, at + 8, relativeOffset)
}

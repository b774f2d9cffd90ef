import { BATCH_HEADER_BYTES, MAGIC_V2, magicOf, sizeInBytesOf } from '../record/batch.ts'
import type { FileHandle } from './open-files.ts'

/** Most of what a reader of a few headers takes from the file at a time. */
const SMALL_WINDOW_BYTES = 16 * 1024
/** Most of what recovery takes at a time, if batches are no larger. */
const LARGE_WINDOW_BYTES = 1 << 20
const WINDOW_BYTES_MIN = 4 * 1024
/** Batches of this size are hopped over rather than read. */
const HOP_FROM_BYTES = 8 * 1024
const HOP_READ_BYTES = 128

/** A batch's place while walking: its header is at `bytes[at]`, the rest only if it was asked for. Reused: copy what is kept. */
export interface WalkedBatch {
  bytes: Uint8Array
  at: number
  position: number
  size: number
}

const NOTHING = new Uint8Array(0)

/**
 * Goes from batch to batch of one file, reading ahead in a window. Headers only, or (`whole`) with all their bytes.
 * Keeps no descriptor, and is not re-entrant: {@link shortWalker} and {@link wholeWalker} are one each per thread and use. The window
 * is as large as a walk needs, and kept for the next: V8 collects the whole heap for a few dozen MB of buffers that were made and left.
 */
export class BatchWalker {
  readonly #whole: boolean
  readonly #windowBytes: number
  #window = NOTHING
  #windowStart = 0
  #windowEnd = 0

  constructor(windowBytes: number, whole: boolean) {
    this.#windowBytes = windowBytes
    this.#whole = whole
  }

  /**
   * Visits the batches of `file` from `from` up to `to`, both byte positions, until `visit` says false. Returns where
   * it stopped: at the batch refused, at the first that is none (wrong magic, impossible or overlong size), or at `to`.
   */
  walk(
    file: FileHandle,
    from: number,
    to: number,
    visit: (batch: Readonly<WalkedBatch>) => boolean,
  ): number {
    this.#windowStart = this.#windowEnd = from
    this.#takeWindow(Math.min(this.#windowBytes, to - from))
    const batch: WalkedBatch = { bytes: this.#window, at: 0, position: from, size: 0 }
    let position = from
    let lastSize = 0
    while (position + BATCH_HEADER_BYTES <= to) {
      const hop = !this.#whole && lastSize >= HOP_FROM_BYTES
      if (!this.#fill(file, position, BATCH_HEADER_BYTES, to, hop)) break
      let at = position - this.#windowStart
      const size = sizeInBytesOf(this.#window, at)
      if (magicOf(this.#window, at) !== MAGIC_V2 || size < BATCH_HEADER_BYTES) break
      if (position + size > to) break
      if (this.#whole) {
        if (!this.#fill(file, position, size, to, false)) break
        at = position - this.#windowStart
      }
      batch.bytes = this.#window
      batch.at = at
      batch.position = position
      batch.size = size
      if (!visit(batch)) break
      position += size
      lastSize = size
    }
    // what a single batch made larger is not for every walk
    if (this.#window.length > this.#windowBytes) this.#window = NOTHING
    return position
  }

  #takeWindow(bytes: number): void {
    if (bytes <= this.#window.length) return
    this.#window = new Uint8Array(Math.max(WINDOW_BYTES_MIN, 2 ** Math.ceil(Math.log2(bytes))))
  }

  /** Sees to it that `length` bytes at `position` are in the window. */
  #fill(file: FileHandle, position: number, length: number, to: number, hop: boolean): boolean {
    if (position >= this.#windowStart && position + length <= this.#windowEnd) return true
    this.#takeWindow(length)
    const want = Math.min(hop ? HOP_READ_BYTES : this.#window.length, to - position)
    const got = file.get().read(this.#window, 0, Math.max(want, length), position)
    this.#windowStart = position
    this.#windowEnd = position + got
    return got >= length
  }
}

/** For a look at a few headers: locating an offset, an end, a time. */
export const shortWalker = new BatchWalker(SMALL_WINDOW_BYTES, false)
/** For batches with all their bytes. */
export const wholeWalker = new BatchWalker(LARGE_WINDOW_BYTES, true)

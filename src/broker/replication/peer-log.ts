import { segmentName } from '../../base/paths.ts'
import type { AppendPlace } from '../../link/raft-messages.ts'
import { DiskError } from '../../log/disk.ts'
import type { LogEnvironment } from '../../log/environment.ts'
import type { FileHandle } from '../../log/open-files.ts'
import {
  BATCH_HEADER_BYTES,
  baseOffsetOf,
  lastOffsetOf,
  MAGIC_V2,
  magicOf,
  sizeInBytesOf,
} from '../../record/batch.ts'

/** Most of what is read at a time, if batches are no larger. */
const WINDOW_BYTES = 1 << 20

/** Whole batches in memory: `bytes` from `from` up to `to`; valid until the next read on this thread. */
export interface PeerBatches {
  bytes: Uint8Array
  from: number
  to: number
}

const NOTHING = new Uint8Array(0)

/** One per thread: what is read is copied on before the next read. It is as large as batches need, and kept. */
let window = NOTHING

function windowOf(bytes: number): Uint8Array {
  if (window.length < bytes) window = new Uint8Array(bytes)
  return window
}

/**
 * Reads another replica's log, batch after batch, from its segment files: on this machine they are in the page cache. Nothing is trusted:
 * the file may have been cut, cleaned or removed by its owner meanwhile, so where the reading stands is lost easily, and found again
 * with the next place that the leader names. On the reading broker's thread.
 */
export class PeerLog {
  readonly #environment: LogEnvironment
  /** The replica's. */
  readonly #directory: string
  #file: FileHandle | null = null
  #segmentBaseOffset = -1
  #position = 0
  /** Offset that the batch at the position holds, or a later one after a gap; −1: the place is not known. */
  #nextOffset = -1

  constructor(environment: LogEnvironment, directory: string) {
    this.#environment = environment
    this.#directory = directory
  }

  /** Where the leader says that its batch of `batchBaseOffset` is, which holds `offset`, or comes before or behind a gap. */
  goTo({ segmentBaseOffset, filePosition, batchBaseOffset }: AppendPlace, offset: number): void {
    this.#enter(segmentBaseOffset)
    this.#position = filePosition
    this.#nextOffset = Math.min(batchBaseOffset, offset)
  }

  /** Whether the batch that holds `offset` is what is read next, or follows. */
  isBefore(offset: number): boolean {
    return this.#nextOffset >= 0 && this.#nextOffset <= offset
  }

  /** The place is lost: it must be named again. */
  lose(): void {
    this.#nextOffset = -1
    this.release()
  }

  /**
   * Whole batches from the one that holds `offset` on, about a megabyte or one batch. False where there is none yet, or the place was
   * lost, which {@link isBefore} tells.
   */
  read(offset: number, out: PeerBatches): boolean {
    if (!this.isBefore(offset)) return false
    try {
      return this.#skipTo(offset) && this.#readBatches(out)
    } catch (error) {
      // removed by retention, or its disk fails: not this replica's affair
      if (!(error instanceof DiskError)) throw error
      this.lose()
      return false
    }
  }

  /** What was read up to `bytes` is taken, the last batch of it ending before `nextOffset`. */
  took(bytes: number, nextOffset: number): void {
    this.#position += bytes
    this.#nextOffset = nextOffset
  }

  /** Lets go of the descriptor. */
  release(): void {
    this.#file?.release()
    this.#file = null
  }

  #enter(segmentBaseOffset: number): void {
    if (this.#segmentBaseOffset === segmentBaseOffset && this.#file !== null) return
    this.release()
    this.#segmentBaseOffset = segmentBaseOffset
  }

  get #handle(): FileHandle {
    const path = `${this.#directory}/${segmentName(this.#segmentBaseOffset, '.log')}`
    this.#file ??= this.#environment.files.handle(path, 'read')
    return this.#file
  }

  /** Goes on to the batch that holds `offset`, over those that are here already. */
  #skipTo(offset: number): boolean {
    const header = windowOf(BATCH_HEADER_BYTES)
    while (this.#nextOffset < offset) {
      const got = this.#handle.get().read(header, 0, BATCH_HEADER_BYTES, this.#position)
      if (got < BATCH_HEADER_BYTES) {
        if (!this.#enterNext()) return false
        continue
      }
      if (!this.#isBatch(header, 0)) return false
      if (lastOffsetOf(header, 0) >= offset) return true
      this.took(sizeInBytesOf(header, 0), lastOffsetOf(header, 0) + 1)
    }
    return true
  }

  #readBatches(out: PeerBatches): boolean {
    const bytes = windowOf(WINDOW_BYTES)
    let got = this.#handle.get().read(bytes, 0, bytes.length, this.#position)
    if (got === 0 && this.#enterNext()) {
      got = this.#handle.get().read(bytes, 0, bytes.length, this.#position)
    }
    if (got < BATCH_HEADER_BYTES) return false
    if (!this.#isBatch(bytes, 0)) return false
    const first = sizeInBytesOf(bytes, 0)
    if (first > bytes.length) return this.#readOne(first, out)
    let to = 0
    while (to + BATCH_HEADER_BYTES <= got && magicOf(bytes, to) === MAGIC_V2) {
      const size = sizeInBytesOf(bytes, to)
      if (size < BATCH_HEADER_BYTES || to + size > got) break
      to += size
    }
    out.bytes = bytes
    out.from = 0
    out.to = to
    return to > 0
  }

  /** A batch larger than the window. */
  #readOne(size: number, out: PeerBatches): boolean {
    // an impossible size would ask for impossible memory
    if (this.#position + size > this.#handle.get().size()) return false
    const bytes = new Uint8Array(size)
    out.bytes = bytes
    out.from = 0
    out.to = size
    return this.#handle.get().read(bytes, 0, size, this.#position) === size
  }

  #isBatch(bytes: Uint8Array, at: number): boolean {
    const isGood =
      magicOf(bytes, at) === MAGIC_V2 &&
      sizeInBytesOf(bytes, at) >= BATCH_HEADER_BYTES &&
      baseOffsetOf(bytes, at) >= this.#segmentBaseOffset
    if (!isGood) this.lose()
    return isGood
  }

  /** At the end of a segment: the next one begins where this one ends, if it is sealed. */
  #enterNext(): boolean {
    const next = this.#nextOffset
    if (next === this.#segmentBaseOffset) return false
    const path = `${this.#directory}/${segmentName(next, '.log')}`
    if (!this.#environment.disk.exists(path)) return false
    this.#enter(next)
    this.#position = 0
    return true
  }
}

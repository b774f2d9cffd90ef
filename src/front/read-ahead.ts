import type { PartitionNumber } from '../base/ids.ts'
import type { BufferPool } from '../cell/buffer-pool.ts'
import type { FileFailure } from '../cell/segment-files.ts'
import type { SegmentReader } from '../cell/segment-reader.ts'
import type { Whereabouts } from './fetch-part.ts'

/** Whom bytes that were read ahead are handed to. */
export type BytesTaker = (
  target: Uint8Array,
  bytesRead: number,
  failure: FileFailure | null,
) => void

/** A stretch of a segment file. */
export interface Stretch {
  readonly path: string
  readonly directory: string
  readonly position: number
  readonly length: number
}

/** Where a broker said that bytes are, as far as they have not been read. */
export interface Located extends Whereabouts {
  /** Monotonic milliseconds: later it is asked again, since the log's start may have moved. */
  readonly untilMs: number
}

/** Where a connection will go on in a partition's files, if it reads them in a row. */
interface Place {
  nextOffset: number
  located: Located | null
  ahead: Ahead | null
}

/** One stretch that is being read, or has been, for a fetch that may come. */
class Ahead {
  readonly stretch: Stretch
  readonly target: Uint8Array
  bytesRead = -1
  failure: FileFailure | null = null
  taker: BytesTaker | null = null
  unwanted = false

  constructor(stretch: Stretch, target: Uint8Array) {
    this.stretch = stretch
    this.target = target
  }
}

/** What all connections have read ahead: only while buffers are plenty, and given up as soon as somebody waits for some. */
export class ReadAheads {
  readonly #buffers: BufferPool
  readonly #segments: SegmentReader
  readonly #all = new Map<Ahead, Place>()

  constructor(buffers: BufferPool, segments: SegmentReader) {
    this.#buffers = buffers
    this.#segments = segments
  }

  /** Bytes that are known to be in the file, and below the high watermark, are read now. */
  begin(place: Place, stretch: Stretch): void {
    const { roomBytes, capacityBytes } = this.#buffers
    if ((roomBytes - stretch.length) * 2 < capacityBytes) return
    const ahead = new Ahead(stretch, this.#buffers.take(stretch.length))
    place.ahead = ahead
    this.#all.set(ahead, place)
    this.#segments.read({
      ...stretch,
      target: ahead.target,
      done: (failure, bytesRead) => {
        ahead.bytesRead = bytesRead
        ahead.failure = failure
        if (ahead.taker !== null) ahead.taker(ahead.target, bytesRead, failure)
        else if (ahead.unwanted) this.#buffers.give(ahead.target)
      },
    })
  }

  /** What was read ahead of exactly this place, of `lengthMax` at most, and from now on the caller's. */
  take(place: Place, path: string, position: number, lengthMax: number): Ahead | null {
    const { ahead } = place
    if (ahead === null) return null
    const { stretch } = ahead
    if (stretch.path === path && stretch.position === position && stretch.length <= lengthMax) {
      place.ahead = null
      this.#all.delete(ahead)
      return ahead
    }
    this.drop(ahead)
    return null
  }

  drop(ahead: Ahead): void {
    const place = this.#all.get(ahead)
    if (place === undefined) return
    place.ahead = null
    this.#all.delete(ahead)
    if (ahead.bytesRead >= 0) this.#buffers.give(ahead.target)
    else ahead.unwanted = true
  }

  /** Returns how many there were. */
  dropAll(): number {
    const { size } = this.#all
    for (const ahead of this.#all.keys()) this.drop(ahead)
    return size
  }
}

/** Where one connection reads in a row, by partition. Belongs to the front's thread. */
export class Reading {
  readonly #aheads: ReadAheads
  readonly #places = new Map<PartitionNumber, Place>()

  constructor(aheads: ReadAheads) {
    this.#aheads = aheads
  }

  /** Whether `offset` is where the last read of files has ended. */
  isInRow(partition: PartitionNumber, offset: number): boolean {
    return this.#places.get(partition)?.nextOffset === offset
  }

  /** Where `bytes` from `offset` on are, when the broker has said so lately; taken at its word once. */
  takeLocated(
    partition: PartitionNumber,
    offset: number,
    bytes: number,
    nowMs: number,
  ): Located | null {
    const place = this.#places.get(partition)
    if (place === undefined || place.nextOffset !== offset) return null
    const { located } = place
    place.located = null
    if (located === null || located.byteLength < bytes || nowMs >= located.untilMs) return null
    return located
  }

  /** The next read is expected at `nextOffset`, which is `located`; what `stretch` names is read for it. */
  expect(
    partition: PartitionNumber,
    nextOffset: number,
    located: Located | null,
    stretch: Stretch | null,
  ): void {
    let place = this.#places.get(partition)
    if (place === undefined) {
      place = { nextOffset, located, ahead: null }
      this.#places.set(partition, place)
    }
    place.nextOffset = nextOffset
    place.located = located
    if (place.ahead !== null) this.#aheads.drop(place.ahead)
    if (stretch !== null) this.#aheads.begin(place, stretch)
  }

  /** True when something was read ahead there: `taken` gets its buffer now, `taker` the bytes, at once or later. */
  take(
    partition: PartitionNumber,
    path: string,
    position: number,
    lengthMax: number,
    taken: (target: Uint8Array) => void,
    taker: BytesTaker,
  ): boolean {
    const place = this.#places.get(partition)
    const ahead = place === undefined ? null : this.#aheads.take(place, path, position, lengthMax)
    if (ahead === null) return false
    taken(ahead.target)
    if (ahead.bytesRead < 0) ahead.taker = taker
    else taker(ahead.target, ahead.bytesRead, ahead.failure)
    return true
  }

  close(): void {
    for (const { ahead } of this.#places.values()) if (ahead !== null) this.#aheads.drop(ahead)
    this.#places.clear()
  }
}

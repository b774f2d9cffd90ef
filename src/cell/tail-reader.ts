import type { BrokerId, PartitionNumber } from '../base/ids.ts'
import type { LocatedReply } from '../link/replies.ts'
import type { Region } from '../shared/region.ts'
import { RingLogReader, type RingLogSpan } from '../shared/ring-log-reader.ts'
import { RingPins } from '../shared/ring-pins.ts'

/** Where a look into a ring log ends: the broker must be asked, nothing is there yet, or a span was found. */
export const TailState = { ASK: 0, END: 1, FOUND: 2 } as const

/** What a look found; filled again by every {@link TailReader.look}. */
export interface TailLook {
  position: number
  length: number
  /** What goes on at the beginning of the ring, when the first span ends at its end; length 0 otherwise. */
  secondPosition: number
  secondLength: number
  logStartOffset: number
  highWatermark: number
  lastStableOffset: number
}

export const newTailLook = (): TailLook => ({
  position: 0,
  length: 0,
  secondPosition: 0,
  secondLength: 0,
  logStartOffset: -1,
  highWatermark: -1,
  lastStableOffset: -1,
})

/**
 * Reads the newest batches of one partition from a replica's ring log, most often its leader's, with no hop to another thread. Of one ring,
 * and one front.
 */
export class TailReader {
  readonly region: Region
  readonly generation: number
  /** Whose ring it is. */
  readonly brokerId: BrokerId
  /** Monotonic milliseconds of the last use. */
  usedAtMs = 0
  readonly #ring: RingLogReader
  readonly #pins: RingPins
  readonly #span: RingLogSpan = { position: 0, length: 0 }

  constructor(ring: RingLogReader, brokerId: BrokerId) {
    this.#ring = ring
    this.brokerId = brokerId
    this.#pins = new RingPins(ring)
    this.region = ring.region
    this.generation = ring.generation
  }

  get isRetired(): boolean {
    return this.#ring.isRetired
  }

  get partition(): number {
    return this.#ring.partition
  }

  /** Sockets that still hold bytes of this ring. */
  get holds(): number {
    return this.#pins.size
  }

  /**
   * Looks for the whole batches from the one that holds `offset` on, of at most `maxBytes` (one batch at least), all
   * below the high watermark. The offsets in `out` are at least as new as the span.
   */
  look(offset: number, maxBytes: number, out: TailLook): number {
    const ring = this.#ring
    const position = ring.find(offset)
    if (position === RingLogReader.NOT_FOUND) return TailState.ASK
    const span = this.#span
    if (position === RingLogReader.AT_END) span.length = 0
    else if (!ring.readable(position, maxBytes, span)) return TailState.ASK
    const { known } = ring
    // Before the log's start or beyond its end: the broker words the refusal.
    if (offset < known.logStartOffset || offset > known.logEndOffset) return TailState.ASK
    out.position = span.position
    out.length = span.length
    out.logStartOffset = known.logStartOffset
    out.highWatermark = known.highWatermark
    out.lastStableOffset = known.lastStableOffset
    if (out.length === 0) return position === RingLogReader.AT_END ? TailState.END : TailState.ASK
    this.#lookOn(maxBytes, known.committedPosition, out)
    return TailState.FOUND
  }

  /** A span ends where the ring does; what follows it is at the beginning. */
  #lookOn(maxBytes: number, committedPosition: number, out: TailLook): void {
    out.secondLength = 0
    const end = (out.position + out.length) | 0
    const rest = maxBytes - out.length
    if (rest <= 0 || ((committedPosition - end) | 0) <= 0) return
    const span = this.#span
    // One batch comes even when it is too large: not behind others.
    if (!this.#ring.readable(end, rest, span) || span.length > rest) return
    out.secondPosition = span.position
    out.secondLength = span.length
    // What it goes by is newer now, and must not be older than what is sent.
    out.highWatermark = this.#ring.known.highWatermark
  }

  /** Copies a span that {@link look} found; false when it was overwritten meanwhile. */
  copy(position: number, length: number, target: Uint8Array, targetOffset: number): boolean {
    return this.#ring.copy(position, length, target, targetOffset)
  }

  /** Keeps the span from being overwritten and gives the bytes themselves, until {@link release}; null: too late. */
  hold(position: number, length: number): Uint8Array | null {
    if (!this.#pins.hold(position)) return null
    if (this.#ring.isReadable(position, length)) return this.#ring.view(position, length)
    this.#pins.release(position)
    return null
  }

  release(position: number): void {
    this.#pins.release(position)
  }
}

/**
 * The ring logs that one front reads, by broker and partition. A ring has one reader as long as a socket holds bytes of it, since that alone knows which. Belongs to
 * the front's thread.
 */
export class TailReaders {
  readonly #front: number
  /** By broker id. */
  readonly #readers: (Map<PartitionNumber, TailReader> | undefined)[] = []
  /** Those that are to be looked up anew, and that sockets hold bytes of. */
  #held: TailReader[] = []

  constructor(front: number) {
    this.#front = front
  }

  get size(): number {
    return this.#readers.reduce((sum, readers) => sum + (readers?.size ?? 0), 0)
  }

  get(partition: PartitionNumber, brokerId: BrokerId | 0): TailReader | undefined {
    return this.#readers[brokerId]?.get(partition)
  }

  /** Takes the ring's place from a broker's answer; `arena` is that broker's. */
  update(
    partition: PartitionNumber,
    brokerId: BrokerId,
    located: Readonly<LocatedReply>,
    arena: SharedArrayBuffer | null,
  ): TailReader | undefined {
    const { ringGeneration, ringByteOffset, ringByteLength } = located
    const known = this.get(partition, brokerId)
    if (arena === null || ringByteOffset < 0) {
      this.#drop(partition, known)
      return undefined
    }
    // a broker that was started anew counts generations anew, in other memory
    if (known !== undefined && isOf(known, arena, ringByteOffset, ringGeneration)) return known
    const region = { sab: arena, byteOffset: ringByteOffset, byteLength: ringByteLength }
    const reader = this.#heldOf(region, ringGeneration) ?? this.#open(region, brokerId, located)
    // The block may have been given to another partition since the broker answered.
    if (reader.isRetired || reader.partition !== partition) return undefined
    this.#drop(partition, known)
    const readers = (this.#readers[brokerId] ??= new Map<PartitionNumber, TailReader>())
    readers.set(partition, reader)
    return reader
  }

  #open(region: Region, brokerId: BrokerId, { ringGeneration }: LocatedReply): TailReader {
    return new TailReader(new RingLogReader(region, ringGeneration, this.#front), brokerId)
  }

  #heldOf({ sab, byteOffset }: Region, generation: number): TailReader | undefined {
    this.#held = this.#held.filter(({ holds }) => holds > 0)
    return this.#held.find((one) => isOf(one, sab, byteOffset, generation))
  }

  #drop(partition: PartitionNumber, reader: TailReader | undefined): void {
    if (reader === undefined) return
    this.#readers[reader.brokerId]!.delete(partition)
    if (reader.holds > 0) this.#held.push(reader)
  }

  /** A broker is gone, and its successor has other memory. Sockets keep what they hold. */
  forget(brokerId: BrokerId): void {
    this.#readers[brokerId] = undefined
  }

  /** Forgets retired rings and those unused since `beforeMs`. */
  sweep(beforeMs: number): void {
    for (const readers of this.#readers) {
      for (const [partition, reader] of readers ?? []) {
        if (reader.isRetired || reader.usedAtMs < beforeMs) this.#drop(partition, reader)
      }
    }
  }
}

const isOf = (
  { region, generation }: TailReader,
  arena: SharedArrayBuffer,
  byteOffset: number,
  ringGeneration: number,
): boolean =>
  generation === ringGeneration && region.sab === arena && region.byteOffset === byteOffset

import { FrameSlabs, SLAB_BYTES, type Slab } from './frame-slabs.ts'

/** A frame ready for a socket, its 4-byte size included: the chunks in order, together `byteLength` bytes. */
export interface EncodedFrame {
  readonly chunks: Uint8Array[]
  readonly byteLength: number
  /** Nobody looks at its chunks any more: other frames may be written there. Who cannot tell leaves it to the garbage collector. */
  release?(): void
}

/** A slab with less room than this takes no more frames. */
const SLAB_REST_BYTES = 512
/** A frame that has grown to this goes on in another slab, or the copies would take more than the frame. */
const PIECE_BYTES = 256 * 1024
/** Records up to this size are copied into the frame, larger ones become chunks of their own. */
export const SPLICE_BYTES_MIN = 1024

/**
 * Collects one frame after another: small parts in a growing buffer, large records spliced in as views without a
 * copy. Compiled encoders keep `buf` and `pos` in locals and give them back before they call in here. One per
 * thread; frames do not nest.
 */
export class FrameWriter {
  readonly #slabs = new FrameSlabs()
  #slab: Slab = this.#slabs.take(SLAB_BYTES)
  /** Slabs that the frame has gone on from, with chunks of its own in them. */
  #left: Slab[] | null = null
  buf: Buffer = this.#slab.bytes
  /** Where the next byte goes. */
  pos = 0
  /** Where the open chunk began; a tagged field's beginning is remembered relative to it. */
  start = 0
  /** Null: none yet. Most frames have one, for which a push would make room for seventeen. */
  #chunks: Uint8Array[] | null = null
  #closedBytes = 0

  /** Begins a frame, leaving room for its size. */
  begin(): void {
    // A frame that failed half-way left nothing behind: `start` is where it began or where its last splice was.
    this.#slabs.releaseAll(this.#left)
    this.#left = null
    if (this.#slab.frames === 0) this.start = 0
    this.pos = this.start
    this.#chunks = null
    this.#closedBytes = 0
    const left = this.buf.length - this.start
    if (left < SLAB_REST_BYTES || this.buf.length > SLAB_BYTES) this.#goOn(SLAB_BYTES)
    this.pos += 4
  }

  /** Ends the frame. */
  finish(): EncodedFrame {
    this.#closeChunk()
    const byteLength = this.#closedBytes
    const size = byteLength - 4
    const chunks = this.#chunks!
    const first = chunks[0]!
    first[0] = size >>> 24
    first[1] = size >>> 16
    first[2] = size >>> 8
    first[3] = size
    const slab = this.#slab
    slab.frames++
    const frame = new WrittenFrame(chunks, byteLength, this.#slabs, slab, this.#left)
    this.#left = null
    return frame
  }

  /** Makes room for `size` more bytes, not within a tagged field; `buf`, `pos` and `start` may all change. */
  grow(size: number): void {
    if (this.pos - this.start < PIECE_BYTES) {
      this.growWhole(size)
      return
    }
    this.#closeChunk()
    this.#goOn(Math.max(PIECE_BYTES, size))
  }

  /** As {@link grow}, with the open chunk in one piece. */
  growWhole(size: number): void {
    const written = this.pos - this.start
    const needed = 2 * (written + size)
    const from = this.buf
    const start = this.start
    this.#goOn(Math.max(needed, SLAB_BYTES))
    from.copy(this.buf, 0, start, start + written)
    this.pos = written
  }

  /** Appends views in a row, large ones without a copy. Their length has been written already. */
  splice(views: Uint8Array | readonly Uint8Array[]): void {
    if (views instanceof Uint8Array) this.#spliceOne(views)
    else for (const view of views) this.#spliceOne(view)
  }

  /** As {@link splice}, always with a copy: a tagged field's size must be known before what follows it. */
  copy(views: Uint8Array | readonly Uint8Array[]): void {
    if (views instanceof Uint8Array) this.#copyOne(views)
    else for (const view of views) this.#copyOne(view)
  }

  /** Ends a tagged field whose size byte is at `start + at`: the value behind it moves if the size takes more. */
  closeTag(at: number): void {
    const size = this.pos - this.start - at - 1
    const extra = uvarintSize(size) - 1
    if (extra > 0) {
      if (this.pos + extra > this.buf.length) this.growWhole(extra)
      const value = this.start + at + 1
      this.buf.copyWithin(value + extra, value, this.pos)
      this.pos += extra
    }
    putUvarint(this.buf, this.start + at, size)
  }

  #spliceOne(view: Uint8Array): void {
    if (view.length < SPLICE_BYTES_MIN) {
      this.#copyOne(view)
      return
    }
    this.#closeChunk()
    this.#addChunk(view)
  }

  #copyOne(view: Uint8Array): void {
    if (this.pos + view.length > this.buf.length) this.growWhole(view.length)
    this.buf.set(view, this.pos)
    this.pos += view.length
  }

  #closeChunk(): void {
    if (this.pos === this.start) return
    this.#addChunk(this.buf.subarray(this.start, this.pos))
    this.start = this.pos
  }

  #addChunk(chunk: Uint8Array): void {
    if (this.#chunks === null) this.#chunks = [chunk]
    else this.#chunks.push(chunk)
    this.#closedBytes += chunk.length
  }

  /** Goes on in a slab of at least `bytes`. The one before is as it was: nobody writes to it while its frames are held. */
  #goOn(bytes: number): void {
    const before = this.#slab
    this.#slab = this.#slabs.take(bytes)
    if (this.#chunks !== null) {
      before.frames++
      this.#left ??= []
      this.#left.push(before)
    }
    this.#slabs.leave(before)
    this.buf = this.#slab.bytes
    this.pos = 0
    this.start = 0
  }
}

/** What {@link FrameWriter.finish} gives: it holds the slabs that its chunks lie in. */
class WrittenFrame implements EncodedFrame {
  readonly chunks: Uint8Array[]
  readonly byteLength: number
  readonly #slabs: FrameSlabs
  #slab: Slab | null
  #left: Slab[] | null

  constructor(
    chunks: Uint8Array[],
    byteLength: number,
    slabs: FrameSlabs,
    slab: Slab,
    left: Slab[] | null,
  ) {
    this.chunks = chunks
    this.byteLength = byteLength
    this.#slabs = slabs
    this.#slab = slab
    this.#left = left
  }

  release(): void {
    if (this.#slab === null) return
    this.#slabs.release(this.#slab)
    this.#slabs.releaseAll(this.#left)
    this.#slab = null
    this.#left = null
  }
}

/** The length of records given as one view, or several in a row. */
export function byteLengthOf(views: Uint8Array | readonly Uint8Array[]): number {
  if (views instanceof Uint8Array) return views.length
  let sum = 0
  for (const view of views) sum += view.length
  return sum
}

export function uvarintSize(value: number): number {
  if (value < 0x80) return 1
  if (value < 0x4000) return 2
  if (value < 0x20_0000) return 3
  return value < 0x1000_0000 ? 4 : 5
}

/** Writes `value` at `p`; returns where it ends. */
export function putUvarint(b: Uint8Array, p: number, value: number): number {
  let rest = value
  while (rest > 127) {
    b[p++] = (rest & 127) | 128
    rest = Math.floor(rest / 128)
  }
  b[p] = rest
  return p + 1
}

import { copyBytes } from '../base/copy.ts'
import type { FrameBuffers } from './frame-buffers.ts'

/** A buffer for a frame in parts is never ahead of the bytes that have come by more than this, or by fourfold. */
const COLLECT_BYTES_MIN = 1 << 20
const COLLECT_GROWTH = 4

/** From so many bytes on, the rest of a frame is read to where it belongs. */
const REST_BYTES_MIN = 16 * 1024
/** Not tried on Windows, where a read may be given its memory before anything comes. */
const READS_WHEN_ASKED = process.platform !== 'win32'

const NOTHING = new Uint8Array(0)

/** Beginnings of what else comes to the wrong port, as the size that they would be. */
const HTTP_BEGINNINGS = ['GET ', 'POST', 'PUT ', 'HEAD', 'DELE', 'OPTI', 'PATC', 'CONN', 'TRAC']

/** What a size that no frame has may be in truth, for the log. */
function looksLike(size: number): string {
  // A TLS record of a handshake: 22, then version 3.x.
  if (size >>> 16 === 0x1603) {
    return ': looks like TLS, and this listener speaks plain text (security.protocol=PLAINTEXT)'
  }
  const text = String.fromCharCode(size >>> 24, (size >> 16) & 255, (size >> 8) & 255, size & 255)
  if (HTTP_BEGINNINGS.includes(text) || text === 'PRI ') {
    return ': looks like HTTP, and this is the port of the Kafka protocol (HTTP: --http-listen)'
  }
  return text === 'SSH-' ? ': looks like SSH' : ''
}

/** Frames up to this size share Node's pool of 8 KB: one that is kept for long keeps no more than that. */
const POOLED_BYTES_MAX = Buffer.poolSize >>> 1

/** Every request begins with it. */
const apiKeyOf = (bytes: Uint8Array, at: number, length: number): number =>
  length < 2 ? -1 : (bytes[at]! << 8) | bytes[at + 1]!

/**
 * Cuts a TCP stream into Kafka's frames (int32 size, then that many bytes), on the thread of the connection. Each comes
 * out in memory of its own, collected in one buffer, at once of its size up to a megabyte, beyond that growing with the
 * bytes that have arrived. After a fault nothing more comes out.
 */
export class FrameSplitter {
  readonly #frameBytesMax: number
  /** Of whoever sends, where that is less. */
  #ownBytesMax = Number.POSITIVE_INFINITY
  readonly #buffers: FrameBuffers
  readonly #waiting: Uint8Array[] = []
  #chunk: Uint8Array = NOTHING
  #at = 0
  /** A chunk that was fed and is not ours. */
  #fed: Uint8Array | null = null
  /** Size prefix as far as it has come, for one that is cut in two. */
  #prefix = 0
  #prefixBytes = 0
  /** −1 between frames. */
  #size = -1
  /** Of the frame that is collected; −1 when less than that had come as it was begun. */
  #apiKey = -1
  #body: Uint8Array = NOTHING
  #filled = 0
  #buffer: Uint8Array | null = null
  #fault: string | null = null

  constructor(frameBytesMax: number, buffers: FrameBuffers) {
    this.#frameBytesMax = frameBytesMax
    this.#buffers = buffers
  }

  /** Of the frames that begin from now on; null: as large as anybody's. */
  limit(bytesMax: number | null): void {
    this.#ownBytesMax = bytesMax ?? Number.POSITIVE_INFINITY
  }

  /** Why the stream is broken, or null. */
  get fault(): string | null {
    return this.#fault
  }

  /** Bytes of a frame that has not come whole yet. */
  get partialBytes(): number {
    return this.#filled
  }

  /** True when `next` may give a frame without more being fed. */
  get hasMore(): boolean {
    return this.#at < this.#chunk.length || this.#waiting.length > 0
  }

  /** `chunk` must not change until {@link keepRest}. */
  feed(chunk: Uint8Array): void {
    this.#fed = chunk
    if (this.#at >= this.#chunk.length && this.#waiting.length === 0) {
      this.#chunk = chunk
      this.#at = 0
    } else this.#waiting.push(chunk)
  }

  /** What was fed last is about to change: copies what {@link next} has not taken of it. */
  keepRest(): void {
    const fed = this.#fed
    this.#fed = null
    if (fed === null) return
    if (this.#chunk !== fed) {
      const last = this.#waiting.length - 1
      if (last >= 0) this.#waiting[last] = fed.slice()
    } else if (this.#at < fed.length) {
      this.#chunk = fed.slice(this.#at)
      this.#at = 0
    } else {
      this.#chunk = NOTHING
      this.#at = 0
    }
  }

  /** The buffer that the last frame from {@link next} was collected in, to be given back; null for one that is no such buffer's. */
  get buffer(): Uint8Array | null {
    return this.#buffer
  }

  /** Gives back what an unfinished frame has. Nothing more is to be fed. */
  close(): void {
    if (this.#body !== NOTHING) this.#buffers.give(this.#body)
    this.#body = NOTHING
    this.#chunk = NOTHING
    this.#at = 0
    this.#fed = null
    this.#waiting.length = 0
  }

  /** The size of the frame that {@link next} will give, before anything of it is collected; −1 when that is not known yet. */
  peekSize(): number {
    while (this.#size < 0 && this.#fault === null) {
      if (this.#at >= this.#chunk.length && !this.#nextChunk()) return -1
      this.#readSize()
    }
    return this.#fault === null ? this.#size : -1
  }

  /** The next whole frame without its size, or null: feed more, or look at `fault`. */
  next(): Uint8Array | null {
    if (this.peekSize() < 0) return null
    for (;;) {
      const whole = this.#filled === 0 ? this.#wholeFrame() : null
      if (whole !== null) return whole
      if (this.#at >= this.#chunk.length) {
        if (!this.#nextChunk()) return null
        continue
      }
      const frame = this.#collect()
      if (frame !== null) return frame
    }
  }

  /** What comes next may be read to here, and fed as it lies; null: a frame is not worth it, or has not begun. */
  get rest(): Uint8Array | null {
    const end = Math.min(this.#size, this.#body.length)
    if (!READS_WHEN_ASKED || this.hasMore || end - this.#filled < REST_BYTES_MIN) return null
    return this.#body.subarray(this.#filled, end)
  }

  /** The chunk was read to where it belongs. */
  #isInPlace(): boolean {
    const chunk = this.#chunk
    const body = this.#body
    return (
      chunk.buffer === body.buffer && chunk.byteOffset + this.#at === body.byteOffset + this.#filled
    )
  }

  #nextChunk(): boolean {
    const next = this.#waiting.shift()
    this.#chunk = next ?? NOTHING
    this.#at = 0
    return next !== undefined
  }

  /** True once the size is known and sane. */
  #readSize(): boolean {
    const chunk = this.#chunk
    if (this.#prefixBytes === 0 && chunk.length - this.#at >= 4) {
      const at = this.#at
      this.#prefix =
        (chunk[at]! << 24) | (chunk[at + 1]! << 16) | (chunk[at + 2]! << 8) | chunk[at + 3]!
      this.#at = at + 4
    } else {
      while (this.#prefixBytes < 4 && this.#at < chunk.length) {
        this.#prefix = (this.#prefix << 8) | chunk[this.#at++]!
        this.#prefixBytes++
      }
      if (this.#prefixBytes < 4) return false
    }
    const size = this.#prefix
    this.#prefix = 0
    this.#prefixBytes = 0
    if (size < 0) this.#fault = `frame size ${size} is negative`
    else if (size > this.#frameBytesMax) {
      const limit = `frame size ${size} exceeds ${this.#frameBytesMax} (socket.request.max.bytes)`
      this.#fault = limit + looksLike(size)
    } else if (size > this.#ownBytesMax) {
      this.#fault = `frame size ${size} exceeds ${this.#ownBytesMax} (the limit requestBytes of its tenant)`
    } else this.#size = size
    return this.#fault === null
  }

  #wholeFrame(): Uint8Array | null {
    const size = this.#size
    if (this.#chunk.length - this.#at < size) return null
    if (size > POOLED_BYTES_MAX) return this.#collect()
    const frame = Buffer.allocUnsafe(size)
    frame.set(this.#chunk.subarray(this.#at, this.#at + size))
    this.#at += size
    this.#size = -1
    this.#buffer = null
    return frame
  }

  #collect(): Uint8Array | null {
    const take = Math.min(this.#size - this.#filled, this.#chunk.length - this.#at)
    const filled = this.#filled + take
    if (filled > this.#body.length) {
      if (this.#filled === 0) this.#apiKey = apiKeyOf(this.#chunk, this.#at, take)
      const capacity = Math.max(COLLECT_BYTES_MIN, filled * COLLECT_GROWTH)
      const grown = this.#buffers.take(Math.min(this.#size, capacity), this.#apiKey)
      if (this.#filled > 0) {
        copyBytes(grown, 0, this.#body.subarray(0, this.#filled))
        this.#buffers.give(this.#body)
      }
      this.#body = grown
    }
    if (!this.#isInPlace()) {
      copyBytes(this.#body, this.#filled, this.#chunk.subarray(this.#at, this.#at + take))
    }
    this.#at += take
    this.#filled = filled
    if (filled < this.#size) return null
    const frame = this.#body.subarray(0, this.#size)
    this.#buffer = this.#body
    this.#body = NOTHING
    this.#filled = 0
    this.#size = -1
    return frame
  }
}

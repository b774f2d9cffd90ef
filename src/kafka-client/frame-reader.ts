/**
 * Cuts what a socket delivers into response frames: int32 size | size bytes. A frame inside one chunk is a view of it, one
 * that spans chunks is collected in memory of its own.
 */
export class FrameReader {
  readonly #bytesMax: number
  readonly #onFrame: (frame: Buffer) => void
  /** The size of a frame that has begun, while it is not whole itself. */
  readonly #size = Buffer.alloc(4)
  #sizeHave = 0
  #frame: Buffer | null = null
  #have = 0

  constructor(bytesMax: number, onFrame: (frame: Buffer) => void) {
    this.#bytesMax = bytesMax
    this.#onFrame = onFrame
  }

  /** Throws a RangeError for a size that is none, or beyond the limit. */
  push(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#frame !== null) at = this.#fill(this.#frame, chunk, at)
      else at = this.#begin(chunk, at)
    }
  }

  #begin(chunk: Buffer, from: number): number {
    let at = from
    if (this.#sizeHave > 0 || chunk.length - at < 4) {
      const part = Math.min(4 - this.#sizeHave, chunk.length - at)
      chunk.copy(this.#size, this.#sizeHave, at, at + part)
      this.#sizeHave += part
      at += part
      if (this.#sizeHave < 4) return at
      this.#sizeHave = 0
    } else {
      chunk.copy(this.#size, 0, at, at + 4)
      at += 4
    }
    const size = this.#size.readInt32BE(0)
    if (size < 4 || size > this.#bytesMax) {
      throw new RangeError(`a response of ${size} bytes, wanted are 4 to ${this.#bytesMax}`)
    }
    if (chunk.length - at >= size) {
      this.#onFrame(chunk.subarray(at, at + size))
      return at + size
    }
    this.#frame = Buffer.allocUnsafeSlow(size)
    this.#have = 0
    return at
  }

  #fill(frame: Buffer, chunk: Buffer, at: number): number {
    const part = Math.min(frame.length - this.#have, chunk.length - at)
    chunk.copy(frame, this.#have, at, at + part)
    this.#have += part
    if (this.#have === frame.length) {
      this.#frame = null
      this.#onFrame(frame)
    }
    return at + part
  }
}

const SMALLEST_BYTES = 64 * 1024
const CLASSES = 10

/**
 * Buffers that large frames are collected in, in sizes of powers of two, used again by the next frame: fresh memory
 * costs a page fault every 4 KB, which is more than the copy. Only what is free is bounded here; what is in use counts as
 * request in flight. Belongs to the front's thread.
 */
export class FrameBuffers {
  readonly #keptBytesMax: number
  readonly #kept: Uint8Array[][] = Array.from({ length: CLASSES }, () => [])
  #keptBytes = 0

  constructor(keptBytesMax: number) {
    this.#keptBytesMax = keptBytesMax
  }

  get keptBytes(): number {
    return this.#keptBytes
  }

  /** At least `bytes`, whatever is in it. */
  take(bytes: number): Uint8Array {
    const at = classOf(bytes)
    const kept = this.#kept[at]?.pop()
    if (kept === undefined) {
      const made = Buffer.allocUnsafeSlow(at < CLASSES ? SMALLEST_BYTES * 2 ** at : bytes)
      // No Buffer, whose slice() is no copy.
      return new Uint8Array(made.buffer)
    }
    this.#keptBytes -= kept.length
    return kept
  }

  /** Nobody may look at `buffer`, from {@link take}, any more. */
  give(buffer: Uint8Array): void {
    const at = classOf(buffer.length)
    if (at >= CLASSES || this.#keptBytes + buffer.length > this.#keptBytesMax) return
    this.#keptBytes += buffer.length
    this.#kept[at]!.push(buffer)
  }
}

function classOf(bytes: number): number {
  let at = 0
  while (SMALLEST_BYTES * 2 ** at < bytes) at++
  return at
}

/** Frames share slabs of this size, one behind the other; a larger frame has larger ones of its own. */
export const SLAB_BYTES = 16 * 1024
/** Sizes that are used again: powers of two from {@link SLAB_BYTES} on. Larger ones are garbage. */
const CLASSES = 5
/** Of slabs that are free. */
const FREE_BYTES_MAX = 4 * 2 ** 20

/** Memory that frames lie in. */
export interface Slab {
  readonly bytes: Buffer
  /** Those that are held: while there is one, nobody writes where it lies. */
  frames: number
  /** Frames are written there still. */
  isOpen: boolean
}

/**
 * Slabs of one writer, used again once all frames in them have been released: fresh ones are memory outside of V8's heap, which V8 answers with a
 * full collection each 64 MB or sooner, and those stop the thread for milliseconds. A frame that is not released keeps its slabs from being used again; they
 * go as garbage.
 */
export class FrameSlabs {
  readonly #free: Slab[][] = Array.from({ length: CLASSES }, () => [])
  #freeBytes = 0

  get freeBytes(): number {
    return this.#freeBytes
  }

  /** At least `bytes`, open, with no frames in it and whatever else. */
  take(bytes: number): Slab {
    const at = classOf(bytes)
    const free = this.#free[at]?.pop()
    if (free !== undefined) {
      this.#freeBytes -= free.bytes.length
      free.isOpen = true
      return free
    }
    const size = at < CLASSES ? SLAB_BYTES * 2 ** at : bytes
    return { bytes: Buffer.allocUnsafeSlow(size), frames: 0, isOpen: true }
  }

  /** No more frames are written to it. */
  leave(slab: Slab): void {
    slab.isOpen = false
    if (slab.frames === 0) this.#keep(slab)
  }

  /** One of its frames is no longer held. */
  release(slab: Slab): void {
    if (--slab.frames === 0 && !slab.isOpen) this.#keep(slab)
  }

  releaseAll(slabs: readonly Slab[] | null): void {
    if (slabs !== null) for (const slab of slabs) this.release(slab)
  }

  #keep(slab: Slab): void {
    const { length } = slab.bytes
    const at = classOf(length)
    if (at >= CLASSES || this.#freeBytes + length > FREE_BYTES_MAX) return
    this.#freeBytes += length
    this.#free[at]!.push(slab)
  }
}

function classOf(bytes: number): number {
  let at = 0
  while (SLAB_BYTES * 2 ** at < bytes) at++
  return at
}

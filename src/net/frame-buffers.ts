const SMALLEST_BYTES = 8 * 1024
const CLASSES = 13
/** Smaller frames are copied sooner than a place in shared memory is found for them. */
const SHARED_FROM_BYTES = 16 * 1024

/** Memory that the threads see to which a frame's bytes are going: handed over as it is, they need no copy. */
export interface SharedFrames {
  /** Whether frames of this API may lie there: whoever handles them either holds them or is done with them at once. */
  takes(apiKey: number): boolean
  /** At least `bytes`, whatever is in it; null when there is none to be had now. */
  allocate(bytes: number): Uint8Array | null
  /** False for a buffer that is not from there. */
  free(buffer: Uint8Array): boolean
}

/**
 * Buffers that large frames are collected in, in sizes of powers of two, used again by the next frame: fresh memory
 * costs a page fault every 4 KB, which is more than the copy. Only what is free is bounded here; what is in use counts as
 * request in flight. Belongs to the front's thread.
 */
export class FrameBuffers {
  readonly #keptBytesMax: number
  readonly #shared: SharedFrames | null
  readonly #kept: Uint8Array[][] = Array.from({ length: CLASSES }, () => [])
  #keptBytes = 0

  constructor(keptBytesMax: number, shared: SharedFrames | null = null) {
    this.#keptBytesMax = keptBytesMax
    this.#shared = shared
  }

  get keptBytes(): number {
    return this.#keptBytes
  }

  /** At least `bytes` for a frame of `apiKey` (−1: not known yet), whatever is in it. */
  take(bytes: number, apiKey: number): Uint8Array {
    if (bytes >= SHARED_FROM_BYTES && this.#shared?.takes(apiKey)) {
      const shared = this.#shared.allocate(bytes)
      if (shared !== null) return shared
    }
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
    if (isShared(buffer) && this.#shared?.free(buffer)) return
    const at = classOf(buffer.length)
    if (at >= CLASSES || this.#keptBytes + buffer.length > this.#keptBytesMax) return
    this.#keptBytes += buffer.length
    this.#kept[at]!.push(buffer)
  }
}

/** Whether it lies in memory that other threads see: then it must be given back, or that is lost. */
export const isShared = (buffer: Uint8Array): boolean => buffer.buffer instanceof SharedArrayBuffer

function classOf(bytes: number): number {
  let at = 0
  while (SMALLEST_BYTES * 2 ** at < bytes) at++
  return at
}

const SMALLEST_BYTES = 16 * 1024
const CLASSES = 12

/**
 * Buffers for file reads, in sizes of powers of two from 16 KB, used again: what is kept for later and what is out
 * both count against `capacityBytes`. Belongs to one thread.
 */
export class BufferPool {
  readonly capacityBytes: number
  readonly #kept: Uint8Array[][] = Array.from({ length: CLASSES }, () => [])
  #keptBytes = 0
  #outBytes = 0

  constructor(capacityBytes: number) {
    this.capacityBytes = capacityBytes
  }

  /** Bytes of buffers that have been taken and not given back. */
  get outBytes(): number {
    return this.#outBytes
  }

  get keptBytes(): number {
    return this.#keptBytes
  }

  /** Bytes that may still be taken before the pool is over its capacity. */
  get roomBytes(): number {
    return Math.max(0, this.capacityBytes - this.#outBytes)
  }

  /** A buffer of at least `bytes`, whatever is in it. Never refuses: who takes beyond the capacity looks at `roomBytes` first. */
  take(bytes: number): Uint8Array {
    const kept = this.#kept[classOf(bytes)]?.pop()
    if (kept !== undefined) {
      this.#keptBytes -= kept.length
      this.#outBytes += kept.length
      return kept
    }
    const at = classOf(bytes)
    // No Buffer, whose slice() is no copy.
    const made = new Uint8Array(
      Buffer.allocUnsafeSlow(at < CLASSES ? SMALLEST_BYTES * 2 ** at : bytes).buffer,
    )
    this.#outBytes += made.length
    this.#trim()
    return made
  }

  give(buffer: Uint8Array): void {
    this.#outBytes -= buffer.length
    const at = classOf(buffer.length)
    if (at >= CLASSES || this.#keptBytes + this.#outBytes + buffer.length > this.capacityBytes)
      return
    this.#keptBytes += buffer.length
    this.#kept[at]!.push(buffer)
  }

  /** Lets go of what is kept, largest first, while both together are over the capacity. */
  #trim(): void {
    for (let at = CLASSES - 1; at >= 0; at--) {
      const kept = this.#kept[at]!
      while (kept.length > 0 && this.#keptBytes + this.#outBytes > this.capacityBytes) {
        this.#keptBytes -= kept.pop()!.length
      }
    }
  }
}

function classOf(bytes: number): number {
  let at = 0
  while (SMALLEST_BYTES * 2 ** at < bytes) at++
  return at
}

import { InvariantError, invariant } from '../base/assert.ts'
import type { Region } from './region.ts'

/** Bytes of the smallest block. */
export const ARENA_BLOCK_MIN = 16 * 1024

export interface ArenaOptions {
  /** Address space, a multiple of 16 KB: what was never handed out costs no memory. */
  readonly capacityBytes: number
  /** Most bytes handed out at a time; the capacity unless given. */
  readonly budgetBytes?: number
  /** Largest block, a power of two; 64 MB unless given. */
  readonly blockBytesMax?: number
  /** The buffer, of at least the capacity, when other threads must know it beforehand; a new one unless given. */
  readonly sab?: SharedArrayBuffer
}

/**
 * Buddy allocator of regions from one large shared buffer, on the one thread that owns it. Its books are on that
 * thread's heap: nothing of the allocator itself is shared, so it has no layout.
 *
 * A complete binary tree over the 16 KB leaves holds, per node, the largest free block below it; going left
 * whenever that suffices finds the lowest address that fits, so blocks touched before are used again before new
 * pages are. Both operations cost the depth of the tree.
 */
export class Arena {
  readonly sab: SharedArrayBuffer
  readonly capacityBytes: number
  readonly budgetBytes: number
  readonly #levels: number
  /** Per tree node: 1 + order of the largest free block below, 0 if none. Node 1 is the root. */
  readonly #free: Uint8Array
  /** Per leaf: 1 + order of the block handed out that starts here, 0 if none does. */
  readonly #held: Uint8Array
  readonly #orderMax: number
  #usedBytes = 0

  constructor(options: ArenaOptions) {
    const { capacityBytes, blockBytesMax = 64 * 2 ** 20 } = options
    invariant(
      capacityBytes >= ARENA_BLOCK_MIN && capacityBytes % ARENA_BLOCK_MIN === 0,
      'arena capacity must be a multiple of 16 KB',
    )
    invariant(
      (options.sab?.byteLength ?? capacityBytes) >= capacityBytes,
      'arena: the buffer given is too small',
    )
    this.sab = options.sab ?? new SharedArrayBuffer(capacityBytes)
    this.capacityBytes = capacityBytes
    this.budgetBytes = Math.min(options.budgetBytes ?? capacityBytes, capacityBytes)
    const leaves = capacityBytes / ARENA_BLOCK_MIN
    this.#levels = Math.ceil(Math.log2(leaves))
    this.#orderMax = Math.min(orderOf(blockBytesMax), this.#levels)
    this.#held = new Uint8Array(leaves)
    const width = 2 ** this.#levels
    this.#free = new Uint8Array(2 * width)
    this.#free.fill(1, width, width + leaves)
    for (let order = 1; order <= this.#levels; order++) {
      for (let node = width >> order; node < width >> (order - 1); node++) this.#merge(node, order)
    }
  }

  get usedBytes(): number {
    return this.#usedBytes
  }

  /** The size of the block that a request for `bytes` takes. */
  static blockBytes(bytes: number): number {
    return ARENA_BLOCK_MIN << orderOf(bytes)
  }

  /** A block of at least `bytes` (its `byteLength` is the whole block), not zeroed; null when none is free or the budget is spent. */
  allocate(bytes: number): Region | null {
    invariant(bytes > 0, 'an empty block')
    const order = orderOf(bytes)
    if (order > this.#orderMax || this.#free[1]! <= order) return null
    const byteLength = ARENA_BLOCK_MIN << order
    if (this.#usedBytes + byteLength > this.budgetBytes) return null
    const free = this.#free
    let node = 1
    for (let at = this.#levels; at > order; at--) {
      node *= 2
      if (free[node]! <= order) node++
    }
    free[node] = 0
    const leaf = (node << order) - 2 ** this.#levels
    this.#held[leaf] = order + 1
    this.#usedBytes += byteLength
    this.#mergeUp(node, order)
    return { sab: this.sab, byteOffset: leaf * ARENA_BLOCK_MIN, byteLength }
  }

  /** Takes a block back. Throws {@link InvariantError} for one that is not held, is not ours or has another size. */
  free(region: Region): void {
    const leaf = region.byteOffset / ARENA_BLOCK_MIN
    const order = (this.#held[leaf] ?? 0) - 1
    if (region.sab !== this.sab || order < 0 || region.byteLength !== ARENA_BLOCK_MIN << order) {
      throw new InvariantError(
        `arena: freed a block that is not held: ${region.byteLength} bytes at ${region.byteOffset}`,
      )
    }
    this.#held[leaf] = 0
    this.#usedBytes -= region.byteLength
    const node = (2 ** this.#levels + leaf) >> order
    this.#free[node] = order + 1
    this.#mergeUp(node, order)
  }

  #mergeUp(from: number, fromOrder: number): void {
    for (let node = from >> 1, order = fromOrder + 1; node >= 1; node >>= 1, order++) {
      this.#merge(node, order)
    }
  }

  /** Two wholly free buddies are one free block; otherwise the larger of what the two have. */
  #merge(node: number, order: number): void {
    const left = this.#free[2 * node]!
    const right = this.#free[2 * node + 1]!
    this.#free[node] = left === order && right === order ? order + 1 : Math.max(left, right)
  }
}

/** The order whose blocks of 16 KB × 2^order hold `bytes`. */
function orderOf(bytes: number): number {
  let order = 0
  while (ARENA_BLOCK_MIN * 2 ** order < bytes) order++
  return order
}

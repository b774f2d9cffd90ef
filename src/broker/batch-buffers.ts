/**
 * Batches too large for a command ring, held by (front, buffer id) until their PRODUCE comes. Bounded per front: beyond, the
 * oldest is forgotten, and its PRODUCE is refused.
 */
export class BatchBuffers {
  readonly #held = new Map<string, Map<number, SharedArrayBuffer>>()
  readonly #heldMax: number

  constructor(heldMax: number) {
    this.#heldMax = heldMax
  }

  /** How many are held, over all fronts. */
  get size(): number {
    let size = 0
    for (const buffers of this.#held.values()) size += buffers.size
    return size
  }

  /** Returns the id of the buffer that was forgotten for want of room, or −1. */
  put(peer: string, bufferId: number, sab: SharedArrayBuffer): number {
    let buffers = this.#held.get(peer)
    if (buffers === undefined) {
      buffers = new Map()
      this.#held.set(peer, buffers)
    }
    let forgotten = -1
    if (buffers.size >= this.#heldMax) {
      for (const oldest of buffers.keys()) {
        forgotten = oldest
        break
      }
      buffers.delete(forgotten)
    }
    buffers.set(bufferId, sab)
    return forgotten
  }

  take(peer: string, bufferId: number): SharedArrayBuffer | undefined {
    const buffers = this.#held.get(peer)
    const sab = buffers?.get(bufferId)
    buffers?.delete(bufferId)
    return sab
  }
}

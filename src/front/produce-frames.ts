import type { SharedFrames } from '../net/frame-buffers.ts'
import { produce } from '../protocol/00-produce.ts'
import { Arena } from '../shared/arena.ts'

/**
 * Memory for the frames of large produce requests that brokers see: a batch goes to its broker without a copy. A frame is
 * written once, before anybody hears of it, so what a client sends cannot change under a broker's checks; it is held until
 * every batch in it is answered. On the front's thread.
 */
export class ProduceFrames implements SharedFrames {
  readonly #arena: Arena

  constructor(sab: SharedArrayBuffer) {
    this.#arena = new Arena({ capacityBytes: sab.byteLength, sab })
  }

  get usedBytes(): number {
    return this.#arena.usedBytes
  }

  takes(apiKey: number): boolean {
    return apiKey === produce.key
  }

  allocate(bytes: number): Uint8Array | null {
    const region = this.#arena.allocate(bytes)
    return region === null ? null : new Uint8Array(region.sab, region.byteOffset, region.byteLength)
  }

  free({ buffer, byteOffset, byteLength }: Uint8Array): boolean {
    const { sab } = this.#arena
    if (buffer !== sab) return false
    this.#arena.free({ sab, byteOffset, byteLength })
    return true
  }
}

import type { SocketLike } from '../../src/net/socket-like.ts'

interface Queued {
  readonly bytes: Uint8Array
  readonly done: (() => void) | undefined
}

/** A socket whose kernel takes everything at once, or nothing until told: what is queued is read when it leaves. */
export class FakeSocket implements SocketLike {
  destroyed = false
  paused = false
  /** The kernel takes nothing: what is written waits in user space. */
  blocked = false
  /** Calls of write since the beginning. */
  writes = 0
  readonly #onBytes: (bytes: Uint8Array) => void
  readonly #onClose: () => void
  readonly #queue: Queued[] = []

  constructor(onBytes: (bytes: Uint8Array) => void, onClose: () => void) {
    this.#onBytes = onBytes
    this.#onClose = onClose
  }

  get writableLength(): number {
    return this.#queue.reduce((sum, { bytes }) => sum + bytes.length, 0)
  }

  write(bytes: Uint8Array, done?: () => void): boolean {
    this.writes++
    if (this.destroyed) return false
    if (this.blocked || this.#queue.length > 0) {
      this.#queue.push({ bytes, done })
      return false
    }
    this.#onBytes(bytes.slice())
    done?.()
    return true
  }

  /** The kernel takes what is queued. */
  drain(): void {
    this.blocked = false
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      this.#onBytes(next.bytes.slice())
      next.done?.()
    }
  }

  cork(): void {}
  uncork(): void {}

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
  }

  destroy(): void {
    if (this.destroyed) return
    this.destroyed = true
    this.#queue.length = 0
    this.#onClose()
  }
}

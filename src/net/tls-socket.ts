/** A socket of TLS as connections see it. On the front's thread. */
import type { TLSSocket } from 'node:tls'
import type { SocketLike } from './socket-like.ts'

/** So long the end may take where nothing is in its way. */
const END_MS = 1_000

/** Ends as TLS wants it: clients take a bare end of TCP for a fault (librdkafka: `unexpected eof while reading`). */
export class TlsConnectionSocket implements SocketLike {
  readonly #socket: TLSSocket
  #isEnding = false

  constructor(socket: TLSSocket) {
    this.#socket = socket
  }

  get writableLength(): number {
    return this.#socket.writableLength
  }

  get destroyed(): boolean {
    return this.#isEnding || this.#socket.destroyed
  }

  write(bytes: Uint8Array, done?: () => void): boolean {
    return this.#socket.write(bytes, done)
  }

  cork(): void {
    this.#socket.cork()
  }

  uncork(): void {
    this.#socket.uncork()
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  /** Who has not taken what it was sent gets no end either. */
  destroy(): void {
    const socket = this.#socket
    if (this.#isEnding) return
    this.#isEnding = true
    if (socket.destroyed || socket.writableLength > 0) {
      socket.destroy()
      return
    }
    const timer = setTimeout(() => socket.destroy(), END_MS)
    socket.end(() => {
      clearTimeout(timer)
      socket.destroy()
    })
  }
}

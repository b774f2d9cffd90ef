/** Responses that their clients have not taken yet: bounded in bytes over all connections, and in how long nothing of them goes. */
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { HttpLimits } from './http-interface.ts'
import type { RateLimitedLog } from './rate-limited-log.ts'

/** What is handed to the socket at a time. One piece gone is progress; the kernel takes the next when a megabyte or so was read. */
const PIECE_BYTES = 64 * 1024
const LOOKS_PER_TIMEOUT = 4

/** What one connection has not taken. */
interface Unsent {
  bytes: number
  /** When something of it went last, or nothing was there to go. */
  movedAtMs: number
  readonly responses: Set<ServerResponse>
}

export class UnsentResponses {
  readonly #limits: HttpLimits
  readonly #log: RateLimitedLog
  readonly #timer: NodeJS.Timeout
  /** Who began to hold first stands first. */
  readonly #bySocket = new Map<Socket, Unsent>()
  /** Those that tell when they close: once, however many responses they take. */
  readonly #watched = new WeakSet<Socket>()
  #bytes = 0

  constructor(limits: HttpLimits, log: RateLimitedLog) {
    this.#limits = limits
    this.#log = log
    const everyMs = limits.unreadTimeoutMs / LOOKS_PER_TIMEOUT
    this.#timer = setInterval(() => this.#cutStuck(), everyMs).unref()
  }

  /** Sends `body` as the rest of `response`, whose headers are given; who does not take it loses its connection. */
  send(response: ServerResponse, socket: Socket, body: Uint8Array): void {
    this.#count(response, socket, body.length)
    const piece = (from: number) => {
      const rest = body.subarray(from)
      if (rest.length <= PIECE_BYTES) {
        response.end(rest, () => this.#forget(response, socket, rest.length))
        return
      }
      response.write(rest.subarray(0, PIECE_BYTES), (error) => {
        if (error) return
        this.#forget(null, socket, PIECE_BYTES)
        piece(from + PIECE_BYTES)
      })
    }
    piece(0)
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #count(response: ServerResponse, socket: Socket, bytes: number): void {
    let unsent = this.#bySocket.get(socket)
    if (unsent === undefined) {
      unsent = { bytes: 0, movedAtMs: performance.now(), responses: new Set() }
      this.#bySocket.set(socket, unsent)
      this.#watch(socket)
    }
    unsent.bytes += bytes
    unsent.responses.add(response)
    this.#bytes += bytes
    this.#makeRoom(socket, unsent)
  }

  #watch(socket: Socket): void {
    if (this.#watched.has(socket)) return
    this.#watched.add(socket)
    socket.once('close', () => this.#drop(socket))
  }

  #forget(response: ServerResponse | null, socket: Socket, bytes: number): void {
    const unsent = this.#bySocket.get(socket)
    if (unsent === undefined) return
    unsent.bytes -= bytes
    this.#bytes -= bytes
    unsent.movedAtMs = performance.now()
    if (response !== null) unsent.responses.delete(response)
    if (unsent.responses.size === 0) this.#bySocket.delete(socket)
  }

  /** The longest holders go, then `newest` itself where it holds more than one response: a single one may be as large as it is. */
  #makeRoom(newest: Socket, { responses }: Unsent): void {
    const { unsentBytesMax } = this.#limits
    for (const socket of this.#bySocket.keys()) {
      if (this.#bytes <= unsentBytesMax) return
      if (socket !== newest) this.#cut(socket)
    }
    if (this.#bytes > unsentBytesMax && responses.size > 1) this.#cut(newest)
  }

  #cutStuck(): void {
    const nowMs = performance.now()
    for (const [socket, unsent] of this.#bySocket) {
      // it waits for one before it that is still being made
      const isHeldUp = [...unsent.responses].every((response) => response.socket === null)
      if (isHeldUp) unsent.movedAtMs = nowMs
      if (nowMs - unsent.movedAtMs >= this.#limits.unreadTimeoutMs) this.#cut(socket)
    }
  }

  #cut(socket: Socket): void {
    const bytes = this.#bySocket.get(socket)?.bytes ?? 0
    this.#log.log('warn', 'HTTP connection closed: it does not read its responses', {
      client: socket.remoteAddress ?? '?',
      bytes,
    })
    this.#drop(socket)
    socket.destroy()
  }

  #drop(socket: Socket): void {
    this.#bytes -= this.#bySocket.get(socket)?.bytes ?? 0
    this.#bySocket.delete(socket)
  }
}

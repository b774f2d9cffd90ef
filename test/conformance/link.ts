/** One connection that sends exact frames and tells what came of each: an answer, the end of the connection, or silence. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export type Outcome =
  | { readonly kind: 'answer'; readonly frame: Buffer }
  | { readonly kind: 'closed' }
  | { readonly kind: 'silent' }

interface Waiting {
  readonly correlationId: number
  readonly settle: (outcome: Outcome) => void
}

export class Link {
  readonly #socket: Socket
  readonly #waiting: Waiting[] = []
  #received = Buffer.alloc(0)
  #isOpen = true

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk) => this.#take(chunk))
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#isOpen = false
      for (const { settle } of this.#waiting.splice(0)) settle({ kind: 'closed' })
    })
  }

  static async open(bootstrap: string): Promise<Link> {
    const [host, port] = bootstrap.split(':') as [string, string]
    const socket = connect({ host, port: Number(port), noDelay: true })
    await once(socket, 'connect')
    return new Link(socket)
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  /** Sends without waiting for anything. */
  write(frame: Uint8Array): void {
    this.#socket.write(frame)
  }

  /** Sends `frame` and resolves with what came of it; after `timeoutMs` of silence the connection is given up. */
  exchange(frame: Uint8Array, correlationId: number, timeoutMs: number): Promise<Outcome> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        resolve({ kind: 'silent' })
        this.close()
      }, timeoutMs)
      const settle = (outcome: Outcome) => {
        clearTimeout(timer)
        resolve(outcome)
      }
      if (!this.#isOpen) {
        settle({ kind: 'closed' })
        return
      }
      this.#waiting.push({ correlationId, settle })
      this.#socket.write(frame)
    })
  }

  close(): void {
    this.#isOpen = false
    this.#socket.destroy()
  }

  #take(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk])
    while (this.#received.length >= 4) {
      const size = 4 + this.#received.readInt32BE(0)
      if (this.#received.length < size) return
      const frame = this.#received.subarray(4, size)
      this.#received = this.#received.subarray(size)
      const correlationId = frame.readInt32BE(0)
      const at = this.#waiting.findIndex((one) => one.correlationId === correlationId)
      if (at >= 0) this.#waiting.splice(at, 1)[0]!.settle({ kind: 'answer', frame })
    }
  }
}

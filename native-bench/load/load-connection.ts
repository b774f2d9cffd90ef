/** A connection for the load itself: frames go out as they are, answers are read where they lie. */
import { connect, type Socket } from 'node:net'
import {
  type ClientSecurity,
  KafkaConnection,
  NO_SECURITY,
} from '../../src/kafka-client/connection.ts'
import { CONNECTION_OPTIONS } from './cluster.ts'
import type { Leader } from './messages.ts'

const INITIAL_BYTES = 64 << 10
/** A broker sends no more than a fetch asks for; beyond this it is no Kafka. */
const FRAME_BYTES_MAX = 2 ** 30 + (64 << 20)

export interface LoadConnectionEvents {
  /** An answer without its size, of this length; valid until it returns. Called in the order of requests. */
  onAnswer(memory: Buffer, at: number, length: number): void
  onFailure(error: Error): void
}

/** Opens connections as a run does. */
export type Connect = (leader: Leader, events: LoadConnectionEvents) => Promise<LoadConnection>

export class LoadConnection {
  readonly #where: string
  readonly #events: LoadConnectionEvents
  #socket!: Socket
  #memory = Buffer.allocUnsafeSlow(INITIAL_BYTES)
  #filled = 0
  #isClosed = false
  #queue: Uint8Array[] = []

  private constructor(leader: Leader, events: LoadConnectionEvents) {
    this.#where = `${leader.host}:${leader.port}`
    this.#events = events
  }

  /** Rejects when nobody listens there, or the login is refused; that is not renewed. */
  static async open(
    leader: Leader,
    events: LoadConnectionEvents,
    security: ClientSecurity = NO_SECURITY,
  ): Promise<LoadConnection> {
    if (security.tls === null && security.sasl === null) {
      return await LoadConnection.#openPlain(leader, events)
    }
    const logged = await KafkaConnection.open(leader, { ...CONNECTION_OPTIONS, security })
    const connection = new LoadConnection(leader, events)
    connection.#use(logged.release())
    connection.#socket.on('data', (bytes: Buffer) => connection.#copy(bytes))
    return connection
  }

  static #openPlain(leader: Leader, events: LoadConnectionEvents): Promise<LoadConnection> {
    return new Promise((resolve, reject) => {
      let isOpen = false
      const connection: LoadConnection = new LoadConnection(leader, {
        onAnswer: (memory, at, length) => events.onAnswer(memory, at, length),
        onFailure: (error) => (isOpen ? events.onFailure(error) : reject(error)),
      })
      const socket = connect({
        host: leader.host,
        port: leader.port,
        noDelay: true,
        onread: {
          // each read goes where the frame is put together: no copy, however large it is
          buffer: () => connection.#memory.subarray(connection.#filled),
          callback: (length: number) => {
            connection.#take(length)
            return true
          },
        },
      })
      connection.#use(socket)
      socket.once('connect', () => {
        isOpen = true
        resolve(connection)
      })
    })
  }

  #use(socket: Socket): void {
    this.#socket = socket
    socket.on('error', (error: NodeJS.ErrnoException) => this.#fail(reasonOf(error)))
    socket.on('close', () => this.#fail('the broker closed the connection'))
  }

  /** TLS has memory of its own. */
  #copy(bytes: Buffer): void {
    for (let at = 0; at < bytes.length && !this.#isClosed; ) {
      const length = bytes.copy(this.#memory, this.#filled, at)
      at += length
      this.#take(length)
    }
  }

  /** Goes out with the next flush(). The bytes must stay as they are until the answer came. */
  send(frame: Uint8Array): void {
    this.#queue.push(frame)
  }

  /** What was sent since, in one write. `done` once the system has taken it all. */
  flush(done?: () => void): void {
    const queue = this.#queue
    if (queue.length === 0) return
    this.#queue = []
    if (queue.length === 1) {
      this.#socket.write(queue[0]!, done)
      return
    }
    this.#socket.cork()
    for (let i = 0; i < queue.length - 1; i++) this.#socket.write(queue[i]!)
    this.#socket.write(queue.at(-1)!, done)
    this.#socket.uncork()
  }

  close(): void {
    this.#isClosed = true
    this.#socket.destroy()
  }

  #fail(message: string): void {
    if (this.#isClosed) return
    this.close()
    this.#events.onFailure(new Error(`${this.#where}: ${message}`))
  }

  #take(length: number): void {
    this.#filled += length
    let at = 0
    while (this.#filled - at >= 4) {
      const size = this.#memory.readInt32BE(at)
      if (size < 4 || size > FRAME_BYTES_MAX) {
        this.#fail(`what answers is no Kafka broker: a frame of ${size} bytes`)
        return
      }
      if (this.#filled - at < 4 + size) break
      this.#events.onAnswer(this.#memory, at + 4, size)
      if (this.#isClosed) return
      at += 4 + size
    }
    this.#makeRoom(at)
  }

  /** Moves what is left to the front, and sees to it that the frame that it begins has room, and that there is some at all. */
  #makeRoom(from: number): void {
    const left = this.#filled - from
    const size = left >= 4 ? 4 + this.#memory.readInt32BE(from) : 0
    const needed = Math.max(size, left + 1)
    if (needed > this.#memory.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#memory.length * 2))
      this.#memory.copy(larger, 0, from, this.#filled)
      this.#memory = larger
    } else if (from > 0 && left > 0) {
      this.#memory.copyWithin(0, from, this.#filled)
    }
    this.#filled = left
  }
}

/** A write that was on its way sees that a broker has gone before the end of the connection is read. */
function reasonOf({ code, message }: NodeJS.ErrnoException): string {
  const isGone = code === 'ECONNRESET' || code === 'EPIPE'
  return isGone ? `the broker closed the connection (${message})` : message
}

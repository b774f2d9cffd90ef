/** A Kafka connection with as little of its own between the bench and the broker as possible. */
import { connect, type Socket } from 'node:net'
import type { Api, RequestInputOf, ResponseOf } from '../../src/protocol/api.ts'
import { decodeResponse, encodeRequest } from '../../src/protocol/codec.ts'

type OnFrame = (frame: Uint8Array) => void

/**
 * One connection: requests go out as given, answers come back in order. A frame handed to a caller is only valid until
 * it returns, since the next one is read into the same memory.
 */
export class WireClient {
  readonly #socket: Socket
  readonly #waiting: OnFrame[] = []
  #head = 0
  #frame = Buffer.allocUnsafe(1 << 20)
  /** Bytes of the frame (with its size prefix) collected so far. */
  #have = 0
  #correlation = 0
  bytesIn = 0

  private constructor(socket: Socket) {
    this.#socket = socket
  }

  static open(host: string, port: number): Promise<WireClient> {
    return new Promise((resolve, reject) => {
      let client: WireClient
      const buffer = Buffer.allocUnsafe(1 << 20)
      const socket = connect({
        host,
        port,
        noDelay: true,
        onread: {
          buffer,
          callback: (length) => {
            client.#take(buffer.subarray(0, length))
            return true
          },
        },
      })
      client = new WireClient(socket)
      socket.once('error', reject)
      socket.once('connect', () => resolve(client))
    })
  }

  get outstanding(): number {
    return this.#waiting.length - this.#head
  }

  /** Sends a whole frame, already encoded with its size prefix. */
  sendFrame(frame: Uint8Array, onFrame: OnFrame): void {
    this.#waiting.push(onFrame)
    this.#socket.write(frame)
  }

  request<A extends Api>(
    api: A,
    version: number,
    request: RequestInputOf<A>,
  ): Promise<ResponseOf<A>> {
    const { chunks } = encodeRequest(api, version, this.#correlation++, 'griot-bench', request)
    const frame = Buffer.concat(chunks)
    return new Promise((resolve, reject) => {
      this.sendFrame(frame, (answer) => {
        try {
          resolve(decodeResponse(api, version, Uint8Array.from(answer)).response)
        } catch (error) {
          reject(error)
        }
      })
    })
  }

  close(): void {
    this.#socket.destroy()
  }

  #take(chunk: Buffer): void {
    this.bytesIn += chunk.length
    let at = 0
    while (at < chunk.length) {
      if (this.#have < 4) {
        const part = Math.min(4 - this.#have, chunk.length - at)
        chunk.copy(this.#frame, this.#have, at, at + part)
        this.#have += part
        at += part
        if (this.#have < 4) return
        this.#makeRoom(4 + this.#frame.readInt32BE(0))
      }
      const size = 4 + this.#frame.readInt32BE(0)
      const part = Math.min(size - this.#have, chunk.length - at)
      chunk.copy(this.#frame, this.#have, at, at + part)
      this.#have += part
      at += part
      if (this.#have < size) return
      this.#have = 0
      this.#answer(this.#frame.subarray(4, size))
    }
  }

  #makeRoom(size: number): void {
    if (size <= this.#frame.length) return
    const larger = Buffer.allocUnsafe(size * 2)
    this.#frame.copy(larger, 0, 0, 4)
    this.#frame = larger
  }

  #answer(frame: Uint8Array): void {
    const onFrame = this.#waiting[this.#head++]!
    if (this.#head > 1024) {
      this.#waiting.splice(0, this.#head)
      this.#head = 0
    }
    onFrame(frame)
  }
}

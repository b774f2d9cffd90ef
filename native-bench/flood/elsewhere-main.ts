/**
 * What floods go to with `--elsewhere`: a process that answers each frame with next to nothing, on Node's own sockets, prints its
 * port and goes on until its standard input ends. What another process sees beside it is the machine's doing.
 */
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { saslAuthenticate } from '../../src/protocol/36-sasl-authenticate.ts'

const SIZE_BYTES = 4
/** Up to here a frame is looked at: its size, API key, version and correlation id. */
const HEAD_BYTES = 12

class Client {
  readonly #socket: Socket
  readonly #head = Buffer.alloc(HEAD_BYTES)
  #have = 0
  #skip = 0

  constructor(socket: Socket) {
    this.#socket = socket
  }

  take(chunk: Buffer): void {
    const answers: Buffer[] = []
    for (let at = 0; at < chunk.length && !this.#socket.destroyed; ) {
      if (this.#have < HEAD_BYTES) {
        const took = chunk.copy(this.#head, this.#have, at)
        this.#have += took
        at += took
        if (this.#have < HEAD_BYTES) break
        this.#skip = this.#head.readInt32BE(0) + SIZE_BYTES - HEAD_BYTES
      }
      const took = Math.min(this.#skip, chunk.length - at)
      this.#skip -= took
      at += took
      if (this.#skip === 0) answers.push(this.#answer())
    }
    if (answers.length > 0 && !this.#socket.destroyed) this.#socket.write(Buffer.concat(answers))
  }

  /** The frame that has ended; those that a broker closes a connection for, it closes, too. */
  #answer(): Buffer {
    this.#have = 0
    const isBroken = this.#head.readInt32BE(0) === 9
    if (isBroken || this.#head.readInt16BE(SIZE_BYTES) === saslAuthenticate.key) {
      this.#socket.destroy()
    }
    const answer = Buffer.alloc(2 * SIZE_BYTES)
    answer.writeInt32BE(SIZE_BYTES)
    this.#head.copy(answer, SIZE_BYTES, 8)
    return answer
  }
}

const server = createServer({ noDelay: true }, (socket) => {
  const client = new Client(socket)
  socket.on('data', (chunk) => client.take(chunk))
  socket.on('error', () => {})
})
server.listen({ host: '127.0.0.1', port: 0, backlog: 1024 }, () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`)
})
process.stdin.resume()
process.stdin.once('end', () => process.exit())

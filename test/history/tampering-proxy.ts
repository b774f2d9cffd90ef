/** A relay between a client and a broker that breaks a promise of the broker's, once, when it is asked to. */
import { connect, createServer, type Server, type Socket } from 'node:net'
import { fetch as fetchApi } from '../../src/protocol/01-fetch.ts'
import { decodeResponse } from '../../src/protocol/codec.ts'

const PRODUCE = 0
const FETCH = 1

export type Tampering =
  /** A produce is answered as the one before it was, and goes nowhere. */
  | 'forge an acknowledgement'
  /** A produce reaches the broker twice. */
  | 'send twice'
  /** A produce is written, and the connection lost instead of the answer. */
  | 'lose an answer'
  /** Of a fetch the first batch comes with an offset that is one too high. */
  | 'shift a fetch'
  /** Of a fetch the first batch is left out, where more follow. */
  | 'leave out a batch'

/** Takes whole frames, their size included, out of a stream. */
class Frames {
  #rest: Buffer = Buffer.alloc(0)

  take(chunk: Buffer): Buffer[] {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    const frames: Buffer[] = []
    while (this.#rest.length >= 4) {
      const size = 4 + this.#rest.readInt32BE(0)
      if (this.#rest.length < size) break
      frames.push(this.#rest.subarray(0, size))
      this.#rest = this.#rest.subarray(size)
    }
    return frames
  }
}

interface Asked {
  readonly key: number
  readonly version: number
}

export class TamperingProxy {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #armed: Tampering | null = null
  /** How often it did what it was asked. */
  done = 0

  private constructor(port: number, targetPort: number) {
    this.#server = createServer((client) => this.#relay(client, targetPort))
    this.#server.listen(port, '127.0.0.1')
  }

  static async start(port: number, targetPort: number): Promise<TamperingProxy> {
    const proxy = new TamperingProxy(port, targetPort)
    await new Promise((resolve) => proxy.#server.once('listening', resolve))
    return proxy
  }

  /** From the next request or answer that it can be done to. */
  arm(tampering: Tampering): void {
    this.#armed = tampering
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  /** True once. */
  #fires(tampering: Tampering): boolean {
    if (this.#armed !== tampering) return false
    this.#armed = null
    this.done++
    return true
  }

  #relay(client: Socket, targetPort: number): void {
    const server = connect({ host: '127.0.0.1', port: targetPort, noDelay: true })
    client.setNoDelay()
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(one)
      one.on('error', () => {})
      one.on('close', () => {
        this.#sockets.delete(one)
        other.destroy()
      })
    }
    const asked = new Map<number, Asked>()
    const swallowed = new Set<number>()
    let isLosing = false
    let lastProduced: Buffer | null = null
    const requests = new Frames()
    client.on('data', (chunk) => {
      for (const frame of requests.take(chunk)) {
        const [key, correlation] = [frame.readInt16BE(4), frame.readInt32BE(8)]
        asked.set(correlation, { key, version: frame.readInt16BE(6) })
        if (key === PRODUCE && lastProduced !== null && this.#fires('forge an acknowledgement')) {
          const forged = Buffer.from(lastProduced)
          forged.writeInt32BE(correlation, 4)
          client.write(forged)
          continue
        }
        server.write(frame)
        if (key === PRODUCE && this.#fires('send twice')) {
          const again = Buffer.from(frame)
          // of a correlation that no client comes to
          again.writeInt32BE(-2, 8)
          swallowed.add(-2)
          server.write(again)
        }
        if (key === PRODUCE && this.#fires('lose an answer')) isLosing = true
      }
    })
    const answers = new Frames()
    server.on('data', (chunk) => {
      for (const frame of answers.take(chunk)) {
        const correlation = frame.readInt32BE(4)
        if (swallowed.delete(correlation)) continue
        const request = asked.get(correlation)
        asked.delete(correlation)
        if (request?.key === PRODUCE) {
          if (isLosing) return client.destroy()
          lastProduced = frame
        }
        client.write(request?.key === FETCH ? this.#fetched(frame, request.version) : frame)
      }
    })
  }

  #fetched(frame: Buffer, version: number): Buffer {
    if (this.#armed !== 'shift a fetch' && this.#armed !== 'leave out a batch') return frame
    const own = Buffer.from(frame)
    const { response } = decodeResponse(fetchApi, version, own.subarray(4))
    for (const { partitions } of response.responses) {
      for (const { records } of partitions) {
        if (!(records instanceof Uint8Array) || records.length === 0) continue
        // the same memory as the frame's
        const batches = Buffer.from(records.buffer, records.byteOffset, records.length)
        if (this.#fires('shift a fetch')) {
          batches.writeBigInt64BE(batches.readBigInt64BE(0) + 1n, 0)
          return own
        }
        const first = 12 + batches.readInt32BE(8)
        if (batches.length <= first + 61 || !this.#fires('leave out a batch')) continue
        // what follows takes its place, and an unfinished batch the end: clients ignore that
        batches.copyWithin(0, first)
        batches.fill(0, batches.length - first)
        batches.writeInt32BE(0x7fffffff, batches.length - first + 8)
        return own
      }
    }
    return frame
  }
}

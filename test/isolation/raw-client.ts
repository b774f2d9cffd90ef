/** A Kafka client at the end of a fake socket that keeps answers as bytes: what is compared is what came, not what somebody made of it. */
import type { KafkaConnection } from '../../src/net/connection.ts'
import type { ConnectionSet } from '../../src/net/connection-set.ts'
import type { ListenerInfo } from '../../src/net/listener-info.ts'
import type { Api, RequestInputOf, ResponseOf } from '../../src/protocol/api.ts'
import { decodeResponse, encodeRequest, joinFrame } from '../../src/protocol/codec.ts'
import { withDefaults } from '../conformance/loose.ts'
import { FakeSocket } from '../front/fake-socket.ts'

const SIZE_BYTES = 4

export interface RawClientOptions {
  readonly clientId: string
  readonly remote: string
}

export class RawClient {
  closed = false
  readonly clientId: string
  readonly connection: KafkaConnection
  readonly #frames = new Map<number, Buffer>()
  #received = Buffer.alloc(0)
  #correlation = 0

  constructor(set: ConnectionSet, listener: ListenerInfo, { clientId, remote }: RawClientOptions) {
    this.clientId = clientId
    const socket = new FakeSocket(
      (bytes) => this.#onBytes(bytes),
      () => {
        this.closed = true
        this.connection.onClosed()
      },
    )
    this.connection = set.open(socket, listener, { remote, local: '127.0.0.1' })
  }

  /** Sends a request, of which fields that are left out are at their defaults; returns its correlation. Throws where the version cannot carry it. */
  send(api: Api, version: number, request: object): number {
    const correlation = this.#correlation + 1
    const full = withDefaults(api.request, request as Record<string, unknown>)
    const frame = encodeRequest(
      api,
      version,
      correlation,
      this.clientId,
      full as RequestInputOf<Api>,
    )
    this.#correlation = correlation
    this.connection.onData(joinFrame(frame))
    return correlation
  }

  /** The answer as it came, without its size. */
  frame(correlation: number): Buffer | undefined {
    return this.#frames.get(correlation)
  }

  answer<A extends Api>(api: A, version: number, correlation: number): ResponseOf<A> | undefined {
    const frame = this.#frames.get(correlation)
    if (frame === undefined) return undefined
    return decodeResponse(api, version, frame).response as ResponseOf<A>
  }

  #onBytes(bytes: Uint8Array): void {
    this.#received = Buffer.concat([this.#received, bytes])
    while (this.#received.length >= SIZE_BYTES) {
      const end = SIZE_BYTES + this.#received.readInt32BE(0)
      if (this.#received.length < end) return
      const frame = this.#received.subarray(SIZE_BYTES, end)
      this.#frames.set(frame.readInt32BE(0), Buffer.from(frame))
      this.#received = this.#received.subarray(end)
    }
  }
}

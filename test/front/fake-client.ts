import type { KafkaConnection } from '../../src/net/connection.ts'
import type { ConnectionSet } from '../../src/net/connection-set.ts'
import { FrameBuffers } from '../../src/net/frame-buffers.ts'
import { FrameSplitter } from '../../src/net/frame-splitter.ts'
import type { ListenerInfo } from '../../src/net/listener-info.ts'
import type { Api, RequestInputOf, ResponseOf } from '../../src/protocol/api.ts'
import { decodeResponse, encodeRequest, joinFrame } from '../../src/protocol/codec.ts'
import { FakeSocket } from './fake-socket.ts'

/**
 * A request with what its version needs: schemas name the fields of all versions, and those that a version has not are
 * never looked at.
 */
export type Asking<A extends Api> = Partly<RequestInputOf<A>>

type Partly<T> = T extends Uint8Array | string | number | boolean | bigint | null | undefined
  ? T
  : T extends readonly (infer Element)[]
    ? readonly Partly<Element>[]
    : { readonly [K in keyof T]?: Partly<T[K]> }

interface Asked {
  readonly api: Api
  readonly version: number
}

export interface Answer {
  readonly correlation: number
  readonly response: unknown
}

/** A Kafka client at the end of a fake socket: sends requests, keeps the answers in the order in which they come. */
export class FakeClient {
  readonly socket: FakeSocket
  readonly connection: KafkaConnection
  /** Everything that has come, oldest first. */
  readonly answers: Answer[] = []
  /** Correlations in the order in which they were answered. */
  readonly order: number[] = []
  closed = false
  bytesReceived = 0
  readonly #splitter = new FrameSplitter(2 ** 30, new FrameBuffers(0))
  readonly #asked = new Map<number, Asked>()
  #correlation = 0

  constructor(set: ConnectionSet, listener: ListenerInfo, remote = '127.0.0.1:50000') {
    this.socket = new FakeSocket(
      (bytes) => this.#onBytes(bytes),
      () => {
        this.closed = true
        this.connection.onClosed()
      },
    )
    this.connection = set.open(this.socket, listener, { remote, local: '127.0.0.1' })
  }

  /** Sends a request; returns its correlation. */
  send<A extends Api>(api: A, version: number, request: Asking<A>): number {
    const correlation = ++this.#correlation
    this.connection.onData(this.encode(api, version, request, correlation))
    return correlation
  }

  /** The bytes of a request, registered so that its answer is understood. */
  encode<A extends Api>(
    api: A,
    version: number,
    request: Asking<A>,
    correlation = ++this.#correlation,
  ): Buffer {
    this.#asked.set(correlation, { api, version })
    return joinFrame(encodeRequest(api, version, correlation, 'test', request as RequestInputOf<A>))
  }

  /** The answer to `correlation`, if it has come. */
  answer<A extends Api>(_api: A, correlation: number): ResponseOf<A> | undefined {
    const found = this.answers.find((one) => one.correlation === correlation)
    return found?.response as ResponseOf<A> | undefined
  }

  #onBytes(bytes: Uint8Array): void {
    this.bytesReceived += bytes.length
    this.#splitter.feed(bytes)
    for (let frame = this.#splitter.next(); frame !== null; frame = this.#splitter.next()) {
      const correlation = new DataView(frame.buffer, frame.byteOffset).getInt32(0)
      const asked = this.#asked.get(correlation)
      if (asked === undefined) throw new Error(`an answer to nothing: ${correlation}`)
      const { response } = decodeResponse(asked.api, asked.version, frame)
      this.order.push(correlation)
      this.answers.push({ correlation, response })
    }
  }
}

/** A broker of a few answers on a free port: what it answers, when, and what it was asked is the test's to say. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TlsOptions, Server as TlsServer } from 'node:tls'
import { FrameReader } from '../../src/kafka-client/frame-reader.ts'
import type { Api, ResponseInputOf } from '../../src/protocol/api.ts'
import { decodeRequest, encodeResponse } from '../../src/protocol/codec.ts'
import { decodeRequestHeader } from '../../src/protocol/header.ts'

export interface Asked {
  readonly api: Api
  readonly version: number
  readonly request: unknown
  /** Answers, or with null closes the connection; an unknown version of ApiVersions is answered in version 0. */
  readonly answer: (response: object | null, inVersion?: number) => void
}

export class FakeBroker {
  readonly asked: Asked[] = []
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  /** What becomes of each request; requests that nobody answers stay open. */
  onRequest: (asked: Asked) => void = () => {}

  private constructor(server: Server) {
    this.#server = server
    const event = server instanceof TlsServer ? 'secureConnection' : 'connection'
    server.on(event, (socket: Socket) => this.#serve(socket))
  }

  /** With options it speaks TLS. */
  static async start(tls?: TlsOptions): Promise<FakeBroker> {
    const server = tls === undefined ? createServer() : createTlsServer(tls)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new FakeBroker(server)
  }

  get address() {
    return { host: '127.0.0.1', port: (this.#server.address() as AddressInfo).port }
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket)
    const reader = new FrameReader(1 << 24, (frame) => {
      const { api, apiVersion: version, correlationId, bodyOffset } = decodeRequestHeader(frame)
      const asked: Asked = {
        ...{ api: api!, version },
        request: decodeRequest(api!, version, frame, bodyOffset),
        answer: (response, inVersion = version) => {
          if (response === null) socket.destroy()
          else {
            const body = response as ResponseInputOf<Api>
            for (const chunk of encodeResponse(api!, inVersion, correlationId, body).chunks) {
              socket.write(chunk)
            }
          }
        },
      }
      this.asked.push(asked)
      this.onRequest(asked)
    })
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => {
      try {
        reader.push(chunk)
      } catch {
        // what comes in is no Kafka
        socket.destroy()
      }
    })
  }
}

/** What a broker says that speaks these APIs, by key, up to these versions. */
export const versionsUpTo = (maxByKey: Readonly<Record<number, number>>): object => ({
  errorCode: 0,
  apiKeys: Object.entries(maxByKey).map(([key, maxVersion]) => ({
    ...{ apiKey: Number(key), minVersion: 0, maxVersion },
  })),
  ...{ throttleTimeMs: 0, supportedFeatures: [], finalizedFeatures: [] },
})

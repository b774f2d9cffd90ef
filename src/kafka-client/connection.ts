/** One connection to one broker: requests go out as they are made, answers come back in that order. */
import { connect, type Socket } from 'node:net'
import { ErrorCode } from '../base/error-code.ts'
import { apiVersions } from '../protocol/18-api-versions.ts'
import type { Api, RequestInputOf, ResponseOf } from '../protocol/api.ts'
import { decodeResponse, encodeRequest } from '../protocol/codec.ts'
import type { VersionRange } from '../protocol/version-range.ts'
import { ConnectionError, throwOnError, UnsupportedApiError } from './errors.ts'
import { FrameReader } from './frame-reader.ts'

export interface HostPort {
  readonly host: string
  readonly port: number
}

export interface ConnectionOptions {
  readonly clientId: string
  readonly connectTimeoutMs: number
  /** How long an answer may take, on top of what the request itself asks the broker to wait. */
  readonly requestTimeoutMs: number
  readonly responseBytesMax: number
}

export interface RequestOptions {
  /** Versions above this are not used, even if both sides speak them. */
  readonly versionMax?: number
  /** What the request asks the broker to wait, at most; added to the time-out. */
  readonly waitMs?: number
}

/** A request, or what makes one for the version that it goes out in: some fields are in some versions alone. */
export type RequestFor<A extends Api> = RequestInputOf<A> | ((version: number) => RequestInputOf<A>)

interface Pending {
  readonly correlationId: number
  readonly onFrame: (frame: Buffer) => void
  readonly onError: (error: Error) => void
  readonly timer: NodeJS.Timeout
}

export const formatAddress = ({ host, port }: HostPort): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`

const CLIENT_SOFTWARE_VERSION = '1'

export class KafkaConnection {
  readonly address: string
  readonly #socket: Socket
  readonly #options: ConnectionOptions
  readonly #isAdvertised: boolean
  /** In the order of requests: Kafka answers each connection in order. */
  readonly #pending: Pending[] = []
  #versions: ReadonlyMap<number, VersionRange> = new Map()
  #correlationId = 0
  #failure: Error | null = null

  private constructor(
    socket: Socket,
    address: string,
    options: ConnectionOptions,
    advertised: boolean,
  ) {
    this.#socket = socket
    this.address = address
    this.#options = options
    this.#isAdvertised = advertised
    const reader = new FrameReader(options.responseBytesMax, (frame) => this.#take(frame))
    socket.on('data', (chunk: Buffer) => {
      try {
        reader.push(chunk)
      } catch (error) {
        this.#fail(this.#error('PROTOCOL', `what answers is no Kafka broker: ${text(error)}`))
      }
    })
    socket.on('error', (error: NodeJS.ErrnoException) =>
      this.#fail(this.#error(error.code ?? 'ERROR', error.message)),
    )
    socket.on('close', () => this.#fail(this.#error('CLOSED', 'the broker closed the connection')))
  }

  /** Connects and asks what is spoken. Throws a {@link ConnectionError}. */
  static async open(
    { host, port }: HostPort,
    options: ConnectionOptions,
    isAdvertised = false,
  ): Promise<KafkaConnection> {
    const address = formatAddress({ host, port })
    const socket = await openSocket({ host, port }, options.connectTimeoutMs, isAdvertised)
    const connection = new KafkaConnection(socket, address, options, isAdvertised)
    try {
      await connection.#negotiate()
    } catch (error) {
      connection.close()
      if (error instanceof ConnectionError && error.reason === 'CLOSED') {
        const hint =
          'it closed the connection at once: is it a Kafka listener, without TLS or SASL?'
        throw new ConnectionError(address, 'CLOSED', `${address}: ${hint}`, isAdvertised)
      }
      throw error
    }
    return connection
  }

  get isOpen(): boolean {
    return this.#failure === null
  }

  get outstanding(): number {
    return this.#pending.length
  }

  /** The version that a request of `api` is sent in. Throws {@link UnsupportedApiError}. */
  versionOf(api: Api, versionMax = Number.POSITIVE_INFINITY): number {
    const theirs = this.#versions.get(api.key)
    if (theirs === undefined) throw new UnsupportedApiError(api.name, this.address)
    const version = Math.min(theirs.max, api.validVersions.max, versionMax)
    if (version < Math.max(theirs.min, api.validVersions.min)) {
      throw new UnsupportedApiError(
        `${api.name} in versions ${api.validVersions.min} to ${api.validVersions.max}`,
        this.address,
      )
    }
    return version
  }

  supports(api: Api): boolean {
    return this.#versions.has(api.key)
  }

  /** Sends a request and resolves with its answer. Rejects with {@link ConnectionError} when there is none. */
  async request<A extends Api>(
    api: A,
    request: RequestFor<A>,
    { versionMax, waitMs = 0 }: RequestOptions = {},
  ): Promise<ResponseOf<A>> {
    const version = this.versionOf(api, versionMax)
    const body = typeof request === 'function' ? request(version) : request
    return await this.#send(api, version, body, waitMs, (version, frame) =>
      decodeResponse(api, version, frame),
    )
  }

  /** Sends a request that has no answer (Produce with acks 0); resolves when the system has taken it. */
  async requestWithoutAnswer<A extends Api>(
    api: A,
    request: RequestInputOf<A>,
    { versionMax }: RequestOptions = {},
  ): Promise<void> {
    if (this.#failure !== null) throw this.#failure
    const version = this.versionOf(api, versionMax)
    const { clientId } = this.#options
    const frame = encodeRequest(api, version, this.#correlationId++ | 0, clientId, request)
    await new Promise<void>((resolve, reject) => {
      this.#write(frame.chunks, (error) =>
        error ? reject(this.#failure ?? error) : resolve(undefined),
      )
    })
  }

  close(): void {
    this.#fail(this.#error('CLOSED', 'this client closed the connection'))
  }

  #send<T>(
    api: Api,
    version: number,
    request: RequestInputOf<Api>,
    waitMs: number,
    decode: (version: number, frame: Buffer) => { correlationId: number; response: T },
  ): Promise<T> {
    if (this.#failure !== null) return Promise.reject(this.#failure)
    const correlationId = this.#correlationId++ & 0x7fffffff
    const { clientId, requestTimeoutMs } = this.#options
    const frame = encodeRequest(api, version, correlationId, clientId, request)
    const timeoutMs = requestTimeoutMs + waitMs
    return new Promise((resolve, reject) => {
      // answers keep their order, so that after one that never comes the connection is of no use
      const timer = setTimeout(() => {
        this.#fail(this.#error('TIMEOUT', `${api.name} was not answered within ${timeoutMs} ms`))
      }, timeoutMs)
      const onFrame = (answer: Buffer) => {
        try {
          resolve(decode(version, answer).response)
        } catch (error) {
          reject(error)
        }
      }
      this.#pending.push({ correlationId, onFrame, onError: reject, timer })
      this.#write(frame.chunks)
    })
  }

  #write(chunks: readonly Uint8Array[], done?: (error?: Error | null) => void): void {
    this.#socket.cork()
    for (let i = 0; i < chunks.length - 1; i++) this.#socket.write(chunks[i]!)
    this.#socket.write(chunks.at(-1)!, done)
    this.#socket.uncork()
  }

  /** Version 0 names no software and every broker knows it; a newer one that the broker does not know, it says so. */
  async #negotiate(): Promise<void> {
    const body = {
      clientSoftwareName: 'griot-cli',
      clientSoftwareVersion: CLIENT_SOFTWARE_VERSION,
    }
    const decode = (version: number, frame: Buffer) => {
      // an unknown version is answered in the body of version 0
      const isRefused = frame.length >= 6 && frame.readInt16BE(4) === ErrorCode.UNSUPPORTED_VERSION
      return decodeResponse(apiVersions, isRefused ? 0 : version, frame)
    }
    const newest = apiVersions.validVersions.max
    let answer = await this.#send(apiVersions, newest, body, 0, decode)
    if (answer.errorCode === ErrorCode.UNSUPPORTED_VERSION) {
      answer = await this.#send(apiVersions, 0, body, 0, decode)
    }
    throwOnError(answer.errorCode, `ApiVersions at ${this.address}`)
    this.#versions = new Map(
      answer.apiKeys.map(({ apiKey, minVersion: min, maxVersion: max }) => [apiKey, { min, max }]),
    )
  }

  #take(frame: Buffer): void {
    const pending = this.#pending.shift()
    const correlationId = frame.readInt32BE(0)
    if (pending === undefined || pending.correlationId !== correlationId) {
      if (pending !== undefined) this.#pending.unshift(pending)
      this.#fail(this.#error('PROTOCOL', `an answer to request ${correlationId}, which is not due`))
      return
    }
    clearTimeout(pending.timer)
    pending.onFrame(frame)
  }

  #fail(error: Error): void {
    if (this.#failure !== null) return
    this.#failure = error
    this.#socket.destroy()
    for (const { timer, onError } of this.#pending.splice(0)) {
      clearTimeout(timer)
      onError(error)
    }
  }

  #error(reason: string, message: string): ConnectionError {
    return new ConnectionError(
      this.address,
      reason,
      `${this.address}: ${message}`,
      this.#isAdvertised,
    )
  }
}

function openSocket(
  { host, port }: HostPort,
  timeoutMs: number,
  isAdvertised: boolean,
): Promise<Socket> {
  const address = formatAddress({ host, port })
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true })
    const fail = (reason: string, message: string) => {
      clearTimeout(timer)
      socket.destroy()
      reject(new ConnectionError(address, reason, `${address}: ${message}`, isAdvertised))
    }
    const timer = setTimeout(
      () => fail('TIMEOUT', `no connection within ${timeoutMs} ms`),
      timeoutMs,
    )
    socket.once('error', (error: NodeJS.ErrnoException) => {
      // with several addresses of one name the error is an AggregateError without a text
      fail(error.code ?? 'ERROR', error.message || (error.code ?? 'no connection'))
    })
    socket.once('connect', () => {
      clearTimeout(timer)
      socket.removeAllListeners('error')
      resolve(socket)
    })
  })
}

const text = (error: unknown): string => (error instanceof Error ? error.message : String(error))

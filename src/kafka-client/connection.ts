/** One connection to one broker: requests go out as they are made, answers come back in that order. */
import type { Socket } from 'node:net'
import { ErrorCode } from '../base/error-code.ts'
import { apiVersions } from '../protocol/18-api-versions.ts'
import type { Api, RequestInputOf, ResponseOf } from '../protocol/api.ts'
import { decodeResponse, encodeRequest } from '../protocol/codec.ts'
import type { VersionRange } from '../protocol/version-range.ts'
import { ConnectionError, throwOnError, UnsupportedApiError } from './errors.ts'
import { FrameReader } from './frame-reader.ts'
import type { SaslLogin } from './sasl-login.ts'
import {
  type ClientTls,
  formatAddress,
  type HostPort,
  openSocket,
  speaksTls,
  tlsFaultOf,
} from './sockets.ts'

/** How a client comes in. */
export interface ClientSecurity {
  /** null: plain TCP. */
  readonly tls: ClientTls | null
  /** null: it does not log in. */
  readonly sasl: SaslLogin | null
}

export const NO_SECURITY: ClientSecurity = { tls: null, sasl: null }

export interface ConnectionOptions {
  readonly clientId: string
  readonly connectTimeoutMs: number
  /** How long an answer may take, on top of what the request itself asks the broker to wait. */
  readonly requestTimeoutMs: number
  readonly responseBytesMax: number
  /** Left out: {@link NO_SECURITY}. */
  readonly security?: ClientSecurity
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

const CLIENT_SOFTWARE_VERSION = '1'
/** How it shows that the other side has closed a connection. */
const CLOSED: ReadonlySet<string> = new Set(['CLOSED', 'ECONNRESET', 'EPIPE'])
/** Of the time that a login holds, when it is renewed. */
const RENEW_AFTER = 2 / 3
/** What a timer of Node can wait, a good three weeks. */
const TIMER_MS_MAX = 2 ** 31 - 1

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
  /** Nothing has come in yet. */
  #isNew = true
  /** It has answered something for which one must be let in. */
  #isServed = false
  /** A login is being renewed: nothing else may be asked meanwhile (KIP-368). */
  #renewing: Promise<void> | null = null
  #renewal: NodeJS.Timeout | undefined

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
      if (this.#isNew && this.#isTls(chunk)) return
      this.#isNew = false
      try {
        reader.push(chunk)
      } catch (error) {
        this.#fail(this.#error('PROTOCOL', `what answers is no Kafka broker: ${text(error)}`))
      }
    })
    // in TLS 1.3 a broker refuses the client's certificate only after the handshake
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const isTls = error.code?.startsWith('ERR_SSL_') === true
      const [reason, message] = isTls ? tlsFaultOf(error) : [error.code, error.message]
      this.#fail(this.#closed(reason ?? 'ERROR', message))
    })
    socket.on('close', () => this.#fail(this.#closed('CLOSED', 'the broker closed the connection')))
  }

  /** Connects, asks what is spoken, and logs in. Throws a {@link ConnectionError}, and a {@link KafkaError} where the login is refused. */
  static async open(
    at: HostPort,
    options: ConnectionOptions,
    isAdvertised = false,
  ): Promise<KafkaConnection> {
    try {
      return await KafkaConnection.#open(at, options, isAdvertised)
    } catch (error) {
      throw error instanceof ConnectionError ? await diagnosed(error, at, options) : error
    }
  }

  static async #open(
    { host, port }: HostPort,
    options: ConnectionOptions,
    isAdvertised: boolean,
  ): Promise<KafkaConnection> {
    const { security = NO_SECURITY, connectTimeoutMs: timeoutMs } = options
    const address = formatAddress({ host, port })
    const socket = await openSocket({ at: { host, port }, timeoutMs, isAdvertised }, security.tls)
    const connection = new KafkaConnection(socket, address, options, isAdvertised)
    try {
      await connection.#negotiate()
      if (security.sasl !== null) await connection.#logIn(security.sasl)
    } catch (error) {
      connection.close()
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
    options: RequestOptions = {},
  ): Promise<ResponseOf<A>> {
    while (this.#renewing !== null) await this.#renewing
    const answer = await this.#ask(api, request, options)
    this.#isServed = true
    return answer
  }

  /** Sends a request that has no answer (Produce with acks 0); resolves when the system has taken it. */
  async requestWithoutAnswer<A extends Api>(
    api: A,
    request: RequestInputOf<A>,
    { versionMax }: RequestOptions = {},
  ): Promise<void> {
    while (this.#renewing !== null) await this.#renewing
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

  /** Hands the socket over, logged in, to who speaks on it alone from now on. Nothing may be asked any more, and nothing be unanswered. */
  release(): Socket {
    if (this.#failure !== null) throw this.#failure
    const socket = this.#socket
    this.#failure = this.#error('CLOSED', 'its socket has been handed over')
    clearTimeout(this.#renewal)
    for (const event of ['data', 'error', 'close']) socket.removeAllListeners(event)
    return socket
  }

  close(): void {
    this.#fail(this.#error('CLOSED', 'this client closed the connection'))
  }

  async #ask<A extends Api>(
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

  /** Also sees to it that the login is renewed in time. */
  async #logIn(login: SaslLogin): Promise<void> {
    // node:crypto takes a while to load
    const { logIn } = await import('./sasl-login.ts')
    const lifetimeMs = await logIn((api, request) => this.#ask(api, request), login)
    if (lifetimeMs <= 0 || this.#failure !== null) return
    const afterMs = Math.min(lifetimeMs * RENEW_AFTER, TIMER_MS_MAX)
    this.#renewal = setTimeout(() => this.#renew(login), afterMs)
    this.#renewal.unref()
  }

  #renew(login: SaslLogin): void {
    this.#renewing = this.#logIn(login)
      .catch((error: Error) => this.#fail(error))
      .finally(() => {
        this.#renewing = null
      })
  }

  /** A fault in the clear (RFC 8446, 6): a broker does not begin an answer like that, it would be of 352 MB. */
  #isTls(chunk: Buffer): boolean {
    const { security = NO_SECURITY } = this.#options
    if (security.tls !== null || chunk[0] !== 0x15 || chunk[1] !== 3) return false
    this.#fail(this.#error('IS_TLS', 'what listens there speaks TLS'))
    return true
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
    clearTimeout(this.#renewal)
    this.#socket.destroy()
    for (const { timer, onError } of this.#pending.splice(0)) {
      clearTimeout(timer)
      onError(error)
    }
  }

  /** Brokers say nothing to whom they do not let in, they close the connection. */
  #closed(reason: string, message: string): ConnectionError {
    if (!CLOSED.has(reason) || this.#isServed) return this.#error(reason, message)
    if (this.#isNew) return this.#error('CLOSED_AT_ONCE', 'it closed the connection at once')
    const { security = NO_SECURITY } = this.#options
    if (security.sasl !== null) return this.#error(reason, message)
    return this.#error('CLOSED_WITHOUT_LOGIN', 'it closed the connection at the first request')
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

const PROBE_TIMEOUT_MS = 2_000

/** The same, or that only one side speaks TLS: brokers close such connections without a word. */
async function diagnosed(
  error: ConnectionError,
  at: HostPort,
  options: ConnectionOptions,
): Promise<ConnectionError> {
  const { address, isAdvertised } = error
  const timeoutMs = Math.min(options.connectTimeoutMs, PROBE_TIMEOUT_MS)
  const isPlain = (options.security ?? NO_SECURITY).tls === null
  if (isPlain && error.reason === 'CLOSED_AT_ONCE' && (await speaksTls(at, timeoutMs))) {
    const message = `${address}: what listens there speaks TLS`
    return new ConnectionError(address, 'IS_TLS', message, isAdvertised)
  }
  if (error.reason === 'HANDSHAKE' && (await speaksPlain(at, options, timeoutMs))) {
    const message = `${address}: what listens there does not speak TLS`
    return new ConnectionError(address, 'NOT_TLS', message, isAdvertised)
  }
  return error
}

async function speaksPlain(
  at: HostPort,
  options: ConnectionOptions,
  timeoutMs: number,
): Promise<boolean> {
  const limits = { connectTimeoutMs: timeoutMs, requestTimeoutMs: timeoutMs }
  try {
    const connection = await KafkaConnection.open(at, {
      ...options,
      ...limits,
      security: NO_SECURITY,
    })
    connection.close()
    return true
  } catch {
    return false
  }
}

const text = (error: unknown): string => (error instanceof Error ? error.message : String(error))

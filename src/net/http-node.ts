/** The adapter for `node:http`: serves an {@link HttpRouter} on one address, on an event-loop thread. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { systemClock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import { type HostPort, isLoopback } from './address.ts'
import { isOwnHost } from './host-check.ts'
import {
  type HttpLimits,
  type HttpRequest,
  type HttpResponse,
  problemResponse,
} from './http-interface.ts'
import type { HttpRouter } from './http-router.ts'
import { UnsentResponses } from './http-unsent.ts'
import { RateLimitedLog } from './rate-limited-log.ts'

export interface NodeHttpOptions {
  readonly host: string
  readonly port: number
  readonly router: HttpRouter
  readonly limits: HttpLimits
  readonly logger: Logger
  /** Names by which it may be asked on loopback besides addresses and `localhost`, as `parseAllowedHost` makes them. */
  readonly allowHosts?: readonly string[]
}

export class NodeHttpServer {
  readonly #server: Server
  readonly #unsent: UnsentResponses

  private constructor(server: Server, unsent: UnsentResponses) {
    this.#server = server
    this.#unsent = unsent
  }

  /** Resolves once it listens; rejects with the system's error (EADDRINUSE …). */
  static async listen(options: NodeHttpOptions): Promise<NodeHttpServer> {
    const { limits } = options
    const server = createServer(
      {
        maxHeaderSize: limits.headerBytesMax,
        headersTimeout: limits.headersTimeoutMs,
        requestTimeout: limits.requestTimeoutMs,
        keepAliveTimeout: limits.idleTimeoutMs,
        connectionsCheckingInterval: Math.min(limits.headersTimeoutMs, 5_000),
      },
      (request, response) => {
        if (peers.begin(request.socket))
          void respond({ ...options, server, unsent }, request, response)
        response.once('close', () => peers.end(request.socket))
      },
    )
    const peers = new Peers(limits)
    const log = new RateLimitedLog(options.logger, systemClock)
    const unsent = new UnsentResponses(limits, log)
    server.on('connection', (socket: Socket) => {
      if (peers.add(socket))
        log.log('warn', 'HTTP connection closed: there are too many', {
          max: limits.connectionsMax,
        })
    })
    server.on('clientError', (error: ClientError, socket: Socket) => {
      if (error.code !== 'ECONNRESET') {
        log.log('warn', 'HTTP connection closed because of what came in over it', {
          client: socket.remoteAddress ?? '?',
          reason: error.code + looksLike(error.rawPacket),
        })
      }
      refuse(error, socket)
    })
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(options.port, options.host, resolve)
    }).catch((error: Error) => {
      unsent.close()
      throw error
    })
    server.on('error', (error) => {
      options.logger.log('warn', 'HTTP listener failed', { reason: error.message })
    })
    return new NodeHttpServer(server, unsent)
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** By the address that is bound, whatever name was asked for. */
  get onLoopback(): boolean {
    return isBoundToLoopback(this.#server)
  }

  /** Stops listening and cuts every connection, also one with a request under way. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.#server.closeAllConnections()
    this.#unsent.close()
    await closed
  }
}

/** False for one that is closing: nothing is taken for granted of it. */
function isBoundToLoopback(server: Server): boolean {
  const address = server.address()
  return typeof address === 'object' && address !== null && isLoopback(address.address)
}

interface ClientError extends NodeJS.ErrnoException {
  readonly rawPacket?: Buffer
}

/** What the first bytes are in truth, for the log. */
function looksLike(packet: Buffer | undefined): string {
  if (packet === undefined || packet.length < 2) return ''
  if (packet[0] === 0x16 && packet[1] === 3)
    return ': looks like TLS, and this listener speaks plain HTTP'
  // A frame of less than 16 MB begins so, and no method does.
  return packet[0] === 0 ? ': looks like the Kafka protocol (its port: --kafka-listen)' : ''
}

const STATUS: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
}

/** As Node does it where nobody listens for such errors. */
function refuse(error: ClientError, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy()
    return
  }
  const status = STATUS[error.code ?? ''] ?? '400 Bad Request'
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`, () => socket.destroy())
}

/** The sockets that are open, so that nobody who does nothing with theirs, or floods one, keeps others out. */
class Peers {
  readonly #limits: HttpLimits
  /** Requests without a response, by socket; in order of the last that ended. */
  readonly #open = new Map<Socket, number>()

  constructor(limits: HttpLimits) {
    this.#limits = limits
  }

  /** True when another one had to go for it: the longest without a request under way, or if there is none, the longest of all. */
  add(socket: Socket): boolean {
    this.#open.set(socket, 0)
    socket.once('close', () => this.#open.delete(socket))
    if (this.#open.size <= this.#limits.connectionsMax) return false
    let victim: Socket | undefined
    for (const [other, requests] of this.#open) {
      victim ??= other
      if (requests > 0) continue
      victim = other
      break
    }
    victim!.destroy()
    this.#open.delete(victim!)
    return true
  }

  /** False for one request too many in a row without waiting for responses: its connection is closed. */
  begin(socket: Socket): boolean {
    const requests = (this.#open.get(socket) ?? 0) + 1
    if (requests > this.#limits.pipelinedMax) {
      socket.destroy()
      return false
    }
    this.#open.set(socket, requests)
    return true
  }

  end(socket: Socket): void {
    const requests = this.#open.get(socket)
    if (requests === undefined) return
    this.#open.delete(socket)
    this.#open.set(socket, requests - 1)
  }
}

interface Serving extends NodeHttpOptions {
  readonly server: Server
  readonly unsent: UnsentResponses
}

async function respond(
  options: Serving,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  let response: HttpResponse
  try {
    const onLoopback = isBoundToLoopback(options.server)
    const { host } = incoming.headers
    if (onLoopback && !isOwnHost(host, options.allowHosts ?? [])) {
      respondWith(strangeHost(host ?? ''), options.unsent, incoming, outgoing)
      return
    }
    const body = await readBody(incoming, options.limits.bodyBytesMax)
    if (body === null) {
      const detail = `the body is larger than ${options.limits.bodyBytesMax} bytes`
      response = problemResponse(413, 'Content Too Large', detail, { connection: 'close' })
    } else {
      const request = toRequest(incoming, body, onLoopback)
      response =
        request === null
          ? problemResponse(400, 'Bad Request', 'the request target cannot be parsed')
          : await options.router.handle(request)
    }
  } catch (error) {
    if (incoming.destroyed && !incoming.complete) return
    const reason = error instanceof Error ? (error.stack ?? error.message) : String(error)
    options.logger.log('error', 'HTTP handler failed', { path: incoming.url ?? '', reason })
    response = problemResponse(500, 'Internal Server Error', 'see the log of the engine')
  }
  respondWith(response, options.unsent, incoming, outgoing)
}

const SHOWN_HOST_LENGTH = 100

function strangeHost(host: string): HttpResponse {
  const shown = host.length > SHOWN_HOST_LENGTH ? `${host.slice(0, SHOWN_HOST_LENGTH)}…` : host
  const detail =
    `${shown} is no name of this machine: on loopback an address, localhost, *.localhost and the names of ` +
    '--http-allow-host are answered, so that web pages of others cannot read what is here'
  return problemResponse(421, 'Misdirected Request', detail, { connection: 'close' })
}

function respondWith(
  response: HttpResponse,
  unsent: UnsentResponses,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): void {
  if (outgoing.destroyed) return
  const bytes = typeof response.body === 'string' ? Buffer.from(response.body) : response.body
  outgoing.writeHead(response.status, { ...response.headers, 'content-length': bytes.length })
  if (incoming.method === 'HEAD') outgoing.end()
  else unsent.send(outgoing, incoming.socket, bytes)
}

/** null when it is longer than `bytesMax`; nothing beyond that is kept. */
async function readBody(incoming: IncomingMessage, bytesMax: number): Promise<Uint8Array | null> {
  if (Number(incoming.headers['content-length'] ?? 0) > bytesMax) return null
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of incoming) {
    length += (chunk as Buffer).length
    if (length > bytesMax) return null
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks)
}

function toRequest(
  incoming: IncomingMessage,
  body: Uint8Array,
  onLoopback: boolean,
): HttpRequest | null {
  let url: URL
  let path: string
  try {
    url = new URL(incoming.url ?? '/', 'http://host')
    path = decodeURIComponent(url.pathname)
  } catch {
    return null
  }
  return {
    method: incoming.method ?? 'GET',
    path,
    query: url.searchParams,
    header: (name) => {
      const value = incoming.headers[name]
      return value === undefined ? null : Array.isArray(value) ? value.join(', ') : value
    },
    body,
    onLoopback,
    local: localEndOf(incoming.socket),
    peerHost: incoming.socket.remoteAddress ?? null,
  }
}

const localEndOf = ({ localAddress, localPort }: Socket): HostPort | null =>
  localAddress === undefined || localPort === undefined
    ? null
    : { host: localAddress, port: localPort }

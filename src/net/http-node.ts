/** The adapter for `node:http`: serves an {@link HttpRouter} on one address, on an event-loop thread. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Logger } from '../base/log.ts'
import { isLoopback } from './address.ts'
import {
  type HttpLimits,
  type HttpRequest,
  type HttpResponse,
  problemResponse,
} from './http-interface.ts'
import type { HttpRouter } from './http-router.ts'

export interface NodeHttpOptions {
  readonly host: string
  readonly port: number
  readonly router: HttpRouter
  readonly limits: HttpLimits
  readonly logger: Logger
}

export class NodeHttpServer {
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
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
      (request, response) => void respond(options, server, request, response),
    )
    server.maxConnections = limits.connectionsMax
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(options.port, options.host, resolve)
    })
    server.on('error', (error) => {
      options.logger.log('warn', 'HTTP listener failed', { reason: error.message })
    })
    return new NodeHttpServer(server)
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
    await closed
  }
}

/** False for one that is closing: nothing is taken for granted of it. */
function isBoundToLoopback(server: Server): boolean {
  const address = server.address()
  return typeof address === 'object' && address !== null && isLoopback(address.address)
}

async function respond(
  options: NodeHttpOptions,
  server: Server,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  let response: HttpResponse
  try {
    const body = await readBody(incoming, options.limits.bodyBytesMax)
    if (body === null) {
      const detail = `the body is larger than ${options.limits.bodyBytesMax} bytes`
      response = problemResponse(413, 'Content Too Large', detail, { connection: 'close' })
    } else {
      const request = toRequest(incoming, body, isBoundToLoopback(server))
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
  const bytes = Buffer.from(response.body as string)
  outgoing.writeHead(response.status, { ...response.headers, 'content-length': bytes.length })
  outgoing.end(incoming.method === 'HEAD' ? undefined : bytes)
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
  }
}

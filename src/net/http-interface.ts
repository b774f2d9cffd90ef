/** What HTTP handlers are written against, whichever server is below; `http-node.ts` is one adapter. */
import type { HostPort } from './address.ts'

export interface HttpRequest {
  readonly method: string
  /** Decoded, without the query. */
  readonly path: string
  /** What stands in the place of the path's `{name}` segments; the router's, none before. */
  readonly params?: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  /** By lower-case name; null when absent. */
  header(name: string): string | null
  /** Bounded by {@link HttpLimits.bodyBytesMax}. */
  readonly body: Uint8Array
  /** It came in over a listener that is bound to loopback: nobody on another machine can have sent it. */
  readonly onLoopback: boolean
  /** This engine's end of the connection; null once that is gone. */
  readonly local: HostPort | null
  readonly peerHost: string | null
}

export interface HttpResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Uint8Array
}

export type HttpHandler = (request: HttpRequest) => HttpResponse | Promise<HttpResponse>

/** Bounds of what one peer may take, in bytes and milliseconds. */
export interface HttpLimits {
  readonly headerBytesMax: number
  readonly bodyBytesMax: number
  /** From a request's first byte to its last header. */
  readonly headersTimeoutMs: number
  readonly requestTimeoutMs: number
  readonly idleTimeoutMs: number
  /** One more closes the one that has been without a request for longest. */
  readonly connectionsMax: number
  /** Requests that one connection may have sent without having its responses. */
  readonly pipelinedMax: number
  /** Of responses of which nothing was taken for so long the connection is closed. */
  readonly unreadTimeoutMs: number
  /** Of all responses that are not taken yet; one alone may be larger. */
  readonly unsentBytesMax: number
}

export const HTTP_LIMITS: HttpLimits = {
  headerBytesMax: 16 * 1024,
  bodyBytesMax: 1024 * 1024,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  idleTimeoutMs: 60_000,
  connectionsMax: 1_000,
  pipelinedMax: 32,
  unreadTimeoutMs: 10_000,
  unsentBytesMax: 16 * 1024 * 1024,
}

export const jsonResponse = (status: number, value: unknown): HttpResponse => ({
  status,
  headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
  body: `${JSON.stringify(value)}\n`,
})

/** RFC 9457; `more`: members of the problem's own. */
export const problemResponse = (
  status: number,
  title: string,
  detail: string,
  headers: Readonly<Record<string, string>> = {},
  more: Readonly<Record<string, string>> = {},
): HttpResponse => ({
  status,
  headers: { 'content-type': 'application/problem+json', ...headers },
  body: `${JSON.stringify({ type: 'about:blank', title, status, detail, ...more })}\n`,
})

/** A route of the admin API: handler and description in one place, so that OpenAPI cannot miss or invent any. HTTP front's thread. */
import {
  type HttpHandler,
  type HttpRequest,
  type HttpResponse,
  problemResponse,
} from '../net/http-interface.ts'
import { SCHEMAS, type SchemaName } from './api-schemas.ts'
import { faultOf, type JsonSchema } from './json-schema.ts'

export interface ApiCall {
  /** By the names in the route's path. */
  readonly params: Readonly<Record<string, string>>
  /** As the route's schemas say; what was not given is not there. */
  readonly query: Readonly<Record<string, string | number | boolean>>
  /** As the route's schema says. */
  readonly body: unknown
}

export interface ApiRoute {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly operationId: string
  readonly summary: string
  /** Strings, integers and flags. */
  readonly query?: Readonly<Record<string, JsonSchema>>
  readonly body?: { readonly schema: SchemaName; readonly isOptional: boolean }
  readonly success: {
    readonly status: 200 | 201 | 202
    readonly schemas: readonly SchemaName[]
    readonly description: string
  }
  /** Besides those that every route has. */
  readonly problems: readonly ProblemStatus[]
  /** Throws {@link ApiError}. */
  handle(call: ApiCall): HttpResponse | Promise<HttpResponse>
}

export const PROBLEMS = {
  400: 'Bad Request',
  401: 'Unauthorized',
  404: 'Not Found',
  409: 'Conflict',
  503: 'Service Unavailable',
} as const
export type ProblemStatus = keyof typeof PROBLEMS

const RETRY_AFTER_S = '1'

/** Answered as a problem: the message says what was wrong, and `next` what to do about it, where that is not plain. */
export class ApiError extends Error {
  override name = 'ApiError'
  readonly status: ProblemStatus
  readonly next: string | null

  constructor(status: ProblemStatus, detail: string, next: string | null = null) {
    super(detail)
    this.status = status
    this.next = next
  }
}

/** Checks what comes in by the route's schemas, and makes problems of {@link ApiError}s. */
export const handlerOf =
  (route: ApiRoute): HttpHandler =>
  async (request) => {
    try {
      const { params = {} } = request
      const [query, body] = [queryOf(route, request.query), bodyOf(route, request)]
      return await route.handle({ params, query, body })
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      return problemOf(error)
    }
  }

function problemOf({ status, message, next }: ApiError): HttpResponse {
  const headers = {
    'cache-control': 'no-store',
    ...(status === 503 ? { 'retry-after': RETRY_AFTER_S } : {}),
  }
  return problemResponse(status, PROBLEMS[status], message, headers, next === null ? {} : { next })
}

function bodyOf({ body: wanted }: ApiRoute, { body }: HttpRequest): unknown {
  if (wanted === undefined) {
    if (body.length > 0) throw new ApiError(400, 'a body came, and none is taken here')
    return undefined
  }
  const value = body.length === 0 && wanted.isOptional ? {} : parseJson(body)
  const fault = faultOf(SCHEMAS[wanted.schema], value, '')
  if (fault !== null) throw new ApiError(400, fault)
  return value
}

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    throw new ApiError(400, 'the body is no JSON')
  }
}

function queryOf({ query: known = {} }: ApiRoute, given: URLSearchParams): ApiCall['query'] {
  const query: Record<string, string | number | boolean> = {}
  for (const [name, text] of given) {
    const schema = Object.hasOwn(known, name) ? known[name] : undefined
    if (schema === undefined) {
      const names = Object.keys(known).join(', ') || 'none'
      throw new ApiError(
        400,
        `${JSON.stringify(name)}: there is no such parameter; there is ${names}`,
      )
    }
    if (Object.hasOwn(query, name)) throw new ApiError(400, `${name}: is given more than once`)
    const value = meant(schema, text)
    const fault = faultOf(schema, value, name)
    if (fault !== null) throw new ApiError(400, fault)
    query[name] = value
  }
  return query
}

/** What the text means, if it means anything; otherwise it stays text, which is refused. */
function meant({ type }: JsonSchema, text: string): string | number | boolean {
  if (type === 'integer') return /^\d{1,15}$/.test(text) ? Number(text) : text
  if (type !== 'boolean') return text
  return text === '' || text === 'true' ? true : text === 'false' ? false : text
}

/** Path and method to handler: exact paths, and paths with `{name}` segments, with 404 and 405 as problems. Any thread. */
import {
  type HttpHandler,
  type HttpRequest,
  type HttpResponse,
  problemResponse,
} from './http-interface.ts'

interface Route {
  readonly segments: readonly string[]
  readonly methods: Map<string, HttpHandler>
}

export class HttpRouter {
  readonly #routes = new Map<string, Route>()

  /** A GET route answers HEAD as well: the adapter leaves the body out. A segment `{name}` of `path` stands for any one that is not empty. */
  add(method: string, path: string, handler: HttpHandler): this {
    const { methods } = this.#routes.get(path) ?? this.#addPath(path)
    methods.set(method, handler)
    if (method === 'GET') methods.set('HEAD', handler)
    return this
  }

  handle(request: HttpRequest): HttpResponse | Promise<HttpResponse> {
    const { method, path } = request
    const route = this.#routes.get(path) ?? this.#match(path)
    if (route === undefined) {
      const known = [...this.#routes.keys()].join(', ')
      return problemResponse(404, 'Not Found', `nothing at ${path}; there is ${known}`)
    }
    const handler = route.methods.get(method)
    if (handler !== undefined) return handler({ ...request, params: paramsOf(route, path) })
    const allow = [...route.methods.keys()].join(', ')
    const detail = `${path} answers ${allow}, not ${method}`
    return problemResponse(405, 'Method Not Allowed', detail, { allow })
  }

  #addPath(path: string): Route {
    const route = { segments: path.split('/'), methods: new Map<string, HttpHandler>() }
    this.#routes.set(path, route)
    return route
  }

  #match(path: string): Route | undefined {
    const given = path.split('/')
    for (const route of this.#routes.values()) {
      const { segments } = route
      if (segments.length !== given.length) continue
      const isMatch = segments.every((segment, at) =>
        nameOf(segment) === null ? segment === given[at] : given[at] !== '',
      )
      if (isMatch) return route
    }
    return undefined
  }
}

/** Of a segment that stands for others. */
const nameOf = (segment: string): string | null =>
  segment.startsWith('{') && segment.endsWith('}') ? segment.slice(1, -1) : null

function paramsOf({ segments }: Route, path: string): Record<string, string> {
  const given = path.split('/')
  const params: Record<string, string> = {}
  for (const [at, segment] of segments.entries()) {
    const name = nameOf(segment)
    if (name !== null) params[name] = given[at]!
  }
  return params
}

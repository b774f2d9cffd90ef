/** Path and method to handler: exact paths, with 404 and 405 as problems. Any thread. */
import {
  type HttpHandler,
  type HttpRequest,
  type HttpResponse,
  problemResponse,
} from './http-interface.ts'

export class HttpRouter {
  readonly #routes = new Map<string, Map<string, HttpHandler>>()

  /** A GET route answers HEAD as well: the adapter leaves the body out. */
  add(method: string, path: string, handler: HttpHandler): this {
    const methods = this.#routes.get(path) ?? new Map<string, HttpHandler>()
    methods.set(method, handler)
    if (method === 'GET') methods.set('HEAD', handler)
    this.#routes.set(path, methods)
    return this
  }

  handle(request: HttpRequest): HttpResponse | Promise<HttpResponse> {
    const methods = this.#routes.get(request.path)
    if (methods === undefined) {
      const known = [...this.#routes.keys()].join(', ')
      return problemResponse(404, 'Not Found', `nothing at ${request.path}; there is ${known}`)
    }
    const handler = methods.get(request.method)
    if (handler !== undefined) return handler(request)
    const allow = [...methods.keys()].join(', ')
    const detail = `${request.path} answers ${allow}, not ${request.method}`
    return problemResponse(405, 'Method Not Allowed', detail, { allow })
  }
}

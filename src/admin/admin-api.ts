/** `/admin/v1`: the operator's API, one table of routes for what is served and what OpenAPI tells of it. HTTP front's thread. */
import { type HttpHandler, jsonResponse } from '../net/http-interface.ts'
import type { HttpRouter } from '../net/http-router.ts'
import { type ApiRoute, handlerOf } from './api-route.ts'
import { keyRoutes } from './key-routes.ts'
import { type ListenerApiOptions, listenerRoutes } from './listener-routes.ts'
import { openApiOf } from './openapi.ts'
import { planRoutes } from './plan-routes.ts'
import { type RemainsOptions, remainsRoutes } from './remains-routes.ts'
import { tenantRoutes } from './tenant-routes.ts'

export interface AdminApiOptions extends RemainsOptions, ListenerApiOptions {
  /** Of the engine. */
  readonly version: string
}

/** `guard` decides who may. */
export function addAdminApi(
  router: HttpRouter,
  guard: (handler: HttpHandler) => HttpHandler,
  options: AdminApiOptions,
): void {
  const routes: ApiRoute[] = [
    ...tenantRoutes(options),
    ...keyRoutes(options),
    ...listenerRoutes(options),
    ...planRoutes(options),
    ...remainsRoutes(options),
  ]
  routes.push({
    ...{ method: 'GET', path: '/admin/v1/openapi.json', operationId: 'getOpenApi' },
    ...{ summary: 'This description', problems: [] },
    success: { status: 200, schemas: ['OpenApi'], description: 'OpenAPI 3.1' },
    handle: () => jsonResponse(200, openApiOf(routes, options.version)),
  })
  for (const route of routes) router.add(route.method, route.path, guard(handlerOf(route)))
}

/** `/admin/v1/tenants/{tenant}/listeners`: where clients of a tenant come in, and how. HTTP front's thread. */
import { jsonResponse } from '../net/http-interface.ts'
import { ApiError, type ApiRoute } from './api-route.ts'
import { type TenantApiOptions, tenantNamed } from './tenant-access.ts'
import { TENANT_PATH } from './tenant-routes.ts'

export interface ClientListener {
  /** HOST:PORT of each broker, from broker 1, as clients are told. */
  readonly brokers: readonly string[]
  readonly tls: boolean
  /** Clients may log in. */
  readonly sasl: boolean
  /** Clients need not log in. */
  readonly anonymous: boolean
  readonly clientCertificate: 'none' | 'requested' | 'required'
  /** Of this tenant alone. */
  readonly isOwn: boolean
}

export interface ListenerApiOptions {
  /** Those that clients of a tenant may use, the best first; null: they are not open yet. */
  readonly listenersOf: (tenant: string) => readonly ClientListener[] | null
}

export function listenerRoutes(options: TenantApiOptions & ListenerApiOptions): ApiRoute[] {
  return [
    {
      ...{ method: 'GET', path: `${TENANT_PATH}/listeners`, operationId: 'listListeners' },
      ...{ summary: 'Where Kafka clients of a tenant come in', problems: [404] },
      success: { status: 200, schemas: ['ListenerList'], description: 'all of them' },
      handle: ({ params }) => {
        const { name } = tenantNamed(options, params.tenant!)
        const listeners = options.listenersOf(name)
        if (listeners !== null) return jsonResponse(200, { listeners })
        throw new ApiError(503, 'the engine is starting, and does not listen yet')
      },
    },
  ]
}

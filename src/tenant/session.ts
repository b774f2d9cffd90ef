import type { TenantId } from '../base/ids.ts'
import type { MetadataView } from '../image/view.ts'

/** Who speaks on a connection. Every look-up by name or id takes `tenantId` from here, never from a request. */
export interface Session {
  readonly tenantId: TenantId
  /** As Kafka's ACLs name it. */
  readonly principal: string
}

/** Kafka's principal of clients that have not authenticated. */
export const ANONYMOUS = 'User:ANONYMOUS'

/**
 * Gives connections their sessions, on the front's thread. A connection without SASL belongs to the tenant `default`;
 * authentication will put another session in its place.
 */
export class Sessions {
  readonly #image: MetadataView
  #anonymous: Session | null = null

  constructor(image: MetadataView) {
    this.#image = image
  }

  /** Null before there is such a tenant. */
  anonymous(): Session | null {
    const tenant = this.#image.defaultTenant
    if (tenant === undefined) return null
    if (this.#anonymous?.tenantId !== tenant.tenantId) {
      this.#anonymous = { tenantId: tenant.tenantId, principal: ANONYMOUS }
    }
    return this.#anonymous
  }
}

import { NO_TENANT, type TenantId } from '../base/ids.ts'
import type { StoredSecret } from '../image/entry.ts'
import type { MetadataView, TenantView } from '../image/view.ts'
import { keyIdFault } from './api-key.ts'

/** What a client has proved itself with; null: it has not. */
export type Login =
  | { readonly kind: 'key'; readonly keyId: string }
  | { readonly kind: 'user'; readonly user: string }
  /** Of its TLS connection: whom it names is the session's principal. */
  | { readonly kind: 'certificate' }
  | null

/** Who speaks on a connection. Every look-up by name or id takes `tenantId` from here, never from a request. */
export interface Session {
  readonly tenantId: TenantId
  /** As Kafka's ACLs name it. */
  readonly principal: string
  readonly login: Login
  /** It may do everything by where it came in, whatever ACLs say. */
  readonly isTrusted: boolean
  /** Monotonic milliseconds: from then on it must prove itself again (KIP-368). */
  readonly expiresAtMs: number
}

/** Kafka's principal of clients that have not authenticated. */
export const ANONYMOUS = 'User:ANONYMOUS'

/** Of a connection of which it is not known yet whose it is: no tenant has this id, so that nothing is found by it. */
export const NOBODY: Session = Object.freeze({
  ...{ tenantId: NO_TENANT, principal: ANONYMOUS },
  ...{ login: null, isTrusted: false, expiresAtMs: Number.POSITIVE_INFINITY },
})

/** Where somebody of a name was found. */
export interface Found {
  readonly kind: 'found'
  readonly session: Session
  readonly secrets: readonly StoredSecret[]
}

/** There is somebody of a name, of a tenant that lets nobody in. */
export interface Barred {
  readonly kind: 'barred'
  readonly tenantId: TenantId
  /** For the log, never for the client. */
  readonly reason: string
}

/** Gives connections their sessions, by the image. On the front's thread. */
export class Sessions {
  readonly #image: MetadataView
  /** One object for all connections of a tenant. */
  #anonymous: Session | null = null

  constructor(image: MetadataView) {
    this.#image = image
  }

  /** Of a client that does not authenticate, at a listener of `tenantId`, or of all tenants (null); whether that trusts it. Why not, where there is none. */
  anonymous(tenantId: TenantId | null, isTrusted = false): Session | string {
    const tenant = this.#tenantAt(tenantId)
    if (typeof tenant === 'string') return tenant
    if (isTrusted) return { ...NOBODY, tenantId: tenant.tenantId, isTrusted }
    if (tenant !== this.#image.defaultTenant) return { ...NOBODY, tenantId: tenant.tenantId }
    if (this.#anonymous?.tenantId !== tenant.tenantId) {
      this.#anonymous = { ...NOBODY, tenantId: tenant.tenantId }
    }
    return this.#anonymous
  }

  /** Of a client whose certificate names `principal`, likewise. */
  certified(tenantId: TenantId | null, principal: string): Session | string {
    const tenant = this.#tenantAt(tenantId)
    if (typeof tenant === 'string') return tenant
    return { ...NOBODY, tenantId: tenant.tenantId, principal, login: { kind: 'certificate' } }
  }

  /**
   * Who goes by `username` at such a listener: the id of an API key, or a SCRAM user, named `TENANT/USER` where the listener does not say which tenant is meant. Of a
   * tenant that is not active, nobody is let in.
   */
  find(username: string, listenerTenant: TenantId | null): Found | Barred | undefined {
    const owned = this.#image.apiKey(username)
    if (owned !== undefined) {
      const { tenant, key } = owned
      if (listenerTenant !== null && tenant.tenantId !== listenerTenant) return undefined
      return found(tenant, key.user, { kind: 'key', keyId: key.keyId }, key.secrets)
    }
    const { tenant, user } = this.#named(username, listenerTenant)
    const secrets = tenant?.access?.secretsOf(user) ?? []
    if (tenant === undefined || secrets.length === 0) return undefined
    return found(tenant, user, { kind: 'user', user }, secrets)
  }

  /** `username` as it is at a listener of all tenants, `TENANT/USER`; what may be a key is itself everywhere. */
  wholeName(username: string, listenerTenant: TenantId | null): string {
    if (listenerTenant === null || keyIdFault(username) === null) return username
    return `${this.#image.tenant(listenerTenant)?.name ?? ''}/${username}`
  }

  /** What it was given on still holds. */
  isGood({ tenantId, login }: Session): boolean {
    const tenant = this.#image.tenant(tenantId)
    if (tenant === undefined || refuseState(tenant) !== null) return false
    if (login === null || login.kind === 'certificate') return true
    if (login.kind === 'key') return tenant.access?.key(login.keyId) !== undefined
    return (tenant.access?.secretsOf(login.user).length ?? 0) > 0
  }

  /** The default tenant where a listener is nobody's; why it serves nobody. */
  #tenantAt(tenantId: TenantId | null): TenantView | string {
    const { defaultTenant } = this.#image
    const tenant = tenantId === null ? defaultTenant : this.#image.tenant(tenantId)
    if (tenant === undefined) return 'nobody can be served yet'
    return refuseState(tenant) ?? tenant
  }

  #named(username: string, listenerTenant: TenantId | null) {
    if (listenerTenant !== null) {
      return { tenant: this.#image.tenant(listenerTenant), user: username }
    }
    const end = username.indexOf('/')
    // names of tenants have no slash, those of users may
    const tenant = end < 0 ? undefined : this.#image.tenantByName(username.slice(0, end))
    return { tenant, user: username.slice(end + 1) }
  }
}

function found(
  tenant: TenantView,
  user: string,
  login: Login,
  secrets: readonly StoredSecret[],
): Found | Barred {
  const reason = refuseState(tenant)
  if (reason !== null) return { kind: 'barred', tenantId: tenant.tenantId, reason }
  return { kind: 'found', session: sessionOf(tenant, user, login), secrets }
}

const sessionOf = ({ tenantId }: TenantView, user: string, login: Login): Session => ({
  ...{ tenantId, principal: `User:${user}`, login, isTrusted: false },
  expiresAtMs: Number.POSITIVE_INFINITY,
})

function refuseState({ name, settings }: TenantView): string | null {
  if (settings.state === 'active') return null
  const what = settings.state === 'suspended' ? 'is suspended' : 'is being deleted'
  return `the tenant '${name}' ${what}`
}

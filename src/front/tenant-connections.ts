/** Which connections are whose, how many a tenant has, and the end of those whose session ends. On the front's thread. */
import type { TenantId } from '../base/ids.ts'
import type { MetadataEntry } from '../image/entry.ts'
import { overLimit, overSize, tenantLimit } from '../image/tenant-limits.ts'
import type { MetadataView } from '../image/view.ts'
import type { TenantUse } from '../link/tenant-use.ts'
import type { KafkaConnection } from '../net/connection.ts'
import type { Owner, Owners } from '../net/owner.ts'
import { OwnerCount } from '../net/owner-counts.ts'
import type { Session, Sessions } from '../tenant/session.ts'

/** Metadata after which a session may be none any more. */
const ENDING: ReadonlySet<string> = new Set([
  'tenant-settings',
  'tenant-deleted',
  'api-key-revoked',
  'user-secrets',
])

export class TenantConnections {
  readonly #image: MetadataView
  readonly #sessions: Sessions
  readonly #sessionOf: (connection: KafkaConnection) => Session
  readonly #byTenant = new Map<TenantId, Set<KafkaConnection>>()
  readonly #owners: Owners
  readonly #use: TenantUse
  /** Of tenants that have something open or held here, or have had and are counted in rows of their own. */
  readonly #ownerOf = new Map<TenantId, Owner>()

  constructor(
    image: MetadataView,
    sessions: Sessions,
    { owners, use }: { readonly owners: Owners; readonly use: TenantUse },
    sessionOf: (connection: KafkaConnection) => Session,
  ) {
    this.#image = image
    this.#sessions = sessions
    this.#owners = owners
    this.#use = use
    this.#sessionOf = sessionOf
  }

  /** What connections of the tenant hold counts as its own, also after they have gone. */
  ownerOf(tenantId: TenantId): Owner {
    let owner = this.#ownerOf.get(tenantId)
    if (owner === undefined) {
      const name = this.#image.tenant(tenantId)?.name ?? null
      owner = this.#owners.create(this.#use.take(tenantId), name)
      this.#ownerOf.set(tenantId, owner)
    }
    return owner
  }

  /** Forgets those that have nothing open or held, of tenants that are gone, and of others where their rows are wanted. */
  sweep(): void {
    for (const [tenantId, owner] of this.#ownerOf) {
      const isKept =
        this.#use.has(tenantId) && this.#image.tenant(tenantId) !== undefined && !this.#use.isShort
      if (isKept || !owner.isIdle) continue
      this.#use.release(tenantId)
      this.#ownerOf.delete(tenantId)
      owner.letGo()
    }
    // what was read for connections that had gone
    for (const tenantId of this.#use.tenants()) {
      const isKept = this.#ownerOf.has(tenantId) || this.#image.tenant(tenantId) !== undefined
      if (!isKept) this.#use.release(tenantId)
    }
  }

  /** Where it is counted what is read for the tenant from logs that `brokerId` leads; undefined: nowhere. */
  useAt(tenantId: TenantId, brokerId: number): Float64Array | undefined {
    return this.#use.takeIfPlenty(tenantId, brokerId)
  }

  count(tenantId: TenantId): number {
    return this.#byTenant.get(tenantId)?.size ?? 0
  }

  /** Counts `connection` as the tenant's; why not, where it has as many as it may have, or the request of `bytes` that has told whose it is is larger than the tenant's may be. */
  join(connection: KafkaConnection, tenantId: TenantId, bytes: number): string | null {
    const own = this.#byTenant.get(tenantId)
    if (own?.has(connection)) return null
    const max = tenantLimit(this.#image, tenantId, 'connections')
    const refusal = overLimit(max, 'connections', { used: own?.size ?? 0, asked: 1 })
    if (refusal !== null) {
      this.refused(connection, tenantId)
      return refusal
    }
    const bytesMax = tenantLimit(this.#image, tenantId, 'requestBytes')
    if (bytesMax !== null && bytes > bytesMax) {
      this.refused(connection, tenantId)
      return overSize(bytesMax, 'requestBytes', 'a request', bytes)
    }
    connection.limitRequests(bytesMax)
    if (own === undefined) this.#byTenant.set(tenantId, new Set([connection]))
    else own.add(connection)
    connection.owner = this.ownerOf(tenantId)
    return null
  }

  /** A connection that would be the tenant's is not: it is over the limit, or its login has failed. At the tenant's own listener it was counted when it came. */
  refused({ owner }: KafkaConnection, tenantId: TenantId): void {
    const of = this.ownerOf(tenantId)
    if (owner !== of) of.counts[OwnerCount.CONNECTIONS_REFUSED]!++
  }

  leave(connection: KafkaConnection, tenantId: TenantId): void {
    const own = this.#byTenant.get(tenantId)
    if (own?.delete(connection) && own.size === 0) this.#byTenant.delete(tenantId)
  }

  /** Metadata has been applied: who is let in no more loses its connections. */
  onEntries(entries: readonly MetadataEntry[]): void {
    const changed = new Set<TenantId>()
    for (const entry of entries) {
      if (entry.kind === 'plan') this.#addOf(entry.name, changed)
      if (ENDING.has(entry.kind) && 'tenantId' in entry) changed.add(entry.tenantId)
    }
    for (const tenantId of changed) this.#review(tenantId)
  }

  /** Another image has taken the place of the one before: it names nothing that went meanwhile. */
  onWholeImage(): void {
    for (const tenantId of [...this.#byTenant.keys()]) this.#review(tenantId)
  }

  /** Those with connections here that have the plan. */
  #addOf(plan: string, tenants: Set<TenantId>): void {
    for (const tenantId of this.#byTenant.keys()) {
      if (this.#image.tenant(tenantId)?.settings.plan === plan) tenants.add(tenantId)
    }
  }

  #review(tenantId: TenantId): void {
    const own = this.#byTenant.get(tenantId)
    if (own === undefined) return
    const bytesMax = tenantLimit(this.#image, tenantId, 'requestBytes')
    for (const connection of [...own]) {
      connection.limitRequests(bytesMax)
      if (this.#sessions.isGood(this.#sessionOf(connection))) continue
      connection.logRefused('connection closed: its tenant or its key is let in no more', {})
      connection.close()
    }
  }
}

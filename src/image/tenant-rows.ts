/** The tenants of an image, by id, by name and by the ids of their API keys, and their plans. */
import { invariant } from '../base/assert.ts'
import type { TenantId } from '../base/ids.ts'
import type { MetadataEntry } from './entry.ts'
import { PlanRows } from './plan-rows.ts'
import { TenantRow } from './rows.ts'
import type { ApiKeyView } from './tenant-access.ts'
import type { TopicConfigs } from './tenant-configs.ts'
import { settingsOf } from './tenant-settings.ts'

type Entry<Kind extends MetadataEntry['kind']> = Extract<MetadataEntry, { kind: Kind }>

/** What becomes of tenants that are there, and of plans; and what is no affair of an image. */
const TENANT_ENTRIES = [
  'tenant-settings',
  'tenant-deleted',
  'api-key',
  'api-key-revoked',
  'user-secrets',
  'acls-added',
  'acls-removed',
  'plan',
  'plan-deleted',
  'metadata-purge',
] as const satisfies readonly MetadataEntry['kind'][]

export type TenantEntry = Entry<(typeof TENANT_ENTRIES)[number]>

const KINDS: ReadonlySet<string> = new Set(TENANT_ENTRIES)
/** What somebody proves who they are by, and what they may do. */
const ACCESS_KINDS: ReadonlySet<string> = new Set<TenantEntry['kind']>([
  ...(['api-key', 'api-key-revoked', 'user-secrets', 'acls-added', 'acls-removed'] as const),
])

export const isTenantEntry = (entry: MetadataEntry): entry is TenantEntry => KINDS.has(entry.kind)

export class TenantRows {
  /** False: keys, users and ACLs are passed over. */
  readonly keepsAccess: boolean
  readonly plans = new PlanRows()
  readonly #byId = new Map<TenantId, TenantRow>()
  readonly #byName = new Map<string, TenantRow>()
  readonly #byKey = new Map<string, TenantRow>()

  constructor(keepsAccess: boolean) {
    this.keepsAccess = keepsAccess
  }

  get count(): number {
    return this.#byId.size
  }

  get(id: TenantId): TenantRow | undefined {
    return this.#byId.get(id)
  }

  byName(name: string): TenantRow | undefined {
    return this.#byName.get(name)
  }

  all(): Iterable<TenantRow> {
    return this.#byId.values()
  }

  /** Whose key it is, and the key. */
  key(keyId: string): { readonly tenant: TenantRow; readonly key: ApiKeyView } | undefined {
    const tenant = this.#byKey.get(keyId)
    return tenant === undefined ? undefined : { tenant, key: tenant.access!.key(keyId)! }
  }

  /** The tenant to which something belongs. */
  of({ tenantId }: { readonly tenantId: TenantId }): TenantRow {
    const tenant = this.#byId.get(tenantId)
    invariant(tenant, 'a tenant that something belongs to exists')
    return tenant
  }

  add(entry: Entry<'tenant-created'>, fixed: TopicConfigs): void {
    invariant(!this.#byId.has(entry.tenantId), 'a tenant id is used once')
    invariant(!this.#byName.has(entry.name), 'a tenant name is used once')
    const row = new TenantRow(entry, fixed)
    this.#byId.set(entry.tenantId, row)
    this.#byName.set(entry.name, row)
  }

  /** What becomes of a tenant that is there, or of a plan. */
  change(entry: TenantEntry): void {
    if (!this.keepsAccess && ACCESS_KINDS.has(entry.kind)) return
    switch (entry.kind) {
      case 'tenant-settings':
        this.of(entry).setSettings(settingsOf(entry))
        break
      case 'tenant-deleted':
        this.#remove(entry)
        break
      case 'api-key':
        this.#addKey(entry)
        break
      case 'api-key-revoked':
        this.#revokeKey(entry)
        break
      case 'user-secrets':
        this.of(entry).changeAccess((access) => access.setUser(entry))
        break
      case 'acls-added':
        this.of(entry).changeAccess((access) => access.addAcls(entry))
        break
      case 'acls-removed':
        this.of(entry).changeAccess((access) => access.removeAcls(entry))
        break
      case 'plan':
      case 'plan-deleted':
        this.plans.change(entry)
        break
      case 'metadata-purge':
        break
      default:
        entry satisfies never
    }
  }

  #remove(entry: Entry<'tenant-deleted'>): void {
    const row = this.of(entry)
    invariant(row.topicCount === 0, 'the topics of a tenant go before it')
    invariant(row.access === null, 'the keys, users and ACLs of a tenant go before it')
    this.#byId.delete(row.tenantId)
    this.#byName.delete(row.name)
  }

  #addKey(entry: Entry<'api-key'>): void {
    invariant(!this.#byKey.has(entry.keyId), 'a key id is used once')
    const row = this.of(entry)
    row.changeAccess((access) => access.addKey(entry))
    this.#byKey.set(entry.keyId, row)
  }

  #revokeKey(entry: Entry<'api-key-revoked'>): void {
    const row = this.of(entry)
    invariant(this.#byKey.get(entry.keyId) === row, 'a key that is revoked is the tenant’s')
    row.changeAccess((access) => access.revokeKey(entry.keyId))
    this.#byKey.delete(entry.keyId)
  }
}

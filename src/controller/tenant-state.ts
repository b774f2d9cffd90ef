/** Of the controller's state: the tenants, what they may have and have, their keys and users. */
import { invariant } from '../base/assert.ts'
import type { CellId, TenantId } from '../base/ids.ts'
import { type AclBinding, aclKey } from '../image/acl-binding.ts'
import type { MetadataEntry, StoredSecret, TenantSettings } from '../image/entry.ts'
import { packSecrets, unpackSecrets } from '../image/packed-secrets.ts'
import { type PlanEntry, type PlanView, planOf } from '../image/plan-rows.ts'
import { limitOf, type TenantLimit } from '../image/tenant-limits.ts'
import type { TenantEntry } from '../image/tenant-rows.ts'
import { ADMIN_USER, defaultSettings, settingsOf } from '../image/tenant-settings.ts'
import { isInternalTopic } from '../image/topic-name.ts'
import type { TimelineMap } from '../machine/timeline.ts'

type Entry<Kind extends MetadataEntry['kind']> = Extract<MetadataEntry, { kind: Kind }>

export interface TenantState {
  readonly tenantId: TenantId
  readonly name: string
  readonly clusterId: string
  readonly cellId: CellId
  /** null until any are set. */
  readonly settings: TenantSettings | null
}

export interface KeyState {
  readonly tenantId: TenantId
  readonly keyId: string
  readonly user: string
  readonly createdAtMs: number
  /** As `packed-secrets.ts` has them. */
  readonly packed: string
}

export interface UserState {
  readonly tenantId: TenantId
  readonly user: string
  readonly packed: string
}

/** Topics and partitions that count against limits: those that the tenant has made. */
export interface TenantUse {
  readonly topics: number
  readonly partitions: number
}

const NO_ACLS: ReadonlyMap<string, AclBinding> = new Map()
const NO_SECRETS: readonly StoredSecret[] = []
const NOTHING: TenantUse = Object.freeze({ topics: 0, partitions: 0 })

export class TenantStates {
  readonly byId: TimelineMap<TenantId, TenantState>
  readonly byName: TimelineMap<string, TenantId>
  readonly plans: TimelineMap<string, PlanView>
  readonly keys: TimelineMap<string, KeyState>
  /** By tenant and name. */
  readonly users: TimelineMap<string, UserState>
  /** By {@link aclKey}; a change makes another map. */
  readonly acls: TimelineMap<TenantId, ReadonlyMap<string, AclBinding>>
  /** Those that are on their way out. */
  readonly deleting: TimelineMap<TenantId, true>
  readonly #keyCounts: TimelineMap<TenantId, number>
  readonly #userCounts: TimelineMap<TenantId, number>
  readonly #use: TimelineMap<TenantId, TenantUse>

  constructor(map: <K, V>() => TimelineMap<K, V>) {
    this.byId = map()
    this.byName = map()
    this.plans = map()
    this.keys = map()
    this.users = map()
    this.acls = map()
    this.deleting = map()
    this.#keyCounts = map()
    this.#userCounts = map()
    this.#use = map()
  }

  settingsOf(tenantId: TenantId): TenantSettings {
    const tenant = this.byId.get(tenantId)
    return tenant?.settings ?? defaultSettings(tenant?.name ?? '')
  }

  /** What holds for the tenant; null: not limited. */
  limitOf(tenantId: TenantId, name: TenantLimit): number | null {
    const { limits, plan } = this.settingsOf(tenantId)
    return limitOf(name, limits, plan === undefined ? undefined : this.plans.get(plan)?.limits)
  }

  /** Tenants that have the plan, by name. Looks at all tenants. */
  withPlan(name: string): string[] {
    const found = [...this.byId.values()].filter(({ settings }) => settings?.plan === name)
    return found.map((tenant) => tenant.name).sort()
  }

  changePlan(entry: PlanEntry): void {
    if (entry.kind === 'plan') this.plans.set(entry.name, planOf(entry))
    else this.plans.delete(entry.name)
  }

  keyCount(tenantId: TenantId): number {
    return this.#keyCounts.get(tenantId) ?? 0
  }

  userCount(tenantId: TenantId): number {
    return this.#userCounts.get(tenantId) ?? 0
  }

  useOf(tenantId: TenantId): TenantUse {
    return this.#use.get(tenantId) ?? NOTHING
  }

  aclsOf(tenantId: TenantId): ReadonlyMap<string, AclBinding> {
    return this.acls.get(tenantId) ?? NO_ACLS
  }

  secretsOf(tenantId: TenantId, user: string): readonly StoredSecret[] {
    const packed = this.users.get(`${tenantId}/${user}`)?.packed
    return packed === undefined ? NO_SECRETS : unpackSecrets(packed)
  }

  /** Topics and partitions have come (or gone, where they are below zero). */
  count(tenantId: TenantId, topicName: string, { topics, partitions }: TenantUse): void {
    if (isInternalTopic(topicName)) return
    const before = this.useOf(tenantId)
    const now = { topics: before.topics + topics, partitions: before.partitions + partitions }
    if (now.topics === 0 && now.partitions === 0) this.#use.delete(tenantId)
    else this.#use.set(tenantId, now)
  }

  create({ tenantId, name, clusterId, cellId }: Entry<'tenant-created'>): void {
    invariant(!this.byId.has(tenantId), 'a tenant id is used once')
    this.byId.set(tenantId, { tenantId, name, clusterId, cellId, settings: null })
    this.byName.set(name, tenantId)
  }

  change(entry: Extract<TenantEntry, { tenantId: TenantId }>): void {
    const { tenantId } = entry
    const tenant = this.byId.get(tenantId)
    invariant(tenant, 'a tenant that is changed exists')
    switch (entry.kind) {
      case 'tenant-settings':
        this.byId.set(tenantId, { ...tenant, settings: settingsOf(entry) })
        if (entry.state === 'deleting') this.deleting.set(tenantId, true)
        break
      case 'tenant-deleted':
        this.byId.delete(tenantId)
        this.byName.delete(tenant.name)
        this.deleting.delete(tenantId)
        break
      case 'api-key': {
        const { keyId, createdAtMs, secrets } = entry
        const user = entry.user === ADMIN_USER ? ADMIN_USER : entry.user
        const packed = packSecrets(secrets)
        // the tenant's own string: every decoded entry carries a copy. Spread, each key would have a hidden class of its own
        this.keys.set(keyId, { tenantId: tenant.tenantId, keyId, user, createdAtMs, packed })
        addTo(this.#keyCounts, tenantId, 1)
        break
      }
      case 'api-key-revoked':
        invariant(
          this.keys.get(entry.keyId)?.tenantId === tenantId,
          'a revoked key is the tenant’s',
        )
        this.keys.delete(entry.keyId)
        addTo(this.#keyCounts, tenantId, -1)
        break
      case 'user-secrets':
        this.#setUser(entry)
        break
      case 'acls-added':
      case 'acls-removed':
        this.#changeAcls(entry)
        break
      default:
        entry satisfies never
    }
  }

  #changeAcls({ kind, tenantId, acls }: Entry<'acls-added' | 'acls-removed'>): void {
    const changed = new Map(this.aclsOf(tenantId))
    for (const acl of acls) {
      if (kind === 'acls-added') changed.set(aclKey(acl), acl)
      else changed.delete(aclKey(acl))
    }
    if (changed.size === 0) this.acls.delete(tenantId)
    else this.acls.set(tenantId, changed)
  }

  #setUser({ tenantId, user, secrets }: Entry<'user-secrets'>): void {
    const key = `${tenantId}/${user}`
    const before = this.users.size
    if (secrets.length === 0) this.users.delete(key)
    else this.users.set(key, { tenantId, user, packed: packSecrets(secrets) })
    const change = this.users.size - before
    if (change !== 0) addTo(this.#userCounts, tenantId, change)
  }
}

/** What is nothing is not there: equal states are equal however they were reached. */
export function addTo<Key>(counts: TimelineMap<Key, number>, key: Key, by: number): void {
  const sum = (counts.get(key) ?? 0) + by
  if (sum === 0) counts.delete(key)
  else counts.set(key, sum)
}

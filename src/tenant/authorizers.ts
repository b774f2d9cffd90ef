/** What the clients of each tenant may do: its ACLs, built when they are first asked for and kept as the metadata changes. On the front's thread. */
import type { TenantId } from '../base/ids.ts'
import type { AclBinding } from '../image/acl-binding.ts'
import type { MetadataEntry } from '../image/entry.ts'
import type { MetadataView, TenantView } from '../image/view.ts'
import { Acls } from './authorizer.ts'

/** Of all tenants together, 1.2 KB each: beyond, those that were asked longest ago are built again when they are asked. */
const ACLS_KEPT_MAX = 100_000
/** Sweeps without a question until a tenant's are forgotten. */
const IDLE_SWEEPS_MAX = 20

/** The ACLs of one tenant, as long as they are kept. */
export class TenantAcls {
  /** Null: out of date, or forgotten. Others take their place, in another object. */
  acls: Acls | null
  /** Somebody has asked since the last sweep. */
  isUsed = true
  idleSweeps = 0

  constructor(acls: Acls | null) {
    this.acls = acls
  }
}

/** Of a tenant that is not there: nobody may do anything. */
const GONE = new TenantAcls(null)
const NO_RIGHTS = new Acls()

export class Authorizers {
  readonly #image: MetadataView
  /** Those that were asked for longest ago first, as of the last sweep. */
  readonly #byTenant = new Map<TenantId, TenantAcls>()
  #aclsKept = 0

  constructor(image: MetadataView) {
    this.#image = image
  }

  /** Tenants whose ACLs are kept. */
  get size(): number {
    return this.#byTenant.size
  }

  /** Of all of them. */
  get aclsKept(): number {
    return this.#aclsKept
  }

  of(tenantId: TenantId): TenantAcls {
    const known = this.#byTenant.get(tenantId)
    if (known !== undefined) return known
    const tenant = this.#image.tenant(tenantId)
    if (tenant === undefined) return GONE
    const acls = aclsOf(tenant)
    this.#makeRoom(acls.size)
    this.#aclsKept += acls.size
    const made = new TenantAcls(acls)
    this.#byTenant.set(tenantId, made)
    return made
  }

  /** Metadata has been applied. */
  onEntries(entries: readonly MetadataEntry[]): void {
    for (const entry of entries) {
      switch (entry.kind) {
        case 'acls-added':
          this.#change(entry.tenantId, entry.acls, (acls, binding) => acls.add(binding))
          break
        case 'acls-removed':
          this.#change(entry.tenantId, entry.acls, (acls, binding) => acls.remove(binding))
          break
        case 'tenant-settings':
        case 'tenant-deleted':
          this.#forget(entry.tenantId)
          break
      }
    }
  }

  /** Another image has taken the place of the one before. */
  onWholeImage(): void {
    for (const tenantId of [...this.#byTenant.keys()]) this.#forget(tenantId)
  }

  /** Forgets what nobody has asked for in {@link IDLE_SWEEPS_MAX} sweeps. */
  sweep(): void {
    for (const [tenantId, kept] of [...this.#byTenant]) {
      if (kept.isUsed) {
        kept.isUsed = false
        kept.idleSweeps = 0
        this.#byTenant.delete(tenantId)
        this.#byTenant.set(tenantId, kept)
      } else if (++kept.idleSweeps >= IDLE_SWEEPS_MAX) this.#forget(tenantId)
    }
  }

  #change(
    tenantId: TenantId,
    bindings: readonly AclBinding[],
    change: (acls: Acls, binding: AclBinding) => boolean,
  ): void {
    const acls = this.#byTenant.get(tenantId)?.acls
    if (acls === undefined || acls === null) return
    const before = acls.size
    for (const binding of bindings) change(acls, binding)
    this.#aclsKept += acls.size - before
  }

  #makeRoom(size: number): void {
    for (const tenantId of this.#byTenant.keys()) {
      if (this.#aclsKept + size <= ACLS_KEPT_MAX) return
      this.#forget(tenantId)
    }
  }

  #forget(tenantId: TenantId): void {
    const kept = this.#byTenant.get(tenantId)
    if (kept === undefined) return
    this.#aclsKept -= kept.acls?.size ?? 0
    kept.acls = null
    this.#byTenant.delete(tenantId)
  }
}

/** The ACLs that hold now; to be kept and asked for `acls` each time. */
export const aclsNow = (kept: TenantAcls): Acls => kept.acls ?? NO_RIGHTS

function aclsOf({ settings, access }: TenantView): Acls {
  const { superUsers, allowEveryoneIfNoAcl } = settings
  const acls = new Acls({ superUsers, allowEveryoneIfNoAclFound: allowEveryoneIfNoAcl })
  for (const binding of access?.acls() ?? []) acls.add(binding)
  return acls
}

/** CreateAcls and DeleteAcls: the checks of Kafka's AclControlManager. Looks at the state and returns entries; changes nothing. */
import { ErrorCode } from '../base/error-code.ts'
import type { TenantId } from '../base/ids.ts'
import { type AclBinding, aclKey, refuseAclCount, refuseBinding } from '../image/acl-binding.ts'
import { filterMatches, refuseFilter, refuseFilterCount } from '../image/acl-filter.ts'
import type { MetadataEntry } from '../image/entry.ts'
import type { ControllerRequest, DeletedAcls, Outcome } from '../image/request.ts'
import { accepted, refusedOne } from '../image/results.ts'
import type { ControllerState } from './state.ts'

type Request<Kind extends ControllerRequest['kind']> = Extract<ControllerRequest, { kind: Kind }>

export function planCreateAcls(
  { tenants }: ControllerState,
  tenantId: TenantId,
  { acls }: Request<'create-acls'>,
): { readonly entries: readonly MetadataEntry[]; readonly results: readonly Outcome[] } {
  const there = tenants.aclsOf(tenantId)
  const added = new Map<string, AclBinding>()
  const results = acls.map((acl) => {
    const key = aclKey(acl)
    const isThere = there.has(key) || added.has(key)
    const refusal =
      refuseBinding(acl) ?? (isThere ? null : refuseAclCount(there.size + added.size + 1))
    if (refusal !== null) return refusedOne('', refusal)
    if (!isThere) added.set(key, acl)
    return accepted('')
  })
  const entry = { kind: 'acls-added', tenantId, acls: [...added.values()] } as const
  return { entries: added.size === 0 ? [] : [entry], results }
}

/** What an earlier filter of the request has removed is told of that one alone. */
export function planDeleteAcls(
  { tenants }: ControllerState,
  tenantId: TenantId,
  { filters }: Request<'delete-acls'>,
): { readonly entries: readonly MetadataEntry[]; readonly results: readonly DeletedAcls[] } {
  const tooMany = refuseFilterCount(filters.length)
  if (tooMany !== null) {
    return { entries: [], results: filters.map(() => ({ ...tooMany, acls: [] })) }
  }
  const left = new Map(tenants.aclsOf(tenantId))
  const removed: AclBinding[] = []
  const results = filters.map((filter) => {
    const refusal = refuseFilter(filter)
    if (refusal !== null) return { ...refusal, acls: [] }
    const acls = [...left.values()].filter((acl) => filterMatches(filter, acl))
    for (const acl of acls) left.delete(aclKey(acl))
    removed.push(...acls)
    return { error: ErrorCode.NONE, message: null, acls }
  })
  const entry = { kind: 'acls-removed', tenantId, acls: removed } as const
  return { entries: removed.length === 0 ? [] : [entry], results }
}

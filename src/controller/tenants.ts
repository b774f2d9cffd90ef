/** Tenants and their keys: what the operator asks for. Looks at the state and returns entries; changes nothing. */
import { ErrorCode } from '../base/error-code.ts'
import type { CellId, TenantId } from '../base/ids.ts'
import type { Random } from '../base/random.ts'
import { ACLS_PER_ENTRY } from '../image/acl-binding.ts'
import { refuseAuthorizerSettings } from '../image/authorizer-settings.ts'
import type { MetadataEntry, TenantSettings } from '../image/entry.ts'
import type { ControllerRequest } from '../image/request.ts'
import { type Refusal, refuse } from '../image/results.ts'
import { changedLimits, overLimit, refuseLimits } from '../image/tenant-limits.ts'
import { DEFAULT_TENANT_NAME, refuseTenantName } from '../image/tenant-name.ts'
import { defaultSettings, settingsOf } from '../image/tenant-settings.ts'
import { newClusterId } from './new-ids.ts'
import type { ControllerState } from './state.ts'
import type { TenantStates } from './tenant-state.ts'

type Request<Kind extends ControllerRequest['kind']> = Extract<ControllerRequest, { kind: Kind }>
type Plan = readonly MetadataEntry[] | Refusal

/** Tenants of one engine: a bound on what one mistake can do to the machine. */
export const TENANTS_MAX = 100_000
/** A principal's, and of a user that a key stands for. */
const NAME_CHARS_MAX = 255
/** `User:*` is everybody in ACLs. */
const PRINCIPAL = /^User:(?!\*$)[^\s,;]+$/

const PRINCIPAL_TYPE = 'User:'

const invalid = (message: string): Refusal => refuse(ErrorCode.INVALID_REQUEST, message)
const unknown = (): Refusal => refuse(ErrorCode.RESOURCE_NOT_FOUND, 'there is no such tenant')

/** Entries for what the operator asks about tenants and keys, or why not. */
export function planTenants(
  state: ControllerState,
  random: Random,
  tenantId: TenantId,
  request: Request<
    'create-tenant' | 'alter-tenant' | 'delete-tenant' | 'create-key' | 'revoke-key'
  >,
): Plan {
  if (request.kind === 'create-tenant') return planCreate(state, random, tenantId, request)
  if (!state.tenants.byId.has(tenantId)) {
    // it is gone: that is what was asked for
    return request.kind === 'delete-tenant' && request.isRepeat === true ? [] : unknown()
  }
  switch (request.kind) {
    case 'alter-tenant':
      return planAlter(state, tenantId, request)
    case 'delete-tenant':
      return planDelete(state, tenantId)
    case 'create-key':
      return planKey(state, tenantId, request)
    case 'revoke-key':
      return planRevoke(state, tenantId, request)
    default:
      request satisfies never
      throw new TypeError('unreachable')
  }
}

/** `tenantId` was drawn by who asks, so that the same request is known when it comes again. */
function planCreate(
  { tenants }: ControllerState,
  random: Random,
  tenantId: TenantId,
  { name, settings }: Request<'create-tenant'>,
): Plan {
  const there = tenants.byName.get(name)
  if (there !== undefined) {
    if (there === tenantId) return []
    return refuse(ErrorCode.DUPLICATE_RESOURCE, `a tenant '${name}' exists already`)
  }
  if (tenants.byId.has(tenantId)) {
    return refuse(ErrorCode.DUPLICATE_RESOURCE, 'that tenant id is taken: ask again')
  }
  const refused = refuseTenantName(name) ?? refuseSettings(tenants, settings)
  if (refused !== null) return invalid(refused)
  if (tenants.byId.size >= TENANTS_MAX) {
    const message = `${TENANTS_MAX} tenants exist, and one engine holds no more`
    return refuse(ErrorCode.POLICY_VIOLATION, message)
  }
  const clusterId = newClusterId(random)
  const cellId = 1 as CellId
  const before = defaultSettings(name)
  const now = settingsOf({ ...before, ...settings })
  const isSet = JSON.stringify(now) !== JSON.stringify(settingsOf(before))
  return [
    { kind: 'tenant-created', tenantId, name, clusterId, cellId },
    ...(isSet ? [{ kind: 'tenant-settings', tenantId, ...now } as const] : []),
  ]
}

function planAlter(
  { tenants }: ControllerState,
  tenantId: TenantId,
  { settings, plan, limits = {} }: Request<'alter-tenant'>,
): Plan {
  const before = tenants.settingsOf(tenantId)
  if (before.state === 'deleting') return refuseDeleting()
  const { plan: planBefore, ...others } = before
  const planNow = plan === undefined ? planBefore : plan
  const now = settingsOf({
    ...{ ...others, ...settings, limits: changedLimits(before.limits, limits) },
    ...(planNow === undefined || planNow === null ? {} : { plan: planNow }),
  })
  const refused = refuseSettings(tenants, now)
  if (refused !== null) return invalid(refused)
  if (JSON.stringify(now) === JSON.stringify(settingsOf(before))) return []
  return [{ kind: 'tenant-settings', tenantId, ...now }]
}

function planDelete({ tenants }: ControllerState, tenantId: TenantId): Plan {
  if (tenants.byId.get(tenantId)!.name === DEFAULT_TENANT_NAME) {
    return invalid(`the tenant '${DEFAULT_TENANT_NAME}' stays: suspend it instead`)
  }
  const before = tenants.settingsOf(tenantId)
  if (before.state === 'deleting') return []
  return [{ kind: 'tenant-settings', tenantId, ...settingsOf({ ...before, state: 'deleting' }) }]
}

function planKey(
  { tenants }: ControllerState,
  tenantId: TenantId,
  { keyId, user, createdAtMs, secrets }: Request<'create-key'>,
): Plan {
  const there = tenants.keys.get(keyId)
  if (there !== undefined) {
    const isSame = there.tenantId === tenantId && there.createdAtMs === createdAtMs
    return isSame ? [] : refuse(ErrorCode.DUPLICATE_RESOURCE, 'that key id is taken: ask again')
  }
  if (tenants.settingsOf(tenantId).state === 'deleting') return refuseDeleting()
  if (user.startsWith(PRINCIPAL_TYPE)) return invalid(doublePrincipal(user))
  if (!PRINCIPAL.test(`${PRINCIPAL_TYPE}${user}`) || user.length > NAME_CHARS_MAX)
    return invalid(refusedUser(user))
  const max = tenants.limitOf(tenantId, 'keys')
  const over = overLimit(max, 'keys', { used: tenants.keyCount(tenantId), asked: 1 })
  if (over !== null) return refuse(ErrorCode.POLICY_VIOLATION, over)
  return [{ kind: 'api-key', tenantId, keyId, user, createdAtMs, secrets }]
}

function planRevoke(
  { tenants }: ControllerState,
  tenantId: TenantId,
  { keyId, isRepeat }: Request<'revoke-key'>,
): Plan {
  // of another tenant it is none
  if (tenants.keys.get(keyId)?.tenantId !== tenantId) {
    return isRepeat ? [] : refuse(ErrorCode.RESOURCE_NOT_FOUND, 'the tenant has no such key')
  }
  return [{ kind: 'api-key-revoked', tenantId, keyId }]
}

const refusedUser = (user: string): string =>
  `the user '${user.slice(0, 100)}' is refused: it wants 1 to ${NAME_CHARS_MAX} characters, no spaces, commas or semicolons, and is not '*'`

/** Who says so means the principal, which it would not be. */
const doublePrincipal = (user: string): string =>
  `the user '${user.slice(0, 100)}' is refused: leave out '${PRINCIPAL_TYPE}', a key of '${user.slice(PRINCIPAL_TYPE.length, 100)}' is of the principal ${user.slice(0, 100)}`

const refuseDeleting = (): Refusal =>
  refuse(ErrorCode.INVALID_REQUEST, 'the tenant is being deleted')

function refuseSettings(
  { plans }: TenantStates,
  { limits = {}, plan, superUsers = [] }: Partial<Omit<TenantSettings, 'state'>>,
): string | null {
  const settings = { superUsers, allowEveryoneIfNoAclFound: false }
  if (plan !== undefined && !plans.has(plan)) return `there is no plan '${plan.slice(0, 100)}'`
  return refuseAuthorizerSettings(settings)?.message ?? refuseLimits(limits)
}

/**
 * Of a tenant that is being deleted, what goes next, `max` things at most; the tenant itself with the last.
 */
export function planDeletion(
  state: ControllerState,
  tenantId: TenantId,
  max: number,
): readonly MetadataEntry[] {
  const entries: MetadataEntry[] = []
  for (const { topicId } of state.topicsOf(tenantId)) {
    if (entries.length >= max) return entries
    entries.push({ kind: 'topic-deleted', tenantId, topicId })
  }
  for (const entry of belongings(state, tenantId)) {
    if (entries.length >= max) return entries
    entries.push(entry)
  }
  entries.push({ kind: 'tenant-deleted', tenantId })
  return entries
}

/** All that a tenant has but topics, as it goes. */
function* belongings(state: ControllerState, tenantId: TenantId): IterableIterator<MetadataEntry> {
  const configs = {}
  for (const brokerId of state.brokersWithConfigs(tenantId)) {
    yield { kind: 'broker-configs', tenantId, brokerId, configs }
  }
  for (const groupId of state.groupsNamed(tenantId)) {
    yield { kind: 'group-configs', tenantId, groupId, configs }
  }
  for (const key of state.tenants.keys.values()) {
    if (key.tenantId === tenantId) yield { kind: 'api-key-revoked', tenantId, keyId: key.keyId }
  }
  for (const one of state.tenants.users.values()) {
    const { user } = one
    if (one.tenantId === tenantId) yield { kind: 'user-secrets', tenantId, user, secrets: [] }
  }
  const acls = [...state.tenants.aclsOf(tenantId).values()]
  for (let at = 0; at < acls.length; at += ACLS_PER_ENTRY) {
    yield { kind: 'acls-removed', tenantId, acls: acls.slice(at, at + ACLS_PER_ENTRY) }
  }
}

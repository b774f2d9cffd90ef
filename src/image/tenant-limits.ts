/** What a tenant may have: limits by name, its own and its plan's, and how a refusal is worded. */
import type { TenantId } from '../base/ids.ts'
import type { MetadataView } from './view.ts'

/** In the order in which they are listed. */
export const TENANT_LIMITS = {
  topics: 'topics, internal ones not counted',
  partitions: 'partitions of all topics, internal ones not counted',
  connections: 'Kafka connections at a time',
  keys: 'API keys',
  users: 'SCRAM users',
  storageBytes: 'bytes of the logs of all partitions, each counted once, internal ones not counted',
  groups: 'consumer groups',
  messageBytes: 'bytes of a record batch, whatever max.message.bytes of its topic says',
  requestBytes: 'bytes of a request',
} as const

export type TenantLimit = keyof typeof TENANT_LIMITS

/** By the names of {@link TENANT_LIMITS}. */
export type Limits = Readonly<Record<string, number>>

/** Of a tenant that was given none. */
const DEFAULT_KEYS_MAX = 1_000
const DEFAULT_USERS_MAX = 1_000
const DEFAULTS: Partial<Record<TenantLimit, number>> = {
  ...{ keys: DEFAULT_KEYS_MAX, users: DEFAULT_USERS_MAX },
}

const COUNT_MAX = 1_000_000_000
const BYTES_MAX = 2 ** 50

/** The largest that a limit may be. */
export const limitMax = (name: TenantLimit): number =>
  name.endsWith('Bytes') ? BYTES_MAX : COUNT_MAX

export const isTenantLimit = (name: string): name is TenantLimit =>
  Object.hasOwn(TENANT_LIMITS, name)

/** Why `limits` cannot be a tenant's, or a plan's; or null. */
export function refuseLimits(limits: Readonly<Record<string, unknown>>): string | null {
  for (const [name, value] of Object.entries(limits)) {
    if (!isTenantLimit(name)) {
      return `there is no limit '${name.slice(0, 100)}': a tenant's limits are ${Object.keys(TENANT_LIMITS).join(', ')}`
    }
    const max = limitMax(name)
    if (!Number.isSafeInteger(value) || (value as number) < 0 || (value as number) > max) {
      return `the limit '${name}' wants a whole number from 0 to ${max}`
    }
  }
  return null
}

/** `changes` made to `limits`: null takes one away. */
export function changedLimits(
  limits: Limits,
  changes: Readonly<Record<string, number | null>>,
): Limits {
  const changed: Record<string, number> = { ...limits }
  for (const [name, max] of Object.entries(changes)) {
    if (max === null) delete changed[name]
    else changed[name] = max
  }
  return changed
}

/** In one order, so that equal limits give equal entries. */
export const limitsInOrder = (limits: Limits): Limits =>
  Object.fromEntries(Object.entries(limits).sort(([a], [b]) => (a < b ? -1 : 1)))

/** What holds: a tenant's own limit, else that of its plan, else the default. null: not limited. */
export const limitOf = (name: TenantLimit, own: Limits, plan: Limits | undefined): number | null =>
  own[name] ?? plan?.[name] ?? DEFAULTS[name] ?? null

/** The same of a tenant by its id; null also of one that is not there. */
export function tenantLimit(
  image: Pick<MetadataView, 'tenant' | 'plans'>,
  tenantId: TenantId,
  name: TenantLimit,
): number | null {
  const settings = image.tenant(tenantId)?.settings
  if (settings === undefined) return null
  const { limits, plan } = settings
  return limitOf(name, limits, plan === undefined ? undefined : image.plans.get(plan)?.limits)
}

/** Words for what is larger by itself than it may be: {@link overLimit} of what adds up. */
export const overSize = (max: number, name: TenantLimit, what: string, bytes: number): string =>
  `${what} of ${bytes} bytes exceeds the limit of ${max} ${name} of this cluster`

/** Words for who asks for more than there may be; null where it fits. `max`: null where it is not limited. */
export function overLimit(
  max: number | null,
  name: TenantLimit,
  { used, asked }: { readonly used: number; readonly asked: number },
): string | null {
  if (max === null || used + asked <= max) return null
  return `The limit of ${max} ${name} of this cluster would be passed: ${used} are used, ${asked} more are asked for.`
}

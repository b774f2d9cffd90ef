/** What a tenant may have: limits by name, and how a refusal is worded. */

/** In the order in which they are listed. */
export const TENANT_LIMITS = {
  topics: 'topics, internal ones not counted',
  partitions: 'partitions of all topics, internal ones not counted',
  connections: 'Kafka connections at a time',
  keys: 'API keys',
  users: 'SCRAM users',
} as const

export type TenantLimit = keyof typeof TENANT_LIMITS

/** Of a tenant that was given none. */
const DEFAULT_KEYS_MAX = 1_000
const DEFAULT_USERS_MAX = 1_000
const DEFAULTS: Partial<Record<TenantLimit, number>> = {
  ...{ keys: DEFAULT_KEYS_MAX, users: DEFAULT_USERS_MAX },
}

export const LIMIT_MAX = 1_000_000_000

export const isTenantLimit = (name: string): name is TenantLimit =>
  Object.hasOwn(TENANT_LIMITS, name)

/** Why `limits` cannot be a tenant's, or null. */
export function refuseLimits(limits: Readonly<Record<string, unknown>>): string | null {
  for (const [name, value] of Object.entries(limits)) {
    if (!isTenantLimit(name)) {
      return `there is no limit '${name.slice(0, 100)}': a tenant's limits are ${Object.keys(TENANT_LIMITS).join(', ')}`
    }
    if (!Number.isSafeInteger(value) || (value as number) < 0 || (value as number) > LIMIT_MAX) {
      return `the limit '${name}' wants a whole number from 0 to ${LIMIT_MAX}`
    }
  }
  return null
}

/** null: not limited. */
export const limitOf = (
  limits: Readonly<Record<string, number>>,
  name: TenantLimit,
): number | null => limits[name] ?? DEFAULTS[name] ?? null

/** Words for who asks for more than there may be; null where it fits. */
export function overLimit(
  limits: Readonly<Record<string, number>>,
  name: TenantLimit,
  { used, asked }: { readonly used: number; readonly asked: number },
): string | null {
  const max = limitOf(limits, name) ?? Number.POSITIVE_INFINITY
  if (used + asked <= max) return null
  return `The limit of ${max} ${name} of this cluster would be passed: ${used} are used, ${asked} more are asked for.`
}

/** Names of tenants: labels of DNS, so that each can be the first part of a host name (SNI). Those of plans are made alike. */

/** The tenant of clients that do not authenticate. */
export const DEFAULT_TENANT_NAME = 'default'

const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/
const SHOWN_MAX = 100

/** Why `name` cannot be a tenant's, or null. */
export const refuseTenantName = (name: string): string | null => refuseName('tenant', name)

/** Why `name` cannot be a plan's, or null. */
export const refusePlanName = (name: string): string | null => refuseName('plan', name)

function refuseName(what: string, name: string): string | null {
  if (LABEL.test(name)) return null
  return `the ${what} name '${name.slice(0, SHOWN_MAX)}' is refused: it wants 1 to 63 lower-case letters, digits and hyphens, with no hyphen at either end`
}

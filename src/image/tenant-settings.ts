/** What a tenant goes by before anything else was said. */
import type { TenantSettings } from './entry.ts'
import { limitsInOrder } from './tenant-limits.ts'
import { DEFAULT_TENANT_NAME } from './tenant-name.ts'

/** The principal of keys that were made for nobody else. */
export const ADMIN_USER = 'admin'

const NO_LIMITS = Object.freeze({})

/** Whoever speaks without a key may do everything, as in a Kafka cluster without an authorizer, until there are ACLs. */
const ANYBODYS: TenantSettings = Object.freeze({
  state: 'active',
  limits: NO_LIMITS,
  superUsers: Object.freeze([`User:${ADMIN_USER}`]),
  allowEveryoneIfNoAcl: true,
})

/** Its users may do what ACLs say, as in a Kafka cluster with one. */
const OWN: TenantSettings = Object.freeze({ ...ANYBODYS, allowEveryoneIfNoAcl: false })

export const defaultSettings = (name: string): TenantSettings =>
  name === DEFAULT_TENANT_NAME ? ANYBODYS : OWN

/** In one order, so that equal settings give equal entries. */
export const settingsOf = ({
  state,
  limits,
  plan,
  superUsers,
  allowEveryoneIfNoAcl,
}: TenantSettings): TenantSettings => ({
  state,
  limits: limitsInOrder(limits),
  ...(plan === undefined ? {} : { plan }),
  superUsers: [...superUsers].sort(),
  allowEveryoneIfNoAcl,
})

import { ACLS_PER_TENANT_MAX } from '../image/acl-binding.ts'

/**
 * Topics that one request may have the controller create, grow or delete, and resources whose configs it may change: as many
 * as Kafka's limit on partitions allows in any case. More are refused here, since carrying them to the controller's thread
 * costs more than the refusal.
 */
export const TOPICS_PER_REQUEST_MAX = 10_000

/** Partitions that a request gives the replicas of: the controller's limit, which is Kafka's. */
const ASSIGNMENTS_PER_REQUEST_MAX = 10_000

/** Configs of all resources of a request together: ten for each that it may name. */
const CONFIGS_PER_REQUEST_MAX = 100_000

/** What a request names. */
export interface Named {
  readonly assignments?: readonly unknown[] | null
  readonly configs?: readonly unknown[]
}

/** Kafka's words for it. */
const excessive = (what: string, asked: number, limit: number): string =>
  `Excessively large number of ${what} per request: ${asked}, the limit is ${limit}.`

export const tooManyTopics = (asked: number): string =>
  excessive('topics', asked, TOPICS_PER_REQUEST_MAX)

/** Users that one request may give and take credentials: each is hashed on the front's thread. */
const USERS_PER_REQUEST_MAX = 1_000

/** Why the controller is not asked to make so many ACLs, or null: a tenant cannot have them. */
export const refuseAcls = (asked: number): string | null =>
  asked > ACLS_PER_TENANT_MAX ? excessive('ACLs', asked, ACLS_PER_TENANT_MAX) : null

export const refuseUsers = (asked: number): string | null =>
  asked > USERS_PER_REQUEST_MAX ? excessive('users', asked, USERS_PER_REQUEST_MAX) : null

/** Why the controller is not asked for what `named` are to be, all together; null when it is. */
export function refuseExcess(what: 'topics' | 'resources', named: readonly Named[]): string | null {
  if (named.length > TOPICS_PER_REQUEST_MAX) {
    return excessive(what, named.length, TOPICS_PER_REQUEST_MAX)
  }
  let assignments = 0
  let configs = 0
  for (const one of named) {
    assignments += one.assignments?.length ?? 0
    configs += one.configs?.length ?? 0
  }
  if (assignments > ASSIGNMENTS_PER_REQUEST_MAX) {
    return excessive('partitions', assignments, ASSIGNMENTS_PER_REQUEST_MAX)
  }
  if (configs <= CONFIGS_PER_REQUEST_MAX) return null
  return excessive('configs', configs, CONFIGS_PER_REQUEST_MAX)
}

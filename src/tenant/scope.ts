import { InvariantError } from '../base/assert.ts'
import type { Api } from '../protocol/api.ts'
import type { Entity } from '../protocol/entity.ts'
import { walkFields } from '../protocol/schema.ts'

/** Tags of things that belong to one tenant: whoever takes one from a request must look it up within the session's. */
export const TENANT_BOUND: ReadonlySet<Entity> = new Set<Entity>([
  'topicName',
  'topicId',
  'groupId',
  'memberId',
  'groupInstanceId',
  'transactionalId',
  'producerId',
  'brokerId',
  'clusterId',
  'directoryId',
  'fetchSessionId',
  'coordinatorKey',
  'configResource',
  'aclResource',
  'principal',
  'userName',
  'quotaEntity',
  'namePattern',
])

/** The tenant-bound things that requests of `api` name, by the tags of its schema. */
export function namedBy(api: Api): Set<Entity> {
  const named = new Set<Entity>()
  walkFields(api.request, (_path, _name, field) => {
    if (field.entity !== undefined && TENANT_BOUND.has(field.entity)) named.add(field.entity)
  })
  return named
}

/**
 * Throws {@link InvariantError} unless `scoped`, what a handler says that it looks up within the tenant (or has no
 * use for), is exactly what requests of `api` can name: so no field that is added later is forgotten.
 */
export function requireScopes(api: Api, scoped: readonly Entity[]): void {
  const named = namedBy(api)
  const missing = [...named].filter((entity) => !scoped.includes(entity))
  const needless = scoped.filter((entity) => !named.has(entity))
  if (missing.length === 0 && needless.length === 0) return
  throw new InvariantError(
    `${api.name}: not scoped: ${missing.join(', ') || 'none'}; scoped but never named: ${needless.join(', ') || 'none'}`,
  )
}

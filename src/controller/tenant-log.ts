/** What becomes of tenants and their keys, as lines of the log: ids, names and users, never secrets. Of the controller that commits it, so once. */
import type { TenantId } from '../base/ids.ts'
import type { Logger } from '../base/log.ts'
import type { MetadataEntry, TenantLifeState } from '../image/entry.ts'
import type { TenantStates } from './tenant-state.ts'

type Entry<Kind extends MetadataEntry['kind']> = Extract<MetadataEntry, { kind: Kind }>

const BECOMES: Readonly<Record<TenantLifeState, string>> = {
  active: 'tenant resumed',
  suspended: 'tenant suspended',
  deleting: 'tenant is being deleted',
}

/** Which cluster id clients see, and what stands for the tenant in other lines and in the names of directories. */
export function logTenantMade(
  logger: Logger,
  { tenantId, name, clusterId }: Entry<'tenant-created'>,
): void {
  logger.log('info', 'tenant made', { tenant: name, tenantId, clusterId })
}

/** Of `entries`, which are about to be committed in `tenants`. */
export function logTenants(
  logger: Logger,
  tenants: TenantStates,
  entries: readonly MetadataEntry[],
): void {
  const states = new Map<TenantId, TenantLifeState>()
  const stateOf = (id: TenantId) =>
    states.get(id) ?? tenants.byId.committed.get(id)?.settings?.state ?? 'active'
  const log = (message: string, tenantId: TenantId, more = {}) => {
    const tenant = (tenants.byId.committed.get(tenantId) ?? tenants.byId.get(tenantId))?.name
    logger.log('info', message, { tenant, tenantId, ...more })
  }
  for (const entry of entries) {
    if (entry.kind === 'tenant-created') logTenantMade(logger, entry)
    else if (entry.kind === 'tenant-deleted') log('tenant deleted', entry.tenantId)
    else if (entry.kind === 'tenant-settings') {
      const { tenantId, state } = entry
      if (state !== stateOf(tenantId)) log(BECOMES[state], tenantId)
      states.set(tenantId, state)
    } else if (entry.kind === 'api-key') {
      const { tenantId, keyId, user } = entry
      log('API key made', tenantId, { keyId, user })
    } else if (entry.kind === 'api-key-revoked' && stateOf(entry.tenantId) !== 'deleting') {
      const { tenantId, keyId } = entry
      const user = tenants.keys.committed.get(keyId)?.user
      log('API key revoked', tenantId, { keyId, user })
    }
  }
}

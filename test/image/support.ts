import type { BrokerId, CellId, PartitionNumber, TenantId, TopicId } from '../../src/base/ids.ts'
import { METADATA_FORMAT, type MetadataEntry } from '../../src/image/entry.ts'

export const ACME = 'aaaaaaaaaaaaaaaa' as TenantId
export const ZETA = '1111111111111111' as TenantId

export const topicId = (n: number) => n.toString(16).padStart(32, '0') as TopicId

export const formed: MetadataEntry = {
  kind: 'cluster-formed',
  format: METADATA_FORMAT,
  clusterId: 'cluster',
  cells: 1,
  brokersPerCell: 3,
}

export const tenant = (tenantId: TenantId, name: string): MetadataEntry => ({
  kind: 'tenant-created',
  tenantId,
  name,
  clusterId: `lkc-${name}`,
  cellId: 1 as CellId,
})

export function topic(
  tenantId: TenantId,
  id: number,
  name: string,
  firstPartition: number,
  leaders: readonly number[],
  configs: Record<string, string> = {},
): MetadataEntry {
  return {
    kind: 'topic-created',
    tenantId,
    topicId: topicId(id),
    name,
    internal: false,
    cellId: 1 as CellId,
    firstPartition: firstPartition as PartitionNumber,
    placements: leaders.map((leader) => ({
      replicas: [leader as BrokerId],
      leader: leader as BrokerId,
      leaderEpoch: 0,
    })),
    configs,
  }
}

export const deleted = (tenantId: TenantId, id: number): MetadataEntry => ({
  kind: 'topic-deleted',
  tenantId,
  topicId: topicId(id),
})

/** What entries about topics do to an image's tables. */
import { invariant } from '../base/assert.ts'
import type { BrokerId, PartitionIndex, PartitionNumber } from '../base/ids.ts'
import type { MetadataEntry, PartitionPlacement } from './entry.ts'
import type { PartitionTable } from './partition-table.ts'
import { type ReplicaMoves, toldReplicas } from './replica-moves.ts'
import type { TenantRows } from './tenant-rows.ts'
import type { ToldLeaders } from './told-leaders.ts'
import type { TopicRows } from './topic-rows.ts'

type Entry<Kind extends MetadataEntry['kind']> = Extract<MetadataEntry, { kind: Kind }>

/** All of one image. */
export interface TopicTables {
  readonly tenants: TenantRows
  readonly topics: TopicRows
  readonly partitions: PartitionTable
  readonly told: ToldLeaders
  readonly moves: ReplicaMoves
}

export function createTopic(tables: TopicTables, entry: Entry<'topic-created'>): void {
  const { tenants, topics } = tables
  const tenant = tenants.get(entry.tenantId)
  invariant(tenant, 'a topic belongs to a tenant that exists')
  invariant(!topics.has(entry.topicId), 'a topic id is used once')
  invariant(!tenant.hasTopic(entry.name), 'a topic name is used once per tenant')
  const slot = topics.add(entry, tenant)
  tenant.add(topics, slot, entry.placements.length)
  place(tables, { slot, firstIndex: 0, ...entry })
}

export function addPartitions(tables: TopicTables, entry: Entry<'partitions-added'>): void {
  const row = tables.topics.get(entry.topicId)
  invariant(row?.tenantId === entry.tenantId, 'partitions are added to a topic that exists')
  const firstIndex = row.partitionCount
  tables.tenants.of(entry).grow(row, entry.firstPartition, entry.placements.length)
  place(tables, { slot: row.slot, firstIndex, ...entry })
}

export function reassign(tables: TopicTables, entry: Entry<'partition-reassigned'>): void {
  const { topics, moves, partitions, told } = tables
  const row = topics.get(entry.topicId)
  const isThere = row?.tenantId === entry.tenantId && entry.index < row.partitionCount
  invariant(isThere, 'replicas move of a partition that exists')
  const number = row.numberOf(entry.index as PartitionIndex)
  moves.set(number, entry)
  const slot = partitions.slotOf(number)
  partitions.setReplicas(slot, toldReplicas(entry))
  const known = told.get(number)
  if (known !== undefined) partitions.setLeader(slot, known.leader, known.leaderEpoch)
  else if (!entry.replicas.includes(partitions.leaderAt(slot) as BrokerId)) {
    // nobody has said who leads: it is asked first
    partitions.setLeader(slot, entry.replicas[0]!, 0)
  }
}

export function deleteTopic(tables: TopicTables, entry: Entry<'topic-deleted'>): void {
  const { tenants, topics, partitions, told, moves } = tables
  const row = topics.get(entry.topicId)
  invariant(row?.tenantId === entry.tenantId, 'a topic that is deleted exists')
  for (let index = 0; index < row.partitionCount; index++) {
    const number = row.numberOf(index as PartitionIndex)
    partitions.remove(number)
    told.forget(number)
    moves.delete(number)
  }
  // before its slot is free: it may be one of a chain
  tenants.get(entry.tenantId)!.remove(row)
  topics.remove(row)
}

interface Placed {
  readonly slot: number
  readonly firstIndex: number
  readonly firstPartition: PartitionNumber
  readonly placements: readonly PartitionPlacement[]
}

function place(
  { partitions, told }: TopicTables,
  { slot, firstIndex, firstPartition, placements }: Placed,
): void {
  placements.forEach(({ leader, leaderEpoch, replicas }, i) => {
    const number = (firstPartition + i) as PartitionNumber
    const known = replicas.length > 1 ? told.get(number) : undefined
    const led = known ?? { leader, leaderEpoch }
    partitions.add(number, slot, firstIndex + i, led.leader, led.leaderEpoch, replicas)
  })
}

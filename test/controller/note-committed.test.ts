/** What tenants have changed of partitions is counted as it is committed, as Kafka counts it for its quota. */
import { expect, it } from 'vitest'
import {
  asBrokerId,
  asCellId,
  asPartitionNumber,
  asTenantId,
  asTopicId,
} from '../../src/base/ids.ts'
import { noteCommitted } from '../../src/controller/note-committed.ts'
import { ControllerState } from '../../src/controller/state.ts'
import type { MetadataEntry } from '../../src/image/entry.ts'
import { TimelineRegistry } from '../../src/machine/timeline.ts'

const tenantId = asTenantId('00000000000000aa')
const other = asTenantId('00000000000000bb')
const cellId = asCellId(1)
const topicId = (n: number) => asTopicId(n.toString(16).padStart(32, '0'))
const placement = { replicas: [asBrokerId(1)], leader: asBrokerId(1), leaderEpoch: 0 }
const placements = (count: number) => Array.from({ length: count }, () => placement)

const made = (n: number, of: typeof tenantId, partitions: number, internal = false) =>
  ({
    ...{
      kind: 'topic-created',
      tenantId: of,
      topicId: topicId(n),
      name: `t${n}`,
      internal,
      cellId,
    },
    ...{ firstPartition: asPartitionNumber(n * 100), placements: placements(partitions) },
    configs: {},
  }) as const satisfies MetadataEntry
const deleted = (n: number, of: typeof tenantId) =>
  ({ kind: 'topic-deleted', tenantId: of, topicId: topicId(n) }) as const satisfies MetadataEntry

it('counts partitions that are made, added and deleted, and none of internal topics', () => {
  const registry = new TimelineRegistry()
  const state = new ControllerState(registry)
  let offset = 0
  const counts = new Map([tenantId, other].map((id) => [id, 0]))
  const commit = (...entries: MetadataEntry[]) => {
    for (const id of counts.keys()) counts.set(id, 0)
    const onPartitionsChanged = (id: typeof tenantId, partitions: number) =>
      counts.set(id, counts.get(id)! + partitions)
    for (const entry of entries) {
      registry.replaying(offset++)
      state.replay(entry)
    }
    noteCommitted({ logger: { log: () => {} }, onPartitionsChanged }, state, entries)
    registry.commit(offset)
    return [...counts.values()]
  }
  commit(
    { kind: 'cluster-formed', format: 1, clusterId: 'p', cells: 1, brokersPerCell: 1 },
    { kind: 'tenant-created', tenantId, name: 'a', clusterId: 'a', cellId },
    { kind: 'tenant-created', tenantId: other, name: 'b', clusterId: 'b', cellId },
  )
  expect(commit(made(1, tenantId, 3), made(2, other, 2), made(3, tenantId, 1, true))).toEqual([
    3, 2,
  ])
  const more = asPartitionNumber(150)
  const added = { kind: 'partitions-added', tenantId, topicId: topicId(1) } as const
  expect(commit({ ...added, firstPartition: more, placements: placements(4) })).toEqual([4, 0])
  const inner = { ...added, topicId: topicId(3), firstPartition: asPartitionNumber(350) }
  expect(commit({ ...inner, placements: placements(4) })).toEqual([0, 0])
  // made, grown and deleted in one go
  const grown = { ...added, topicId: topicId(4), firstPartition: asPartitionNumber(450) }
  expect(
    commit(made(4, tenantId, 2), { ...grown, placements: placements(1) }, deleted(4, tenantId)),
  ).toEqual([2 + 1 + 3, 0])
  expect(commit(deleted(1, tenantId), deleted(2, other), deleted(3, tenantId))).toEqual([7, 2])
})

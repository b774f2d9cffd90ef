/** The controller's state as entries that make the same from nothing, machine and image alike: what a snapshot of the metadata log holds. */
import type { BrokerId, PartitionNumber } from '../base/ids.ts'
import { ACLS_PER_ENTRY } from '../image/acl-binding.ts'
import { METADATA_FORMAT, type MetadataEntry } from '../image/entry.ts'
import { unpackSecrets } from '../image/packed-secrets.ts'
import { placed } from './placement.ts'
import type { CommittedState } from './state.ts'
import type { TopicState } from './topic-state.ts'

/** Of an entry, so that none takes long to make: the partitions that follow are added with entries of their own. */
export const PLACEMENTS_PER_ENTRY = 1_000

/** Every kind that a log may hold, and by which of these it is restated: a kind that is not named here does not compile. */
export const RESTATED_BY = {
  'cluster-formed': 'cluster-formed',
  'tenant-created': 'tenant-created',
  'tenant-settings': 'tenant-settings',
  'tenant-deleted': 'next-partition',
  plan: 'plan',
  'plan-deleted': 'plan',
  'metadata-purge': 'next-partition',
  'api-key': 'api-key',
  'api-key-revoked': 'api-key',
  'user-secrets': 'user-secrets',
  'acls-added': 'acls-added',
  'acls-removed': 'acls-added',
  'topic-created': 'topic-created',
  'topic-deleted': 'next-partition',
  'partitions-added': 'partitions-added',
  'partition-reassigned': 'partition-reassigned',
  'topic-configs': 'topic-created',
  'broker-configs': 'broker-configs',
  'group-configs': 'group-configs',
  'broker-directory': 'broker-directory',
  'next-partition': 'next-partition',
  'producer-ids': 'producer-ids',
} as const satisfies Record<MetadataEntry['kind'], MetadataEntry['kind']>

/** In the order in which they are to be replayed. `state` stays as it is, so this may be done in pieces, in many turns. */
export function* restated(state: CommittedState): IterableIterator<MetadataEntry> {
  const { cluster, nextPartition } = state
  if (cluster === null) return
  yield { kind: 'cluster-formed', format: METADATA_FORMAT, ...cluster }
  yield { kind: 'next-partition', next: nextPartition }
  for (const { lives } of state.brokers) yield* lives
  for (const plan of state.plans) yield { kind: 'plan', ...plan }
  for (const { settings, ...tenant } of state.tenants) {
    yield { kind: 'tenant-created', ...tenant }
    const { tenantId } = tenant
    if (settings !== null) yield { kind: 'tenant-settings', tenantId, ...settings }
  }
  for (const { packed, ...key } of state.keys) {
    yield { kind: 'api-key', ...key, secrets: unpackSecrets(packed) }
  }
  for (const { packed, ...user } of state.users) {
    yield { kind: 'user-secrets', ...user, secrets: unpackSecrets(packed) }
  }
  for (const [tenantId, byKey] of state.acls) {
    const all = [...byKey.values()]
    for (let at = 0; at < all.length; at += ACLS_PER_ENTRY) {
      yield { kind: 'acls-added', tenantId, acls: all.slice(at, at + ACLS_PER_ENTRY) }
    }
  }
  for (const [tenantId, broker, configs] of state.brokerConfigs) {
    const brokerId = Number(broker) as BrokerId | 0
    yield { kind: 'broker-configs', tenantId, brokerId, configs }
  }
  for (const [tenantId, groupId, configs] of state.groupConfigs) {
    yield { kind: 'group-configs', tenantId, groupId, configs }
  }
  for (const [tenantId, next] of state.producerIds) yield { kind: 'producer-ids', tenantId, next }
  for (const topic of state.topics) yield* topicRestated(topic)
}

function* topicRestated(topic: TopicState): IterableIterator<MetadataEntry> {
  const { tenantId, topicId, name, internal, cellId, configs } = topic
  for (const [from, to, first] of ranges(topic)) {
    const placements = topic.replicas.slice(from, to).map(placed)
    const firstPartition = first as PartitionNumber
    if (from > 0) yield { kind: 'partitions-added', tenantId, topicId, firstPartition, placements }
    else {
      const begun = { tenantId, topicId, name, internal, cellId, firstPartition }
      yield { kind: 'topic-created', ...begun, placements, configs }
    }
  }
  for (const [index, move] of topic.moves) {
    yield { kind: 'partition-reassigned', tenantId, topicId, index, ...move }
  }
}

/** Partitions with numbers in a row, a bounded number at a time: indexes from and to, number of the first. */
function* ranges({ partitionCount, firstPartition, added }: TopicState) {
  const starts = [{ index: 0, firstPartition }, ...added]
  for (const [at, start] of starts.entries()) {
    const end = starts[at + 1]?.index ?? partitionCount
    for (let from = start.index; from < end; from += PLACEMENTS_PER_ENTRY) {
      const to = Math.min(end, from + PLACEMENTS_PER_ENTRY)
      yield [from, to, start.firstPartition + from - start.index] as const
    }
  }
}

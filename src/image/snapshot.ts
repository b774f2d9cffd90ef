/** An image as entries, which are hashed, and entries as the messages that start an image. What is published, and kept as a snapshot, comes from the controller's state. */
import { createRequire } from 'node:module'
import type { BrokerId, PartitionIndex } from '../base/ids.ts'
import { ACLS_PER_ENTRY, aclKey } from './acl-binding.ts'
import { METADATA_FORMAT, type MetadataEntry, type PartitionPlacement } from './entry.ts'
import type { MetadataImage } from './image.ts'
import type { MetadataMessage } from './request.ts'
import type { TenantRow, TopicRow } from './rows.ts'
import { defaultSettings, settingsOf } from './tenant-settings.ts'
import type { ConfigValues } from './topic-config.ts'

/** Entries per message of a snapshot: bounds what one structured clone holds. */
export const SNAPSHOT_CHUNK_ENTRIES = 5_000

const byKey = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)

/** Entries that make `image` from nothing, in an order that depends on the state alone. For tests and the simulator: it asks for every topic. */
export function* imageEntries(image: MetadataImage): IterableIterator<MetadataEntry> {
  if (image.clusterId === '') return
  yield {
    kind: 'cluster-formed',
    format: METADATA_FORMAT,
    clusterId: image.clusterId,
    cells: image.cells,
    brokersPerCell: image.brokersPerCell,
  }
  yield* image.directories.entries()
  for (const plan of [...image.plans.all()].sort((a, b) => byKey(a.name, b.name))) {
    yield { kind: 'plan', ...plan }
  }
  let end = 1
  const tenants = [...image.tenants()].sort((a, b) => byKey(a.tenantId, b.tenantId))
  for (const tenant of tenants) {
    const { tenantId, name, clusterId, cellId, nextProducerId } = tenant
    yield { kind: 'tenant-created', tenantId, name, clusterId, cellId }
    yield* accessEntries(tenant)
    yield* configEntries(tenant)
    for (const topic of tenant.topics()) {
      end = Math.max(end, topic.numberOf((topic.partitionCount - 1) as PartitionIndex) + 1)
      yield* topicEntries(image, topic)
    }
    if (nextProducerId > 0) yield { kind: 'producer-ids', tenantId, next: nextProducerId }
  }
  // of topics that are gone: this stands for the entries that made them
  const next = image.nextPartition
  if (next > end) yield { kind: 'next-partition', next }
}

/** Equal for equal states, however they were reached. */
export function imageHash(image: MetadataImage): string {
  // loaded only for this: it would take each thread 5 ms of its start
  const crypto = createRequire(import.meta.url)('node:crypto') as typeof import('node:crypto')
  const hash = crypto.createHash('sha256')
  for (const entry of imageEntries(image)) hash.update(JSON.stringify(entry))
  return hash.digest('hex')
}

/**
 * `entries`, which make what there is at `offset` of the log from nothing, as the messages of the controller in term `epoch` that start an image. Each is made when it is
 * asked for. They may be more than the log has: where messages before the last end is a place in their own row.
 */
export function* messagesOf(
  entries: Iterable<MetadataEntry>,
  { epoch, offset }: { readonly epoch: number; readonly offset: number },
): IterableIterator<MetadataMessage> {
  const all = entries[Symbol.iterator]()
  let next = all.next()
  for (let first = 0; next.done !== true; ) {
    const entries: MetadataEntry[] = []
    for (; next.done !== true && entries.length < SNAPSHOT_CHUNK_ENTRIES; next = all.next()) {
      entries.push(next.value)
    }
    const end = first + entries.length
    if (next.done === true) yield { kind: 'metadata', epoch, first, offset, entries }
    else yield { kind: 'metadata', epoch, first, offset: end, entries, more: true }
    first = end
  }
}

/** `image` as the messages that start another one at the same offset: until the last, it must not change. For tests: who publishes has no image. */
export const snapshotMessages = (image: MetadataImage, epoch: number) =>
  messagesOf(imageEntries(image), { epoch, offset: image.offset })

/** Settings where they are not those that it began with, keys, users and ACLs. */
function* accessEntries(tenant: TenantRow): IterableIterator<MetadataEntry> {
  const { tenantId, name, settings, access } = tenant
  const begun = settingsOf(defaultSettings(name))
  const isBegun = JSON.stringify(settingsOf(settings)) === JSON.stringify(begun)
  if (!isBegun) yield { kind: 'tenant-settings', tenantId, ...settingsOf(settings) }
  if (access === null) return
  for (const key of [...access.keys()].sort((a, b) => byKey(a.keyId, b.keyId))) {
    const { keyId, user, createdAtMs, secrets } = key
    yield { kind: 'api-key', tenantId, keyId, user, createdAtMs, secrets }
  }
  for (const [user, secrets] of [...access.users()].sort(([a], [b]) => byKey(a, b))) {
    yield { kind: 'user-secrets', tenantId, user, secrets }
  }
  const acls = [...access.acls()].sort((a, b) => byKey(aclKey(a), aclKey(b)))
  for (let at = 0; at < acls.length; at += ACLS_PER_ENTRY) {
    yield { kind: 'acls-added', tenantId, acls: acls.slice(at, at + ACLS_PER_ENTRY) }
  }
}

function* configEntries({ tenantId, configs }: TenantRow): IterableIterator<MetadataEntry> {
  if (configs === null) return
  for (const [brokerId, values] of [...configs.brokers()].sort(([a], [b]) => a - b)) {
    yield { kind: 'broker-configs', tenantId, brokerId, configs: inOrder(values) }
  }
  for (const [groupId, values] of [...configs.groups()].sort(([a], [b]) => byKey(a, b))) {
    yield { kind: 'group-configs', tenantId, groupId, configs: inOrder(values) }
  }
}

/** The topic with the partitions that it began with, then those that were added. */
function* topicEntries(image: MetadataImage, topic: TopicRow): IterableIterator<MetadataEntry> {
  const { tenantId, topicId, name, internal, cellId } = topic
  const starts = topic.rangeStarts()
  for (const [i, firstIndex] of starts.entries()) {
    const end = starts[i + 1] ?? topic.partitionCount
    const placements: PartitionPlacement[] = []
    for (let index = firstIndex; index < end; index++) {
      const number = topic.numberOf(index as PartitionIndex)
      const { leader, leaderEpoch, ...partition } = image.partition(number)!
      const replicas = image.moveOf(number)?.replicas ?? partition.replicas
      // who leads one of several replicas is told by brokers, and no entry's affair
      const led = image.isReplicated(number)
        ? { leader: replicas[0]!, leaderEpoch: 0 }
        : { leader, leaderEpoch }
      placements.push({ replicas, leader: led.leader as BrokerId, leaderEpoch: led.leaderEpoch })
    }
    const firstPartition = topic.numberOf(firstIndex as PartitionIndex)
    if (i > 0) yield { kind: 'partitions-added', tenantId, topicId, firstPartition, placements }
    else {
      const configs = inOrder(topic.configs)
      const begun = { tenantId, topicId, name, internal, cellId, firstPartition }
      yield { kind: 'topic-created', ...begun, placements, configs }
    }
  }
  for (let index = 0; index < topic.partitionCount; index++) {
    const move = image.moveOf(topic.numberOf(index as PartitionIndex))
    if (move !== undefined)
      yield { kind: 'partition-reassigned', tenantId, topicId, index, ...move }
  }
}

const inOrder = (configs: ConfigValues): ConfigValues =>
  Object.fromEntries(Object.entries(configs).sort(([a], [b]) => byKey(a, b)))

/** An image as entries: what a thread that joins is sent, what a snapshot of the metadata log will hold, and what is hashed. */
import type { BrokerId, PartitionIndex } from '../base/ids.ts'
import { METADATA_FORMAT, type MetadataEntry, type PartitionPlacement } from './entry.ts'
import type { MetadataImage } from './image.ts'
import type { MetadataMessage } from './request.ts'
import type { TopicRow } from './rows.ts'

/** Entries per message of a snapshot: bounds what one structured clone holds. */
export const SNAPSHOT_CHUNK_ENTRIES = 5_000

const byKey = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)

/** Entries that make `image` from nothing, in an order that depends on the state alone. */
export function* imageEntries(image: MetadataImage): IterableIterator<MetadataEntry> {
  if (image.clusterId === '') return
  yield {
    kind: 'cluster-formed',
    format: METADATA_FORMAT,
    clusterId: image.clusterId,
    cells: image.cells,
    brokersPerCell: image.brokersPerCell,
  }
  const tenants = [...image.tenants()].sort((a, b) => byKey(a.tenantId, b.tenantId))
  for (const { tenantId, name, clusterId, cellId, nextProducerId } of tenants) {
    yield { kind: 'tenant-created', tenantId, name, clusterId, cellId }
    for (const topic of image.topics(tenantId)) yield topicEntry(image, topic)
    if (nextProducerId > 0) yield { kind: 'producer-ids', tenantId, next: nextProducerId }
  }
}

/** `image` as the messages that start another one at the same offset. */
export function snapshotMessages(image: MetadataImage): MetadataMessage[] {
  const entries = [...imageEntries(image)]
  const messages: MetadataMessage[] = []
  for (let first = 0; first < entries.length; first += SNAPSHOT_CHUNK_ENTRIES) {
    const chunk = entries.slice(first, first + SNAPSHOT_CHUNK_ENTRIES)
    const more = first + chunk.length < entries.length
    // Each entry here stands for at least one of the log, so the chunks' offsets never pass the image's.
    const offset = more ? first + chunk.length : image.offset
    messages.push({ kind: 'metadata', first, offset, entries: chunk, ...(more && { more }) })
  }
  return messages
}

function topicEntry(image: MetadataImage, topic: TopicRow): MetadataEntry {
  const placements: PartitionPlacement[] = []
  for (let index = 0; index < topic.partitionCount; index++) {
    const partition = image.partition(topic.numberOf(index as PartitionIndex))!
    const { replicas, leader, leaderEpoch } = partition
    placements.push({ replicas, leader: leader as BrokerId, leaderEpoch })
  }
  const { tenantId, topicId, name, internal, cellId } = topic
  const firstPartition = topic.numberOf(0 as PartitionIndex)
  const configs = Object.fromEntries(Object.entries(topic.configs).sort(([a], [b]) => byKey(a, b)))
  return {
    kind: 'topic-created',
    tenantId,
    topicId,
    name,
    internal,
    cellId,
    firstPartition,
    placements,
    configs,
  }
}

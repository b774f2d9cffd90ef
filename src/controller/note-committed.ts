/** What is told of changes as they are committed, by the controller that commits them, so once. On the broker's thread that it shares. */
import type { TenantId, TopicId } from '../base/ids.ts'
import type { Logger } from '../base/log.ts'
import type { MetadataEntry } from '../image/entry.ts'
import type { ControllerState } from './state.ts'
import { logTenants } from './tenant-log.ts'

type TopicChange = Extract<MetadataEntry, { readonly topicId: TopicId }>

export interface CommitObserver {
  readonly logger: Logger
  /** Partitions of the tenant's topics, internal ones not counted, were made, added or deleted, as Kafka counts them for `controller_mutation_rate` (KIP-599). */
  readonly onPartitionsChanged?: (tenantId: TenantId, partitions: number) => void
}

/** Of `entries`, which are about to be committed in `state`. */
export function noteCommitted(
  { logger, onPartitionsChanged }: CommitObserver,
  state: ControllerState,
  entries: readonly MetadataEntry[],
): void {
  logTenants(logger, state.tenants, entries)
  if (onPartitionsChanged === undefined) return
  // what is made and goes among the same entries was never committed before
  const made = new Map<TopicId, number>()
  const add = (entry: TopicChange, partitions: number) => {
    made.set(entry.topicId, (made.get(entry.topicId) ?? 0) + partitions)
    onPartitionsChanged(entry.tenantId, partitions)
  }
  const isInternal = ({ topicId }: TopicChange) =>
    state.topicIds.committed.get(topicId)?.internal === true
  for (const entry of entries) {
    if (entry.kind === 'topic-created' && !entry.internal) add(entry, entry.placements.length)
    else if (entry.kind === 'partitions-added') {
      if (!isInternal(entry)) add(entry, entry.placements.length)
    } else if (entry.kind === 'topic-deleted') {
      if (isInternal(entry)) continue
      const topic = state.topicIds.committed.get(entry.topicId)
      const partitions = (topic?.partitionCount ?? 0) + (made.get(entry.topicId) ?? 0)
      onPartitionsChanged(entry.tenantId, partitions)
    }
  }
}

/** ListOffsets: where partitions begin and end, and which offset a time has. */
import { listOffsets } from '../protocol/02-list-offsets.ts'
import type { KafkaClient } from './client.ts'
import { KafkaError, meansStaleMetadata, throwOnError } from './errors.ts'
import { groupBy } from './group-by.ts'
import { retry } from './retry.ts'

/** What to look for, in place of a timestamp in Unix milliseconds. */
export const OffsetAt = { LATEST: -1, EARLIEST: -2, MAX_TIMESTAMP: -3 } as const

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

export interface OffsetQuery extends TopicPartition {
  /** Unix milliseconds: the first record not older; or one of {@link OffsetAt}. */
  readonly timestampMs: number
}

export interface FoundOffset extends TopicPartition {
  /** −1 where no record is that new. */
  readonly offset: number
  /** Of the record; −1 where the query was none for a time. */
  readonly timestampMs: number
}

export type Isolation = 'read_uncommitted' | 'read_committed'

export const isolationLevel = (isolation: Isolation): number =>
  isolation === 'read_committed' ? 1 : 0

/** Answers every query, in their order, each by the leader of its partition; errors that pass are ridden out. */
export async function findOffsets(
  client: KafkaClient,
  queries: readonly OffsetQuery[],
  isolation: Isolation = 'read_uncommitted',
): Promise<FoundOffset[]> {
  if (queries.length === 0) return []
  const found = new Map<string, FoundOffset>()
  const topics = [...new Set(queries.map(({ topic }) => topic))]
  let isStale = false
  await retry(
    async () => {
      if (isStale) await client.metadata(topics)
      isStale = false
      const open = queries.filter((query) => !found.has(keyOf(query)))
      const byLeader = await groupByLeader(client, open)
      const results = await Promise.allSettled(
        [...byLeader].map(([leader, part]) => ask(client, leader, part, isolation, found)),
      )
      const failed = results.find((result) => result.status === 'rejected')
      if (failed !== undefined) throw failed.reason
    },
    {
      timeoutMs: client.retryTimeoutMs,
      before: async (error) => {
        isStale = !(error instanceof KafkaError) || meansStaleMetadata(error.code)
      },
      isRetriable: (error) => isPassing(error),
    },
  )
  return queries.map((query) => found.get(keyOf(query))!)
}

/** A partition that is not there does not come by waiting; all else as usual. */
const isPassing = (error: unknown): boolean =>
  error instanceof KafkaError
    ? error.codeName !== 'UNKNOWN_TOPIC_OR_PARTITION' && meansStaleMetadata(error.code)
    : error instanceof Error && error.name === 'ConnectionError'

export const keyOf = ({ topic, partition }: TopicPartition): string => `${topic}\0${partition}`

async function groupByLeader(client: KafkaClient, queries: readonly OffsetQuery[]) {
  const groups = new Map<number, OffsetQuery[]>()
  for (const query of queries) {
    const leader = await client.leaderOf(query.topic, query.partition)
    const group = groups.get(leader) ?? []
    groups.set(leader, group)
    group.push(query)
  }
  return groups
}

async function ask(
  client: KafkaClient,
  leader: number,
  queries: readonly OffsetQuery[],
  isolation: Isolation,
  found: Map<string, FoundOffset>,
): Promise<void> {
  const byTopic = groupBy(queries, ({ topic }) => topic)
  const answer = await client.requestNode(leader, listOffsets, {
    replicaId: -1,
    isolationLevel: isolationLevel(isolation),
    topics: [...byTopic].map(([name, group]) => ({
      name,
      partitions: group.map(({ partition: partitionIndex, timestampMs: timestamp }) => ({
        partitionIndex,
        timestamp,
      })),
    })),
    timeoutMs: client.requestTimeoutMs,
  })
  for (const { name: topic, partitions } of answer.topics) {
    for (const { partitionIndex: partition, errorCode, offset, timestamp } of partitions) {
      throwOnError(errorCode, `offsets of partition ${partition} of topic "${topic}"`)
      found.set(keyOf({ topic, partition }), { topic, partition, offset, timestampMs: timestamp })
    }
  }
}

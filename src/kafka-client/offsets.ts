/** ListOffsets: where partitions begin and end, and which offset a time has. */
import { listOffsets } from '../protocol/02-list-offsets.ts'
import type { KafkaClient } from './client.ts'
import { isPassingConnection, KafkaError, meansStaleMetadata, throwOnError } from './errors.ts'
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
  const found = new Map<string, FoundOffset>()
  await collect(client, queries, { isolation, timeoutMs: client.retryTimeoutMs, found })
  return queries.map((query) => found.get(keyOf(query))!)
}

/** Whoever asks how things stand is told of the others after so long. */
const LOOK_MS = 3_000

/** The same of those partitions that have a leader, or get one within three seconds: in the order of the queries, without the others. */
export async function findOffsetsOfLed(
  client: KafkaClient,
  queries: readonly OffsetQuery[],
): Promise<FoundOffset[]> {
  const found = new Map<string, FoundOffset>()
  const timeoutMs = Math.min(LOOK_MS, client.retryTimeoutMs)
  try {
    await collect(client, queries, { isolation: 'read_uncommitted', timeoutMs, found })
  } catch (error) {
    if (!(error instanceof KafkaError && isPassing(error))) throw error
  }
  return queries.flatMap((query) => found.get(keyOf(query)) ?? [])
}

/** Into `found`; throws the first error when there is no more time, with all found that can be. */
async function collect(
  client: KafkaClient,
  queries: readonly OffsetQuery[],
  options: {
    readonly isolation: Isolation
    readonly timeoutMs: number
    readonly found: Map<string, FoundOffset>
  },
): Promise<void> {
  if (queries.length === 0) return
  const { isolation, timeoutMs, found } = options
  const topics = [...new Set(queries.map(({ topic }) => topic))]
  let isStale = false
  await retry(
    async () => {
      if (isStale) await client.metadata(topics)
      isStale = false
      const open = queries.filter((query) => !found.has(keyOf(query)))
      const { groups, leaderless } = await groupByLeader(client, open)
      const results = await Promise.allSettled([
        ...[...groups].map(([leader, part]) => ask(client, leader, part, isolation, found)),
        ...leaderless.map((error) => Promise.reject(error)),
      ])
      const failed = results.find((result) => result.status === 'rejected')
      if (failed !== undefined) throw failed.reason
    },
    {
      timeoutMs,
      before: async (error) => {
        isStale = !(error instanceof KafkaError) || meansStaleMetadata(error.code)
      },
      isRetriable: (error) => isPassing(error),
    },
  )
}

/** A partition that is not there does not come by waiting; all else as usual. */
const isPassing = (error: unknown): boolean =>
  error instanceof KafkaError
    ? error.codeName !== 'UNKNOWN_TOPIC_OR_PARTITION' && meansStaleMetadata(error.code)
    : isPassingConnection(error)

export const keyOf = ({ topic, partition }: TopicPartition): string => `${topic}\0${partition}`

async function groupByLeader(client: KafkaClient, queries: readonly OffsetQuery[]) {
  const groups = new Map<number, OffsetQuery[]>()
  const leaderless: unknown[] = []
  for (const query of queries) {
    try {
      const leader = await client.leaderOf(query.topic, query.partition)
      const group = groups.get(leader) ?? []
      groups.set(leader, group)
      group.push(query)
    } catch (error) {
      leaderless.push(error)
    }
  }
  return { groups, leaderless }
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
  const rows = answer.topics.flatMap(({ name: topic, partitions }) =>
    partitions.map(({ partitionIndex: partition, errorCode, offset, timestamp: timestampMs }) => ({
      ...{ errorCode, topic, partition, offset, timestampMs },
    })),
  )
  for (const { errorCode, ...row } of rows) if (errorCode === 0) found.set(keyOf(row), row)
  for (const { errorCode, topic, partition } of rows) {
    throwOnError(errorCode, `offsets of partition ${partition} of topic "${topic}"`)
  }
}

/** What `griot top` sees in one look, and what two looks come to. Kafka's protocol, and the engine's `/metrics` where it is there. */
import type { KafkaClient } from '../kafka-client/client.ts'
import { UnsupportedApiError } from '../kafka-client/errors.ts'
import { committedOffsets, describeGroup, listAllGroups } from '../kafka-client/groups.ts'
import { findOffsetsOfLed, keyOf, OffsetAt } from '../kafka-client/offsets.ts'
import {
  askEngineText,
  type EngineTarget,
  EngineUnreachableError,
  notGriotAt,
} from './engine-url.ts'
import { parseMetrics, type ScrapedNumber } from './metrics-text.ts'

export interface TopicLook {
  readonly name: string
  readonly partitions: number
  readonly offline: number
  /** Sum of the ends of all partitions that could be asked. */
  readonly end: number
  readonly start: number
}

export interface GroupLook {
  readonly groupId: string
  readonly state: string
  readonly members: number
  readonly lag: number
  /** Sum of what has been committed. */
  readonly committed: number
}

export interface BrokerLook {
  readonly nodeId: number
  readonly address: string
  readonly leads: number
}

export interface Look {
  /** Monotonic milliseconds. */
  readonly atMs: number
  readonly clusterId: string | null
  readonly topics: readonly TopicLook[]
  readonly groups: readonly GroupLook[]
  readonly brokers: readonly BrokerLook[]
  readonly metrics: Scrape
}

/** What `/metrics` tells, or why it does not. */
export type Scrape =
  | { readonly numbers: ReadonlyMap<string, readonly ScrapedNumber[]>; readonly missing: null }
  | { readonly numbers: null; readonly missing: string }

const SCRAPE_TIMEOUT_MS = 2_000

export interface LookOptions {
  readonly filter: RegExp | null
  /** Null: which engine belongs to the cluster is not known. */
  readonly engine: EngineTarget | null
}

export async function lookAt(client: KafkaClient, { filter, engine }: LookOptions): Promise<Look> {
  const metrics = scrape(engine)
  const cluster = await client.metadata(null)
  const shown = cluster.topics.filter(({ name, isInternal }) =>
    filter === null ? !isInternal : filter.test(name),
  )
  const led = cluster.topics.flatMap(({ name: topic, partitions }) =>
    partitions
      .filter(({ leader }) => leader >= 0)
      .map(({ partition, leader }) => ({ topic, partition, leader })),
  )
  const at = async (timestampMs: number) => {
    const queries = led.map(({ topic, partition }) => ({ topic, partition, timestampMs }))
    const found = await findOffsetsOfLed(client, queries)
    return new Map(found.map((offset) => [keyOf(offset), offset.offset]))
  }
  const [starts, ends] = await Promise.all([at(OffsetAt.EARLIEST), at(OffsetAt.LATEST)])
  const topics = shown.map(({ name, partitions }) => {
    const sum = (offsets: ReadonlyMap<string, number>) =>
      partitions.reduce((all, p) => all + (offsets.get(keyOf({ topic: name, ...p })) ?? 0), 0)
    const offline = partitions.filter(({ leader }) => leader < 0).length
    return { name, partitions: partitions.length, offline, start: sum(starts), end: sum(ends) }
  })
  const groups = await lookAtGroups(client, ends)
  const atMs = performance.now()
  const brokers = cluster.brokers.map(({ nodeId, host, port }) => ({
    ...{ nodeId, address: `${host}:${port}` },
    leads: led.filter(({ leader }) => leader === nodeId).length,
  }))
  return {
    ...{ atMs, clusterId: cluster.clusterId, topics, groups },
    brokers: brokers.sort((a, b) => a.nodeId - b.nodeId),
    metrics: await metrics,
  }
}

async function lookAtGroups(
  client: KafkaClient,
  ends: ReadonlyMap<string, number>,
): Promise<GroupLook[]> {
  try {
    const listed = await listAllGroups(client)
    return await Promise.all(
      listed.map(async ({ groupId, state }) => {
        const [group, offsets] = await Promise.all([
          describeGroup(client, groupId),
          committedOffsets(client, groupId, null),
        ])
        const lags = offsets.map(
          (offset) => (ends.get(keyOf(offset)) ?? offset.offset) - offset.offset,
        )
        return {
          ...{ groupId, members: group.members.length },
          state: state || group.state,
          lag: lags.reduce((sum, lag) => sum + Math.max(0, lag), 0),
          committed: offsets.reduce((sum, { offset }) => sum + offset, 0),
        }
      }),
    )
  } catch (error) {
    // a cluster that has no groups
    if (error instanceof UnsupportedApiError) return []
    throw error
  }
}

export async function scrape(engine: EngineTarget | null): Promise<Scrape> {
  const without = (missing: string): Scrape => ({ numbers: null, missing })
  if (engine === null) {
    return without('which engine serves this cluster is not known: --url or --data-dir says')
  }
  try {
    const answer = await askEngineText(engine, '/metrics', process.env, SCRAPE_TIMEOUT_MS)
    const { url, status, text, hadToken } = answer
    if (status === 401) {
      return without(
        hadToken
          ? `the engine at ${url} refused the operator token`
          : `the engine at ${url} asks for the operator token: GRIOT_TOKEN, or --data-dir`,
      )
    }
    if (status === 404) {
      return without(`${url} does not tell /metrics: ask the admin address, or --data-dir`)
    }
    if (status !== 200) return without(`the engine at ${url} answered ${status} for /metrics`)
    const numbers = parseMetrics(text)
    if (!numbers.has(BUSY)) return without(notGriotAt(url))
    return { numbers, missing: null }
  } catch (error) {
    if (!(error instanceof EngineUnreachableError)) throw error
    return without(error.message)
  }
}

const BUSY = 'griot_thread_busy_seconds_total'

export interface TopicRates extends TopicLook {
  readonly recordsPerSecond: number
}

export interface GroupRates extends GroupLook {
  readonly recordsPerSecond: number
}

export interface BrokerRates extends BrokerLook {
  /** Null where `/metrics` does not tell. */
  readonly bytesInPerSecond: number | null
  readonly bytesOutPerSecond: number | null
  readonly recordsInPerSecond: number | null
}

export interface ThreadRates {
  readonly thread: string
  /** Share of the time at work, 0 to 1. */
  readonly busy: number
}

export interface Rates {
  readonly seconds: number
  readonly clusterId: string | null
  readonly topics: readonly TopicRates[]
  readonly groups: readonly GroupRates[]
  readonly brokers: readonly BrokerRates[]
  readonly threads: readonly ThreadRates[]
  /** Why rates of brokers and threads are not there; null where they are. */
  readonly metricsMissing: string | null
}

/** What happened between two looks, per second. A topic or group that is new counts from nothing. */
export function ratesOf(before: Look, after: Look): Rates {
  const seconds = Math.max(0.001, (after.atMs - before.atMs) / 1_000)
  const perSecond = (now: number, then: number | undefined) =>
    then === undefined ? 0 : Math.max(0, (now - then) / seconds)
  const topicsBefore = new Map(before.topics.map(({ name, end }) => [name, end]))
  const groupsBefore = new Map(before.groups.map(({ groupId, committed }) => [groupId, committed]))
  const counter = counterRates(before, after, seconds)
  const inBytes = counter('kafka_server_brokertopicmetrics_bytesin_total', 'broker')
  const outBytes = counter('kafka_server_brokertopicmetrics_bytesout_total', 'broker')
  const inRecords = counter('kafka_server_brokertopicmetrics_messagesin_total', 'broker')
  const busy = counter(BUSY, 'thread')
  return {
    ...{ seconds, clusterId: after.clusterId },
    topics: after.topics.map((topic) => ({
      ...topic,
      recordsPerSecond: perSecond(topic.end, topicsBefore.get(topic.name)),
    })),
    groups: after.groups.map((group) => ({
      ...group,
      recordsPerSecond: perSecond(group.committed, groupsBefore.get(group.groupId)),
    })),
    brokers: after.brokers.map((broker) => ({
      ...broker,
      bytesInPerSecond: inBytes?.get(String(broker.nodeId)) ?? null,
      bytesOutPerSecond: outBytes?.get(String(broker.nodeId)) ?? null,
      recordsInPerSecond: inRecords?.get(String(broker.nodeId)) ?? null,
    })),
    threads: [...(busy ?? [])].map(([thread, share]) => ({ thread, busy: Math.min(1, share) })),
    metricsMissing: after.metrics.missing,
  }
}

function counterRates(before: Look, after: Look, seconds: number) {
  const byLabel = (look: Look, name: string, label: string) => {
    const numbers = look.metrics.numbers?.get(name)
    if (numbers === undefined) return null
    const sums = new Map<string, number>()
    for (const { labels, value } of numbers) {
      const key = labels[label] ?? ''
      sums.set(key, (sums.get(key) ?? 0) + value)
    }
    return sums
  }
  return (name: string, label: string): Map<string, number> | null => {
    const [then, now] = [byLabel(before, name, label), byLabel(after, name, label)]
    if (then === null || now === null) return null
    return new Map(
      [...now].map(([key, value]) => [
        key,
        Math.max(0, value - (then.get(key) ?? value)) / seconds,
      ]),
    )
  }
}

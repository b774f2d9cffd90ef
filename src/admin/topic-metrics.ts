/**
 * Metrics by topic, for scrapes that ask for them: Kafka's names where its brokers tell by topic (by their JMX exporter), and those of
 * kafka_exporter for offsets. HTTP front's thread.
 */
import type { PartitionIndex } from '../base/ids.ts'
import type { MetadataView, TopicView } from '../image/view.ts'
import type { MetricSample, MetricSource } from './metrics-route.ts'
import { checkTopicPattern, NamePatterns, selectTopics } from './topic-selection.ts'

/** NaN for what is not known, or not now: its series are left out. */
export interface PartitionStats {
  readonly logStartOffset: number
  readonly endOffset: number
  readonly sizeBytes: number
}

/** Counted since the start. */
export interface TopicStats {
  readonly recordsIn: number
  readonly bytesIn: number
  readonly bytesOut: number
  readonly fetches: number
  /** By index. */
  readonly partitions: readonly PartitionStats[]
}

/** Asks brokers and fronts; what has no answer in time is NaN. In the order of `topics`. */
export type AskTopicStats = (topics: readonly TopicView[]) => Promise<readonly TopicStats[]>

/** The parameter of `/metrics` that names topics. */
export const TOPICS_PARAMETER = 'topics'

/** Sources for one scrape: none unless `query` asks for them. Throws ScrapeQueryError. */
export async function topicSources(
  query: URLSearchParams,
  image: MetadataView,
  ask: AskTopicStats,
): Promise<readonly MetricSource[]> {
  const patterns = NamePatterns.of(query, TOPICS_PARAMETER, checkTopicPattern)
  if (patterns === null) return []
  const { topics, leftOut } = selectTopics(image, patterns)
  const stats = await ask(topics.map(({ topic }) => topic))
  const told = topics.map(({ tenant, topic }, at) => ({
    labels: { tenant, topic: topic.name },
    topic,
    stats: stats[at]!,
  }))
  return [
    ...perTopic(told),
    ...perPartition(told, image),
    {
      kind: 'gauge',
      name: 'griot_metrics_topics_left_out',
      help: 'Topics that the scrape asked for and that are beyond its limit of partitions',
      read: () => [{ labels: {}, value: leftOut }],
    },
  ]
}

interface Told {
  readonly labels: { readonly tenant: string; readonly topic: string }
  readonly topic: TopicView
  readonly stats: TopicStats
}

const TOPICS = 'kafka_server_brokertopicmetrics'

function perTopic(told: readonly Told[]): MetricSource[] {
  const row = (
    kind: 'counter' | 'gauge',
    name: string,
    help: string,
    read: (told: Told) => number,
  ): MetricSource => ({
    ...{ kind, name, help },
    read: () => known(told.map((one) => ({ labels: one.labels, value: read(one) }))),
  })
  return [
    row('counter', `${TOPICS}_messagesin_total`, 'Records taken', ({ stats }) => stats.recordsIn),
    row(
      'counter',
      `${TOPICS}_bytesin_total`,
      'Bytes of batches taken',
      ({ stats }) => stats.bytesIn,
    ),
    row(
      'counter',
      `${TOPICS}_bytesout_total`,
      'Bytes of batches in answers',
      (one) => one.stats.bytesOut,
    ),
    row(
      'counter',
      `${TOPICS}_totalfetchrequests_total`,
      'Partitions in fetch answers',
      ({ stats }) => stats.fetches,
    ),
    row(
      'gauge',
      'kafka_topic_partitions',
      'Partitions of a topic',
      ({ topic }) => topic.partitionCount,
    ),
  ]
}

function perPartition(told: readonly Told[], image: MetadataView): MetricSource[] {
  const gauge = (
    name: string,
    help: string,
    read: (stats: PartitionStats, leader: number) => number,
  ): MetricSource => ({
    ...{ kind: 'gauge', name, help },
    read: () =>
      known(
        told.flatMap(({ labels, topic, stats }) =>
          stats.partitions.map((partition, index): MetricSample => {
            const leader = image.leaderOf(topic.numberOf(index as PartitionIndex))
            return {
              labels: { ...labels, partition: String(index) },
              value: read(partition, leader === 0 ? -1 : leader),
            }
          }),
        ),
      ),
  })
  return [
    gauge('kafka_log_log_size', 'Bytes of a partition’s log', ({ sizeBytes }) => sizeBytes),
    gauge(
      'kafka_topic_partition_current_offset',
      'The offset that the next record readers see will have: the high watermark',
      ({ endOffset }) => endOffset,
    ),
    gauge(
      'kafka_topic_partition_oldest_offset',
      'The first offset that is there',
      ({ logStartOffset }) => logStartOffset,
    ),
    gauge('kafka_topic_partition_leader', 'Which broker leads, −1 for none', (_, leader) => leader),
  ]
}

const known = (samples: readonly MetricSample[]): MetricSample[] =>
  samples.filter(({ value }) => !Number.isNaN(value))

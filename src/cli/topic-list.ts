/** `griot topic list` and `griot topic describe`. */

import { errorName } from '../base/error-code.ts'
import {
  describeResourceConfigs,
  type ResourceConfigs,
  ResourceType,
} from '../kafka-client/admin.ts'
import type { KafkaClient } from '../kafka-client/client.ts'
import type { PartitionMetadata, TopicMetadata } from '../kafka-client/metadata.ts'
import { findOffsetsOfLed, keyOf, OffsetAt } from '../kafka-client/offsets.ts'
import { type ClusterOptions, printJsonValue, runOnCluster } from './cluster.ts'
import { renderList, renderTable } from './table.ts'
import { findTopics } from './topic-names.ts'

interface ListOptions extends ClusterOptions {
  readonly regex?: boolean
  readonly internal?: boolean
}

export async function runTopicList(names: readonly string[], options: ListOptions): Promise<void> {
  await runOnCluster(options, async ({ client, json }) => {
    const found = await findTopics(client, names, options.regex ?? false)
    const topics = found.filter(
      ({ isInternal, name }) => !isInternal || options.internal || names.includes(name),
    )
    const rows = topics.map(({ name, partitions, isInternal, topicId }) => ({
      name,
      partitions: partitions.length,
      replicas: partitions[0]?.replicas.length ?? 0,
      ...{ internal: isInternal, topicId },
    }))
    if (json) printJsonValue(rows)
    else if (rows.length === 0) console.error('no topics; `griot topic create NAME` makes one')
    else {
      const cells = rows.map(({ name, partitions, replicas }) => [name, partitions, replicas])
      process.stdout.write(renderTable(['NAME', 'PARTITIONS', 'REPLICAS'], cells))
    }
  })
}

interface DescribeOptions extends ClusterOptions {
  readonly regex?: boolean
  readonly summary?: boolean
  readonly partitions?: boolean
  readonly configs?: boolean
  readonly all?: boolean
}

interface PartitionRow extends PartitionMetadata {
  /** Null where nobody could be asked. */
  readonly low: number | null
  readonly high: number | null
}

interface Described {
  readonly topic: TopicMetadata
  readonly partitions: readonly PartitionRow[]
  readonly configs: ResourceConfigs | undefined
}

export async function runTopicDescribe(
  names: readonly string[],
  options: DescribeOptions,
): Promise<void> {
  await runOnCluster(options, async ({ client, json }) => {
    const topics = await findTopics(client, names, options.regex ?? false)
    const described = await describeAll(client, topics)
    const isPart = !options.all && (options.summary || options.partitions || options.configs)
    const parts = {
      summary: !isPart || options.summary === true,
      partitions: !isPart || options.partitions === true,
      configs: !isPart || options.configs === true,
      // asked for by itself, the list is whole
      allConfigs: options.configs === true || options.all === true,
    }
    if (json) printJsonValue(described.map((topic) => jsonOf(topic)))
    else
      console.log(
        described
          .map((topic) => textOf(topic, parts))
          .join('\n')
          .trimEnd(),
      )
  })
}

async function describeAll(
  client: KafkaClient,
  topics: readonly TopicMetadata[],
): Promise<Described[]> {
  if (topics.length === 0) return []
  const names = topics.map(({ name }) => name)
  const [configs, low, high] = await Promise.all([
    describeResourceConfigs(client, ResourceType.TOPIC, names),
    watermarks(client, topics, OffsetAt.EARLIEST),
    watermarks(client, topics, OffsetAt.LATEST),
  ])
  const seen = topics.map((topic) => ({
    topic,
    partitions: topic.partitions.map((partition) => {
      const key = keyOf({ topic: topic.name, partition: partition.partition })
      return { ...partition, low: low.get(key) ?? null, high: high.get(key) ?? null }
    }),
    configs: configs.find(({ name }) => name === topic.name),
  }))
  const isMissing = ({ leader, high }: PartitionRow) => leader >= 0 && high === null
  if (!seen.some(({ partitions }) => partitions.some(isMissing))) return seen
  // who was named as leader did not answer as one: by now that may be known
  const { topics: now } = await client.metadata(names)
  return seen.map(({ topic, partitions, configs }) => {
    const rows = now.find(({ name }) => name === topic.name)?.partitions ?? []
    return {
      topic,
      partitions: partitions.map((row) => ({
        ...row,
        ...rows.find(({ partition }) => partition === row.partition),
      })),
      configs,
    }
  })
}

/** By {@link keyOf}, of those that have a leader. */
async function watermarks(
  client: KafkaClient,
  topics: readonly TopicMetadata[],
  timestampMs: number,
): Promise<Map<string, number>> {
  const queries = topics.flatMap(({ name: topic, partitions }) =>
    partitions
      .filter(({ leader }) => leader >= 0)
      .map(({ partition }) => ({ topic, partition, timestampMs })),
  )
  const found = await findOffsetsOfLed(client, queries)
  return new Map(found.map((one) => [keyOf(one), one.offset]))
}

function jsonOf({ topic, partitions, configs }: Described): object {
  return {
    name: topic.name,
    topicId: topic.topicId,
    internal: topic.isInternal,
    partitions: partitions.map((p) => ({
      ...{ partition: p.partition, leader: p.leader, leaderEpoch: p.leaderEpoch },
      ...{ replicas: p.replicas, isr: p.isr, offlineReplicas: p.offlineReplicas },
      ...{ lowWatermark: p.low, highWatermark: p.high },
      ...(p.errorCode === 0 ? {} : { error: errorName(p.errorCode) }),
    })),
    configs: configs?.configs.map(({ name, value, source, isOverride, isSensitive }) => ({
      ...{ name, value: isSensitive ? null : value, source, overridden: isOverride },
    })),
  }
}

function textOf(
  { topic, partitions, configs }: Described,
  parts: { summary: boolean; partitions: boolean; configs: boolean; allConfigs: boolean },
): string {
  const sections: string[] = []
  if (parts.summary) {
    sections.push(
      renderList([
        ['NAME', topic.name],
        ['TOPIC-ID', topic.topicId],
        ['INTERNAL', String(topic.isInternal)],
        ['PARTITIONS', partitions.length],
        ['REPLICAS', partitions[0]?.replicas.length ?? 0],
        ['RECORDS', recordsIn(partitions)],
      ]),
    )
  }
  if (parts.partitions) sections.push(partitionTable(partitions))
  if (parts.configs) sections.push(configTable(configs, parts.allConfigs))
  return sections.filter(Boolean).join('\n')
}

/** As offsets count them: what compaction or markers have taken is in it. */
function recordsIn(partitions: readonly PartitionRow[]): number | null {
  if (partitions.some(({ low, high }) => low === null || high === null)) return null
  return partitions.reduce((sum, { low, high }) => sum + high! - low!, 0)
}

function partitionTable(partitions: readonly PartitionRow[]): string {
  const rows = partitions.map((p) => [
    p.partition,
    p.leader < 0 ? null : p.leader,
    // nobody has said yet
    p.leaderEpoch < 0 ? null : p.leaderEpoch,
    p.replicas.join(','),
    p.isr.join(','),
    ...[p.low, p.high],
    ...(p.errorCode === 0 ? [] : [errorName(p.errorCode)]),
  ])
  const head = ['PARTITION', 'LEADER', 'EPOCH', 'REPLICAS', 'ISR', 'LOW', 'HIGH']
  return renderTable(
    rows.some(({ length }) => length > head.length) ? [...head, 'ERROR'] : head,
    rows,
  )
}

function configTable(configs: ResourceConfigs | undefined, all: boolean): string {
  if (configs === undefined) return ''
  if (configs.error !== null) return `configs: ${configs.error.message}\n`
  const shown = configs.configs.filter(({ isOverride }) => all || isOverride)
  if (shown.length === 0) return 'No configs of its own (-c shows all).\n'
  const rows = shown.map(({ name, value, source, isSensitive }) => [
    name,
    isSensitive ? '(sensitive)' : value,
    source,
  ])
  return renderTable(['CONFIG', 'VALUE', 'SOURCE'], rows)
}

/**
 * Metrics of consumer groups, for scrapes that ask for them: the names of kafka_exporter for offsets and lag, those of Kafka's brokers
 * (by their JMX exporter) for how many groups there are. HTTP front's thread.
 */
import type { MetadataView, TopicView } from '../image/view.ts'
import type { MetricSample, MetricSource } from './metrics-route.ts'
import type { AskTopicStats } from './topic-metrics.ts'
import { NamePatterns } from './topic-selection.ts'

export interface CommittedOffset {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

export interface GroupStats {
  readonly tenant: string
  readonly groupId: string
  readonly members: number
  readonly offsets: readonly CommittedOffset[]
}

/** Groups of one tenant in one state, by Kafka's name of it. */
export interface GroupCount {
  readonly tenant: string
  readonly state: string
  readonly count: number
}

export interface GroupsAnswer {
  /** Those that were asked for. */
  readonly groups: readonly GroupStats[]
  /** Of all groups. */
  readonly counts: readonly GroupCount[]
  /** Groups that were asked for and are beyond the bound. */
  readonly leftOut: number
}

/** Asks the coordinators; those that have not answered in time are left out. */
export type AskGroups = (matches: (groupId: string) => boolean) => Promise<GroupsAnswer>

/** The parameter of `/metrics` that names groups. */
export const GROUPS_PARAMETER = 'groups'

/**
 * Characters of group names in one scrape: a name stands in the series of each of its offsets, clients choose names of a thousand
 * characters, and the text must fit in this thread's heap.
 */
export const SCRAPE_GROUP_NAME_CHARS_MAX = 2 ** 20

/** Sources for one scrape: none unless `query` asks for them. Throws ScrapeQueryError. */
export async function groupSources(
  query: URLSearchParams,
  image: MetadataView,
  askGroups: AskGroups,
  askTopics: AskTopicStats,
): Promise<readonly MetricSource[]> {
  const patterns = NamePatterns.of(query, GROUPS_PARAMETER)
  if (patterns === null) return []
  const answer = withinLimit(await askGroups((groupId) => patterns.matches(groupId)))
  const ends = await endOffsets(answer.groups, image, askTopics)
  const rows = answer.groups.flatMap((group) => rowsOf(group, ends))
  return [...offsetSources(rows), ...groupCounts(answer)]
}

/** `answer` without the groups whose names would fill the text. */
function withinLimit({ groups, counts, leftOut }: GroupsAnswer): GroupsAnswer {
  let chars = 0
  const kept = groups.filter(({ groupId, offsets }) => {
    const more = groupId.length * (1 + offsets.length)
    if (chars + more > SCRAPE_GROUP_NAME_CHARS_MAX) return false
    chars += more
    return true
  })
  return { groups: kept, counts, leftOut: leftOut + groups.length - kept.length }
}

interface Row {
  readonly tenant: string
  readonly consumergroup: string
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** NaN where the end is not known. */
  readonly lag: number
}

const keyOf = (tenant: string, topic: string): string => `${tenant}\n${topic}`

/** High watermarks by partition, of every topic that some group has committed offsets of. */
async function endOffsets(
  groups: readonly GroupStats[],
  image: MetadataView,
  ask: AskTopicStats,
): Promise<ReadonlyMap<string, readonly number[]>> {
  const topics = new Map<string, TopicView>()
  for (const { tenant, offsets } of groups) {
    const tenantId = image.tenantByName(tenant)?.tenantId
    if (tenantId === undefined) continue
    for (const { topic } of offsets) {
      const found = image.topicByName(tenantId, topic)
      if (found !== undefined) topics.set(keyOf(tenant, topic), found)
    }
  }
  const stats = await ask([...topics.values()])
  return new Map(
    [...topics.keys()].map((key, at) => [
      key,
      stats[at]!.partitions.map(({ endOffset }) => endOffset),
    ]),
  )
}

const rowsOf = (
  { tenant, groupId, offsets }: GroupStats,
  ends: ReadonlyMap<string, readonly number[]>,
): Row[] =>
  offsets.map(({ topic, partition, offset }) => {
    const end = ends.get(keyOf(tenant, topic))?.[partition] ?? Number.NaN
    // the end was asked after the offset; a group may have gone back and forth since
    return {
      tenant,
      consumergroup: groupId,
      topic,
      partition,
      offset,
      lag: Math.max(0, end - offset),
    }
  })

function offsetSources(rows: readonly Row[]): MetricSource[] {
  const each = (name: string, help: string, read: (row: Row) => number): MetricSource => ({
    ...{ kind: 'gauge', name, help },
    read: () =>
      rows.flatMap((row): MetricSample[] => {
        const { tenant, consumergroup, topic, partition } = row
        const labels = { tenant, consumergroup, topic, partition: String(partition) }
        const value = read(row)
        return Number.isNaN(value) ? [] : [{ labels, value }]
      }),
  })
  const sum = (name: string, help: string, read: (row: Row) => number): MetricSource => ({
    ...{ kind: 'gauge', name, help },
    read: () => sums(rows, read),
  })
  return [
    each('kafka_consumergroup_current_offset', 'What a group has committed', (row) => row.offset),
    each(
      'kafka_consumergroup_lag',
      'Records between what a group has committed and the high watermark',
      (row) => row.lag,
    ),
    sum(
      'kafka_consumergroup_current_offset_sum',
      'The same over the partitions of a topic',
      (row) => row.offset,
    ),
    sum('kafka_consumergroup_lag_sum', 'The lag over the partitions of a topic', (row) => row.lag),
  ]
}

/** Per group and topic; what is not known adds nothing. */
function sums(rows: readonly Row[], read: (row: Row) => number): MetricSample[] {
  const byTopic = new Map<string, { labels: Record<string, string>; value: number }>()
  for (const row of rows) {
    const value = read(row)
    if (Number.isNaN(value)) continue
    const { tenant, consumergroup, topic } = row
    const key = JSON.stringify([tenant, consumergroup, topic])
    const known = byTopic.get(key)
    if (known !== undefined) known.value += value
    else byTopic.set(key, { labels: { tenant, consumergroup, topic }, value })
  }
  return [...byTopic.values()]
}

/** Kafka's metrics have the state in their names. */
const STATES = ['PreparingRebalance', 'CompletingRebalance', 'Stable', 'Empty', 'Dead'] as const

function groupCounts({ groups, counts, leftOut }: GroupsAnswer): MetricSource[] {
  const tenants = [...new Set(counts.map(({ tenant }) => tenant))]
  const manager = 'kafka_coordinator_group_groupmetadatamanager_numgroups'
  const gauge = (name: string, help: string, read: () => MetricSample[]): MetricSource => ({
    ...{ kind: 'gauge', name, help },
    read,
  })
  const total = (is: (count: GroupCount) => boolean) => () =>
    tenants.map((tenant) => ({
      labels: { tenant },
      value: counts
        .filter((count) => count.tenant === tenant && is(count))
        .reduce((sum, { count }) => sum + count, 0),
    }))
  return [
    gauge(
      manager,
      'Groups',
      total(() => true),
    ),
    ...STATES.map((state) =>
      gauge(
        `${manager}${state.toLowerCase()}`,
        `Groups in state ${state}`,
        total((count) => count.state === state),
      ),
    ),
    gauge('kafka_consumergroup_members', 'Members of a group', () =>
      groups.map(({ tenant, groupId, members }) => ({
        labels: { tenant, consumergroup: groupId },
        value: members,
      })),
    ),
    gauge(
      'griot_metrics_groups_left_out',
      'Groups that the scrape asked for and that are beyond its limits',
      () => [{ labels: {}, value: leftOut }],
    ),
  ]
}

/** `griot group list`, `describe` and `delete`. */
import type { KafkaClient } from '../kafka-client/client.ts'
import {
  committedOffsets,
  deleteGroupsById,
  describeGroup,
  type GroupDescription,
  type GroupListing,
  listAllGroups,
} from '../kafka-client/groups.ts'
import { findOffsets, keyOf, OffsetAt, type TopicPartition } from '../kafka-client/offsets.ts'
import { didYouMean } from '../server/nearest.ts'
import { type ClusterOptions, printJsonValue, runOnCluster } from './cluster.ts'
import { FailedError } from './failure.ts'
import { printOutcomes } from './outcomes.ts'
import { renderList, renderTable } from './table.ts'
import { nameFilter } from './topic-names.ts'

interface ListOptions extends ClusterOptions {
  readonly states?: string
}

export async function runGroupList(options: ListOptions): Promise<void> {
  await runOnCluster(options, async ({ client, json }) => {
    const states = options.states?.toLowerCase().split(',').filter(Boolean)
    const groups = (await listAllGroups(client)).filter(
      ({ state }) => states === undefined || states.includes(state.toLowerCase()),
    )
    if (json) printJsonValue(groups)
    else if (groups.length === 0) console.error('no groups')
    else {
      const rows = groups.map(({ coordinator, groupId, state, protocolType, type }) => [
        ...[groupId, state || null, coordinator, type || null, protocolType || null],
      ])
      const head = ['GROUP', 'STATE', 'COORDINATOR', 'TYPE', 'PROTOCOL']
      process.stdout.write(renderTable(head, rows))
    }
  })
}

/** Groups by name, or by patterns. Throws a {@link FailedError} for one that is not there. */
export async function findGroups(
  client: KafkaClient,
  names: readonly string[],
  isRegex: boolean,
): Promise<GroupListing[]> {
  const there = await listAllGroups(client)
  if (isRegex) {
    const filters = names.map(nameFilter)
    return there.filter(({ groupId }) => filters.some((filter) => filter.test(groupId)))
  }
  return names.map((name) => {
    const found = there.find(({ groupId }) => groupId === name)
    if (found !== undefined) return found
    const known = there.map(({ groupId }) => groupId)
    const hint = didYouMean(name, known) || '; `griot group list` shows those that there are'
    throw new FailedError(`there is no group "${name}"${hint}`)
  })
}

/** Groups of other protocols (KIP-848) are described by calls of their own; their state and offsets are known all the same. */
async function describeListed(
  client: KafkaClient,
  listing: GroupListing,
): Promise<{ group: GroupDescription; note: string | null }> {
  const group = await describeGroup(client, listing.groupId)
  if (group.state !== 'Dead' || listing.type === '' || listing.type === 'classic') {
    return { group, note: null }
  }
  const note = `members of groups of type "${listing.type}" are not shown`
  return { group: { ...group, state: listing.state, protocolType: listing.protocolType }, note }
}

export interface LagRow extends TopicPartition {
  /** Null where nothing has been committed. */
  readonly committed: number | null
  /** Null where the partition has no leader, or is gone. */
  readonly end: number | null
  readonly lag: number | null
  readonly memberId: string | null
  readonly clientId: string | null
  readonly host: string | null
}

/** Every partition that the group has committed or is assigned, in order. */
export async function lagOf(client: KafkaClient, group: GroupDescription): Promise<LagRow[]> {
  const committed = await committedOffsets(client, group.groupId, null)
  const owners = new Map(
    group.members.flatMap((member) =>
      (member.assigned ?? []).map((partition) => [keyOf(partition), { ...member, partition }]),
    ),
  )
  const offsets = new Map(committed.map((offset) => [keyOf(offset), offset]))
  const partitions = [...new Set([...offsets.keys(), ...owners.keys()])].map((key) => ({
    ...(offsets.get(key) ?? owners.get(key)!.partition),
    key,
  }))
  const ends = await endsOf(client, partitions)
  return partitions
    .map(({ topic, partition, key }) => {
      const owner = owners.get(key)
      const offset = offsets.get(key)?.offset ?? null
      const end = ends.get(key) ?? null
      return {
        ...{ topic, partition, committed: offset, end },
        lag: end === null || offset === null ? null : Math.max(0, end - offset),
        memberId: owner?.memberId ?? null,
        clientId: owner?.clientId ?? null,
        host: owner?.host ?? null,
      }
    })
    .sort((a, b) => (a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1))
}

/** Ends of those that are there and have a leader. */
export async function endsOf(
  client: KafkaClient,
  partitions: readonly TopicPartition[],
): Promise<Map<string, number>> {
  const names = [...new Set(partitions.map(({ topic }) => topic))]
  if (names.length === 0) return new Map()
  const { topics } = await client.metadata(names)
  const led = new Set(
    topics.flatMap(({ name, errorCode, partitions: all }) =>
      errorCode !== 0
        ? []
        : all
            .filter(({ leader }) => leader >= 0)
            .map(({ partition }) => keyOf({ topic: name, partition })),
    ),
  )
  const queries = partitions
    .filter((partition) => led.has(keyOf(partition)))
    .map(({ topic, partition }) => ({ topic, partition, timestampMs: OffsetAt.LATEST }))
  return new Map((await findOffsets(client, queries)).map((found) => [keyOf(found), found.offset]))
}

interface DescribeOptions extends ClusterOptions {
  readonly regex?: boolean
  readonly summary?: boolean
}

export async function runGroupDescribe(
  names: readonly string[],
  options: DescribeOptions,
): Promise<void> {
  await runOnCluster(options, async ({ client, json }) => {
    const listed = await findGroups(client, names, options.regex ?? false)
    const described = await Promise.all(
      listed.map(async (listing) => {
        const { group, note } = await describeListed(client, listing)
        if (note !== null) console.error(`griot: group "${group.groupId}": ${note}`)
        return { group, lag: await lagOf(client, group) }
      }),
    )
    if (json) printJsonValue(described.map(({ group, lag }) => jsonOf(group, lag)))
    else {
      const texts = described.map(({ group, lag }) => textOf(group, lag, options.summary ?? false))
      process.stdout.write(texts.join('\n'))
    }
  })
}

const totalOf = (lag: readonly LagRow[]): number =>
  lag.reduce((sum, row) => sum + (row.lag ?? 0), 0)

function jsonOf(group: GroupDescription, lag: readonly LagRow[]): object {
  const { groupId, state, coordinator, assignor, protocolType, members } = group
  return {
    ...{ group: groupId, state, coordinator, protocolType, assignor, totalLag: totalOf(lag) },
    members,
    partitions: lag,
  }
}

function textOf(group: GroupDescription, lag: readonly LagRow[], summaryOnly: boolean): string {
  const summary = renderList([
    ['GROUP', group.groupId],
    ['COORDINATOR', group.coordinator],
    ['STATE', group.state],
    ['ASSIGNOR', group.assignor || null],
    ['MEMBERS', group.members.length],
    ['TOTAL-LAG', totalOf(lag)],
  ])
  if (summaryOnly) return summary
  const rows = lag.map((row) => [
    ...[row.topic, row.partition, row.committed, row.end, row.lag],
    ...[row.memberId, row.clientId, row.host],
  ])
  const head = [
    ...['TOPIC', 'PARTITION', 'CURRENT-OFFSET', 'LOG-END-OFFSET', 'LAG'],
    ...['MEMBER-ID', 'CLIENT-ID', 'HOST'],
  ]
  const idle = group.members
    .filter(({ assigned }) => assigned?.length === 0)
    .map(({ memberId, clientId, host }) => [memberId, clientId, host])
  return [
    summary,
    ...(rows.length > 0 ? [renderTable(head, rows)] : []),
    ...(idle.length > 0
      ? [renderTable(['MEMBER WITHOUT PARTITIONS', 'CLIENT-ID', 'HOST'], idle)]
      : []),
  ].join('\n')
}

export async function runGroupDelete(
  names: readonly string[],
  options: ClusterOptions,
): Promise<void> {
  await runOnCluster(options, async ({ client, json }) => {
    const groupIds = (await findGroups(client, names, false)).map(({ groupId }) => groupId)
    printOutcomes('group', 'deleted', await deleteGroupsById(client, groupIds), json)
  })
}

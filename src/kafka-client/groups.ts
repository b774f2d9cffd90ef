/** Groups as an administrator sees them: who is in them, what they have committed, how far behind they are. */
import { ZERO_TOPIC_ID } from '../base/ids.ts'
import { offsetCommit } from '../protocol/08-offset-commit.ts'
import { type OffsetFetchResponse, offsetFetch } from '../protocol/09-offset-fetch.ts'
import { describeGroups } from '../protocol/15-describe-groups.ts'
import { listGroups } from '../protocol/16-list-groups.ts'
import { deleteGroups } from '../protocol/42-delete-groups.ts'
import type { Outcome } from './admin.ts'
import type { KafkaClient } from './client.ts'
import { decodeAssignment } from './consumer-protocol.ts'
import { KafkaError, throwOnError } from './errors.ts'
import { groupBy } from './group-by.ts'
import { keyOf, type TopicPartition } from './offsets.ts'
import { retry } from './retry.ts'

export interface GroupListing {
  readonly groupId: string
  readonly protocolType: string
  /** Empty where the broker's version does not tell. */
  readonly state: string
  readonly type: string
  readonly coordinator: number
}

/** Asks every broker for the groups that it coordinates. */
export async function listAllGroups(client: KafkaClient): Promise<GroupListing[]> {
  await client.metadata([])
  const perBroker = await Promise.all(
    [...client.brokers.keys()].map((nodeId) =>
      retry(
        async () => {
          const answer = await client.requestNode(nodeId, listGroups, {
            statesFilter: [],
            typesFilter: [],
          })
          throwOnError(answer.errorCode, `groups of broker ${nodeId}`)
          return answer.groups.map((group) => ({
            groupId: group.groupId,
            protocolType: group.protocolType,
            state: group.groupState,
            type: group.groupType,
            coordinator: nodeId,
          }))
        },
        { timeoutMs: client.retryTimeoutMs },
      ),
    ),
  )
  return perBroker.flat().sort((a, b) => (a.groupId < b.groupId ? -1 : 1))
}

export interface GroupMember {
  readonly memberId: string
  readonly instanceId: string | null
  readonly clientId: string
  readonly host: string
  /** Null where the assignment is not one of the consumer protocol. */
  readonly assigned: readonly TopicPartition[] | null
}

export interface GroupDescription {
  readonly groupId: string
  readonly state: string
  readonly protocolType: string
  readonly assignor: string
  readonly coordinator: number
  readonly members: readonly GroupMember[]
}

/** Describes one group of the classic protocol; one that is not there, or of another protocol, is `Dead`. */
export async function describeGroup(
  client: KafkaClient,
  groupId: string,
): Promise<GroupDescription> {
  const answer = await client.requestCoordinator(
    groupId,
    describeGroups,
    { groups: [groupId], includeAuthorizedOperations: false },
    (response) => response.groups[0]?.errorCode ?? 0,
  )
  const group = answer.groups[0]!
  // from version 6 on a group that is not there is an error
  const isMissing = group.errorCode === GROUP_ID_NOT_FOUND
  if (!isMissing) throwOnError(group.errorCode, `group "${groupId}"`, group.errorMessage)
  return {
    groupId,
    state: isMissing ? 'Dead' : group.groupState,
    protocolType: group.protocolType,
    assignor: group.protocolData,
    coordinator: await client.coordinatorOf(groupId),
    members: group.members.map((member) => ({
      memberId: member.memberId,
      instanceId: member.groupInstanceId,
      clientId: member.clientId,
      host: member.clientHost,
      assigned:
        group.protocolType === 'consumer' ? decodeAssignment(member.memberAssignment) : null,
    })),
  }
}

const GROUP_ID_NOT_FOUND = 69

export interface CommittedOffset extends TopicPartition {
  readonly offset: number
  readonly leaderEpoch: number
  readonly metadata: string
}

/** Offsets by topic id come with version 10; every broker takes 9. */
const BY_NAME_MAX = 9

/**
 * What the group has committed: for `partitions`, or (null) for all that it has. Those without an offset are left out.
 * `stable` waits for transactions that are about to commit another: for who reads on from there.
 */
export async function committedOffsets(
  client: KafkaClient,
  groupId: string,
  partitions: readonly TopicPartition[] | null,
  stable = false,
): Promise<CommittedOffset[]> {
  const topics =
    partitions === null
      ? null
      : [...groupBy(partitions, ({ topic }) => topic)].map(([name, group]) => ({
          name,
          topicId: ZERO_TOPIC_ID,
          partitionIndexes: group.map(({ partition }) => partition),
        }))
  return await retry(
    async () => {
      const answer = await client.requestCoordinator(
        groupId,
        offsetFetch,
        (version) => ({
          groupId: version < 8 ? groupId : '',
          topics: version < 8 ? topics : [],
          groups: version < 8 ? [] : [{ groupId, topics }],
          requireStable: stable && version >= 7,
        }),
        (response) => partOf(response).errorCode,
        { versionMax: BY_NAME_MAX },
      )
      return committedOf(answer, groupId)
    },
    { timeoutMs: client.retryTimeoutMs },
  )
}

const partOf = (answer: OffsetFetchResponse) => answer.groups[0] ?? answer

function committedOf(answer: OffsetFetchResponse, groupId: string): CommittedOffset[] {
  const part = partOf(answer)
  if (part.errorCode === GROUP_ID_NOT_FOUND) return []
  throwOnError(part.errorCode, `offsets of group "${groupId}"`)
  const committed: CommittedOffset[] = []
  for (const { name: topic, partitions } of part.topics) {
    for (const p of partitions) {
      throwOnError(p.errorCode, `offset of group "${groupId}" in ${topic}/${p.partitionIndex}`)
      if (p.committedOffset < 0) continue
      committed.push({
        topic,
        partition: p.partitionIndex,
        offset: p.committedOffset,
        leaderEpoch: p.committedLeaderEpoch,
        metadata: p.metadata ?? '',
      })
    }
  }
  return committed
}

export interface OffsetToCommit extends TopicPartition {
  readonly offset: number
  readonly leaderEpoch?: number
}

/** Who commits; without it the group must be empty. */
export interface Membership {
  readonly generationId: number
  readonly memberId: string
}

/** Commits as a member, or in place of an empty group's members. Throws the first error of a partition. */
export async function commitOffsets(
  client: KafkaClient,
  groupId: string,
  offsets: readonly OffsetToCommit[],
  membership?: Membership,
): Promise<void> {
  const failed = await commitEach(client, groupId, offsets, membership)
  for (const error of failed.values()) throw error
}

/** As {@link commitOffsets}, but tells by {@link keyOf} which partitions failed: the others are committed. */
export async function commitEach(
  client: KafkaClient,
  groupId: string,
  offsets: readonly OffsetToCommit[],
  membership: Membership = { generationId: -1, memberId: '' },
): Promise<Map<string, KafkaError>> {
  const failed = new Map<string, KafkaError>()
  if (offsets.length === 0) return failed
  const answer = await client.requestCoordinator(
    groupId,
    offsetCommit,
    {
      groupId,
      generationIdOrMemberEpoch: membership.generationId,
      memberId: membership.memberId,
      topics: [...groupBy(offsets, ({ topic }) => topic)].map(([name, group]) => ({
        name,
        topicId: ZERO_TOPIC_ID,
        partitions: group.map(({ partition, offset, leaderEpoch }) => ({
          partitionIndex: partition,
          committedOffset: offset,
          committedLeaderEpoch: leaderEpoch ?? -1,
          committedMetadata: '',
        })),
      })),
    },
    (response) => response.topics[0]?.partitions[0]?.errorCode ?? 0,
    { versionMax: BY_NAME_MAX },
  )
  for (const { name: topic, partitions } of answer.topics) {
    for (const { partitionIndex: partition, errorCode } of partitions) {
      if (errorCode === 0) continue
      const what = `commit of group "${groupId}" in ${topic}/${partition}`
      failed.set(keyOf({ topic, partition }), new KafkaError(errorCode, what))
    }
  }
  return failed
}

/** Deletes groups with all that they have committed; each has an outcome of its own. */
export async function deleteGroupsById(
  client: KafkaClient,
  groupIds: readonly string[],
): Promise<Outcome[]> {
  return await Promise.all(
    groupIds.map(async (groupId) => {
      const answer = await client.requestCoordinator(
        groupId,
        deleteGroups,
        { groupsNames: [groupId] },
        (response) => response.results[0]?.errorCode ?? 0,
      )
      const code = answer.results[0]!.errorCode
      const error = code === 0 ? null : new KafkaError(code, `group "${groupId}"`)
      return { name: groupId, error }
    }),
  )
}

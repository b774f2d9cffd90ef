/** Answers of the group APIs, complete for the versions that they go to. */
import { ErrorCode } from '../../base/error-code.ts'
import { ZERO_TOPIC_ID } from '../../base/ids.ts'
import { type OffsetCommitRequest, offsetCommit } from '../../protocol/08-offset-commit.ts'
import { type OffsetFetchRequest, offsetFetch } from '../../protocol/09-offset-fetch.ts'
import { type JoinGroupResponseInput, joinGroup } from '../../protocol/11-join-group.ts'
import { type HeartbeatResponseInput, heartbeat } from '../../protocol/12-heartbeat.ts'
import { type LeaveGroupResponseInput, leaveGroup } from '../../protocol/13-leave-group.ts'
import { type SyncGroupResponseInput, syncGroup } from '../../protocol/14-sync-group.ts'
import { type DescribeGroupsRequest, describeGroups } from '../../protocol/15-describe-groups.ts'
import { listGroups } from '../../protocol/16-list-groups.ts'
import { type DeleteGroupsRequest, deleteGroups } from '../../protocol/42-delete-groups.ts'
import { offsetDelete } from '../../protocol/47-offset-delete.ts'
import type { ClassicGroup, GroupStateName } from './classic-group.ts'
import { type Member, NO_BYTES } from './member.ts'
import type { GroupCall } from './types.ts'

const throttleTimeMs = 0
/** From this version on the name of the protocol may be null in a JoinGroup answer. */
const NULLABLE_PROTOCOL = 7
/** From this version on the leader of a JoinGroup may be told not to assign. */
const SKIP_ASSIGNMENT = 9

export function joinRefusal(
  version: number,
  memberId: string,
  errorCode: ErrorCode,
): JoinGroupResponseInput {
  return {
    throttleTimeMs,
    errorCode,
    generationId: -1,
    protocolType: null,
    protocolName: version < NULLABLE_PROTOCOL ? '' : null,
    leader: '',
    skipAssignment: false,
    memberId,
    members: [],
  }
}

/** The member is in the group's generation; the leader learns of all members. */
export function joinedAnswer<T>(
  group: ClassicGroup<T>,
  member: Member<T>,
  version: number,
  overrides: { readonly leader?: string | null; readonly isStaticReturn?: boolean } = {},
): JoinGroupResponseInput {
  const isLeader = group.isLeader(member.memberId)
  // A static member that comes back to a stable group: nobody is to assign, which only newer versions can say. Older ones
  // get a leader that is not them.
  const canSkip = overrides.isStaticReturn === true && version >= SKIP_ASSIGNMENT
  const members = isLeader && (overrides.isStaticReturn !== true || canSkip) ? membersOf(group) : []
  return {
    throttleTimeMs,
    errorCode: ErrorCode.NONE,
    generationId: group.generationId,
    protocolType: group.protocolType,
    protocolName: group.protocolName ?? (version < NULLABLE_PROTOCOL ? '' : null),
    leader: (overrides.leader === undefined ? group.leaderId : overrides.leader) ?? '',
    skipAssignment: canSkip && isLeader,
    memberId: member.memberId,
    members,
  }
}

const membersOf = <T>(group: ClassicGroup<T>) =>
  [...group.members.values()].map((member) => ({
    memberId: member.memberId,
    groupInstanceId: member.groupInstanceId,
    metadata: member.metadataFor(group.protocolName) ?? NO_BYTES,
  }))

export const syncRefusal = (errorCode: ErrorCode): SyncGroupResponseInput => ({
  throttleTimeMs,
  errorCode,
  protocolType: null,
  protocolName: null,
  assignment: NO_BYTES,
})

export const syncAnswer = <T>(
  group: ClassicGroup<T>,
  member: Member<T>,
): SyncGroupResponseInput => ({
  throttleTimeMs,
  errorCode: ErrorCode.NONE,
  protocolType: group.protocolType,
  protocolName: group.protocolName,
  assignment: member.assignment,
})

export const heartbeatAnswer = (errorCode: ErrorCode): HeartbeatResponseInput => ({
  throttleTimeMs,
  errorCode,
})

export interface MemberLeft {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly errorCode: ErrorCode
}

/** Up to version 2 there is one member, and its error stands for all. */
export function leaveAnswer(
  version: number,
  members: readonly MemberLeft[],
): LeaveGroupResponseInput {
  if (version > 2) return { throttleTimeMs, errorCode: ErrorCode.NONE, members }
  return { throttleTimeMs, errorCode: members[0]?.errorCode ?? ErrorCode.NONE, members: [] }
}

export interface PartitionVerdict {
  readonly partitionIndex: number
  readonly errorCode: ErrorCode
}

export interface FetchedPartition {
  readonly partitionIndex: number
  readonly committedOffset: number
  readonly committedLeaderEpoch: number
  readonly metadata: string
  readonly errorCode: ErrorCode
}

/** No offset, or an error. */
export const noOffset = (
  partitionIndex: number,
  errorCode: ErrorCode = ErrorCode.NONE,
): FetchedPartition => ({
  partitionIndex,
  committedOffset: -1,
  committedLeaderEpoch: -1,
  metadata: '',
  errorCode,
})

export interface FetchedTopic {
  readonly name: string
  readonly topicId: string
  readonly partitions: readonly FetchedPartition[]
}

export interface FetchedGroup {
  readonly groupId: string
  readonly topics: readonly FetchedTopic[]
  readonly errorCode: ErrorCode
}

/** Several groups from version 8 on; before, the one group is the answer itself. */
export function fetchAnswer(version: number, groups: readonly FetchedGroup[]): unknown {
  if (version >= 8) return { throttleTimeMs, topics: [], errorCode: ErrorCode.NONE, groups }
  const { topics, errorCode } = groups[0]!
  return { throttleTimeMs, topics, errorCode, groups: [] }
}

export interface AskedGroup {
  readonly groupId: string
  /** Null: all that the group has. */
  readonly topics:
    | readonly {
        readonly name: string
        readonly topicId?: string
        readonly partitionIndexes: readonly number[]
      }[]
    | null
}

export function askedGroups(version: number, request: OffsetFetchRequest): readonly AskedGroup[] {
  if (version >= 8) return request.groups as readonly AskedGroup[]
  return [{ groupId: request.groupId, topics: request.topics }]
}

/** Version 1 has no error for a whole group, so that all its partitions get it. */
export function fetchRefusal(version: number, asked: AskedGroup, error: ErrorCode): FetchedGroup {
  if (version >= 2) return { groupId: asked.groupId, topics: [], errorCode: error }
  const topics = (asked.topics ?? []).map(({ name, partitionIndexes }) => ({
    name,
    topicId: ZERO_TOPIC_ID as string,
    partitions: partitionIndexes.map((index) => noOffset(index, error)),
  }))
  return { groupId: asked.groupId, topics, errorCode: ErrorCode.NONE }
}

export interface DescribedMember {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly memberMetadata: Uint8Array
  readonly memberAssignment: Uint8Array
}

/** What a caller may do with a group is not known here. */
export const AUTHORIZED_OPERATIONS_UNKNOWN = -2_147_483_648

export const describedGroup = (
  groupId: string,
  groupState: GroupStateName | '',
  more: {
    readonly errorCode?: ErrorCode
    readonly errorMessage?: string | null
    readonly protocolType?: string
    readonly protocolData?: string
    readonly members?: readonly DescribedMember[]
  } = {},
) => ({
  errorCode: more.errorCode ?? ErrorCode.NONE,
  errorMessage: more.errorMessage ?? null,
  groupId,
  groupState: groupState as string,
  protocolType: more.protocolType ?? '',
  protocolData: more.protocolData ?? '',
  members: more.members ?? [],
  authorizedOperations: AUTHORIZED_OPERATIONS_UNKNOWN,
})

/**
 * What any call of the group APIs is answered when an error hits it as a whole: the partition is loading, is led elsewhere,
 * its log refused the records. Also for hosts, before they have a coordinator.
 */
export function groupErrorResponse(
  call: Pick<GroupCall<unknown>, 'api' | 'version' | 'request'>,
  errorCode: ErrorCode,
): unknown {
  const { version } = call
  switch (call.api.key) {
    case joinGroup.key: {
      const { memberId } = call.request as { memberId: string }
      return joinRefusal(version, memberId, errorCode)
    }
    case syncGroup.key:
      return syncRefusal(errorCode)
    case heartbeat.key: {
      // While groups load nobody can say that a member is none: as Kafka, it is kept quiet.
      const isLoading = errorCode === ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
      return heartbeatAnswer(isLoading ? ErrorCode.NONE : errorCode)
    }
    case leaveGroup.key:
      return { throttleTimeMs, errorCode, members: [] }
    case offsetCommit.key:
      return commitRefusal(call.request as OffsetCommitRequest, errorCode)
    case offsetFetch.key: {
      const asked = askedGroups(version, call.request as OffsetFetchRequest)
      const groups = asked.map((one) => fetchRefusal(version, one, errorCode))
      return fetchAnswer(version, groups)
    }
    case describeGroups.key: {
      const { groups } = call.request as DescribeGroupsRequest
      const described = groups.map((groupId) => describedGroup(groupId, '', { errorCode }))
      return { throttleTimeMs, groups: described }
    }
    case deleteGroups.key: {
      const { groupsNames } = call.request as DeleteGroupsRequest
      return { throttleTimeMs, results: groupsNames.map((groupId) => ({ groupId, errorCode })) }
    }
    case listGroups.key:
      return { throttleTimeMs, errorCode, groups: [] }
    case offsetDelete.key:
      return { errorCode, throttleTimeMs, topics: [] }
    default:
      throw new TypeError(`${call.api.name} is no request for a group coordinator`)
  }
}

function commitRefusal(request: OffsetCommitRequest, errorCode: ErrorCode) {
  const topics = request.topics.map(({ name, topicId, partitions }) => ({
    name,
    topicId,
    partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
  }))
  return { throttleTimeMs, topics }
}

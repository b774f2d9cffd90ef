/** DescribeGroups, ListGroups, DeleteGroups and OffsetDelete. */
import { ErrorCode } from '../../base/error-code.ts'
import type {
  DescribeGroupsRequest,
  DescribeGroupsResponseInput,
} from '../../protocol/15-describe-groups.ts'
import type { ListGroupsRequest, ListGroupsResponseInput } from '../../protocol/16-list-groups.ts'
import type { DeleteGroupsRequest } from '../../protocol/42-delete-groups.ts'
import type { OffsetDeleteRequest } from '../../protocol/47-offset-delete.ts'
import { describedGroup, type PartitionVerdict } from './answers.ts'
import type { GroupStateName } from './classic-group.ts'
import type { GroupContext } from './context.ts'
import { encodeGroupKey } from './group-record.ts'
import { type Member, NO_BYTES } from './member.ts'
import { toGroupError } from './step-errors.ts'
import { subscribedTopics } from './subscriptions.ts'
import type { GroupCall } from './types.ts'

/** From this version on a group that is not there is an error; before, it was a dead group. */
const GROUP_ID_NOT_FOUND_FROM = 6
const GROUP_TYPE = 'classic'
/** All that can be done to a group, as Kafka's bits (1 << AclOperation). */
const GROUP_OPERATIONS = 0b1101_0100_1000

export function handleDescribe<T>(ctx: GroupContext<T>, call: GroupCall<T>): void {
  const request = call.request as DescribeGroupsRequest
  // one that is named over and over is told once: or a few bytes would ask for gigabytes
  const groups = Array.from(new Set(request.groups), (groupId) => {
    const described = describe(ctx, call.version, groupId)
    // Everybody may do everything, until there are ACLs.
    return request.includeAuthorizedOperations && described.errorCode === ErrorCode.NONE
      ? { ...described, authorizedOperations: GROUP_OPERATIONS }
      : described
  })
  ctx.step.answer(call.token, { throttleTimeMs: 0, groups })
}

function describe<T>(
  ctx: GroupContext<T>,
  version: number,
  groupId: string,
): DescribeGroupsResponseInput['groups'][number] {
  const group = ctx.live.get(groupId)
  if (group === undefined) {
    const record = ctx.state.groups.get(groupId)
    if (record !== undefined) {
      return describedGroup(groupId, 'Empty', { protocolType: record.protocolType ?? '' })
    }
    return version < GROUP_ID_NOT_FOUND_FROM
      ? describedGroup(groupId, 'Dead')
      : describedGroup(groupId, 'Dead', {
          errorCode: ErrorCode.GROUP_ID_NOT_FOUND,
          errorMessage: `Group ${groupId} not found.`,
        })
  }
  // While it rebalances nobody knows which protocol will win.
  const protocol = group.state === 'Stable' ? group.protocolName : null
  return describedGroup(groupId, group.state, {
    protocolType: group.protocolType ?? '',
    protocolData: protocol ?? '',
    members: [...group.members.values()].map((member) => describeMember(member, protocol)),
  })
}

const describeMember = <T>(member: Member<T>, protocol: string | null) => ({
  memberId: member.memberId,
  groupInstanceId: member.groupInstanceId,
  clientId: member.clientId,
  clientHost: member.clientHost,
  memberMetadata: protocol === null ? NO_BYTES : (member.metadataFor(protocol) ?? NO_BYTES),
  memberAssignment: member.assignment,
})

export function handleList<T>(ctx: GroupContext<T>, call: GroupCall<T>): void {
  const request = call.request as ListGroupsRequest
  const states = new Set(request.statesFilter.map((state) => state.trim().toLowerCase()))
  const isListed = (state: GroupStateName) => states.size === 0 || states.has(state.toLowerCase())
  const types = request.typesFilter.map((type) => type.trim().toLowerCase())
  const groups: ListGroupsResponseInput['groups'][number][] = []
  if (types.length === 0 || types.includes(GROUP_TYPE)) {
    const list = (groupId: string, protocolType: string | null, groupState: GroupStateName) => {
      if (!isListed(groupState)) return
      groups.push({ groupId, protocolType: protocolType ?? '', groupState, groupType: GROUP_TYPE })
    }
    for (const [groupId, record] of ctx.state.groups.entries()) {
      if (!ctx.live.has(groupId)) list(groupId, record.protocolType, 'Empty')
    }
    for (const group of ctx.live.values()) list(group.groupId, group.protocolType, group.state)
  }
  ctx.step.answer(call.token, { throttleTimeMs: 0, errorCode: ErrorCode.NONE, groups })
}

export function handleDeleteGroups<T>(ctx: GroupContext<T>, call: GroupCall<T>): void {
  const request = call.request as DeleteGroupsRequest
  const results = Array.from(new Set(request.groupsNames), (groupId) => ({
    groupId,
    errorCode: deleteGroup(ctx, groupId),
  }))
  const answer = (refused: ErrorCode) => ({
    throttleTimeMs: 0,
    results: results.map(({ groupId, errorCode }) => ({
      groupId,
      errorCode: errorCode === ErrorCode.NONE ? refused : errorCode,
    })),
  })
  ctx.step.answerWritten(call.token, answer(ErrorCode.NONE), (error) => answer(toGroupError(error)))
}

function deleteGroup<T>(ctx: GroupContext<T>, groupId: string): ErrorCode {
  const group = ctx.live.get(groupId)
  if (group === undefined && !ctx.state.groups.has(groupId)) return ErrorCode.GROUP_ID_NOT_FOUND
  if (group !== undefined && group.state !== 'Empty') return ErrorCode.NON_EMPTY_GROUP
  let offsets = 0
  for (const keys of ctx.state.keys.groups.get(groupId)?.values() ?? []) {
    for (const key of keys.values()) {
      if (!ctx.state.offsets.has(key)) continue
      ctx.step.write({ key: key.bytes, value: null })
      offsets++
    }
  }
  ctx.step.write({ key: encodeGroupKey(groupId), value: null })
  if (group !== undefined) ctx.drop(group)
  ctx.logger.log('info', 'group is deleted', { groupId, offsets })
  return ErrorCode.NONE
}

export function handleOffsetDelete<T>(ctx: GroupContext<T>, call: GroupCall<T>): void {
  const request = call.request as OffsetDeleteRequest
  const fault = offsetDeleteFault(ctx, request.groupId)
  if (fault !== ErrorCode.NONE) {
    ctx.step.answer(call.token, { errorCode: fault, throttleTimeMs: 0, topics: [] })
    return
  }
  const asked = request.topics.filter(({ partitions }) => partitions.length > 0)
  const topics = asked.map(({ name, partitions }) => {
    const isSubscribed = isSubscribedTo(ctx, request.groupId, name)
    const count = ctx.topics.partitionsOf(name)
    return {
      name,
      partitions: partitions.map(({ partitionIndex }): PartitionVerdict => {
        if (partitionIndex < 0 || partitionIndex >= count) {
          return { partitionIndex, errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION }
        }
        if (isSubscribed) return { partitionIndex, errorCode: ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC }
        const key = ctx.state.keys.find(request.groupId, name, partitionIndex)
        if (key !== undefined && ctx.state.offsets.has(key)) {
          ctx.step.write({ key: key.bytes, value: null })
        }
        return { partitionIndex, errorCode: ErrorCode.NONE }
      }),
    }
  })
  ctx.step.answerWritten(
    call.token,
    { errorCode: ErrorCode.NONE, throttleTimeMs: 0, topics },
    (error) => ({ errorCode: toGroupError(error), throttleTimeMs: 0, topics: [] }),
  )
}

function offsetDeleteFault<T>(ctx: GroupContext<T>, groupId: string): ErrorCode {
  if (groupId === '') return ErrorCode.INVALID_GROUP_ID
  const group = ctx.live.get(groupId)
  if (group === undefined) {
    return ctx.state.groups.has(groupId) ? ErrorCode.NONE : ErrorCode.GROUP_ID_NOT_FOUND
  }
  // What others than consumers subscribe to is not known here.
  return group.state === 'Empty' || group.isConsumerGroup
    ? ErrorCode.NONE
    : ErrorCode.NON_EMPTY_GROUP
}

function isSubscribedTo<T>(ctx: GroupContext<T>, groupId: string, topic: string): boolean {
  const group = ctx.live.get(groupId)
  if (group !== undefined) return group.isSubscribedTo(topic)
  const record = ctx.state.groups.get(groupId)
  return record !== undefined && (subscribedTopics(record)?.has(topic) ?? false)
}

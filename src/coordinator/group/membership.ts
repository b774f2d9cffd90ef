/** SyncGroup, Heartbeat and LeaveGroup. */
import { ErrorCode } from '../../base/error-code.ts'
import type { HeartbeatRequest } from '../../protocol/12-heartbeat.ts'
import type { LeaveGroupRequest } from '../../protocol/13-leave-group.ts'
import type { SyncGroupRequest } from '../../protocol/14-sync-group.ts'
import {
  heartbeatAnswer,
  leaveAnswer,
  type MemberLeft,
  syncAnswer,
  syncRefusal,
} from './answers.ts'
import type { ClassicGroup } from './classic-group.ts'
import type { GroupContext } from './context.ts'
import { NO_BYTES } from './member.ts'
import { reasonOf } from './reason.ts'
import {
  armSession,
  assign,
  maybeCompleteJoin,
  prepareRebalance,
  removePending,
  takeOut,
} from './rebalance.ts'
import type { GroupCall } from './types.ts'

/** From this version on SyncGroup must name the protocol. */
const SYNC_NAMES_PROTOCOL_FROM = 5

export function handleSync<T>(ctx: GroupContext<T>, call: GroupCall<T>): void {
  const request = call.request as SyncGroupRequest
  const group = ctx.find(request.groupId)
  const fault = syncFault(group, call.version, request)
  if (group === undefined || fault !== ErrorCode.NONE) {
    ctx.step.answer(call.token, syncRefusal(fault))
    return
  }
  const member = group.members.get(request.memberId)!
  switch (group.state) {
    case 'PreparingRebalance':
      ctx.step.answer(call.token, syncRefusal(ErrorCode.REBALANCE_IN_PROGRESS))
      break
    case 'CompletingRebalance':
      if (member.waitingSync !== null) {
        // sent twice: the one before is told to try again
        const error = ErrorCode.REBALANCE_IN_PROGRESS
        ctx.step.answer(member.waitingSync.token, syncRefusal(error))
      }
      member.waitingSync = { token: call.token, version: call.version }
      hasSynced(ctx, group, request.memberId)
      if (group.isLeader(request.memberId)) takeAssignments(ctx, group, request)
      break
    case 'Stable':
      hasSynced(ctx, group, request.memberId)
      ctx.step.answer(call.token, syncAnswer(group, member))
      break
    case 'Empty':
    case 'Dead':
      throw new TypeError('a group with members is neither empty nor dead')
    default:
      group.state satisfies never
  }
}

function syncFault<T>(
  group: ClassicGroup<T> | undefined,
  version: number,
  request: SyncGroupRequest,
): ErrorCode {
  const { protocolType, protocolName } = request
  if (version >= SYNC_NAMES_PROTOCOL_FROM && (protocolType === null || protocolName === null)) {
    return ErrorCode.INCONSISTENT_GROUP_PROTOCOL
  }
  if (request.groupId === '') return ErrorCode.INVALID_GROUP_ID
  if (group === undefined) return ErrorCode.UNKNOWN_MEMBER_ID
  const fault = group.validateMember(request.memberId, request.groupInstanceId)
  if (fault !== ErrorCode.NONE) return fault
  if (request.generationId !== group.generationId) return ErrorCode.ILLEGAL_GENERATION
  const differs = (said: string | null, is: string | null) =>
    said !== null && is !== null && said !== is
  return differs(protocolType, group.protocolType) || differs(protocolName, group.protocolName)
    ? ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    : ErrorCode.NONE
}

function hasSynced<T>(ctx: GroupContext<T>, group: ClassicGroup<T>, memberId: string): void {
  group.pendingSync.delete(memberId)
  if (group.pendingSync.size === 0) ctx.cancelSync(group)
}

function takeAssignments<T>(
  ctx: GroupContext<T>,
  group: ClassicGroup<T>,
  request: SyncGroupRequest,
): void {
  const assignments = new Map<string, Uint8Array>()
  for (const { memberId, assignment } of request.assignments) {
    if (group.members.has(memberId)) assignments.set(memberId, Uint8Array.from(assignment))
  }
  let missing = 0
  for (const memberId of group.members.keys()) {
    if ((assignments.get(memberId) ?? NO_BYTES).length === 0) missing++
  }
  ctx.logger.log(missing === 0 ? 'info' : 'warn', 'assignment received from leader', {
    groupId: group.groupId,
    leader: request.memberId,
    generation: group.generationId,
    members: group.members.size,
    staticMembers: group.staticMemberCount,
    withoutAssignment: missing,
  })
  assign(ctx, group, assignments)
}

export function handleHeartbeat<T>(ctx: GroupContext<T>, call: GroupCall<T>): void {
  const request = call.request as HeartbeatRequest
  const group = ctx.live.get(request.groupId)
  const error = heartbeat(ctx, group, request)
  ctx.step.answer(call.token, heartbeatAnswer(error))
}

function heartbeat<T>(
  ctx: GroupContext<T>,
  group: ClassicGroup<T> | undefined,
  request: HeartbeatRequest,
): ErrorCode {
  if (request.groupId === '') return ErrorCode.INVALID_GROUP_ID
  if (group === undefined) return ErrorCode.UNKNOWN_MEMBER_ID
  const fault = group.validateMember(request.memberId, request.groupInstanceId)
  if (fault !== ErrorCode.NONE) return fault
  if (request.generationId !== group.generationId) return ErrorCode.ILLEGAL_GENERATION
  armSession(ctx, group, group.members.get(request.memberId)!)
  return group.state === 'PreparingRebalance' ? ErrorCode.REBALANCE_IN_PROGRESS : ErrorCode.NONE
}

export function handleLeave<T>(ctx: GroupContext<T>, call: GroupCall<T>): void {
  const request = call.request as LeaveGroupRequest
  if (request.groupId === '') {
    const errorCode = ErrorCode.INVALID_GROUP_ID
    ctx.step.answer(call.token, { throttleTimeMs: 0, errorCode, members: [] })
    return
  }
  const members =
    call.version <= 2
      ? [{ memberId: request.memberId, groupInstanceId: null, reason: null }]
      : request.members
  const group = ctx.find(request.groupId)
  const left: MemberLeft[] = members.map(({ memberId, groupInstanceId, reason }) => ({
    memberId,
    groupInstanceId,
    errorCode:
      group === undefined
        ? ErrorCode.UNKNOWN_MEMBER_ID
        : leave(ctx, group, memberId, groupInstanceId, reason),
  }))
  ctx.step.answer(call.token, leaveAnswer(call.version, left))
  if (group === undefined) return
  const gone = left.filter(({ errorCode }) => errorCode === ErrorCode.NONE)
  if (gone.length === 0) return
  if (group.state === 'Stable' || group.state === 'CompletingRebalance') {
    const first = gone[0]!
    const who = first.memberId === '' ? first.groupInstanceId : first.memberId
    const more = gone.length === 1 ? '' : ` and ${gone.length - 1} more`
    prepareRebalance(ctx, group, `explicit LeaveGroup of ${who}${more}`)
  } else maybeCompleteJoin(ctx, group)
}

/** One member leaves: by its id, or, sent by an administrator, by its instance id alone. */
function leave<T>(
  ctx: GroupContext<T>,
  group: ClassicGroup<T>,
  memberId: string,
  groupInstanceId: string | null,
  reason: string | null,
): ErrorCode {
  const log = (message: string, who: string) =>
    ctx.logger.log('info', message, {
      groupId: group.groupId,
      memberId: who,
      groupInstanceId,
      generation: group.generationId,
      reason: reasonOf(reason),
    })
  if (memberId !== '' && group.pendingMembers.has(memberId)) {
    removePending(ctx, group, memberId)
    log('pending member left group', memberId)
    return ErrorCode.NONE
  }
  let who: string | undefined = memberId
  if (memberId === '') {
    who = groupInstanceId === null ? undefined : group.staticMemberId(groupInstanceId)
    if (who === undefined) return ErrorCode.UNKNOWN_MEMBER_ID
  } else {
    const fault = group.validateMember(memberId, groupInstanceId)
    if (fault !== ErrorCode.NONE) return fault
  }
  takeOut(ctx, group, group.members.get(who)!)
  log('member left group', who)
  return ErrorCode.NONE
}

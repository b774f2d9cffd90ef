/** JoinGroup: who may come in, and what that sets off. */
import { ErrorCode, errorName } from '../../base/error-code.ts'
import type { JoinGroupRequest } from '../../protocol/11-join-group.ts'
import { joinedAnswer, joinRefusal, syncRefusal } from './answers.ts'
import type { ClassicGroup } from './classic-group.ts'
import {
  GROUP_BYTES_MAX,
  GROUP_ID_LENGTH_MAX,
  MEMBER_METADATA_BYTES_MAX,
  MEMBER_PROTOCOLS_MAX,
  NEW_MEMBER_JOIN_TIMEOUT_MS,
  PENDING_MEMBERS_MAX,
} from './config.ts'
import type { GroupContext } from './context.ts'
import { Member, type MemberProtocol, memberBytes, NO_BYTES, type Waiting } from './member.ts'
import { reasonOf } from './reason.ts'
import {
  addPending,
  armSession,
  maybeCompleteJoin,
  persist,
  prepareRebalance,
  rebalanceOrCompleteJoin,
  removePending,
} from './rebalance.ts'
import { toGroupError } from './step-errors.ts'
import type { GroupCall } from './types.ts'

/** From this version on a dynamic member is told an id first, and joins with it (KIP-394). */
const MEMBER_ID_REQUIRED_FROM = 4

/** A JoinGroup, with what is kept of it in memory of its own. */
interface Join<T> {
  readonly call: GroupCall<T>
  readonly request: JoinGroupRequest
  readonly protocols: readonly MemberProtocol[]
  readonly rebalanceTimeoutMs: number
  readonly waiting: Waiting<T>
  readonly reason: string
}

export function handleJoin<T>(ctx: GroupContext<T>, call: GroupCall<T>): void {
  const request = call.request as JoinGroupRequest
  const fault = faultOf(ctx, request)
  if (fault !== ErrorCode.NONE) {
    ctx.step.answer(call.token, joinRefusal(call.version, request.memberId, fault))
    return
  }
  const { groupId, memberId } = request
  const isNewGroup = !ctx.exists(groupId)
  if (isNewGroup && memberId !== '') {
    const refusal = joinRefusal(call.version, memberId, ErrorCode.UNKNOWN_MEMBER_ID)
    ctx.step.answer(call.token, refusal)
    return
  }
  if (isNewGroup && ctx.isFull(groupId)) {
    const refusal = joinRefusal(call.version, memberId, ErrorCode.POLICY_VIOLATION)
    ctx.step.answer(call.token, refusal)
    return
  }
  const group = isNewGroup ? ctx.create(groupId) : ctx.find(groupId)!
  const join: Join<T> = {
    call,
    request,
    protocols: request.protocols.map(({ name, metadata }) => ({
      name,
      metadata: Uint8Array.from(metadata),
    })),
    rebalanceTimeoutMs: call.version === 0 ? request.sessionTimeoutMs : request.rebalanceTimeoutMs,
    waiting: { token: call.token, version: call.version },
    reason: reasonOf(request.reason),
  }
  if (!accepts(ctx, group, memberId)) refuseFullGroup(ctx, group, join)
  else if (isTooMuch(ctx, group, join)) refuseTooMuch(ctx, group, join)
  else if (memberId === '') joinAsNew(ctx, group, join)
  else joinAsKnown(ctx, group, join)
  if (isNewGroup) writeNewGroup(ctx, group, join)
}

function faultOf<T>(ctx: GroupContext<T>, request: JoinGroupRequest): ErrorCode {
  const { groupId, sessionTimeoutMs, protocols } = request
  if (groupId === '') return ErrorCode.INVALID_GROUP_ID
  const { groupMinSessionTimeoutMs: min, groupMaxSessionTimeoutMs: max } = ctx.config
  if (sessionTimeoutMs < min || sessionTimeoutMs > max) return ErrorCode.INVALID_SESSION_TIMEOUT
  const refuse = (error: ErrorCode, what: string, is: number, limit: number): ErrorCode => {
    ctx.logger.log('warn', `a JoinGroup is refused: ${what}`, {
      groupId: groupId.slice(0, 256),
      error: errorName(error),
      is,
      limit,
    })
    return error
  }
  if (groupId.length > GROUP_ID_LENGTH_MAX) {
    const what = 'characters of the group id'
    return refuse(ErrorCode.INVALID_GROUP_ID, what, groupId.length, GROUP_ID_LENGTH_MAX)
  }
  if (protocols.length > MEMBER_PROTOCOLS_MAX) {
    const what = 'protocols of one member'
    return refuse(ErrorCode.INVALID_REQUEST, what, protocols.length, MEMBER_PROTOCOLS_MAX)
  }
  let bytes = 0
  for (const { metadata } of protocols) bytes += metadata.length
  if (bytes > MEMBER_METADATA_BYTES_MAX) {
    const what = "bytes of one member's metadata"
    return refuse(ErrorCode.INVALID_REQUEST, what, bytes, MEMBER_METADATA_BYTES_MAX)
  }
  return ErrorCode.NONE
}

/**
 * Whether there is room. While members rejoin, those that have count rather than all, so that a group over its limit
 * (which may have been lowered) loses the last to come.
 */
function accepts<T>(ctx: GroupContext<T>, group: ClassicGroup<T>, memberId: string): boolean {
  const member = group.members.get(memberId)
  const { groupMaxSize } = ctx.config
  switch (group.state) {
    case 'Empty':
    case 'Dead':
      return true
    case 'PreparingRebalance':
      return (
        (member !== undefined && member.waitingJoin !== null) || group.waitingJoins < groupMaxSize
      )
    case 'CompletingRebalance':
    case 'Stable':
      return member !== undefined || group.members.size < groupMaxSize
    default:
      group.state satisfies never
      throw new TypeError('unreachable')
  }
}

/** Whether the group would say more than its leader can be told; a member that it knows stays as it was. */
function isTooMuch<T>(ctx: GroupContext<T>, group: ClassicGroup<T>, join: Join<T>): boolean {
  const { memberId, groupInstanceId } = join.request
  const { clientId, clientHost } = join.call
  const oldId = groupInstanceId === null ? undefined : group.staticMemberId(groupInstanceId)
  const before = group.members.get(memberId === '' ? (oldId ?? '') : memberId)
  const id = memberId === '' ? (groupInstanceId ?? clientId) : memberId
  const bytes = memberBytes([id, groupInstanceId, clientId, clientHost], join.protocols)
  const more = bytes - (before?.countedBytes ?? 0)
  if (more <= 0 || group.bytes + more <= GROUP_BYTES_MAX) return false
  ctx.logger.log('warn', 'a member is refused: the group would say more than fits into an answer', {
    groupId: group.groupId,
    members: group.members.size,
    would: group.bytes + more,
    limit: GROUP_BYTES_MAX,
  })
  return true
}

function refuseTooMuch<T>(ctx: GroupContext<T>, group: ClassicGroup<T>, join: Join<T>): void {
  const { memberId } = join.request
  const wasAwaited = group.pendingMembers.has(memberId)
  removePending(ctx, group, memberId)
  if (wasAwaited) maybeCompleteJoin(ctx, group)
  refuse(ctx, join, '', ErrorCode.GROUP_MAX_SIZE_REACHED)
}

function refuseFullGroup<T>(ctx: GroupContext<T>, group: ClassicGroup<T>, join: Join<T>): void {
  const { memberId } = join.request
  ctx.logger.log('info', 'a member is refused: the group is full', {
    groupId: group.groupId,
    members: group.members.size,
    limit: ctx.config.groupMaxSize,
  })
  removePending(ctx, group, memberId)
  const member = group.members.get(memberId)
  if (member !== undefined) {
    ctx.cancelSession(member)
    group.remove(member)
    maybeCompleteJoin(ctx, group)
  }
  refuse(ctx, join, '', ErrorCode.GROUP_MAX_SIZE_REACHED)
}

function refuse<T>(ctx: GroupContext<T>, join: Join<T>, memberId: string, error: ErrorCode): void {
  ctx.step.answer(join.call.token, joinRefusal(join.call.version, memberId, error))
}

function joinAsNew<T>(ctx: GroupContext<T>, group: ClassicGroup<T>, join: Join<T>): void {
  const { call, request } = join
  const { groupInstanceId } = request
  if (!group.supports(request.protocolType, join.protocols)) {
    refuse(ctx, join, '', ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
    return
  }
  const memberId = ctx.newMemberId(call.clientId, groupInstanceId)
  const log = (message: string, oldMemberId?: string) =>
    ctx.logger.log('info', message, {
      groupId: group.groupId,
      state: group.state,
      memberId,
      groupInstanceId,
      oldMemberId,
    })
  if (groupInstanceId !== null) {
    const oldMemberId = group.staticMemberId(groupInstanceId)
    if (oldMemberId === undefined) {
      log('static member joins group')
      addMember(ctx, group, join, memberId)
    } else {
      log('static member returns to group, in place of its former self', oldMemberId)
      replaceStatic(ctx, group, join, oldMemberId, memberId)
    }
  } else if (call.version >= MEMBER_ID_REQUIRED_FROM) {
    if (group.pendingMembers.size >= PENDING_MEMBERS_MAX) {
      ctx.logger.log('warn', 'a member is refused: too many ids of the group wait to be used', {
        groupId: group.groupId,
        limit: PENDING_MEMBERS_MAX,
      })
      refuse(ctx, join, '', ErrorCode.GROUP_MAX_SIZE_REACHED)
      return
    }
    log('dynamic member joins group and is told to come back with its new id')
    addPending(ctx, group, memberId, request.sessionTimeoutMs)
    refuse(ctx, join, memberId, ErrorCode.MEMBER_ID_REQUIRED)
  } else {
    log('dynamic member joins group')
    addMember(ctx, group, join, memberId)
  }
}

function joinAsKnown<T>(ctx: GroupContext<T>, group: ClassicGroup<T>, join: Join<T>): void {
  const { request } = join
  const { memberId, groupInstanceId } = request
  if (!group.supports(request.protocolType, join.protocols)) {
    refuse(ctx, join, memberId, ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
    return
  }
  if (group.pendingMembers.has(memberId)) {
    // Ids are given out to dynamic members only.
    if (groupInstanceId !== null) refuse(ctx, join, memberId, ErrorCode.UNKNOWN_MEMBER_ID)
    else addMember(ctx, group, join, memberId)
    return
  }
  const fault = group.validateMember(memberId, groupInstanceId)
  const member = group.members.get(memberId)
  if (fault !== ErrorCode.NONE || member === undefined) {
    refuse(ctx, join, memberId, fault === ErrorCode.NONE ? ErrorCode.UNKNOWN_MEMBER_ID : fault)
    return
  }
  switch (group.state) {
    case 'PreparingRebalance':
      rejoin(ctx, group, join, member, `member ${memberId} is joining`)
      break
    case 'CompletingRebalance':
      // With the same metadata: it may have missed the answer to its JoinGroup.
      if (member.matches(join.protocols)) answerGeneration(ctx, group, join, member)
      else rejoin(ctx, group, join, member, `updating metadata for member ${memberId}`)
      break
    case 'Stable':
      // The leader may know of changes that no metadata shows, such as new partitions.
      if (group.isLeader(memberId)) {
        rejoin(ctx, group, join, member, `leader ${memberId} is joining again`)
      } else if (!member.matches(join.protocols)) {
        rejoin(ctx, group, join, member, `updating metadata for member ${memberId}`)
      } else answerGeneration(ctx, group, join, member)
      break
    case 'Empty':
    case 'Dead':
      refuse(ctx, join, memberId, ErrorCode.UNKNOWN_MEMBER_ID)
      break
    default:
      group.state satisfies never
  }
}

function answerGeneration<T>(
  ctx: GroupContext<T>,
  group: ClassicGroup<T>,
  join: Join<T>,
  member: Member<T>,
): void {
  ctx.step.answer(join.call.token, joinedAnswer(group, member, join.call.version))
}

function rejoin<T>(
  ctx: GroupContext<T>,
  group: ClassicGroup<T>,
  join: Join<T>,
  member: Member<T>,
  reason: string,
): void {
  group.update(member, join.protocols, join.rebalanceTimeoutMs, join.request.sessionTimeoutMs)
  waitForJoin(ctx, group, member, join.waiting)
  rebalanceOrCompleteJoin(ctx, group, `${reason} (${join.reason})`)
}

/** The member waits with this request; one that waited before is told to try again. */
function waitForJoin<T>(
  ctx: GroupContext<T>,
  group: ClassicGroup<T>,
  member: Member<T>,
  waiting: Waiting<T>,
): void {
  const before = member.waitingJoin
  if (before !== null) {
    const error = ErrorCode.REBALANCE_IN_PROGRESS
    ctx.step.answer(before.token, joinRefusal(before.version, member.memberId, error))
  }
  group.setWaitingJoin(member, waiting)
}

function addMember<T>(
  ctx: GroupContext<T>,
  group: ClassicGroup<T>,
  join: Join<T>,
  memberId: string,
): void {
  const { call, request } = join
  const member = new Member<T>({
    memberId,
    groupInstanceId: request.groupInstanceId,
    clientId: call.clientId,
    clientHost: call.clientHost,
    rebalanceTimeoutMs: join.rebalanceTimeoutMs,
    sessionTimeoutMs: request.sessionTimeoutMs,
    protocolType: request.protocolType,
    protocols: join.protocols,
    assignment: NO_BYTES,
  })
  member.isNew = true
  // The first rebalance may wait a little longer.
  if (group.state === 'PreparingRebalance' && group.previousState === 'Empty') {
    group.newMemberAdded = true
  }
  removePending(ctx, group, memberId)
  group.add(member, join.waiting)
  // It cannot send heartbeats before it is told its generation. Should its client be gone, it leaves the group after a while
  // even so; one that is still there tries again.
  armSession(ctx, group, member, NEW_MEMBER_JOIN_TIMEOUT_MS)
  const instance = request.groupInstanceId ?? 'none'
  const reason = `adding new member ${memberId} with group instance id ${instance} (${join.reason})`
  rebalanceOrCompleteJoin(ctx, group, reason)
}

/** A static member came back without its member id, as after a restart: it gets a new one, and the old one is fenced. */
function replaceStatic<T>(
  ctx: GroupContext<T>,
  group: ClassicGroup<T>,
  join: Join<T>,
  oldMemberId: string,
  newMemberId: string,
): void {
  const old = group.members.get(oldMemberId)!
  const leaderBefore = group.leaderId
  fence(ctx, old)
  const wasPendingSync = group.pendingSync.delete(oldMemberId)
  const member = group.replaceStatic(old, newMemberId)
  if (wasPendingSync) group.pendingSync.add(newMemberId)
  ctx.cancelSession(old)
  armSession(ctx, group, member)
  group.update(member, join.protocols, join.rebalanceTimeoutMs, join.request.sessionTimeoutMs)
  const instance = join.request.groupInstanceId
  switch (group.state) {
    case 'Stable':
      if (group.selectProtocol() === group.protocolName) {
        settleStaticReturn(ctx, group, join, old, member, leaderBefore)
        return
      }
      group.setWaitingJoin(member, join.waiting)
      prepareRebalance(
        ctx,
        group,
        `static member ${newMemberId} with instance id ${instance} changes the protocol (${join.reason})`,
      )
      return
    case 'CompletingRebalance':
      // The leader may be assigning to the old member id already.
      group.setWaitingJoin(member, join.waiting)
      prepareRebalance(
        ctx,
        group,
        `static member ${newMemberId} with instance id ${instance} is replaced (${join.reason})`,
      )
      return
    case 'PreparingRebalance':
      group.setWaitingJoin(member, join.waiting)
      maybeCompleteJoin(ctx, group)
      return
    case 'Empty':
    case 'Dead':
      throw new TypeError('a group with a static member is not empty')
    default:
      group.state satisfies never
  }
}

/** Two clients with one instance id: whatever the former waits for, it is out. */
function fence<T>(ctx: GroupContext<T>, old: Member<T>): void {
  const error = ErrorCode.FENCED_INSTANCE_ID
  if (old.waitingJoin !== null) {
    const { token, version } = old.waitingJoin
    ctx.step.answer(token, joinRefusal(version, old.memberId, error))
  }
  if (old.waitingSync !== null) {
    const { token } = old.waitingSync
    ctx.step.answer(token, syncRefusal(error))
    old.waitingSync = null
  }
}

/** The group goes on in its generation: only the new member id has to be written. */
function settleStaticReturn<T>(
  ctx: GroupContext<T>,
  group: ClassicGroup<T>,
  join: Join<T>,
  old: Member<T>,
  member: Member<T>,
  leaderBefore: string | null,
): void {
  ctx.logger.log('info', 'static member returned without a rebalance: the protocol stays', {
    groupId: group.groupId,
    memberId: member.memberId,
    generation: group.generationId,
  })
  const { call } = join
  persist(ctx, group)
  const leader = call.version >= 9 ? group.leaderId : leaderBefore
  const answer = joinedAnswer(group, member, call.version, { leader, isStaticReturn: true })
  ctx.step.answerWritten(call.token, answer, (error) =>
    joinRefusal(call.version, '', toGroupError(error)),
  )
  ctx.step.onFailure(() => {
    ctx.cancelSession(member)
    group.update(member, old.protocols, old.rebalanceTimeoutMs, old.sessionTimeoutMs)
    const back = group.replaceStatic(member, old.memberId)
    if (group.pendingSync.delete(member.memberId)) group.pendingSync.add(old.memberId)
    armSession(ctx, group, back)
  })
}

/** A group that nobody knew is written down at once, so that it can be described, and is found after a restart. */
function writeNewGroup<T>(ctx: GroupContext<T>, group: ClassicGroup<T>, join: Join<T>): void {
  ctx.writeGroup(group.groupId, {
    protocolType: null,
    generationId: 0,
    protocolName: null,
    leaderId: null,
    currentStateTimestampMs: group.currentStateTimestampMs,
    members: [],
  })
  ctx.step.onFailure((error) => {
    const mapped = toGroupError(error)
    for (const { waitingJoin } of group.members.values()) {
      if (waitingJoin === null) continue
      const { token, version } = waitingJoin
      ctx.step.answer(token, joinRefusal(version, join.request.memberId, mapped))
    }
    ctx.drop(group)
  })
}

/**
 * The rounds of a classic group, after Kafka's GroupMetadataManager: members join until all are there or the time is over, the
 * leader assigns, everybody syncs. Called by the handlers and by timers.
 */
import { ErrorCode, errorName } from '../../base/error-code.ts'
import { joinedAnswer, joinRefusal, syncAnswer, syncRefusal } from './answers.ts'
import type { ClassicGroup } from './classic-group.ts'
import type { GroupContext } from './context.ts'
import { type Member, NO_BYTES } from './member.ts'
import { toGroupError } from './step-errors.ts'

/** Begins a rebalance, if the state of the group allows it; else sees whether the running one is complete. */
export function rebalanceOrCompleteJoin<T>(
  ctx: GroupContext<T>,
  group: ClassicGroup<T>,
  reason: string,
): void {
  if (group.state === 'PreparingRebalance') maybeCompleteJoin(ctx, group)
  else prepareRebalance(ctx, group, reason)
}

export function prepareRebalance<T>(
  ctx: GroupContext<T>,
  group: ClassicGroup<T>,
  reason: string,
): void {
  // Whoever waits for an assignment has to join anew.
  if (group.state === 'CompletingRebalance') {
    resetAssignments(ctx, group, ErrorCode.REBALANCE_IN_PROGRESS)
  }
  group.pendingSync.clear()
  ctx.cancelSync(group)
  const isInitial = group.state === 'Empty'
  if (isInitial) {
    // The first of many: time for the others to come.
    const delayMs = ctx.config.groupInitialRebalanceDelayMs
    const remainingMs = Math.max(group.rebalanceTimeoutMs - delayMs, 0)
    group.newMemberAdded = false
    ctx.scheduleJoin(group, delayMs, () => extendInitialDelay(ctx, group, delayMs, remainingMs))
  }
  group.transitionTo('PreparingRebalance', ctx.wallMs)
  ctx.logger.log('info', 'preparing to rebalance group', {
    groupId: group.groupId,
    state: group.state,
    generation: group.generationId,
    members: group.members.size,
    reason,
  })
  if (isInitial) return
  if (group.hasAllMembersJoined) completeJoin(ctx, group)
  else ctx.scheduleJoin(group, group.rebalanceTimeoutMs, () => completeJoin(ctx, group))
}

/** Ends the join phase if everybody is there; the first rebalance of a group ends by its timer alone. */
export function maybeCompleteJoin<T>(ctx: GroupContext<T>, group: ClassicGroup<T>): void {
  if (group.state !== 'PreparingRebalance' || group.previousState === 'Empty') return
  if (group.hasAllMembersJoined) completeJoin(ctx, group)
}

/** A member was taken out, or one that was awaited will not come. */
export function afterRemoval<T>(
  ctx: GroupContext<T>,
  group: ClassicGroup<T>,
  reason: string,
): void {
  if (group.state === 'Stable' || group.state === 'CompletingRebalance') {
    prepareRebalance(ctx, group, reason)
  } else if (group.state === 'PreparingRebalance' && group.hasAllMembersJoined) {
    completeJoin(ctx, group)
  }
}

function extendInitialDelay<T>(
  ctx: GroupContext<T>,
  group: ClassicGroup<T>,
  delayMs: number,
  remainingMs: number,
): void {
  if (!group.newMemberAdded || remainingMs === 0) {
    completeJoin(ctx, group)
    return
  }
  group.newMemberAdded = false
  const nextMs = Math.min(ctx.config.groupInitialRebalanceDelayMs, remainingMs)
  const leftMs = Math.max(remainingMs - delayMs, 0)
  ctx.scheduleJoin(group, nextMs, () => extendInitialDelay(ctx, group, nextMs, leftMs))
}

/** The join phase is over: whoever is there makes up the next generation. */
function completeJoin<T>(ctx: GroupContext<T>, group: ClassicGroup<T>): void {
  ctx.cancelJoin(group)
  removeWhoDidNotRejoin(ctx, group)
  if (!group.electJoinedLeader() && group.members.size > 0) {
    // Only static members are left, and none has rejoined: their sessions decide.
    ctx.logger.log('warn', 'no member rejoined the group: its rebalance goes on', {
      groupId: group.groupId,
      members: group.members.size,
    })
    ctx.scheduleJoin(group, group.rebalanceTimeoutMs, () => completeJoin(ctx, group))
    return
  }
  group.initNextGeneration(ctx.wallMs)
  if (group.state === 'Empty') {
    ctx.logger.log('info', 'group is now empty', {
      groupId: group.groupId,
      generation: group.generationId,
    })
    persist(ctx, group)
    ctx.step.onFailure(() => {
      // Nobody is in this generation, so nothing is lost; after a restart the one before comes back, and its members expire.
      group.isUnwritten = true
      ctx.live.set(group.groupId, group)
    })
    return
  }
  ctx.logger.log('info', 'stabilized group', {
    groupId: group.groupId,
    generation: group.generationId,
    members: group.members.size,
    protocol: group.protocolName,
    leader: group.leaderId,
  })
  for (const member of group.members.values()) {
    const waiting = member.waitingJoin
    if (waiting !== null) {
      group.setWaitingJoin(member, null)
      ctx.step.answer(waiting.token, joinedAnswer(group, member, waiting.version))
    }
    armSession(ctx, group, member)
    member.isNew = false
    group.pendingSync.add(member.memberId)
  }
  const { generationId } = group
  ctx.scheduleSync(group, group.rebalanceTimeoutMs, () => expireSync(ctx, group, generationId))
}

function removeWhoDidNotRejoin<T>(ctx: GroupContext<T>, group: ClassicGroup<T>): void {
  const late = [...group.members.values()].filter(
    (one) => one.waitingJoin === null && !one.isStatic,
  )
  for (const member of late) takeOut(ctx, group, member)
  if (late.length === 0) return
  ctx.logger.log('info', 'removed members that did not rejoin in time', {
    groupId: group.groupId,
    removed: late.length,
    first: late[0]!.memberId,
  })
}

/** The rebalance timeout is over since the generation began: who has not synced is out. */
function expireSync<T>(ctx: GroupContext<T>, group: ClassicGroup<T>, generationId: number): void {
  if (generationId !== group.generationId || group.pendingSync.size === 0) return
  if (group.state !== 'CompletingRebalance' && group.state !== 'Stable') return
  const late = [...group.pendingSync]
  for (const memberId of late) {
    const member = group.members.get(memberId)
    if (member !== undefined) takeOut(ctx, group, member)
  }
  prepareRebalance(ctx, group, `removing ${late.length} members that did not sync in time`)
}

/**
 * Removes a member with its timer. Whatever waits in its name is told that it is no member any more, so that a client that
 * is still there joins anew.
 */
export function takeOut<T>(ctx: GroupContext<T>, group: ClassicGroup<T>, member: Member<T>): void {
  ctx.cancelSession(member)
  const error = ErrorCode.UNKNOWN_MEMBER_ID
  if (member.waitingJoin !== null) {
    const { token, version } = member.waitingJoin
    ctx.step.answer(token, joinRefusal(version, '', error))
  }
  if (member.waitingSync !== null) {
    ctx.step.answer(member.waitingSync.token, syncRefusal(error))
    member.waitingSync = null
  }
  group.remove(member)
}

/** The member must be heard of within its session timeout from now on. */
export function armSession<T>(
  ctx: GroupContext<T>,
  group: ClassicGroup<T>,
  member: Member<T>,
  timeoutMs = member.sessionTimeoutMs,
): void {
  ctx.scheduleSession(group, member, timeoutMs, () => {
    if (member.hasSatisfiedHeartbeat) return
    ctx.logger.log('info', 'member has failed; removing it from the group', {
      groupId: group.groupId,
      memberId: member.memberId,
      generation: group.generationId,
    })
    takeOut(ctx, group, member)
    afterRemoval(ctx, group, `removing member ${member.memberId} on heartbeat expiration`)
  })
}

/** Gives a member id that joins later, or never. */
export function addPending<T>(
  ctx: GroupContext<T>,
  group: ClassicGroup<T>,
  memberId: string,
  timeoutMs: number,
): void {
  const timer = ctx.schedule(timeoutMs, () => {
    ctx.touch(group)
    group.pendingMembers.delete(memberId)
    ctx.logger.log('info', 'pending member did not join in time', {
      groupId: group.groupId,
      memberId,
    })
    if (group.state === 'PreparingRebalance' && group.hasAllMembersJoined) completeJoin(ctx, group)
  })
  group.pendingMembers.set(memberId, timer)
}

export function removePending<T>(
  ctx: GroupContext<T>,
  group: ClassicGroup<T>,
  memberId: string,
): void {
  const timer = group.pendingMembers.get(memberId)
  if (timer === undefined) return
  ctx.timers.cancel(timer)
  group.pendingMembers.delete(memberId)
}

/** The group's record as it is now, into the step. */
export function persist<T>(ctx: GroupContext<T>, group: ClassicGroup<T>): void {
  ctx.writeGroup(group.groupId, group.toRecord())
  group.isUnwritten = false
}

/**
 * The leader has assigned: everybody gets their part and the group is stable, once that is written. If it cannot be, those who
 * wait are told so and the group rebalances.
 */
export function assign<T>(
  ctx: GroupContext<T>,
  group: ClassicGroup<T>,
  assignments: ReadonlyMap<string, Uint8Array>,
): void {
  for (const member of group.members.values()) {
    member.assignment = assignments.get(member.memberId) ?? NO_BYTES
  }
  persist(ctx, group)
  for (const member of group.members.values()) {
    const waiting = member.waitingSync
    if (waiting === null) continue
    member.waitingSync = null
    ctx.step.answerWritten(waiting.token, syncAnswer(group, member), (error) =>
      syncRefusal(toGroupError(error)),
    )
    armSession(ctx, group, member)
  }
  group.transitionTo('Stable', ctx.wallMs)
  ctx.step.onFailure((error) => {
    resetAssignments(ctx, group, toGroupError(error))
    prepareRebalance(ctx, group, `${errorName(error)} when storing the assignment of the leader`)
  })
}

function resetAssignments<T>(ctx: GroupContext<T>, group: ClassicGroup<T>, error: ErrorCode): void {
  for (const member of group.members.values()) {
    member.assignment = NO_BYTES
    const waiting = member.waitingSync
    if (waiting === null) continue
    member.waitingSync = null
    ctx.step.answer(waiting.token, syncRefusal(error))
    armSession(ctx, group, member)
  }
}

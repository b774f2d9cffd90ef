/**
 * The coordinator of consumer groups in the classic protocol: after Kafka's GroupMetadataManager and OffsetMetadataManager.
 * A deterministic class: no I/O, no clock, no timers of its own. Its host loads the log, appends and replays what the
 * steps hold, and lets answers go when they are committed.
 */
import { invariant } from '../../base/assert.ts'
import { ErrorCode, errorName } from '../../base/error-code.ts'
import type { Logger } from '../../base/log.ts'
import type { Random } from '../../base/random.ts'
import { offsetCommit } from '../../protocol/08-offset-commit.ts'
import { offsetFetch } from '../../protocol/09-offset-fetch.ts'
import { joinGroup } from '../../protocol/11-join-group.ts'
import { heartbeat } from '../../protocol/12-heartbeat.ts'
import { leaveGroup } from '../../protocol/13-leave-group.ts'
import { syncGroup } from '../../protocol/14-sync-group.ts'
import { describeGroups } from '../../protocol/15-describe-groups.ts'
import { listGroups } from '../../protocol/16-list-groups.ts'
import { deleteGroups } from '../../protocol/42-delete-groups.ts'
import { offsetDelete } from '../../protocol/47-offset-delete.ts'
import { handleDeleteGroups, handleDescribe, handleList, handleOffsetDelete } from './admin.ts'
import { joinRefusal, syncRefusal } from './answers.ts'
import type { GroupStateName } from './classic-group.ts'
import { handleCommit } from './commit.ts'
import type { GroupCoordinatorConfig } from './config.ts'
import { GroupContext, type GroupsLimit } from './context.ts'
import { handleFetch } from './fetch.ts'
import { handleJoin } from './join.ts'
import { handleHeartbeat, handleLeave, handleSync } from './membership.ts'
import { armSession, prepareRebalance } from './rebalance.ts'
import { GroupState } from './state.ts'
import { STEP_BYTES_MAX, type StepBuilder } from './step.ts'
import { runSweep, sweepDeletedTopics, sweepExpired, sweepGoneTopics } from './sweeps.ts'
import type { DeletedTopic, GroupAnswer, GroupCall, GroupStep, GroupTopics } from './types.ts'

export { groupErrorResponse } from './answers.ts'
export { DEFAULT_GROUP_CONFIG, type GroupCoordinatorConfig } from './config.ts'
export type {
  CoordinatorRecord,
  DeletedTopic,
  GroupAnswer,
  GroupCall,
  GroupStep,
  GroupTopics,
} from './types.ts'

export interface GroupCoordinatorOptions {
  /** Asked whenever a value is needed: it may change live. */
  readonly config: () => GroupCoordinatorConfig
  readonly topics: GroupTopics
  readonly random: Random
  readonly logger: Logger
  /** How many groups its tenant may have, asked with each new one; none unless given. */
  readonly limit?: () => GroupsLimit
}

/** For metrics. What is counted is the latest state. */
export interface GroupGauges {
  readonly groups: Readonly<Record<GroupStateName, number>>
  readonly members: number
  /** Committed offsets that are held. */
  readonly offsets: number
  /** Every committed offset. */
  committedOffsets(): IterableIterator<CommittedOffset>
}

export interface CommittedOffset {
  readonly groupId: string
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

type Handler = <T>(ctx: GroupContext<T>, call: GroupCall<T>) => void

/** By API key. */
const HANDLERS: ReadonlyMap<number, Handler> = new Map<number, Handler>([
  [joinGroup.key, handleJoin],
  [syncGroup.key, handleSync],
  [heartbeat.key, handleHeartbeat],
  [leaveGroup.key, handleLeave],
  [offsetCommit.key, handleCommit],
  [offsetFetch.key, handleFetch],
  [describeGroups.key, handleDescribe],
  [listGroups.key, handleList],
  [deleteGroups.key, handleDeleteGroups],
  [offsetDelete.key, handleOffsetDelete],
])

export class GroupCoordinator<T> {
  readonly #state: GroupState
  readonly #ctx: GroupContext<T>
  readonly #logger: Logger
  #isLoaded = false
  /** The last step that was handed out: the one that may still fail. */
  #last: StepBuilder<T> | null = null
  #take: ((step: GroupStep<T>) => void) | null = null

  constructor(options: GroupCoordinatorOptions) {
    this.#logger = options.logger
    this.#state = new GroupState(options.logger)
    this.#ctx = new GroupContext<T>({ ...options, state: this.#state }, (action) =>
      this.#runTimer(action),
    )
  }

  /**
   * Replays one record: at load for every record of the log, afterwards for each record of a step once it is staged. The only
   * way that replicated state changes. Loading is cheapest if `commit` was called for the log's committed end before.
   */
  replay(offset: number, key: Uint8Array, value: Uint8Array | null): void {
    this.#state.replay(offset, key, value)
  }

  /**
   * Everything is replayed: session timers begin, and what must be cleaned up comes as a step (more of it by timers). The tenant's
   * topics must be known by now: offsets of those that `topics` does not know are deleted.
   */
  onLoaded(nowMs: number, wallMs: number): GroupStep<T> {
    this.#isLoaded = true
    return this.#inStep(nowMs, wallMs, () => {
      const ctx = this.#ctx
      for (const [groupId, record] of this.#state.groups.entries()) {
        if (record.members.length === 0) continue
        const group = ctx.add(groupId, record)
        for (const member of group.members.values()) armSession(ctx, group, member)
        const { groupMaxSize } = ctx.config
        if (group.members.size > groupMaxSize) {
          const reason = `freshly loaded group has ${group.members.size} members, over the limit of ${groupMaxSize}`
          prepareRebalance(ctx, group, reason)
        }
      }
      this.#logger.log('info', 'groups are loaded', {
        groups: this.#state.groups.size,
        withMembers: ctx.live.size,
        offsets: this.#state.offsets.size,
      })
      this.#scheduleExpiry()
      runSweep(ctx, sweepGoneTopics(ctx))
    })
  }

  /**
   * The host replays the step's records right after this returns (before any other call), or calls {@link fail} if they could
   * not be appended. `nowMs` is monotonic, `wallMs` wall clock.
   */
  handle(call: GroupCall<T>, nowMs: number, wallMs: number): GroupStep<T> {
    return this.#inStep(nowMs, wallMs, () => this.#dispatch(call))
  }

  /**
   * The records of `step`, the last one handed out, could not be appended, and none of them was: puts the soft state right, and
   * returns what is answered instead of the step's answers. `error` is the log's.
   */
  fail(
    step: GroupStep<T>,
    error: ErrorCode,
    nowMs: number,
    wallMs: number,
  ): readonly GroupAnswer<T>[] {
    const failed = this.#last
    invariant(failed !== null && failed === step, 'only the last step can fail')
    this.#logger.log('warn', 'records of the group coordinator could not be appended', {
      error: errorName(error),
      records: failed.records.length,
    })
    const { answers } = this.#failed(failed, error, nowMs, wallMs)
    this.#last = null
    return answers
  }

  #failed(failed: StepBuilder<T>, error: ErrorCode, nowMs: number, wallMs: number): StepBuilder<T> {
    const instead = this.#inStep(nowMs, wallMs, () => failed.fail(error, this.#ctx.step))
    invariant(instead.records.length === 0, 'what a failure leads to is not written')
    return instead
  }

  /** Monotonic milliseconds of the next timer, Infinity for none. */
  get nextTimerAtMs(): number {
    return this.#ctx.timers.nextAtMs
  }

  /**
   * Fires what is due, at most `limit` timers; `take` gets a step for each that led to something, and appends and replays (or
   * fails) it before it returns. Returns how many timers fired.
   */
  fireTimers(
    nowMs: number,
    wallMs: number,
    limit: number,
    take: (step: GroupStep<T>) => void,
  ): number {
    this.#ctx.nowMs = nowMs
    this.#ctx.wallMs = wallMs
    this.#take = take
    try {
      return this.#ctx.timers.fireDue(nowMs, limit)
    } finally {
      this.#take = null
    }
  }

  /** Forgets the offsets of these topics; of many, the rest comes by timers. */
  onTopicsDeleted(topics: readonly DeletedTopic[], nowMs: number, wallMs: number): GroupStep<T> {
    return this.#inStep(nowMs, wallMs, () =>
      runSweep(this.#ctx, sweepDeletedTopics(this.#ctx, topics)),
    )
  }

  /** Everything below `offset` is committed. */
  commit(offset: number): void {
    this.#state.commit(offset)
  }

  /**
   * The partition is no longer led here, its log failed, or the engine stops: the answers for everybody who waits. The object is
   * dropped afterwards.
   */
  stop(): readonly GroupAnswer<T>[] {
    const answers: GroupAnswer<T>[] = []
    const error = ErrorCode.NOT_COORDINATOR
    for (const group of this.#ctx.live.values()) {
      for (const { memberId, waitingJoin, waitingSync } of group.members.values()) {
        if (waitingJoin !== null) {
          const response = joinRefusal(waitingJoin.version, memberId, error)
          answers.push({ token: waitingJoin.token, response })
        }
        if (waitingSync !== null) {
          answers.push({ token: waitingSync.token, response: syncRefusal(error) })
        }
      }
    }
    for (const group of [...this.#ctx.live.values()]) this.#ctx.drop(group)
    return answers
  }

  /** No group has members or waits for any: what is here is what the log holds. Before {@link onLoaded}: by what was replayed. */
  get isQuiet(): boolean {
    if (this.#isLoaded) return this.#ctx.live.size === 0
    for (const [, { members }] of this.#state.groups.entries()) if (members.length > 0) return false
    return true
  }

  /** With a record or a committed offset; those that are coming to be in this very step are none yet. */
  get groupCount(): number {
    return this.#state.groups.size
  }

  get gauges(): GroupGauges {
    const groups = { Empty: 0, PreparingRebalance: 0, CompletingRebalance: 0, Stable: 0, Dead: 0 }
    let members = 0
    let withRecord = 0
    for (const group of this.#ctx.live.values()) {
      groups[group.state]++
      members += group.members.size
      if (this.#state.groups.has(group.groupId)) withRecord++
    }
    groups.Empty += this.#state.groups.size - withRecord
    const { offsets } = this.#state
    return {
      groups,
      members,
      offsets: offsets.size,
      *committedOffsets() {
        for (const [{ groupId, topic, partition }, { offset }] of offsets.committed.entries()) {
          yield { groupId, topic, partition, offset }
        }
      },
    }
  }

  #dispatch(call: GroupCall<T>): void {
    const handler = HANDLERS.get(call.api.key)
    if (handler === undefined) {
      throw new TypeError(`${call.api.name} is no request for a group coordinator`)
    }
    handler(this.#ctx, call)
  }

  #inStep(nowMs: number, wallMs: number, action: () => void): StepBuilder<T> {
    this.#ctx.begin(nowMs, wallMs)
    action()
    const step = this.#ctx.finish()
    if (step.isTooLarge) {
      this.#logger.log(
        'warn',
        'a step of the group coordinator is refused: its records are too many',
        {
          limitBytes: STEP_BYTES_MAX,
        },
      )
      return this.#failed(step, ErrorCode.MESSAGE_TOO_LARGE, nowMs, wallMs)
    }
    this.#last = step
    return step
  }

  #runTimer(action: () => void): void {
    const { nowMs, wallMs } = this.#ctx
    const step = this.#inStep(nowMs, wallMs, action)
    if (!step.isEmpty) this.#take!(step)
    // the host may have told other times with a failure
    this.#ctx.nowMs = nowMs
    this.#ctx.wallMs = wallMs
  }

  #scheduleExpiry(): void {
    const ctx = this.#ctx
    ctx.schedule(ctx.config.offsetsRetentionCheckIntervalMs, () =>
      runSweep(ctx, sweepExpired(ctx), () => this.#scheduleExpiry()),
    )
  }
}

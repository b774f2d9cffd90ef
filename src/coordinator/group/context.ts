import type { Logger } from '../../base/log.ts'
import { type Random, randomHex } from '../../base/random.ts'
import { type Timer, TimerQueue } from '../../base/timer-queue.ts'
import { ClassicGroup } from './classic-group.ts'
import type { GroupCoordinatorConfig } from './config.ts'
import {
  encodeGroupKey,
  encodeGroupRecord,
  type GroupRecord,
  SIMPLE_GROUP,
} from './group-record.ts'
import type { Member } from './member.ts'
import type { GroupState } from './state.ts'
import { StepBuilder } from './step.ts'
import type { GroupTopics } from './types.ts'

/** Of the name that a member id begins with: with more, no answer that lists the member could be told. */
const NAME_CHARS_MAX = 1_000

/** How many groups a tenant may have, null for any number, and how many there are in other partitions. */
export interface GroupsLimit {
  readonly max: number | null
  readonly elsewhere: number
}

/** What the handlers share: replicated state to look at, soft state to change, and the step that is being made. */
export class GroupContext<T> {
  readonly state: GroupState
  readonly topics: GroupTopics
  readonly logger: Logger
  readonly timers = new TimerQueue()
  /** Groups with members or pending members. All others are as their record says, and empty. */
  readonly live = new Map<string, ClassicGroup<T>>()
  readonly #config: () => GroupCoordinatorConfig
  readonly #random: Random
  readonly #limit: (() => GroupsLimit) | undefined
  /** Runs a timer's action as a step of its own. */
  readonly #run: (action: () => void) => void
  readonly #touched = new Set<ClassicGroup<T>>()
  step = new StepBuilder<T>()
  nowMs = 0
  wallMs = 0

  constructor(
    options: {
      readonly state: GroupState
      readonly topics: GroupTopics
      readonly logger: Logger
      readonly config: () => GroupCoordinatorConfig
      readonly random: Random
      readonly limit?: () => GroupsLimit
    },
    run: (action: () => void) => void,
  ) {
    this.state = options.state
    this.topics = options.topics
    this.logger = options.logger
    this.#config = options.config
    this.#random = options.random
    this.#limit = options.limit
    this.#run = run
  }

  get config(): GroupCoordinatorConfig {
    return this.#config()
  }

  begin(nowMs: number, wallMs: number): void {
    this.nowMs = nowMs
    this.wallMs = wallMs
    this.step = new StepBuilder<T>()
  }

  /** Ends the step: groups that it left with nothing soft are dropped. */
  finish(): StepBuilder<T> {
    for (const group of this.#touched) if (group.isIdle) this.drop(group)
    this.#touched.clear()
    return this.step
  }

  exists(groupId: string): boolean {
    return this.live.has(groupId) || this.state.groups.has(groupId)
  }

  /** Whether the tenant has as many groups as it may, so that there is to be no new one. Clients are told of no numbers here, so the log is. */
  isFull(groupId: string): boolean {
    const { max, elsewhere } = this.#limit?.() ?? { max: null, elsewhere: 0 }
    const used = this.state.groups.size + elsewhere
    if (max === null || used < max) return false
    this.logger.log('warn', 'a new group is refused: the limit of groups is reached', {
      ...{ groupId: groupId.slice(0, 256), limit: 'groups', max, used },
    })
    return true
  }

  /** A group with its soft part, which is made for the time of this step if it has none; undefined if there is no such group. */
  find(groupId: string): ClassicGroup<T> | undefined {
    const live = this.live.get(groupId)
    if (live !== undefined) {
      this.#touched.add(live)
      return live
    }
    const record = this.state.groups.get(groupId)
    return record === undefined ? undefined : this.add(groupId, record)
  }

  /** A new group, or one that has no soft part yet. */
  add(groupId: string, record: GroupRecord): ClassicGroup<T> {
    const group = new ClassicGroup<T>(groupId, record, this.wallMs)
    this.live.set(groupId, group)
    this.#touched.add(group)
    return group
  }

  create(groupId: string): ClassicGroup<T> {
    return this.add(groupId, SIMPLE_GROUP)
  }

  touch(group: ClassicGroup<T>): void {
    this.#touched.add(group)
  }

  /** Forgets a group's soft part. */
  drop(group: ClassicGroup<T>): void {
    for (const timer of group.pendingMembers.values()) this.timers.cancel(timer)
    for (const member of group.members.values()) this.cancelSession(member)
    group.joinTimer = this.#cancel(group.joinTimer)
    group.syncTimer = this.#cancel(group.syncTimer)
    if (this.live.get(group.groupId) === group) this.live.delete(group.groupId)
  }

  writeGroup(groupId: string, record: GroupRecord): void {
    this.step.write({ key: encodeGroupKey(groupId), value: encodeGroupRecord(record) })
  }

  /** An action in `delayMs`, as a step of its own. */
  schedule(delayMs: number, action: () => void): Timer {
    return this.timers.schedule(this.nowMs + delayMs, () => this.#run(action))
  }

  scheduleJoin(group: ClassicGroup<T>, delayMs: number, action: () => void): void {
    this.#cancel(group.joinTimer)
    group.joinTimer = this.schedule(delayMs, () => {
      group.joinTimer = null
      this.touch(group)
      action()
    })
  }

  scheduleSync(group: ClassicGroup<T>, delayMs: number, action: () => void): void {
    this.#cancel(group.syncTimer)
    group.syncTimer = this.schedule(delayMs, () => {
      group.syncTimer = null
      this.touch(group)
      action()
    })
  }

  scheduleSession(
    group: ClassicGroup<T>,
    member: Member<T>,
    delayMs: number,
    action: () => void,
  ): void {
    this.#cancel(member.sessionTimer)
    member.sessionTimer = this.schedule(delayMs, () => {
      member.sessionTimer = null
      this.touch(group)
      action()
    })
  }

  cancelJoin(group: ClassicGroup<T>): void {
    group.joinTimer = this.#cancel(group.joinTimer)
  }

  cancelSync(group: ClassicGroup<T>): void {
    group.syncTimer = this.#cancel(group.syncTimer)
  }

  cancelSession(member: Member<T>): void {
    member.sessionTimer = this.#cancel(member.sessionTimer)
  }

  /** A member id as Kafka makes them: who it is, and a UUID. */
  newMemberId(clientId: string, groupInstanceId: string | null): string {
    const hex = randomHex(this.#random, 32)
    const variant = ((Number.parseInt(hex[16]!, 16) & 3) | 8).toString(16)
    const uuid = [
      hex.slice(0, 8),
      hex.slice(8, 12),
      `4${hex.slice(13, 16)}`,
      `${variant}${hex.slice(17, 20)}`,
      hex.slice(20),
    ].join('-')
    return `${(groupInstanceId ?? clientId).slice(0, NAME_CHARS_MAX)}-${uuid}`
  }

  #cancel(timer: Timer | null): null {
    if (timer !== null) this.timers.cancel(timer)
    return null
  }
}

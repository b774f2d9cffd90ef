/** Plays the host of a group coordinator: stages, replays, commits, fails, keeps time; and speaks for its clients. */
import { ErrorCode } from '../../src/base/error-code.ts'
import type { TopicId } from '../../src/base/ids.ts'
import type { LogFields, Logger } from '../../src/base/log.ts'
import { SeededRandom } from '../../src/base/random.ts'
import {
  type CoordinatorRecord,
  DEFAULT_GROUP_CONFIG,
  GroupCoordinator,
  type GroupCoordinatorConfig,
  type GroupStep,
} from '../../src/coordinator/group/coordinator.ts'
import { CommitQueue } from '../../src/machine/commit-queue.ts'
import { offsetCommit } from '../../src/protocol/08-offset-commit.ts'
import { offsetFetch } from '../../src/protocol/09-offset-fetch.ts'
import { joinGroup } from '../../src/protocol/11-join-group.ts'
import { heartbeat } from '../../src/protocol/12-heartbeat.ts'
import { leaveGroup } from '../../src/protocol/13-leave-group.ts'
import { syncGroup } from '../../src/protocol/14-sync-group.ts'
import { describeGroups } from '../../src/protocol/15-describe-groups.ts'
import { listGroups } from '../../src/protocol/16-list-groups.ts'
import { deleteGroups } from '../../src/protocol/42-delete-groups.ts'
import { offsetDelete } from '../../src/protocol/47-offset-delete.ts'
import type { Api, RequestInputOf, ResponseInputOf, ResponseOf } from '../../src/protocol/api.ts'
import {
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
  joinFrame,
} from '../../src/protocol/codec.ts'
import { encodeSubscription } from '../../src/protocol/consumer-protocol.ts'
import { decodeRequestHeader } from '../../src/protocol/header.ts'

export const GROUP = 'group'
export const id = (n: number): TopicId => n.toString(16).padStart(32, '0') as TopicId

interface Asked {
  readonly api: Api
  readonly version: number
  readonly atMs: number
}

/** What a call came to: undefined while it waits. */
export class Call<A extends Api> {
  readonly host: GroupHost
  readonly token: number
  constructor(host: GroupHost, token: number) {
    this.host = host
    this.token = token
  }
  get answer(): ResponseOf<A> | undefined {
    return this.host.answers.get(this.token) as ResponseOf<A> | undefined
  }
  /** The answer, which is there. */
  get now(): ResponseOf<A> {
    const { answer } = this
    if (answer === undefined) throw new Error('this call was not answered')
    return answer
  }
  get waits(): boolean {
    return this.answer === undefined
  }
}

export const subscription = (...topics: string[]): Uint8Array =>
  encodeSubscription(1, { topics, userData: null, ownedPartitions: [] })

export interface JoinOptions {
  readonly groupId?: string
  readonly version?: number
  readonly memberId?: string
  readonly instance?: string | null
  readonly sessionTimeoutMs?: number
  readonly rebalanceTimeoutMs?: number
  readonly protocolType?: string
  readonly protocols?: readonly (readonly [string, Uint8Array])[]
  readonly reason?: string
  readonly clientId?: string
}

export class GroupHost {
  readonly log: CoordinatorRecord[] = []
  readonly answers = new Map<number, unknown>()
  readonly asked = new Map<number, Asked>()
  readonly topics = new Map<string, { topicId: TopicId; partitions: number }>()
  readonly lines: { level: string; message: string; fields: LogFields | undefined }[] = []
  config: GroupCoordinatorConfig
  limit: { readonly max: number | null; readonly elsewhere: number } = { max: null, elsewhere: 0 }
  nowMs = 1_000
  wallMs = 1_700_000_000_000
  onAnswer: (api: Api, response: unknown) => void = () => {}
  /** Otherwise `commit` has to be called. */
  autoCommit = true
  /** Records of each step that had some. */
  readonly stepSizes: number[] = []
  /** The log's next appends end with this. */
  appendError: ErrorCode = ErrorCode.NONE
  /** What the log takes in one batch: Kafka's default of max.message.bytes, roughly. */
  appendBytesMax = 1_000_000
  coordinator!: GroupCoordinator<number>
  queue = new CommitQueue<() => void>()
  #nextToken = 1
  readonly #seed: number

  constructor(config: Partial<GroupCoordinatorConfig> = {}, seed = 7) {
    this.config = { ...DEFAULT_GROUP_CONFIG, groupInitialRebalanceDelayMs: 0, ...config }
    this.#seed = seed
    this.topics.set('a', { topicId: id(1), partitions: 4 })
    this.topics.set('b', { topicId: id(2), partitions: 4 })
    this.load()
  }

  /** A coordinator of this log, as after a restart: whoever waited is forgotten by it. */
  load(): void {
    const logger: Logger = {
      log: (level, message, fields) => void this.lines.push({ level, message, fields }),
    }
    this.queue = new CommitQueue()
    this.coordinator = new GroupCoordinator<number>({
      config: () => this.config,
      limit: () => this.limit,
      topics: {
        idOf: (name) => this.topics.get(name)?.topicId,
        nameOf: (topicId) => [...this.topics].find(([, one]) => one.topicId === topicId)?.[0],
        partitionsOf: (name) => this.topics.get(name)?.partitions ?? 0,
      },
      random: new SeededRandom(this.#seed + this.log.length),
      logger,
    })
    this.coordinator.commit(this.log.length)
    this.log.forEach(({ key, value }, offset) => void this.coordinator.replay(offset, key, value))
    this.#take(this.coordinator.onLoaded(this.nowMs, this.wallMs))
  }

  /** Stops the coordinator, which answers whoever waits, and loads another. */
  restart(): void {
    for (const { token, response } of this.coordinator.stop()) this.#deliver(token, response)
    this.queue.commit(Number.POSITIVE_INFINITY, (deliver) => deliver())
    this.load()
  }

  commit(): void {
    this.coordinator.commit(this.log.length)
    this.queue.commit(this.log.length, (deliver) => deliver())
  }

  /** Time passes timer by timer, until `done` says so. */
  advanceUntil(done: () => boolean): void {
    while (!done()) {
      const delay = Math.max(this.coordinator.nextTimerAtMs - this.nowMs, 0)
      this.nowMs += delay
      this.wallMs += delay
      this.coordinator.fireTimers(this.nowMs, this.wallMs, 1, (one) => this.#take(one))
    }
  }

  /** Time passes, with all timers that are due on the way. */
  advance(ms: number): void {
    const end = this.nowMs + ms
    for (;;) {
      const next = this.coordinator.nextTimerAtMs
      if (next > end) break
      const step = Math.max(next - this.nowMs, 0)
      this.nowMs += step
      this.wallMs += step
      this.coordinator.fireTimers(this.nowMs, this.wallMs, 1, (one) => this.#take(one))
    }
    this.wallMs += end - this.nowMs
    this.nowMs = end
  }

  call<A extends Api>(
    api: A,
    version: number,
    request: RequestInputOf<A>,
    clientId = 'client',
  ): Call<A> {
    const token = this.#nextToken++
    const frame = joinFrame(encodeRequest(api, version, 1, clientId, request)).subarray(4)
    const { bodyOffset } = decodeRequestHeader(frame)
    this.asked.set(token, { api, version, atMs: this.nowMs })
    const step = this.coordinator.handle(
      {
        token,
        api,
        version,
        request: decodeRequest(api, version, frame, bodyOffset),
        clientId,
        clientHost: '/127.0.0.1',
      },
      this.nowMs,
      this.wallMs,
    )
    // a host reuses the memory of its requests
    frame.fill(0xee)
    this.#take(step)
    return new Call<A>(this, token)
  }

  #take(step: GroupStep<number>): void {
    let { answers } = step
    if (step.records.length > 0) this.stepSizes.push(step.records.length)
    let bytes = 0
    for (const { key, value } of step.records) bytes += key.length + (value?.length ?? 0)
    const error = bytes > this.appendBytesMax ? ErrorCode.MESSAGE_TOO_LARGE : this.appendError
    if (step.records.length > 0 && error !== ErrorCode.NONE) {
      answers = this.coordinator.fail(step, error, this.nowMs, this.wallMs)
    } else {
      for (const record of step.records) {
        const offset = this.log.length
        this.log.push(record)
        this.coordinator.replay(offset, record.key, record.value)
      }
    }
    const deliveries = answers.map(
      ({ token, response }) =>
        () =>
          this.#deliver(token, response),
    )
    for (const deliver of deliveries) this.queue.park(this.log.length, deliver)
    if (this.autoCommit) this.commit()
  }

  /** Through the codec: an answer that lacks something for its version fails here. */
  #deliver(token: number, response: unknown): void {
    const { api, version } = this.asked.get(token)!
    if (this.answers.has(token)) throw new Error(`call ${token} was answered twice`)
    const frame = encodeResponse(api, version, 1, response as ResponseInputOf<Api>)
    const decoded = decodeResponse(api, version, joinFrame(frame).subarray(4))
    this.answers.set(token, decoded.response)
    this.onAnswer(api, decoded.response)
  }

  join(options: JoinOptions = {}): Call<typeof joinGroup> {
    const protocols = options.protocols ?? [['range', subscription('a')]]
    const request = {
      groupId: options.groupId ?? GROUP,
      sessionTimeoutMs: options.sessionTimeoutMs ?? 10_000,
      rebalanceTimeoutMs: options.rebalanceTimeoutMs ?? 60_000,
      memberId: options.memberId ?? '',
      groupInstanceId: options.instance ?? null,
      protocolType: options.protocolType ?? 'consumer',
      protocols: protocols.map(([name, metadata]) => ({ name, metadata })),
      reason: options.reason ?? null,
    }
    return this.call(joinGroup, options.version ?? 9, request, options.clientId)
  }

  sync(
    member: { memberId: string; generationId: number; groupInstanceId?: string | null },
    assignments: Readonly<Record<string, string>> = {},
    overrides: Partial<RequestInputOf<typeof syncGroup>> = {},
    version = 5,
  ): Call<typeof syncGroup> {
    return this.call(syncGroup, version, {
      groupId: GROUP,
      generationId: member.generationId,
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId ?? null,
      protocolType: 'consumer',
      protocolName: 'range',
      assignments: Object.entries(assignments).map(([memberId, assignment]) => ({
        memberId,
        assignment: Buffer.from(assignment),
      })),
      ...overrides,
    })
  }

  heartbeat(memberId: string, generationId: number, instance: string | null = null): ErrorCode {
    const request = { groupId: GROUP, generationId, memberId, groupInstanceId: instance }
    return this.call(heartbeat, 4, request).now.errorCode as ErrorCode
  }

  leave(
    members: readonly { memberId: string; groupInstanceId?: string | null; reason?: string }[],
    version = 5,
  ): Call<typeof leaveGroup> {
    return this.call(leaveGroup, version, {
      groupId: GROUP,
      memberId: version <= 2 ? members[0]!.memberId : '',
      members:
        version <= 2
          ? []
          : members.map(({ memberId, groupInstanceId, reason }) => ({
              memberId,
              groupInstanceId: groupInstanceId ?? null,
              reason: reason ?? null,
            })),
    })
  }

  commitOffsets(
    offsets: Readonly<Record<string, readonly number[]>>,
    who: {
      readonly memberId?: string
      readonly generationId?: number
      readonly instance?: string | null
      readonly groupId?: string
      readonly version?: number
      readonly metadata?: string
      readonly retentionTimeMs?: number
      readonly leaderEpoch?: number
    } = {},
  ): Call<typeof offsetCommit> {
    const version = who.version ?? 9
    return this.call(offsetCommit, version, {
      groupId: who.groupId ?? GROUP,
      generationIdOrMemberEpoch: who.generationId ?? -1,
      memberId: who.memberId ?? '',
      groupInstanceId: who.instance ?? null,
      retentionTimeMs: who.retentionTimeMs ?? -1,
      topics: Object.entries(offsets).map(([name, positions]) => ({
        name: version >= 10 ? '' : name,
        topicId: version >= 10 ? (this.topics.get(name)?.topicId ?? id(99)) : id(0),
        partitions: positions.map((committedOffset, partitionIndex) => ({
          partitionIndex,
          committedOffset,
          committedLeaderEpoch: who.leaderEpoch ?? -1,
          committedMetadata: who.metadata ?? null,
        })),
      })),
    })
  }

  /** Errors of a commit, topic by topic. */
  commitErrors(...args: Parameters<GroupHost['commitOffsets']>): number[] {
    const { topics } = this.commitOffsets(...args).now
    return topics.flatMap(({ partitions }) => partitions.map(({ errorCode }) => errorCode))
  }

  fetchOffsets(
    groupId = GROUP,
    topics: Readonly<Record<string, readonly number[]>> | null = null,
    options: { readonly version?: number; readonly requireStable?: boolean } = {},
  ): Call<typeof offsetFetch> {
    const version = options.version ?? 9
    const asked =
      topics === null
        ? null
        : Object.entries(topics).map(([name, partitionIndexes]) => ({
            name: version >= 10 ? '' : name,
            topicId: version >= 10 ? (this.topics.get(name)?.topicId ?? id(99)) : id(0),
            partitionIndexes,
          }))
    return this.call(offsetFetch, version, {
      groupId: version >= 8 ? '' : groupId,
      topics: version >= 8 ? [] : asked,
      groups: version >= 8 ? [{ groupId, topics: asked }] : [],
      requireStable: options.requireStable ?? false,
    })
  }

  /** Committed offsets as "topic-partition@offset". */
  committed(groupId = GROUP): string[] {
    const { topics } = this.fetchOffsets(groupId).now.groups[0]!
    return topics
      .flatMap(({ name, partitions }) =>
        partitions.map(
          ({ partitionIndex, committedOffset }) => `${name}-${partitionIndex}@${committedOffset}`,
        ),
      )
      .sort()
  }

  describe(groupId = GROUP, version = 6) {
    return this.call(describeGroups, version, {
      groups: [groupId],
      includeAuthorizedOperations: false,
    }).now.groups[0]!
  }

  list(statesFilter: readonly string[] = [], typesFilter: readonly string[] = [], version = 5) {
    return this.call(listGroups, version, { statesFilter, typesFilter }).now.groups
  }

  deleteGroups(...groupsNames: string[]): number[] {
    const { results } = this.call(deleteGroups, 2, { groupsNames }).now
    return results.map(({ errorCode }) => errorCode)
  }

  deleteOffsetsUnanswered(
    offsets: Readonly<Record<string, readonly number[]>>,
    groupId = GROUP,
  ): Call<typeof offsetDelete> {
    return this.call(offsetDelete, 0, {
      groupId,
      topics: Object.entries(offsets).map(([name, indexes]) => ({
        name,
        partitions: indexes.map((partitionIndex) => ({ partitionIndex })),
      })),
    })
  }

  deleteOffsets(offsets: Readonly<Record<string, readonly number[]>>, groupId = GROUP) {
    return this.deleteOffsetsUnanswered(offsets, groupId).now
  }

  /** Joins a dynamic member up to where it waits: a new id first. */
  enter(options: JoinOptions = {}): { memberId: string; join: Call<typeof joinGroup> } {
    const { memberId, errorCode } = this.join(options).now
    if (errorCode !== ErrorCode.MEMBER_ID_REQUIRED) throw new Error(`entering: error ${errorCode}`)
    return { memberId, join: this.join({ ...options, memberId }) }
  }

  /** A stable group of this many dynamic members, leader first, each with its number as assignment. */
  stableGroup(count = 2, options: JoinOptions = {}): Stable[] {
    const entered = Array.from({ length: count }, () => this.enter(options))
    this.advance(this.config.groupInitialRebalanceDelayMs)
    return this.settle(entered.map(({ join }) => join))
  }

  /** Everybody has joined: the leader assigns, all sync. */
  settle(joins: readonly Call<typeof joinGroup>[]): Stable[] {
    const joined = joins.map((join) => join.now)
    const leader = joined.find(({ memberId, leader }) => memberId === leader)!
    const assignments = Object.fromEntries(joined.map(({ memberId }, i) => [memberId, `part ${i}`]))
    const protocolName = leader.protocolName
    const protocolType = leader.protocolType
    for (const member of joined) {
      const overrides = { protocolName, protocolType }
      this.sync(member, member === leader ? assignments : {}, overrides)
    }
    return [leader, ...joined.filter((one) => one !== leader)].map(
      ({ memberId, generationId }) => ({ memberId, generationId }),
    )
  }

  deleteTopic(name: string): void {
    const { topicId } = this.topics.get(name)!
    this.topics.delete(name)
    this.deletedTopic(name, topicId)
  }

  deletedTopic(name: string, topicId: TopicId): void {
    this.#take(this.coordinator.onTopicsDeleted([{ name, topicId }], this.nowMs, this.wallMs))
  }

  /** Everything that is decided, for comparison: the same before and after a replay of the log. */
  snapshot() {
    const groups = this.list().map(({ groupId }) => groupId)
    return groups.sort().map((groupId) => ({
      ...this.describe(groupId),
      offsets: this.committed(groupId),
    }))
  }
}

export interface Stable {
  readonly memberId: string
  readonly generationId: number
}

/**
 * A member of a consumer group by the classic protocol: joins, works out the assignment where it leads, heartbeats, and
 * joins again whenever the group changes. Eager with `range`, cooperative with `cooperative-sticky`.
 */
import { ErrorCode } from '../base/error-code.ts'
import { type JoinGroupResponse, joinGroup } from '../protocol/11-join-group.ts'
import { heartbeat } from '../protocol/12-heartbeat.ts'
import { leaveGroup } from '../protocol/13-leave-group.ts'
import { syncGroup } from '../protocol/14-sync-group.ts'
import { type AssignorName, assign } from './assignors.ts'
import type { KafkaClient } from './client.ts'
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from './consumer-protocol.ts'
import { isRetriable, KafkaError, throwOnError } from './errors.ts'
import { commitOffsets, type OffsetToCommit } from './groups.ts'
import { keyOf, type TopicPartition } from './offsets.ts'
import { backoffOf } from './retry.ts'

export interface GroupMemberOptions {
  readonly groupId: string
  readonly topics: readonly string[]
  readonly assignor: AssignorName
  readonly instanceId?: string | null
  readonly sessionTimeoutMs?: number
  readonly rebalanceTimeoutMs?: number
  readonly heartbeatMs?: number
  readonly onTrouble?: (message: string) => void
}

export interface Rebalance {
  /** No longer this member's: already given up where the assignor is eager. */
  readonly revoked: readonly TopicPartition[]
  readonly added: readonly TopicPartition[]
}

const PROTOCOL_TYPE = 'consumer'

/** The group goes on without this member as it was: it joins anew. */
const LOST: ReadonlySet<number> = new Set([
  ErrorCode.UNKNOWN_MEMBER_ID,
  ErrorCode.ILLEGAL_GENERATION,
  ErrorCode.FENCED_INSTANCE_ID,
])

export class GroupMember {
  readonly #client: KafkaClient
  readonly #options: Required<GroupMemberOptions>
  #memberId = ''
  #generationId = -1
  #owned: readonly TopicPartition[] = []
  /** The membership that gave `#owned` is over: others may have read on from there. */
  #isLost = false
  #mustJoin = true
  #failure: unknown = null
  #timer: NodeJS.Timeout | null = null
  #isClosed = false

  constructor(client: KafkaClient, options: GroupMemberOptions) {
    this.#client = client
    this.#options = {
      ...{ instanceId: null, sessionTimeoutMs: 45_000, rebalanceTimeoutMs: 60_000 },
      ...{ heartbeatMs: 3_000, onTrouble: () => {} },
      ...options,
    }
  }

  get memberId(): string {
    return this.#memberId
  }

  get assigned(): readonly TopicPartition[] {
    return this.#owned
  }

  /** The group changes, or has not been joined yet: {@link rebalance} is due. */
  get mustJoin(): boolean {
    if (this.#failure !== null) throw this.#failure
    return this.#mustJoin
  }

  /**
   * Joins, and stays until an assignment holds. `giveUp` is called with what must not be read on, before others may get it:
   * its offsets are committed there, while the membership still counts. A member that the group has lost owns nothing any more,
   * whatever the assignor: what it gets after that is `added`, to be begun where the group stands.
   */
  async rebalance(giveUp: (partitions: readonly TopicPartition[]) => Promise<void>) {
    const isEager = this.#options.assignor === 'range'
    let before = this.#owned
    let revokedInAll: readonly TopicPartition[] = []
    for (let failures = 0; ; ) {
      try {
        if (isEager || this.#isLost) {
          revokedInAll = [...revokedInAll, ...(await this.#giveUpAll(giveUp))]
          before = []
        }
        const assigned = await this.#joinAndSync()
        if (assigned === null) continue
        const kept = new Set(assigned.map(keyOf))
        const revoked = this.#owned.filter((partition) => !kept.has(keyOf(partition)))
        if (revoked.length > 0) await giveUp(revoked)
        this.#owned = assigned
        this.#mustJoin = false
        this.#beat()
        if (revoked.length > 0) {
          // what was given up is handed on in another round
          revokedInAll = [...revokedInAll, ...revoked]
          this.#mustJoin = true
          continue
        }
        const had = new Set(before.map(keyOf))
        const added = assigned.filter((partition) => !had.has(keyOf(partition)))
        return { revoked: revokedInAll, added }
      } catch (error) {
        if (!isRetriable(error) || this.#isClosed) throw error
        if (++failures === 5) this.#options.onTrouble(`${(error as Error).message}; trying on`)
        this.#client.forgetCoordinator(this.#options.groupId)
        await new Promise((resolve) => setTimeout(resolve, backoffOf(failures)))
      }
    }
  }

  async #giveUpAll(giveUp: (partitions: readonly TopicPartition[]) => Promise<void>) {
    const owned = this.#owned
    this.#owned = []
    this.#isLost = false
    if (owned.length > 0) await giveUp(owned)
    return owned
  }

  /** Commits as this member. Throws {@link KafkaError} REBALANCE_IN_PROGRESS and the like. */
  async commit(offsets: readonly OffsetToCommit[]): Promise<void> {
    // without an id it would count as an administrator's, and move back what others have committed since
    if (this.#memberId === '') {
      throw new KafkaError(
        ErrorCode.UNKNOWN_MEMBER_ID,
        `commit of group "${this.#options.groupId}"`,
      )
    }
    await commitOffsets(this.#client, this.#options.groupId, offsets, {
      generationId: this.#generationId,
      memberId: this.#memberId,
    })
  }

  /** Leaves at once, so that the others need not wait for the session to time out. Never throws. */
  async close(): Promise<void> {
    this.#isClosed = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    const { groupId, instanceId } = this.#options
    // a static member keeps its place
    if (this.#memberId === '' || instanceId !== null) return
    const memberId = this.#memberId
    await this.#client
      .requestCoordinator(
        groupId,
        leaveGroup,
        (version) => ({
          groupId,
          memberId: version < 3 ? memberId : '',
          members: version < 3 ? [] : [{ memberId, reason: 'the consumer ends' }],
        }),
        (response) => response.errorCode,
      )
      .catch(() => {})
  }

  /** One round; null where it has to be gone through again at once. */
  async #joinAndSync(): Promise<readonly TopicPartition[] | null> {
    const joined = await this.#join()
    if (joined === null) return null
    this.#memberId = joined.memberId
    this.#generationId = joined.generationId
    const isLeader = joined.leader === joined.memberId
    const assignments = isLeader && !joined.skipAssignment ? await this.#assignAll(joined) : []
    const { groupId, instanceId, rebalanceTimeoutMs } = this.#options
    const answer = await this.#client.requestCoordinator(
      groupId,
      syncGroup,
      {
        ...{ groupId, generationId: joined.generationId, memberId: joined.memberId },
        ...{ groupInstanceId: instanceId, protocolType: PROTOCOL_TYPE, assignments },
        protocolName: joined.protocolName,
      },
      (response) => response.errorCode,
      { waitMs: rebalanceTimeoutMs },
    )
    if (answer.errorCode === ErrorCode.REBALANCE_IN_PROGRESS) return null
    if (LOST.has(answer.errorCode)) return this.#lose(answer.errorCode)
    throwOnError(answer.errorCode, `SyncGroup of "${groupId}"`)
    return decodeAssignment(answer.assignment)
  }

  async #join(): Promise<JoinGroupResponse | null> {
    const { groupId, topics, assignor, instanceId } = this.#options
    const { sessionTimeoutMs, rebalanceTimeoutMs } = this.#options
    const owned = this.#owned
    const metadata = encodeSubscription({ topics, owned, generationId: this.#generationId })
    const answer = await this.#client.requestCoordinator(
      groupId,
      joinGroup,
      {
        ...{ groupId, sessionTimeoutMs, rebalanceTimeoutMs, memberId: this.#memberId },
        ...{ groupInstanceId: instanceId, protocolType: PROTOCOL_TYPE },
        protocols: [{ name: assignor, metadata }],
      },
      (response) => response.errorCode,
      { waitMs: rebalanceTimeoutMs },
    )
    if (answer.errorCode === ErrorCode.MEMBER_ID_REQUIRED) {
      this.#memberId = answer.memberId
      return null
    }
    if (answer.errorCode === ErrorCode.REBALANCE_IN_PROGRESS) return null
    if (LOST.has(answer.errorCode)) return this.#lose(answer.errorCode)
    throwOnError(answer.errorCode, `JoinGroup of "${groupId}"`)
    return answer
  }

  /** Joins as a new member next; throws where another process has taken the place for good. */
  #lose(code: number): null {
    if (code === ErrorCode.FENCED_INSTANCE_ID) {
      throw new KafkaError(code, `group "${this.#options.groupId}"`)
    }
    this.#memberId = ''
    this.#generationId = -1
    this.#isLost = true
    return null
  }

  async #assignAll(joined: JoinGroupResponse) {
    const members = joined.members.map(({ memberId, metadata }) => ({
      ...decodeSubscription(metadata),
      memberId,
    }))
    const topics = [...new Set(members.flatMap((member) => member.topics))]
    const { topics: found } = await this.#client.metadata(topics)
    const counts = new Map(
      found
        .filter(({ errorCode }) => errorCode === 0)
        .sort((a, b) => (a.name < b.name ? -1 : 1))
        .map(({ name, partitions }) => [name, partitions.length]),
    )
    const assignment = assign(this.#options.assignor, members, counts)
    return [...assignment].map(([memberId, partitions]) => ({
      memberId,
      assignment: encodeAssignment(partitions),
    }))
  }

  #beat(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      void this.#heartbeat().then(() => {
        if (!this.#isClosed && !this.#mustJoin && this.#failure === null) this.#beat()
      })
    }, this.#options.heartbeatMs)
  }

  async #heartbeat(): Promise<void> {
    const { groupId, instanceId } = this.#options
    const generationId = this.#generationId
    try {
      const answer = await this.#client.requestCoordinator(
        groupId,
        heartbeat,
        { groupId, generationId, memberId: this.#memberId, groupInstanceId: instanceId },
        (response) => response.errorCode,
      )
      if (generationId !== this.#generationId || this.#isClosed) return
      if (answer.errorCode === ErrorCode.REBALANCE_IN_PROGRESS) this.#mustJoin = true
      else if (LOST.has(answer.errorCode)) {
        this.#lose(answer.errorCode)
        this.#mustJoin = true
      } else throwOnError(answer.errorCode, `Heartbeat of "${groupId}"`)
    } catch (error) {
      if (this.#isClosed) return
      // a coordinator that cannot be reached: joining again tells
      if (isRetriable(error)) this.#mustJoin = true
      else this.#failure = error
    }
  }
}

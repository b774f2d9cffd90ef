/**
 * A group with members, or with some on their way: the soft part. The log holds what was settled (`GroupRecord`); who joins,
 * waits or must be heard of is known here alone, and is forgotten with the leader. Only bookkeeping: what happens
 * when is decided in `rebalance.ts` and the handlers.
 */
import { invariant } from '../../base/assert.ts'
import { ErrorCode } from '../../base/error-code.ts'
import type { Timer } from '../../base/timer-queue.ts'
import { CONSUMER_PROTOCOL_TYPE } from '../../protocol/consumer-protocol.ts'
import { type GroupRecord, SIMPLE_GROUP } from './group-record.ts'
import { Member, type MemberProtocol, NO_BYTES, type Waiting } from './member.ts'
import { subscribedTopics } from './subscriptions.ts'

/** Kafka's names, as clients see them. */
export type GroupStateName =
  | 'Empty'
  | 'PreparingRebalance'
  | 'CompletingRebalance'
  | 'Stable'
  | 'Dead'

const GENERATION_MAX = 2_147_483_647

export class ClassicGroup<T> {
  readonly groupId: string
  #state: GroupStateName
  #previousState: GroupStateName = 'Dead'
  #currentStateTimestampMs: number
  generationId: number
  protocolType: string | null
  protocolName: string | null
  leaderId: string | null
  /** Null: not known, because this is no consumer group or its subscriptions cannot be read. */
  subscribedTopics: ReadonlySet<string> | null
  readonly members = new Map<string, Member<T>>()
  /** Instance id to member id. */
  readonly #staticMembers = new Map<string, string>()
  /** Members that were told an id and have not joined with it yet, with the timer that forgets them. */
  readonly pendingMembers = new Map<string, Timer>()
  /** Members that have not synced in this generation. */
  readonly pendingSync = new Set<string>()
  /** How many members offer each protocol. */
  readonly #supported = new Map<string, number>()
  #waitingJoins = 0
  #bytes = 0
  /** In the first rebalance: somebody came since the delay was last extended. */
  newMemberAdded = false
  joinTimer: Timer | null = null
  syncTimer: Timer | null = null
  /** The record that says what this group is could not be appended: it must be kept though it is empty. */
  isUnwritten = false

  constructor(groupId: string, record: GroupRecord, nowWallMs: number) {
    this.groupId = groupId
    this.#state = record.members.length === 0 ? 'Empty' : 'Stable'
    this.#currentStateTimestampMs =
      record === SIMPLE_GROUP ? nowWallMs : record.currentStateTimestampMs
    this.generationId = record.generationId
    this.protocolType = record.protocolType
    this.protocolName = record.protocolName
    this.leaderId = record.leaderId
    for (const from of record.members) {
      const protocols = [{ name: record.protocolName ?? '', metadata: from.subscription }]
      this.add(new Member<T>({ ...from, protocolType: record.protocolType ?? '', protocols }), null)
    }
    this.subscribedTopics = subscribedTopics(record)
  }

  get state(): GroupStateName {
    return this.#state
  }

  get previousState(): GroupStateName {
    return this.#previousState
  }

  get currentStateTimestampMs(): number {
    return this.#currentStateTimestampMs
  }

  get isConsumerGroup(): boolean {
    return this.protocolType === CONSUMER_PROTOCOL_TYPE
  }

  /** Nothing to remember beyond what the log holds. */
  get isIdle(): boolean {
    return this.#state === 'Empty' && this.pendingMembers.size === 0 && !this.isUnwritten
  }

  get waitingJoins(): number {
    return this.#waitingJoins
  }

  /** What its members say of themselves. */
  get bytes(): number {
    return this.#bytes
  }

  get staticMemberCount(): number {
    return this.#staticMembers.size
  }

  get hasAllMembersJoined(): boolean {
    return this.members.size === this.#waitingJoins && this.pendingMembers.size === 0
  }

  /** The longest of its members'. */
  get rebalanceTimeoutMs(): number {
    let max = 0
    for (const member of this.members.values()) max = Math.max(max, member.rebalanceTimeoutMs)
    return max
  }

  transitionTo(state: GroupStateName, nowWallMs: number): void {
    this.#previousState = this.#state
    this.#state = state
    this.#currentStateTimestampMs = nowWallMs
  }

  isLeader(memberId: string): boolean {
    return this.leaderId === memberId
  }

  staticMemberId(groupInstanceId: string): string | undefined {
    return this.#staticMembers.get(groupInstanceId)
  }

  isSubscribedTo(topic: string): boolean {
    return this.subscribedTopics?.has(topic) ?? this.isConsumerGroup
  }

  /** NONE, or why a request in this member's name is refused. */
  validateMember(memberId: string, groupInstanceId: string | null): ErrorCode {
    if (groupInstanceId !== null) {
      const current = this.#staticMembers.get(groupInstanceId)
      if (current === undefined) return ErrorCode.UNKNOWN_MEMBER_ID
      if (current !== memberId) return ErrorCode.FENCED_INSTANCE_ID
    }
    return this.members.has(memberId) ? ErrorCode.NONE : ErrorCode.UNKNOWN_MEMBER_ID
  }

  add(member: Member<T>, waiting: Waiting<T> | null): void {
    const { memberId, groupInstanceId } = member
    invariant(!this.members.has(memberId), 'a member joins once')
    if (groupInstanceId !== null) {
      invariant(!this.#staticMembers.has(groupInstanceId), 'an instance is one member')
      this.#staticMembers.set(groupInstanceId, memberId)
    }
    if (this.members.size === 0) this.protocolType = member.protocolType
    this.leaderId ??= memberId
    this.members.set(memberId, member)
    this.#count(member, 1)
    this.setWaitingJoin(member, waiting)
  }

  /** Takes the member out. Its timers and whatever waits in its name are the caller's. */
  remove(member: Member<T>): void {
    this.setWaitingJoin(member, null)
    this.members.delete(member.memberId)
    this.#count(member, -1)
    if (member.groupInstanceId !== null) this.#staticMembers.delete(member.groupInstanceId)
    if (this.isLeader(member.memberId)) this.leaderId = this.members.keys().next().value ?? null
    this.pendingSync.delete(member.memberId)
  }

  /** Puts a static member's new self in its place, with all that the old one had but who waits. */
  replaceStatic(old: Member<T>, newMemberId: string): Member<T> {
    const member = new Member<T>({ ...copyOf(old), memberId: newMemberId })
    member.countedBytes = old.countedBytes
    this.setWaitingJoin(old, null)
    this.members.delete(old.memberId)
    this.members.set(newMemberId, member)
    if (this.isLeader(old.memberId)) this.leaderId = newMemberId
    this.#staticMembers.set(old.groupInstanceId!, newMemberId)
    return member
  }

  update(
    member: Member<T>,
    protocols: readonly MemberProtocol[],
    rebalanceTimeoutMs: number,
    sessionTimeoutMs: number,
  ): void {
    this.#count(member, -1)
    member.protocols = protocols
    this.#count(member, 1)
    member.rebalanceTimeoutMs = rebalanceTimeoutMs
    member.sessionTimeoutMs = sessionTimeoutMs
  }

  setWaitingJoin(member: Member<T>, waiting: Waiting<T> | null): void {
    this.#waitingJoins += (waiting === null ? 0 : 1) - (member.waitingJoin === null ? 0 : 1)
    member.waitingJoin = waiting
  }

  /**
   * If the leader has not rejoined, the first who has becomes leader. False: there is no leader, because nobody is there or
   * nobody has rejoined.
   */
  electJoinedLeader(): boolean {
    const leader = this.leaderId === null ? undefined : this.members.get(this.leaderId)
    if (leader === undefined) return false
    if (leader.waitingJoin !== null) return true
    for (const member of this.members.values()) {
      if (member.waitingJoin === null) continue
      this.leaderId = member.memberId
      return true
    }
    return false
  }

  /** Whether a member with these protocols could be in the group. */
  supports(protocolType: string, protocols: readonly MemberProtocol[]): boolean {
    if (this.#state === 'Empty') return protocolType !== '' && protocols.length > 0
    const everybody = this.members.size
    return (
      this.protocolType === protocolType &&
      protocols.some(({ name }) => (this.#supported.get(name) ?? 0) === everybody)
    )
  }

  /** The protocol with the most votes among those that all members offer; at a draw the one that was voted for first. */
  selectProtocol(): string {
    const candidates = new Set<string>()
    for (const [name, count] of this.#supported) {
      if (count === this.members.size) candidates.add(name)
    }
    const votes = new Map<string, number>()
    for (const member of this.members.values()) {
      const vote = member.vote(candidates)
      if (vote !== undefined) votes.set(vote, (votes.get(vote) ?? 0) + 1)
    }
    let selected: string | undefined
    for (const [name, count] of votes) {
      if (selected === undefined || count > votes.get(selected)!) selected = name
    }
    invariant(selected !== undefined, 'members of a group have a protocol in common')
    return selected
  }

  initNextGeneration(nowWallMs: number): void {
    // Kafka's counter runs into negative numbers, which no client understands.
    this.generationId = this.generationId === GENERATION_MAX ? 1 : this.generationId + 1
    this.protocolName = this.members.size === 0 ? null : this.selectProtocol()
    this.transitionTo(this.members.size === 0 ? 'Empty' : 'CompletingRebalance', nowWallMs)
    this.subscribedTopics = subscribedTopics(this.toRecord())
    this.pendingSync.clear()
  }

  /** What the log should know, with the assignments that the members have. */
  toRecord(): GroupRecord {
    return {
      protocolType: this.protocolType,
      generationId: this.generationId,
      protocolName: this.protocolName,
      leaderId: this.leaderId,
      currentStateTimestampMs: this.#currentStateTimestampMs,
      members: [...this.members.values()].map((member) => ({
        memberId: member.memberId,
        groupInstanceId: member.groupInstanceId,
        clientId: member.clientId,
        clientHost: member.clientHost,
        rebalanceTimeoutMs: member.rebalanceTimeoutMs,
        sessionTimeoutMs: member.sessionTimeoutMs,
        subscription: member.metadataFor(this.protocolName) ?? NO_BYTES,
        assignment: member.assignment,
      })),
    }
  }

  #count(member: Member<T>, by: 1 | -1): void {
    if (by === 1) member.countedBytes = member.bytes
    this.#bytes += by * member.countedBytes
    for (const name of new Set(member.protocols.map((protocol) => protocol.name))) {
      const count = (this.#supported.get(name) ?? 0) + by
      if (count === 0) this.#supported.delete(name)
      else this.#supported.set(name, count)
    }
  }
}

const copyOf = <T>(member: Member<T>) => ({
  groupInstanceId: member.groupInstanceId,
  clientId: member.clientId,
  clientHost: member.clientHost,
  rebalanceTimeoutMs: member.rebalanceTimeoutMs,
  sessionTimeoutMs: member.sessionTimeoutMs,
  protocolType: member.protocolType,
  protocols: member.protocols,
  assignment: member.assignment,
})

import { invariant } from '../../base/assert.ts'
import type { Clock } from '../../base/clock.ts'
import type { BrokerId, PartitionNumber } from '../../base/ids.ts'
import type { Logger } from '../../base/log.ts'
import type { Random } from '../../base/random.ts'
import { brokerOf } from '../../base/replica-id.ts'
import type { ReceivedMessage } from '../../link/raft-message-reader.ts'
import type { AppendPlace, PlainMessage, SnapshotBase } from '../../link/raft-messages.ts'
import { type DiskError, isEndOfProcess } from '../../log/disk.ts'
import type { HardStates } from '../../log/hard-states.ts'
import type { RaftGroup } from '../../raft/raft-group.ts'
import { type HardState, type Message, NO_REPLICA, type ReplicaId, Role } from '../../raft/types.ts'
import type { BrokerLink, RaftSink } from '../broker-link.ts'
import { METADATA_PARTITION } from '../metadata-log.ts'
import { BelievedLeaders } from './believed-leaders.ts'
import type { CopyThrottle } from './copy-throttle.ts'
import type { GroupHost, RestartReady } from './group-host.ts'
import type { GroupOwner } from './group-owner.ts'
import { GroupTicks } from './group-ticks.ts'
import { HardStateWrites } from './hard-state-writes.ts'
import { Reachability } from './reachability.ts'
import { LogFailedError, type ReplicaFiles } from './replica-files.ts'
import { ReplicaGroup } from './replica-group.ts'

export interface RaftHostOptions extends GroupOwner {
  readonly brokerId: BrokerId
  readonly links: readonly BrokerLink[]
  /** Opened when the first group is. Throws DiskError. */
  readonly hardStates: () => HardStates
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** Bytes that a peer has sent by control message; null where they have not come. */
  readonly takeBuffer: (from: BrokerId, bufferId: number) => Uint8Array | null
  /** Terms and votes cannot be kept any more: this broker is to end, and to be started anew. */
  readonly onBroken: (reason: DiskError) => void
  /** How fast replicas that do not keep up are copied; null: as fast as it goes. */
  readonly throttle?: CopyThrottle | null
}

/** Elections without an announced favourite begin after so many ticks, and as many again, drawn anew each time. */
const ELECTION_TICKS = 6
const MESSAGES_PER_TURN = 256
/** Messages between two looks at the clock: the first of a group opens its files, and a turn is to be short. */
const SLICE = 8
/** So long a turn listens to one peer. */
const HEAR_MS = 20
/** Copies of about a megabyte in a turn. */
const COPIES_PER_TURN = 8
/** A replica whose log has not taken what it was to copy rests for so long. */
const REFUSED_REST_MS = 50
/** Rounds of what follows from what in one turn. */
const ROUNDS_MAX = 8
/** What a replica's disk has refused is tried again after so long. */
const TRY_AGAIN_MS = 500

/**
 * The Raft groups of a broker's replicas: what peers say goes in, what the groups want done is done, for all of them with one write of hard
 * states and one ring of each peer's doorbell a turn. Time comes from outside: groups are ticked only while they wait for something, and
 * told which brokers can be reached. On the broker's thread.
 */
export class RaftHost implements GroupHost, RaftSink {
  readonly logger: Logger
  readonly #options: RaftHostOptions
  readonly #links = new Map<BrokerId, BrokerLink>()
  readonly #groups = new Map<PartitionNumber, ReplicaGroup>()
  readonly #reachability: Reachability
  /** The metadata's group is nobody's replica in the table. */
  #metadata: GroupOwner | null = null
  /** Resignations that found no room: told in a later turn, or never once the broker cannot be reached. */
  readonly #owed = new Map<BrokerId, Map<PartitionNumber, PlainMessage>>()
  #dirty: ReplicaGroup[] = []
  readonly #copying = new Set<ReplicaGroup>()
  readonly #believed = new BelievedLeaders()
  /** Those that may copy on at that time, by their throttle. */
  readonly #resting = new Map<ReplicaGroup, number>()
  /** Whose disks have refused something: to be looked at from then on. */
  readonly #later = new Map<ReplicaGroup, number>()
  readonly #throttle: CopyThrottle | null
  readonly #ticks = new GroupTicks()
  readonly #writes: HardStateWrites
  #nowMs = 0

  constructor(options: RaftHostOptions) {
    this.#options = options
    this.logger = options.logger
    this.#reachability = new Reachability(
      (partition, replica) => this.#ownerOf(partition).isOfThePast?.(partition, replica) ?? false,
    )
    this.#throttle = options.throttle ?? null
    this.#writes = new HardStateWrites({
      ...options,
      stored: (group) => {
        if (this.#groups.get(group.partition) !== group) return
        this.guard(group, () => group.hardStateStored())
      },
    })
    for (const link of options.links) this.#links.set(link.broker, link)
  }

  get size(): number {
    return this.#groups.size
  }

  /** Monotonic milliseconds at which the next turn is due. */
  get nextTimerAtMs(): number {
    const hasWork = this.#dirty.length + this.#copying.size + this.#owed.size > 0
    if (hasWork) return 0
    const restedAtMs = Math.min(...this.#resting.values(), ...this.#later.values())
    return Math.min(this.#ticks.nextAtMs, this.#writes.nextAtMs, restedAtMs)
  }

  /** Whose the metadata's group is; without one there is none here. Before the first turn. */
  set metadata(owner: GroupOwner) {
    this.#metadata = owner
  }

  #ownerOf(partition: PartitionNumber): GroupOwner {
    return partition === METADATA_PARTITION && this.#metadata !== null
      ? this.#metadata
      : this.#options
  }

  get(partition: PartitionNumber): ReplicaGroup | undefined {
    return this.#groups.get(partition)
  }

  /** Not the metadata's: what the controller writes goes on when a disk is full. */
  groupsOfTopics(): ReplicaGroup[] {
    return [...this.#groups.values()].filter(({ partition }) => partition !== METADATA_PARTITION)
  }

  /** The group of this broker's replica, opened if it is not; null where there is none to be had. */
  open(partition: PartitionNumber, ledAs: ReplicaId = NO_REPLICA): ReplicaGroup | null {
    const known = this.#groups.get(partition)
    if (known !== undefined) return known
    const owner = this.#ownerOf(partition)
    const files = owner.openFiles(partition, ledAs)
    if (files === null) return null
    try {
      const group = this.#groupOf(partition, files)
      this.#groups.set(partition, group)
      // what it was opened with was set in an earlier life of the group
      if (this.#writes.isUndurable(partition)) {
        group.waitForHardState()
        this.#writes.add(group)
      }
      owner.onOpened(group)
      this.#reachability.tellOfMembers(group)
      this.touch(group)
      return group
    } catch (error) {
      if (isEndOfProcess(error)) throw error
      files.controls.close()
      owner.onUnopened(partition, error)
      return null
    }
  }

  #groupOf(partition: PartitionNumber, files: ReplicaFiles): ReplicaGroup {
    const { random } = this.#options
    const hardStates = this.#options.hardStates()
    if (!hardStates.isWhole && files.isAlone !== true)
      throw new LogFailedError('this broker may have forgotten its votes')
    const hardState = hardStates.get(partition)
    return new ReplicaGroup({
      ...{ partition, files, host: this, hardState },
      believed: (end) => this.#believed.take(partition, hardState, end),
      electionTicks: () => ELECTION_TICKS + (random.uint32() % ELECTION_TICKS),
    })
  }

  /** The replica is closed: its log with it, or before. `isQuiet`: it leads on when it is opened again, as far as the others know. */
  close(partition: PartitionNumber, isQuiet = false): void {
    const group = this.#groups.get(partition)
    if (group === undefined) return
    // the others are not to wait for it
    if (isQuiet) this.#believed.note(partition, group.raft)
    else group.giveUp()
    this.#groups.delete(partition)
    this.#copying.delete(group)
    this.#resting.delete(group)
    this.#later.delete(group)
    this.#ticks.set(group, false, this.#nowMs)
    if (group.isQueued) this.#dirty = this.#dirty.filter((one) => one !== group)
    group.close()
  }

  /** The partition is gone. */
  forget(partition: PartitionNumber): void {
    this.#believed.forget(partition)
  }

  /** Something has happened to the group: it is looked at in this turn. */
  touch(group: ReplicaGroup): void {
    if (group.isQueued) return
    group.isQueued = true
    this.#dirty.push(group)
  }

  /** Likewise, in a while: its disk has refused something. */
  touchLater(group: ReplicaGroup): void {
    const isOpen = this.#groups.get(group.partition) === group
    if (isOpen) this.#later.set(group, this.#nowMs + TRY_AGAIN_MS)
  }

  /**
   * As its heartbeats say. Messages from before may be lost, so both sides are told of each break, and of its end. `isDead`: it cannot be reached since its thread runs
   * no more.
   */
  setReachable(broker: BrokerId, isReachable: boolean, isDead = false): void {
    this.#reachability.set(broker, isReachable)
    if (!isReachable) {
      this.#owed.delete(broker)
      this.#believed.gone(broker)
    }
    for (const group of [...this.#groups.values()]) {
      this.guard(group, () => this.#onReachable(group, broker, isReachable, isDead))
    }
  }

  /** It turns, and serves no partitions yet: it needs the metadata for that, whose group hears it. */
  setJoining(broker: BrokerId): void {
    if (!this.#reachability.setJoining(broker)) return
    const group = this.#groups.get(METADATA_PARTITION)
    if (group !== undefined) this.guard(group, () => this.#onReachable(group, broker, true))
  }

  /** The broker's directory is another than before: replicas that were there are not. */
  lifeChanged(broker: BrokerId): void {
    for (const group of [...this.#groups.values()]) {
      this.guard(group, () => {
        const isReachable = !this.#reachability.isCutOff(broker, group.partition)
        if (!this.#reachability.tell(group, broker, isReachable)) return
        if (isNext(group.raft)) group.raft.campaign()
        this.touch(group)
      })
    }
  }

  #onReachable(group: ReplicaGroup, broker: BrokerId, isReachable: boolean, isDead = false): void {
    const { raft } = group
    const isLeaderDead = isDead && brokerOf(raft.leader) === broker
    if (!this.#reachability.tell(group, broker, isReachable)) return
    // it asks again whom it could not ask before; or its turn has come
    const isAsking = isReachable && raft.role === Role.PRE_CANDIDATE
    if (isAsking || (!isReachable && isNext(raft))) raft.campaign(isLeaderDead)
    this.touch(group)
  }

  linkTo(broker: BrokerId): BrokerLink | undefined {
    return this.#links.get(broker)
  }

  /** Another thread is that peer now, over other rings. It is told apart whether it can be reached. */
  replaceLink(link: BrokerLink): void {
    this.#links.set(link.broker, link)
  }

  /** One turn; returns how much was done. */
  doWork(nowMs: number): number {
    this.#nowMs = nowMs
    let work = this.#hear()
    work += this.#tick(nowMs)
    work += this.#advance()
    work += this.#copyAll()
    for (let round = 0; round < ROUNDS_MAX && this.#dirty.length > 0; round++)
      work += this.#advance()
    this.#writes.write(nowMs)
    if (this.#owed.size > 0) this.#sendOwed()
    for (const link of this.#links.values()) link.ring()
    return work
  }

  /** What peers say, a bounded bit of it. */
  #hear(): number {
    const { clock } = this.#options
    let heard = 0
    let isBehind = false
    for (const link of this.#links.values()) {
      const untilMs = clock.monotonicMs() + HEAR_MS
      let left = MESSAGES_PER_TURN
      let count = SLICE
      while (left > 0 && count === SLICE && clock.monotonicMs() < untilMs) {
        count = link.poll(this, SLICE)
        left -= count
      }
      heard += MESSAGES_PER_TURN - left
      isBehind ||= count === SLICE
    }
    this.#ticks.behind(isBehind, this.#nowMs)
    return heard
  }

  onRaft({ broker }: BrokerLink, received: ReceivedMessage): void {
    const { partition, message } = received
    // what it said before it was taken for dead is as good as lost
    if (this.#reachability.isCutOff(broker, partition)) return
    const group = this.#groups.get(partition) ?? this.open(partition, ledAs(message))
    if (group === null || message.to !== group.raft.id) return
    const whole = this.#withProducers(broker, received)
    // to look for what came with it may have taken in that the partition is gone
    if (whole === null || this.#groups.get(partition) !== group) return
    this.guard(group, () => this.#step(group, whole))
    this.touch(group)
  }

  #step(group: ReplicaGroup, received: ReceivedMessage): void {
    const { from, type } = received.message
    const isCounted = type === 'append-reply' && this.#throttle !== null
    const before = isCounted ? group.raft.progressOf(from)?.match : undefined
    group.step(received)
    if (before !== undefined) this.#throttle?.arrived(group, from, before, this.#nowMs)
  }

  storeHardState(group: ReplicaGroup, { term, vote }: HardState): void {
    this.#options.hardStates().set(group.partition, term, vote)
    this.#writes.add(group)
  }

  send(group: ReplicaGroup, message: Message, place: AppendPlace, base: SnapshotBase | null): void {
    const broker = brokerOf(message.to)
    const link = this.#links.get(broker)
    const { partition } = group
    if (link === undefined || this.#reachability.isCutOff(broker, partition)) return
    if (message.type === 'append') {
      const granted = this.#throttle?.granted(group, message, this.#nowMs) ?? message
      if (granted === message && link.fits(message)) {
        link.append(partition, message, place)
        return
      }
      for (const piece of link.split(granted)) {
        link.append(partition, piece, piece === message ? place : group.placeOf(piece))
      }
    } else if (message.type === 'snapshot') {
      invariant(base !== null, 'a snapshot goes with its base')
      link.snapshot(partition, message, base)
    } else if (!link.send(partition, message) && message.type === 'resign') {
      // who does not hear it waits for a leader that is none; all else is sent again by itself
      this.#owe(broker, partition, message)
    }
  }

  #owe(broker: BrokerId, partition: PartitionNumber, message: PlainMessage): void {
    const owed = this.#owed.get(broker) ?? new Map<PartitionNumber, PlainMessage>()
    owed.set(partition, message)
    this.#owed.set(broker, owed)
  }

  /** What found no room in an earlier turn. */
  #sendOwed(): void {
    for (const [broker, owed] of this.#owed) {
      for (const [partition, message] of owed) {
        if (!this.#links.get(broker)!.send(partition, message)) break
        owed.delete(partition)
      }
      if (owed.size === 0) this.#owed.delete(broker)
    }
  }

  reopen({ partition }: ReplicaGroup): ReplicaFiles | null {
    return this.#ownerOf(partition).openFiles(partition, NO_REPLICA)
  }

  directoryOf({ partition }: ReplicaGroup, replica: ReplicaId): string {
    return this.#ownerOf(partition).directoryOf(partition, brokerOf(replica))
  }

  mayBeginAt({ partition }: ReplicaGroup, offset: number): boolean {
    return this.#ownerOf(partition).mayBeginAt?.(partition, offset) ?? true
  }

  beforeRestart(
    { partition }: ReplicaGroup,
    from: ReplicaId,
    offset: number,
    ready: RestartReady,
  ): void {
    const owner = this.#ownerOf(partition)
    if (owner.beforeRestart === undefined) ready(null)
    else owner.beforeRestart(partition, brokerOf(from), offset, ready)
  }

  onLeadership(group: ReplicaGroup): void {
    this.#ownerOf(group.partition).onLeadership(group)
  }

  onCommit(group: ReplicaGroup): void {
    this.#ownerOf(group.partition).onCommit(group)
  }

  onFailed(group: ReplicaGroup, reason: unknown): void {
    if (this.#groups.get(group.partition) !== group) return
    this.close(group.partition)
    this.#ownerOf(group.partition).onFailed(group, reason)
  }

  /** A snapshot's producers may have come by control message. */
  #withProducers(broker: BrokerId, received: ReceivedMessage): ReceivedMessage | null {
    const { base } = received
    if (base === null || base.producers !== null) return received
    const producers = this.#options.takeBuffer(broker, base.bufferId)
    return producers === null ? null : { ...received, base: { ...base, producers } }
  }

  #tick(nowMs: number): number {
    for (const [group, fromMs] of this.#later) {
      if (fromMs > nowMs) continue
      this.#later.delete(group)
      this.touch(group)
    }
    const groups = this.#ticks.due(nowMs)
    for (const group of groups) {
      // what it waits for itself is not waited for by others either
      if (!group.waitsForDisk) this.guard(group, () => group.raft.tick())
      this.touch(group)
    }
    return groups.length
  }

  #advance(): number {
    const dirty = this.#dirty
    if (dirty.length === 0) return 0
    this.#dirty = []
    for (const group of dirty) {
      group.isQueued = false
      // closed since; a flush of its log may have come after that
      if (this.#groups.get(group.partition) !== group) continue
      this.guard(group, () => group.advance())
      this.#sort(group)
    }
    return dirty.length
  }

  /** Whether it is to be ticked, and has something to copy. */
  #sort(group: ReplicaGroup): void {
    if (this.#groups.get(group.partition) !== group) return
    this.#reachability.tellOfMembers(group)
    if (group.hasWork && !this.#resting.has(group)) this.#copying.add(group)
    this.#ticks.set(group, group.raft.needsTicks, this.#nowMs)
  }

  #copyAll(): number {
    let copied = 0
    for (const [group, fromMs] of this.#resting) {
      if (fromMs > this.#nowMs) continue
      this.#resting.delete(group)
      if (group.hasWork) this.#copying.add(group)
    }
    for (const group of [...this.#copying]) {
      if (copied >= COPIES_PER_TURN) break
      this.#copying.delete(group)
      this.guard(group, () => {
        const bytesMax = this.#throttle?.allowance(group, this.#nowMs) ?? Number.POSITIVE_INFINITY
        if (bytesMax === 0) {
          this.#resting.set(group, this.#throttle!.restsUntilMs)
          return
        }
        const step = group.copySome(this.#options.clock.wallMs(), bytesMax)
        this.#throttle?.copied(group, group.copiedBytes, this.#nowMs)
        // not all the time: its disk may be full
        if (step === 'refused') {
          this.#resting.set(group, this.#nowMs + REFUSED_REST_MS)
          this.touch(group)
          this.#ownerOf(group.partition).onRefused?.(group)
        }
        if (step === 'moved') {
          copied++
          // at the back, so that every group has its turn
          if (group.hasWork) this.#copying.add(group)
        }
      })
    }
    return copied
  }

  /** Whatever a replica throws ends with that replica, but for what says that this thread is at its end. */
  guard(group: ReplicaGroup, work: () => void): void {
    try {
      this.#options.onWork?.(group.partition)
      work()
    } catch (error) {
      if (isEndOfProcess(error)) throw error
      this.onFailed(group, error)
    }
  }
}

/** Whose turn it is where nobody leads, so that they do not all ask at once: the first voter that can be reached. The others wait for their ticks. */
export const isNext = (raft: RaftGroup): boolean => {
  const { id, configuration, unreachable, leader, role, mayLead, awaited } = raft
  // where somebody is about to lead it would be in its way
  const isLeaderless = leader === NO_REPLICA && awaited === NO_REPLICA
  const isFree = isLeaderless && role === Role.FOLLOWER && mayLead
  return isFree && configuration.voters.find((voter) => !unreachable.has(voter)) === id
}

/** As whom the sender leads the receiver, if it does. */
const ledAs = ({ type, to }: Message): ReplicaId =>
  type === 'append' || type === 'snapshot' ? to : NO_REPLICA

import type { BrokerId, CellId, PartitionNumber } from '../../base/ids.ts'
import { brokerOf, isBefore } from '../../base/replica-id.ts'
import type { BrokerDirectory, MetadataView } from '../../image/view.ts'
import type { BeatSource } from '../../link/broker-liveness.ts'
import type { ControlPort, PeerName } from '../../link/ports.ts'
import { ProduceReason } from '../../link/produce-reason.ts'
import type { DiskError } from '../../log/disk.ts'
import type { LogEnvironment } from '../../log/environment.ts'
import type { HardStates } from '../../log/hard-states.ts'
import { HARD_STATES_FILE } from '../../log/hard-states-format.ts'
import { NO_REPLICA, Role } from '../../raft/types.ts'
import type { BrokerLink } from '../broker-link.ts'
import { METADATA_PARTITION } from '../metadata-log.ts'
import type { Replica } from '../replica.ts'
import type { ReplicaTable } from '../replica-table.ts'
import { CopyThrottle } from './copy-throttle.ts'
import { FailedReplicas } from './failed-replicas.ts'
import type { GroupOwner } from './group-owner.ts'
import { InSync } from './in-sync.ts'
import { openVotes } from './kept-votes.ts'
import { LeadershipMoves } from './leadership-moves.ts'
import { Leaderships } from './leaderships.ts'
import { isSettled, moveMembership } from './membership-moves.ts'
import { type MetadataFiles, MetadataGroup } from './metadata-group.ts'
import { Peers, STOOD_STILL_MS } from './peers.ts'
import { PreferredLeaders } from './preferred-leaders.ts'
import { isNext, RaftHost } from './raft-host.ts'
import { ReplicaFilling } from './replica-filling.ts'
import type { ReplicaGroup } from './replica-group.ts'
import { ReplicaMoving } from './replica-moving.ts'
import { ReplicaOpening } from './replica-opening.ts'
import { SteppingDown } from './stepping-down.ts'
import { WakeRequests } from './wake-requests.ts'

export interface ReplicationOptions {
  readonly cellId: CellId
  readonly brokerId: BrokerId
  /** The directory of a broker of this cell. */
  readonly rootOf: (broker: BrokerId) => string
  readonly environment: LogEnvironment
  readonly image: MetadataView
  readonly table: ReplicaTable
  readonly links: readonly BrokerLink[]
  /** Who is told of leaders. */
  readonly fronts: readonly PeerName[]
  readonly control: ControlPort
  /** Which peers live; null: all of them, for ever. */
  readonly beats: BeatSource | null
  /** Where this broker is one of those that may keep the metadata log. */
  readonly metadata: MetadataFiles | null
  /** Of this broker's directory: until the image knows it, no replica of a group is opened. null: as if it did. */
  readonly directoryId: string | null
  /** It was drawn at this start: terms and votes that are kept here are another's. */
  readonly isNewDirectory: boolean
  /** Bytes that a peer has sent by control message; null where they have not come. */
  readonly takeBuffer: (from: BrokerId, bufferId: number) => Uint8Array | null
  readonly onWork: NonNullable<GroupOwner['onWork']>
  /** This replica leads no more: of those who wait for it nobody can be told what becomes of what was written. */
  readonly onDeposed: (replica: Replica) => void
  /** More is committed, or stored by others, or fewer keep up. */
  readonly onMoved: (replica: Replica) => void
  /** This replica's log is to be a group's from now on: whoever waits for it is told, and it is taken out of the table. */
  readonly onRaised: (replica: Replica) => void
  /** The group of a partition whose replicas are moved has these voters from now on: for the controller. */
  readonly onSettled: (replica: Replica, voters: readonly BrokerId[]) => void
  /** This directory has the replicas that the ones before had: for the controller. */
  readonly onFilled: (directoryId: string) => void
  /** The directory is of a replica that was moved away: it is to be removed, and what was voted with it forgotten. */
  readonly onStale: (number: PartitionNumber, directory: string) => void
  /** What was in a replica's directory before is being removed. */
  readonly isRemoving: (directory: string) => boolean
}

/** How often it is looked who keeps up, and whose leadership is to go back. */
const SWEEP_MS = 1_000
/** Whether the next step can be taken towards other voters. */
const MOVE_EVERY_MS = 10
/** Leadership goes back of so many partitions at a time, so that nobody notices. */
const MOVES_PER_SWEEP = 32

/**
 * A broker's part in replication: opens the groups of its replicas, tells fronts what it leads, and who may append or read. What groups do among
 * themselves is {@link RaftHost}'s. On the broker's thread.
 */
export class Replication {
  readonly #options: ReplicationOptions
  readonly #host: RaftHost
  readonly #peers: Peers
  readonly #metadata: MetadataGroup | null
  readonly #opening: ReplicaOpening
  readonly #inSync: InSync
  readonly #moves: LeadershipMoves
  readonly #replicaMoves: ReplicaMoving
  readonly #filling: ReplicaFilling
  readonly #wakeRequests: WakeRequests
  readonly #leaderships: Leaderships
  /** Replicas that lead, and whose voters are not those that there are to be. */
  readonly #moving = new Set<Replica>()
  /** What this broker's disk makes of its leaderships. */
  readonly stepping: SteppingDown
  readonly #preferred: PreferredLeaders
  readonly failed: FailedReplicas
  #hardStates: HardStates | null = null
  #isStopped = false
  #sweepAtMs = 0
  #moveAtMs = Number.POSITIVE_INFINITY
  #nowMs = 0
  /** Why terms and votes cannot be kept. */
  #broken: string | null = null

  constructor(options: ReplicationOptions) {
    this.#options = options
    const { brokerId, environment, links } = options
    this.#inSync = new InSync(brokerId, options.image)
    this.#leaderships = new Leaderships({ ...options, inSync: this.#inSync })
    this.failed = new FailedReplicas({ ...options, leaderships: this.#leaderships })
    this.#opening = new ReplicaOpening({
      ...options,
      hardStateOf: (number) => this.#openHardStates().get(number),
      onBegun: () => void (this.#sweepAtMs = 0),
    })
    this.#replicaMoves = new ReplicaMoving({
      ...options,
      wake: (replica) => void this.lead(replica),
      currentIdOf: (number, broker) => this.#opening.currentIdOf(number, broker),
      onLeft: (group, left) => this.#leaderships.noteLeft(group, left),
    })
    this.#filling = new ReplicaFilling({
      ...options,
      isRegistered: () => this.isRegistered,
      isReachable: (broker) => this.#peers.isReachable(broker),
      ownIdOf: (number) => this.#opening.currentIdOf(number, options.brokerId),
      directoryOf: (number) => this.#opening.directoryOf(number, options.brokerId),
      hasMetadata: () => this.#metadata?.isVoter !== false,
      open: (replica) => this.open(replica),
    })
    this.#wakeRequests = this.#newWakeRequests(options)
    this.#moves = new LeadershipMoves(options.control)
    this.#preferred = new PreferredLeaders({
      ...options,
      currentIdOf: ({ number }, broker) => this.#opening.currentIdOf(number, broker),
      reachableForMs: (broker) => this.#peers.reachableForMs(broker),
    })
    const replicaOf = ({ partition }: ReplicaGroup) => options.table.get(partition)
    this.#host = new RaftHost({
      ...{ ...environment, brokerId, links, onWork: options.onWork },
      hardStates: () => this.#openHardStates(),
      openFiles: (number, ledAs) =>
        this.isRegistered && !this.#isStopped
          ? this.#opening.files(number, this.#nowMs, ledAs)
          : null,
      directoryOf: (number, broker) => this.#opening.directoryOf(number, broker),
      isOfThePast: (number, replica) =>
        isBefore(replica, this.#opening.currentIdOf(number, brokerOf(replica))),
      takeBuffer: options.takeBuffer,
      throttle: new CopyThrottle({ ...options, replicaOf }),
      onOpened: (group) => {
        const replica = replicaOf(group)
        if (replica !== undefined) replica.group = group
        this.stepping.opened(group)
      },
      onLeadership: (group) => this.#onChanged(group),
      onCommit: (group) => this.#onCommit(group),
      onBroken: ({ message }) => void (this.#broken = message),
      onUnopened: (number, reason) => this.#onFailed(number, reason),
      onFailed: ({ partition }, reason) => this.#onFailed(partition, reason),
      onRefused: ({ partition }) => this.failed.tell(partition),
    })
    this.stepping = this.#newStepping()
    this.#metadata = this.#newMetadata(options)
    if (this.#metadata !== null) this.#host.metadata = this.#metadata
    this.#peers = new Peers({
      ...{ ...options, host: this.#host },
      onGone: (broker) => this.#preferred.gone(broker),
      onLife: () => this.#leaderships.tellAgain(this.#nowMs),
      onChange: () => this.#onReachability(),
    })
  }

  #newWakeRequests(options: ReplicationOptions): WakeRequests {
    return new WakeRequests({
      ...options,
      mayHelp: (replica) => !this.#isStopped && this.#filling.mayHelp(replica),
      wake: (replica) => {
        if (this.lead(replica) === ProduceReason.NONE) this.#moving.add(replica)
      },
    })
  }

  #newStepping(): SteppingDown {
    return new SteppingDown({
      isFull: () => this.isYielding,
      groups: () => this.#host.groupsOfTopics(),
      groupOf: (number) => this.#host.get(number),
      touch: (group) => this.#host.touch(group),
    })
  }

  #onReachability(): void {
    this.#leaderships.onReachability(this.#nowMs)
    this.#filling.onReachability()
  }

  #newMetadata(options: ReplicationOptions): MetadataGroup | null {
    if (options.metadata === null) return null
    return new MetadataGroup({
      ...{ ...options, ...options.metadata },
      host: this.#host,
      hardStateOf: () => this.#openHardStates().get(METADATA_PARTITION),
      isRegistered: () => this.isRegistered,
      reachableForMs: (broker) => this.#peers.reachableForMs(broker),
    })
  }

  /** The metadata log, where this broker is one of those that may keep it. */
  get metadata(): MetadataGroup | null {
    return this.#metadata
  }

  /** The image knows this broker's directory. */
  get isRegistered(): boolean {
    const { directoryId } = this.#options
    return directoryId === null || this.#known?.directoryId === directoryId
  }

  /** It knows another of this broker, and not yet this one. */
  get isKnownByAnother(): boolean {
    return this.#known !== undefined && !this.isRegistered
  }

  get #known(): BrokerDirectory | undefined {
    const { image, cellId, brokerId } = this.#options
    return image.brokerDirectory(cellId, brokerId)
  }

  /** Monotonic milliseconds at which the next turn is due. */
  get nextTimerAtMs(): number {
    const isSwept =
      this.#leaderships.led.size > 0 || this.#replicaMoves.isBusy || this.stepping.isBusy
    const sweepAtMs = isSwept ? this.#sweepAtMs : Number.POSITIVE_INFINITY
    if (!this.#wakeRequests.isEmpty) return 0
    return Math.min(
      this.#isStopped ? Number.POSITIVE_INFINITY : this.#filling.nextTimerAtMs,
      this.#host.nextTimerAtMs,
      sweepAtMs,
      this.#moveAtMs,
      this.#peers.nextLookAtMs,
      this.stepping.nextTimerAtMs,
      this.#moves.nextTimerAtMs,
      this.#metadata?.nextTimerAtMs ?? Number.POSITIVE_INFINITY,
    )
  }

  /** Before a turn's commands: who lives. Throws where this broker cannot keep its votes. */
  look(nowMs: number): number {
    const stoodStill = this.#nowMs > 0 && nowMs - this.#nowMs >= STOOD_STILL_MS
    this.#nowMs = nowMs
    if (this.#broken !== null) {
      throw new Error(`terms and votes cannot be kept any more: ${this.#broken}`)
    }
    const told = this.#peers.look(nowMs)
    if (stoodStill) this.#resignAll(nowMs)
    return told
  }

  /** This thread took no turn for so long that the others took it for one that hangs: they may have elected, and nothing that it would answer is sure. */
  #resignAll(nowMs: number): void {
    this.#metadata?.resign()
    for (const { group } of this.#leaderships.led) {
      group?.raft.resign()
      if (group !== null) this.#host.touch(group)
    }
    this.#host.doWork(nowMs)
  }

  /** What peers say, and what follows from it and from this turn's commands; then the fronts are told of leaders. */
  doWork(nowMs: number): number {
    let work = this.#metadata?.doWork(nowMs) ?? 0
    work += this.#host.doWork(nowMs)
    this.#leaderships.lookAtStrict()
    if (nowMs >= this.#sweepAtMs) {
      this.#sweepAtMs = nowMs + SWEEP_MS
      this.#sweep()
    }
    this.stepping.look(nowMs)
    let isHeld = true
    for (const replica of this.#moving) if (!this.#move(replica)) isHeld = false
    this.#moveAtMs = isHeld ? Number.POSITIVE_INFINITY : nowMs + MOVE_EVERY_MS
    work += this.#replicaMoves.doWork(nowMs)
    if (!this.#isStopped) work += this.#filling.doWork(nowMs)
    work += this.#wakeRequests.doWork(nowMs)
    work += this.#moves.doWork(nowMs)
    return work + this.#leaderships.tell()
  }

  /** The group of a replica, opened if it is not; null where that cannot be now. */
  open(replica: Replica): ReplicaGroup | null {
    return replica.group ?? this.#host.open(replica.number)
  }

  /** Why this replica does not serve as leader, of ProduceReason; where nobody leads and it is its turn it asks to be elected. NONE: it does. */
  lead(replica: Replica): number {
    const group = this.open(replica)
    if (group === null) {
      const isBeginning = this.#opening.isBeginning(replica.number)
      return isBeginning ? ProduceReason.electing : ProduceReason.notLeader
    }
    if (leads(group)) return ProduceReason.NONE
    const { raft } = group
    // others who are asked as well wait for their ticks: two who ask at once are in each other's way
    if (raft.mayLead && (raft.isDormant || isNext(raft))) {
      this.#host.guard(group, () => raft.campaign())
      this.#host.touch(group)
    }
    return raft.role === Role.FOLLOWER && raft.leader !== NO_REPLICA
      ? ProduceReason.notLeader
      : ProduceReason.electing
  }

  /** Before the first batch of a write: false where none is taken now. What its disk throws ends with the replica. */
  aboutToAppend(replica: Replica): boolean {
    const { group } = replica
    if (group === null) return false
    let takes = false
    this.#host.guard(group, () => {
      takes = group.aboutToAppend()
    })
    return takes
  }

  /** What was staged is written. */
  appended(replica: Replica): void {
    const { group } = replica
    if (group === null) return
    this.#host.guard(group, () => group.appended())
    this.#host.touch(group)
  }

  /** This broker's own disk is full: it leads as little as it can. */
  get isYielding(): boolean {
    return this.#options.environment.space?.isFullAlone ?? false
  }

  /** Fewer replicas keep up than a batch with acks=all asks for: not even a majority, or fewer than min.insync.replicas. */
  hasTooFew(replica: Replica): boolean {
    return this.#inSync.hasTooFew(replica, this.#nowMs)
  }

  /** Below this offset the topic's min.insync.replicas hold what is committed. */
  heldBelow(replica: Replica): number {
    return this.#inSync.heldBelow(replica)
  }

  /** More of what this replica's log holds is durable. */
  flushed(replica: Replica): void {
    replica.group?.flushed()
  }

  /** The replica's log is about to be closed. `isQuiet`: nothing waits for it, and it goes on when it is touched. */
  onClosing(replica: Replica, isQuiet: boolean): void {
    if (replica.ledTerm !== 0) this.#depose(replica, isQuiet)
    replica.group = null
    this.#host.close(replica.number, isQuiet)
  }

  /** The logs are closed, or about to be: what peers say opens none again. */
  stop(): void {
    this.#isStopped = true
  }

  /** Their replicas elsewhere lack something: whoever leads them sees to that. */
  wake(partitions: readonly PartitionNumber[]): void {
    this.#wakeRequests.add(partitions)
  }

  isHeldHere(replica: Replica): boolean {
    return this.#opening.isHeldHere(replica)
  }

  /** The topic is gone, and what was voted in the partition's group with it; `done` is called once, when that is durable or cannot be made so. */
  forget(number: PartitionNumber, done: ((failed: DiskError | null) => void) | null): void {
    this.#host.forget(number)
    this.stepping.forget(number)
    const { environment, rootOf, brokerId } = this.#options
    const isKept = environment.disk.exists(`${rootOf(brokerId)}/${HARD_STATES_FILE}`)
    const failed = isKept ? this.#openHardStates().forget(number) : null
    if (done === null) return
    if (isKept && failed === null) this.#openHardStates().requestFlush(done)
    else done(failed)
  }

  /** The server says that its thread has ended. */
  peerEnded(broker: BrokerId): void {
    this.#peers.ended(broker)
  }

  /** Another thread is that peer now; whether it can be reached is told apart. */
  replaceLink(link: BrokerLink): void {
    this.#host.replaceLink(link)
  }

  /** Nothing that the two brokers say to each other arrives, as long as `isCut`. */
  cut(broker: BrokerId, isCut: boolean): void {
    this.#peers.cut(broker, isCut)
  }

  /** From a front: hand that partition over to the replica of `to`. */
  moveLeadership(from: PeerName, correlation: number, number: PartitionNumber, to: BrokerId): void {
    const replica = this.#options.table.get(number) ?? null
    const move = { from, correlation, replica, startedAtMs: this.#nowMs }
    const group = this.#moves.begin(move, this.#opening.currentIdOf(number, to))
    if (group !== null) this.#host.touch(group)
  }

  #openHardStates(): HardStates {
    const { environment, rootOf, brokerId, isNewDirectory } = this.#options
    this.#hardStates ??= openVotes(environment, rootOf(brokerId), isNewDirectory)
    if (!this.#hardStates.isWhole) this.#broken = 'they are damaged'
    return this.#hardStates
  }

  #onFailed(number: PartitionNumber, reason: unknown): void {
    const { table } = this.#options
    const replica = table.get(number)
    if (replica === undefined) return
    if (replica.ledTerm !== 0) this.#depose(replica, false)
    replica.group = null
    table.fail(replica, this.#nowMs, reason)
  }

  #onCommit(group: ReplicaGroup): void {
    const replica = this.#onChanged(group)
    if (replica === undefined) return
    const { table, onMoved } = this.#options
    table.touchLightly(replica, this.#nowMs)
    table.arm(replica)
    onMoved(replica)
  }

  /** Its role, its term or its commit is another: the fronts are told when it leads, and knows what is committed, or leads no more. */
  #onChanged(group: ReplicaGroup): Replica | undefined {
    const replica = this.#options.table.get(group.partition)
    if (replica === undefined) return undefined
    const { raft } = group
    const isOver = raft.role !== Role.LEADER || raft.term !== replica.ledTerm
    if (replica.ledTerm !== 0 && isOver) this.#depose(replica, false)
    if (replica.ledTerm === 0 && leads(group)) {
      this.#leaderships.begin(replica, group, this.#nowMs)
      if (!isSettled(group, this.#opening.wantedIds(replica.number))) this.#moving.add(replica)
    }
    return replica
  }

  #depose(replica: Replica, isQuiet: boolean): void {
    this.#moving.delete(replica)
    this.#leaderships.end(replica, isQuiet)
  }

  #sweep(): void {
    this.#replicaMoves.sweep(this.#nowMs)
    let moves = MOVES_PER_SWEEP
    for (const replica of this.#leaderships.led) {
      const { group } = replica
      if (group === null) continue
      this.#leaderships.look(replica, group, this.#nowMs)
      const wanted = this.#opening.wantedIds(replica.number)
      // the image does not name it any more
      if (wanted.length === 0) continue
      const isDone = isSettled(group, wanted) && this.#replicaMoves.settled(replica, group)
      if (!isDone) this.#moving.add(replica)
      if (moves === 0 || !this.#preferred.giveBack(replica, group, this.#nowMs)) continue
      this.#host.touch(group)
      moves--
    }
  }

  /** False: it goes on by itself, and may be done the next moment. True: it is done, or waits for somebody who cannot be reached. */
  #move(replica: Replica): boolean {
    const { group } = replica
    const wanted = this.#opening.wantedIds(replica.number)
    if (group === null || wanted.length === 0) return this.#moving.delete(replica)
    if (isSettled(group, wanted)) {
      if (!this.#replicaMoves.settled(replica, group)) return false
      this.#leaderships.look(replica, group, this.#nowMs)
      return this.#moving.delete(replica)
    }
    this.#host.guard(group, () => {
      const currentIdOf = (broker: BrokerId) => this.#opening.currentIdOf(replica.number, broker)
      const caughtUpTo = this.#replicaMoves.caughtUpTo(group, this.#nowMs)
      const { role } = group.raft
      const isStep = moveMembership(group, wanted, currentIdOf, caughtUpTo)
      // it may have found out that it has no majority
      if (isStep || group.raft.role !== role) this.#host.touch(group)
    })
    return wanted.some((id) => group.raft.unreachable.has(id))
  }
}

/** It leads, takes batches, and knows all that was committed before: reads may say where the log ends. */
const leads = (group: ReplicaGroup): boolean => group.takesAppends && group.knowsCommit

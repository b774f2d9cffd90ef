import { InvariantError } from '../base/assert.ts'
import { ErrorCode } from '../base/error-code.ts'
import {
  type BrokerId,
  type CellId,
  NO_TENANT,
  type PartitionNumber,
  type TenantId,
} from '../base/ids.ts'
import type { HostedCoordinator } from '../coordinator/hosted.ts'
import { MetadataImage } from '../image/image.ts'
import type { ConfigValues } from '../image/topic-config.ts'
import type { MetadataView, TopicView } from '../image/view.ts'
import type { BeatSource } from '../link/broker-liveness.ts'
import type { ControllerRequest, ControlMessage } from '../link/control.ts'
import { BrokerGauge } from '../link/counters.ts'
import {
  brokerPeer,
  type ControlEnvelope,
  type ControlPort,
  frontPeer,
  type PeerName,
  SERVER_PEER,
} from '../link/ports.ts'
import type { UseRows } from '../link/tenant-use.ts'
import type { LogEnvironment } from '../log/environment.ts'
import type { RingHandler } from '../shared/ring-reader.ts'
import { BatchBuffers } from './batch-buffers.ts'
import { BrokerCounters, type CounterRows } from './broker-counters.ts'
import { BrokerLink, type BrokerRings } from './broker-link.ts'
import { BrokerStop } from './broker-stop.ts'
import { BrokerUse } from './broker-use.ts'
import { commandHandlers } from './command-handlers.ts'
import { ControlInbox } from './control-inbox.ts'
import { coordination } from './coordination.ts'
import type { CallToken } from './coordinator-answers.ts'
import type { Coordinators } from './coordinators.ts'
import { FrontLink, type FrontRings } from './front-link.ts'
import { LeaderPartitions } from './leader-partitions.ts'
import { Maintenance } from './maintenance.ts'
import { MetadataFollower } from './metadata-follower.ts'
import { ProduceHandler } from './produce.ts'
import { Questions } from './questions.ts'
import type { Replica } from './replica.ts'
import { ReplicaTable } from './replica-table.ts'
import type { MetadataFiles, MetadataGroup } from './replication/metadata-group.ts'
import { Replication } from './replication/replication.ts'
import { type BrokerSettings, DEFAULT_BROKER_SETTINGS } from './settings.ts'
import { TenantHoldings } from './tenant-holdings.ts'
import { TopicStatsHandler } from './topic-stats.ts'

/** What completes the flushes that the logs ask for: the flusher's rings, or a simulated disk. */
export interface FlushDriver {
  /** Requests that are not answered. */
  readonly pending: number
  /** Takes answers and sends requests; returns how many of both. */
  doWork(): number
}

export interface BrokerAgentOptions {
  readonly cellId: CellId
  readonly brokerId: BrokerId
  /** The broker's directory. */
  readonly root: string
  readonly environment: LogEnvironment
  /** The driver of `environment.flush`. */
  readonly flush: FlushDriver
  /** In the order of their ids, from 0. */
  readonly fronts: readonly FrontRings[]
  /** The other brokers of the cell; none unless given. */
  readonly peers?: readonly BrokerRings[]
  /** The directory of a broker of the cell; needed where there are others. */
  readonly rootOf?: (broker: BrokerId) => string
  /** Which of them live; all unless given. */
  readonly beats?: BeatSource | null
  /** Of this broker's directory, as the controller is to know it; not asked for unless given. */
  readonly directoryId?: string | null
  /** That id was drawn at this start. Default false. */
  readonly isNewDirectory?: boolean
  readonly control: ControlPort
  readonly counters: CounterRows | null
  /** Where it counts what each tenant uses; nowhere unless given. */
  readonly use?: UseRows | null
  readonly settings?: Partial<BrokerSettings>
  /** Static broker configs that give topics their defaults. */
  readonly brokerConfigs?: ConfigValues
  /** What coordinates in the partitions of an internal topic; null: nothing does. */
  readonly newCoordinator?: (
    topic: TopicView,
    image: MetadataView,
    groupsElsewhere: () => number,
  ) => HostedCoordinator<CallToken> | null
  /** Where it is one of those that may keep the metadata log; it keeps none unless given. */
  readonly metadata?: MetadataFiles | null
  /** Messages that are not for a broker: the controller's, where it shares this thread. */
  readonly onOtherMessage?: (envelope: ControlEnvelope) => void
  /** What is to be asked of the controller about a topic of that tenant; nobody waits for the answer. */
  readonly askController?: (tenantId: TenantId, request: ControllerRequest) => void
  /** The order to stop has come: the controller on this thread stops, too. */
  readonly onStopping?: () => void
}

/** Commands taken from one front before the next has its turn. */
const SLICE = 4
/** A turn in which commands have taken longer takes no more: what they have written is told, and what peers say is heard, only at its end. */
const COMMANDS_MS = 10
const TIMERS_PER_TURN = 256

/**
 * A broker: takes its fronts' commands, keeps its partitions' logs, answers. One duty cycle of bounded turns on a
 * thread without an event loop; everything that waits (flushes, watches) is taken up again in a later turn.
 */
export class BrokerAgent {
  readonly #options: BrokerAgentOptions
  readonly #settings: BrokerSettings
  readonly #image: MetadataImage
  readonly #follower: MetadataFollower
  readonly #links: readonly FrontLink[]
  readonly #replication: Replication
  /** What each tenant uses of this thread. */
  readonly use: BrokerUse
  readonly #handlers: readonly RingHandler[]
  readonly #table: ReplicaTable
  readonly #partitions: LeaderPartitions
  readonly #buffers: BatchBuffers
  readonly #produce: ProduceHandler
  readonly #topicStats: TopicStatsHandler
  readonly #coordinators: Coordinators
  readonly #questions: Questions
  readonly #maintenance: Maintenance
  readonly #stop: BrokerStop
  readonly #inbox: ControlInbox
  #firstFront = 0

  constructor(options: BrokerAgentOptions) {
    const { environment, brokerId, cellId, root } = options
    this.#options = options
    this.#settings = { ...DEFAULT_BROKER_SETTINGS, ...options.settings }
    this.#image = new MetadataImage(options.brokerConfigs, { keepsAccess: false })
    const image = this.#image
    const { clock } = environment
    this.use = new BrokerUse({ rows: options.use ?? null, brokerId, clock, image })
    this.#links = options.fronts.map((rings) => new FrontLink(rings))
    if (this.#links.some(({ front }, index) => front !== index)) {
      throw new InvariantError('fronts are given in the order of their ids')
    }
    const { openLogsMax, failedRetryMs } = this.#settings
    this.#table = new ReplicaTable({
      ...{ environment, root, cellId, brokerId, image, openLogsMax, failedRetryMs },
      onFailed: (replica) => this.#onFailed(replica),
      onFlushed: (replica) => this.#onFlushed(replica),
      openGroup: (replica) => void this.#replication.open(replica),
      onClosing: (replica, isQuiet) => this.#replication.onClosing(replica, isQuiet),
    })
    this.#buffers = new BatchBuffers(this.#settings.batchBuffersMax)
    this.#replication = this.#newReplication(options)
    this.#inbox = new ControlInbox(options.control, (envelope) => this.#onControl(envelope))
    const drainControl = () => this.#inbox.drainMidTurn()
    const isWhole = () => this.#follower.isWhole
    const isImageCurrent = () => this.#follower.isCurrent
    this.#partitions = new LeaderPartitions({
      brokerId,
      image,
      table: this.#table,
      replication: this.#replication,
      links: this.#links,
      counters: new BrokerCounters(options.counters),
      use: this.use,
      holdings: new TenantHoldings({ ...options, image, table: this.#table }),
      drainControl,
      isImageWhole: isImageCurrent,
    })
    const partitions = this.#partitions
    this.#produce = new ProduceHandler(partitions, this.#buffers, drainControl)
    this.#topicStats = new TopicStatsHandler(partitions, options.control)
    const { table, handler } = coordination(options, partitions, this.#buffers, image, isWhole)
    this.#coordinators = table
    this.#handlers = commandHandlers(partitions, this.#produce, handler)
    const flushesPending = () => options.flush.pending
    const shared = { image, isImageCurrent, partitions, settings: this.#settings, flushesPending }
    this.#questions = new Questions({ ...options, image, partitions })
    const forget = (...of: Parameters<Replication['forget']>) => this.#replication.forget(...of)
    this.#maintenance = new Maintenance({ ...options, ...shared, forget })
    this.#follower = new MetadataFollower({
      ...{ image, cellId, brokerId, root },
      onGone: (number, directory) => this.#onGone(number, directory),
      onPreferred: (number) => this.#partitions.holdings.arrived(number),
      onTopicsDeleted: (topics) => this.#coordinators.onTopicsDeleted(topics),
      onTenantDeleted: (tenantId) => this.#maintenance.onTenantDeleted(tenantId),
      onConfigs: (isChanged) => this.#onConfigs(isChanged),
      onWhole: () => this.#onWhole(),
    })
    this.#stop = new BrokerStop({
      environment,
      partitions,
      metadata: this.metadata,
      flushesPending,
      onStopping: () => this.#onStopping(),
      onStopped: () => options.control.post(SERVER_PEER, { kind: 'stopped' }),
    })
  }

  /** This thread's image. */
  get image(): MetadataView {
    return this.#image
  }

  /** Whether commands can be answered: the image has come, whole. */
  get isReady(): boolean {
    return this.#follower.isWhole
  }

  /** Everything is closed and `stopped` was said: the thread may end. */
  get isStopped(): boolean {
    return this.#stop.isStopped
  }

  /** The metadata log, where this broker may keep it: the controller's, if one shares this thread. */
  get metadata(): MetadataGroup | null {
    return this.#replication.metadata
  }

  /** Who the controller was when it was heard of last, '' for one on this very thread; null before the first. */
  get controller(): PeerName | null {
    return this.#follower.controller
  }

  /** The controller knows this broker's directory; until then no replica of a group is opened. */
  get isRegistered(): boolean {
    return this.#replication.isRegistered
  }

  /** The controller knows another directory of this broker, and not yet this one. */
  get isKnownByAnother(): boolean {
    return this.#replication.isKnownByAnother
  }

  /** What is in use here of a partition. For tests. */
  replica(number: PartitionNumber): Replica | undefined {
    return this.#table.get(number)
  }

  /** Logs that are open now. */
  get openLogs(): number {
    return this.#table.openCount
  }

  /** Monotonic milliseconds at which the next turn is due; a turn before does no harm. */
  get nextTimerAtMs(): number {
    if (this.isStopped) return Number.POSITIVE_INFINITY
    if (this.#coordinators.hasWork || this.#inbox.hasLate) return 0
    return Math.min(
      this.#table.timers.nextAtMs,
      this.#replication.nextTimerAtMs,
      this.#stop.isStopping ? this.#stop.nextTimerAtMs : this.#maintenance.nextTimerAtMs,
    )
  }

  /** One turn, of bounded work; returns how much was done, 0 for nothing. */
  doWork(nowMs: number): number {
    if (this.isStopped) return 0
    const { use } = this
    const partitions = this.#partitions
    partitions.nowMs = nowMs
    partitions.wallMs = this.#options.environment.clock.wallMs()
    let work = this.#inbox.drain(this.#settings.controlPerTurn)
    work += this.#replication.look(nowMs)
    const commands = this.#takeCommands()
    if (commands > 0) partitions.counters.addOwn(BrokerGauge.TURN_COMMANDS, commands)
    work += commands + this.#produce.writeStaged()
    use.rest()
    work += this.#options.flush.doWork()
    work += this.#table.timers.fireDue(nowMs, TIMERS_PER_TURN)
    work += this.#coordinators.doWork()
    use.rest()
    // after all that this turn has staged is written: a group that loses its term here leaves nothing half done
    work += this.#replication.doWork(nowMs)
    use.rest()
    work += partitions.settleMoved()
    use.rest()
    work += this.#stop.isStopping ? this.#stop.doWork(nowMs) : this.#maintenance.doWork(nowMs)
    use.rest()
    for (const link of this.#links) link.ring()
    return work
  }

  /** A control message that did not come through the port: from the controller on this very thread. */
  onControl(message: ControlMessage): void {
    this.#onControl({ from: '', message })
  }

  /** Another thread is that peer now: what was sent to the one before, and came from it and was not read, is lost. */
  replacePeer(rings: BrokerRings): void {
    this.#replication.replaceLink(new BrokerLink(rings))
    this.#partitions.holdings.tellAgain()
  }

  /** A peer's thread has ended. */
  peerGone(broker: BrokerId): void {
    this.#replication.peerEnded(broker)
  }

  /** Nothing that this broker and that one say to each other arrives, as long as `isCut`: for drills. */
  cut(broker: BrokerId, isCut: boolean): void {
    this.#replication.cut(broker, isCut)
  }

  /** A front's thread has exited: its pins on ring logs count no more. */
  releaseFront(front: number): void {
    for (const replica of this.#table.openReplicas()) replica.log?.releaseFront(front)
    this.#options.environment.rings?.releaseFront(front)
  }

  #takeCommands(): number {
    const { commandsPerTurn, stagedBytesPerTurn } = this.#settings
    const { clock } = this.#options.environment
    const untilMs = clock.monotonicMs() + COMMANDS_MS
    const fronts = this.#links.length
    this.#firstFront = (this.#firstFront + 1) % fronts
    let taken = 0
    for (let rounds = Math.ceil(commandsPerTurn / SLICE); rounds > 0; rounds--) {
      let inRound = 0
      for (let i = 0; i < fronts; i++) {
        const at = (this.#firstFront + i) % fronts
        inRound += this.#links[at]!.commands.poll(this.#handlers[at]!, SLICE)
        if (this.#produce.stagedBytes >= stagedBytesPerTurn) return taken + inRound
      }
      taken += inRound
      if (inRound === 0 || clock.monotonicMs() >= untilMs) break
    }
    return taken
  }

  #onControl(envelope: ControlEnvelope): void {
    const { from, message } = envelope
    if (message.kind === 'metadata') {
      this.#follower.onMetadata(message, from)
    } else if (message.kind === 'batch-buffer') {
      this.#onBuffer(from, message.bufferId, message.sab)
    } else if (message.kind === 'move-leadership') {
      const { correlation, partition, to } = message
      this.#replication.moveLeadership(from, correlation, partition, to as BrokerId)
    } else if (message.kind === 'wake-groups') {
      this.#replication.wake(message.partitions)
    } else if (message.kind === 'replica-failed') {
      this.#replication.failed.heard(message.brokerId as BrokerId, message.partition)
    } else if (message.kind === 'topic-stats-request') {
      this.#topicStats.onRequest(from, message)
    } else if (message.kind === 'tenant-holdings') {
      this.#partitions.holdings.onTold(message)
    } else if (message.kind === 'stop') {
      this.#stop.begin(this.#partitions.nowMs, message.deadlineMs)
    } else if (!this.#questions.answer(from, message)) {
      this.#options.onOtherMessage?.(envelope)
    }
  }

  #onBuffer(from: string, bufferId: number, sab: SharedArrayBuffer): void {
    const forgotten = this.#buffers.put(from, bufferId, sab)
    if (forgotten < 0) return
    const { logger } = this.#options.environment
    logger.log('error', 'Too many batches wait for their commands', { from, forgotten })
  }

  #onFailed(replica: Replica): void {
    this.#partitions.refuseAll(replica, ErrorCode.KAFKA_STORAGE_ERROR)
    this.#coordinators.drop(replica.number)
    this.#replication.failed.tell(replica.number)
  }

  #onFlushed(replica: Replica): void {
    this.#replication.flushed(replica)
    this.#partitions.moved(replica)
    this.#maintenance.onFlushed(replica)
  }

  #newReplication(options: BrokerAgentOptions): Replication {
    const { cellId, brokerId, environment, control, root, peers = [] } = options
    return new Replication({
      ...{ cellId, brokerId, environment, control, image: this.#image, table: this.#table },
      rootOf: options.rootOf ?? (() => root),
      links: peers.map((rings) => new BrokerLink(rings)),
      fronts: this.#links.map(({ front }) => frontPeer(front)),
      beats: options.beats ?? null,
      directoryId: options.directoryId ?? null,
      isNewDirectory: options.isNewDirectory ?? false,
      metadata: options.metadata ?? null,
      onWork: (number: PartitionNumber) => this.#turnTo(number),
      takeBuffer: (from, bufferId) => this.#takeBytes(brokerPeer(cellId, from), bufferId),
      onDeposed: (replica) => {
        this.#partitions.deposed(replica)
        this.#coordinators.drop(replica.number)
      },
      onMoved: (replica) => this.#onMoved(replica),
      onRaised: (replica) => this.#removeReplica(replica, ErrorCode.NOT_LEADER_OR_FOLLOWER),
      onSettled: ({ number, topic: { tenantId, topicId }, index }, replicas) => {
        const generation = this.#image.moveGenerationOf(number)
        const settled = { kind: 'replicas-settled', topicId, index, generation, replicas } as const
        options.askController?.(tenantId, settled)
      },
      onFilled: (directoryId) => {
        const filled = { kind: 'directory-filled', cellId, brokerId, directoryId } as const
        options.askController?.(NO_TENANT, filled)
      },
      onStale: (number, directory) => this.#removeStale(number, directory),
      isRemoving: (directory) => this.#maintenance.isRemoving(directory),
    })
  }

  #turnTo(number: PartitionNumber): void {
    const replica = this.#table.get(number)
    if (replica === undefined) this.use.rest()
    else this.use.turnTo(replica)
  }

  /** A peer posts them before it publishes what names them. */
  #takeBytes(peer: string, bufferId: number): Uint8Array | null {
    let sab = this.#buffers.take(peer, bufferId)
    if (sab === undefined) {
      this.#partitions.drainControl()
      sab = this.#buffers.take(peer, bufferId)
    }
    return sab === undefined ? null : new Uint8Array(sab)
  }

  #onMoved(replica: Replica): void {
    const isShort = replica.waiting.size > 0 && this.#replication.hasTooFew(replica)
    if (isShort) this.#partitions.refuseTooFew(replica)
    this.#partitions.moved(replica)
    this.#coordinators.onCommit(replica)
  }

  #onGone(number: PartitionNumber, directory: string): void {
    const replica = this.#table.get(number)
    const isThere = this.#image.hasPartition(number)
    const error = isThere ? ErrorCode.NOT_LEADER_OR_FOLLOWER : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    if (replica !== undefined) this.#removeReplica(replica, error)
    else this.#coordinators.drop(number)
    this.#partitions.holdings.forget(number)
    this.#removeStale(number, directory)
  }

  #removeStale(number: PartitionNumber, directory: string): void {
    this.#replication.forget(number, null)
    this.#maintenance.removeDirectory(number, directory)
  }

  #onConfigs(isChanged: (topic: TopicView) => boolean): void {
    const { nowMs } = this.#partitions
    for (const replica of [...this.#table.openReplicas()]) {
      if (isChanged(replica.topic)) this.#table.reconfigure(replica, nowMs)
    }
    this.#maintenance.onConfigs(isChanged)
  }

  #onWhole(): void {
    for (const replica of [...this.#table.replicas()]) {
      const { number, directory } = replica
      const topic = this.#image.topicOf(number)
      const isElsewhere = replica.isReplicated && !this.#replication.isHeldHere(replica)
      if (topic === undefined) this.#removeReplica(replica)
      else if (isElsewhere) this.#onGone(number, directory)
      else replica.topic = topic
    }
    this.#coordinators.dropGone((number) => this.#image.hasPartition(number))
    this.#onConfigs(() => true)
    this.#maintenance.onImageWhole()
  }

  #removeReplica(replica: Replica, error: ErrorCode = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION): void {
    this.#partitions.refuseAll(replica, error)
    this.#coordinators.drop(replica.number)
    this.#table.remove(replica, this.#partitions.nowMs)
  }

  #onStopping(): void {
    this.#coordinators.stop()
    // produces that are under way finish; nobody waits for more
    for (const replica of this.#table.replicas()) {
      this.#partitions.refuseWatches(replica, ErrorCode.NOT_LEADER_OR_FOLLOWER)
    }
    this.#options.onStopping?.()
  }
}

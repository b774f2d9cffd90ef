import { ErrorCode } from '../base/error-code.ts'
import type { BrokerId, PartitionNumber } from '../base/ids.ts'
import type { MetadataView } from '../image/view.ts'
import { ReplyType } from '../link/commands.ts'
import { BrokerCounter } from '../link/counters.ts'
import { ProduceReason } from '../link/produce-reason.ts'
import { TopicCounts } from '../link/topic-counts.ts'
import type { PartitionLog } from '../log/partition-log.ts'
import type { BrokerCounters } from './broker-counters.ts'
import type { BrokerUse } from './broker-use.ts'
import type { FrontLink } from './front-link.ts'
import type { Replica } from './replica.ts'
import type { ReplicaTable } from './replica-table.ts'
import type { Replication } from './replication/replication.ts'
import type { TenantHoldings } from './tenant-holdings.ts'
import { newWaitingProduce, type WaitingProduce } from './waiting-produces.ts'
import { Watches } from './watches.ts'

export interface LeaderPartitionsOptions {
  readonly brokerId: BrokerId
  readonly image: MetadataView
  readonly table: ReplicaTable
  readonly replication: Replication
  /** By front id. */
  readonly links: readonly FrontLink[]
  readonly counters: BrokerCounters
  readonly use: BrokerUse
  readonly holdings: TenantHoldings
  /** Takes in what the control ports hold: the topic may have been created this moment. */
  readonly drainControl: () => void
  /** A thread that has just begun knows nothing yet: that a partition is not there says nothing then. */
  readonly isImageWhole: () => boolean
}

/**
 * What the handlers share: who leads, which log, and how the waiting are answered. On the broker's thread; `nowMs` and `wallMs` are
 * those of the turn.
 */
export class LeaderPartitions {
  readonly table: ReplicaTable
  readonly replication: Replication
  readonly links: readonly FrontLink[]
  readonly counters: BrokerCounters
  readonly use: BrokerUse
  readonly holdings: TenantHoldings
  /** Records and bytes taken. */
  readonly topicCounts: TopicCounts
  nowMs = 0
  wallMs = 0
  /** Every command is refused from now on: the broker stops. */
  isStopping = false
  /** Why the last {@link admit} or {@link open} returned null. */
  error: number = ErrorCode.NONE
  /** The same, of ProduceReason. */
  reason: number = ProduceReason.NONE
  readonly #options: LeaderPartitionsOptions
  readonly #scratch: WaitingProduce = newWaitingProduce()
  /** Replicas to be looked at in this turn, because something other than a command moved them. */
  #moved: Replica[] = []

  constructor(options: LeaderPartitionsOptions) {
    this.#options = options
    this.table = options.table
    this.replication = options.replication
    this.links = options.links
    this.counters = options.counters
    this.use = options.use
    this.holdings = options.holdings
    this.topicCounts = new TopicCounts(options.image)
  }

  get drainControl(): () => void {
    return this.#options.drainControl
  }

  leaderEpochOf({ group, number }: Replica): number {
    return group === null ? this.#options.image.leaderEpochOf(number) : group.raft.term
  }

  /** The replica of a partition that this broker leads, at the epoch that the client believes in (−1: any); or null and {@link error}. */
  admit(number: PartitionNumber, currentLeaderEpoch: number): Replica | null {
    this.error = this.#refusal(number, currentLeaderEpoch)
    if (this.error !== ErrorCode.NONE) {
      this.reason = this.isStopping ? ProduceReason.stopping : reasonOf(this.error)
      return null
    }
    const replica = this.table.get(number) ?? this.table.admit(number)
    if (replica !== undefined) this.use.turnTo(replica)
    if (replica !== undefined && !replica.isReplicated && !replica.isToBeRaised) return replica
    this.error = ErrorCode.NOT_LEADER_OR_FOLLOWER
    if (replica?.isToBeRaised === true) {
      this.reason = ProduceReason.electing
      return null
    }
    this.reason = replica === undefined ? ProduceReason.notLeader : this.replication.lead(replica)
    if (replica === undefined || this.reason !== ProduceReason.NONE) return null
    this.error = epochError(currentLeaderEpoch, this.leaderEpochOf(replica))
    return this.error === ErrorCode.NONE ? replica : null
  }

  /**
   * The replica here of a group whose leader it hears, or that it leads: to be read up to the high watermark that it knows. Or null and {@link error}:
   * REPLICA_NOT_AVAILABLE where its group is closed. It is not opened for that: a follower that wakes alone would take the lead.
   */
  admitReplica(number: PartitionNumber, currentLeaderEpoch: number): Replica | null {
    this.error = this.#refusal(number, -1)
    if (this.error !== ErrorCode.NONE) return null
    const replica = this.table.get(number)
    if (replica !== undefined) this.use.turnTo(replica)
    const group = replica?.group ?? null
    if (group === null) this.error = ErrorCode.REPLICA_NOT_AVAILABLE
    else if (!group.isReadable) this.error = ErrorCode.NOT_LEADER_OR_FOLLOWER
    else this.error = epochError(currentLeaderEpoch, group.raft.term)
    return replica === undefined || this.error !== ErrorCode.NONE ? null : replica
  }

  /** The log of `replica`; or null and {@link error}. */
  open(replica: Replica): PartitionLog | null {
    this.use.turnTo(replica)
    const log = this.table.open(replica, this.nowMs)
    if (log !== null) return log
    this.error = ErrorCode.KAFKA_STORAGE_ERROR
    this.reason = ProduceReason.logFailed
    return null
  }

  /** Marks a replica to be settled later in this turn. */
  readonly moved = (replica: Replica): void => {
    if (replica.isFlushed) return
    replica.isFlushed = true
    this.#moved.push(replica)
  }

  /** Settles what was marked; returns how many. */
  settleMoved(): number {
    if (this.#moved.length === 0) return 0
    const moved = this.#moved
    this.#moved = []
    for (const replica of moved) {
      replica.isFlushed = false
      this.settle(replica)
    }
    return moved.length
  }

  /** Answers the produces that are acknowledged and wakes the watches that the high watermark has passed. */
  settle(replica: Replica): void {
    const log = replica.log
    if (log === null) return
    const { waiting } = replica
    this.use.turnTo(replica)
    if (log.failure !== null) {
      this.table.noteFailure(replica, this.nowMs)
      const { flushFailed, logFailed } = ProduceReason
      const reason = log.hasLostFlush ? flushFailed : logFailed
      this.#refuseWaiting(replica, ErrorCode.KAFKA_STORAGE_ERROR, reason)
      return
    }
    const acknowledged = log.acknowledgedOffset
    const held = replica.isReplicated ? this.replication.heldBelow(replica) : acknowledged
    const produce = this.#scratch
    while (waiting.size > waiting.unwritten && waiting.firstLastOffset < acknowledged) {
      if (waiting.isFirstAll && waiting.firstLastOffset >= held) break
      waiting.shift(produce)
      this.use.hold(replica, -produce.byteLength)
      this.links[produce.front]!.produced(
        produce.correlation,
        ErrorCode.NONE,
        produce.baseOffset,
        produce.logAppendTimeMs,
        produce.logStartOffset,
      )
    }
    if (replica.watches !== null) this.#fire(replica, log.highWatermark, ErrorCode.NONE)
  }

  /** The write failed and was undone: what it would have made is refused; duplicates of older batches are answered. */
  refuseUnwritten(replica: Replica, logEndOffset: number, error: number, reason: number): void {
    replica.waiting.dropUnwritten(this.#scratch, (produce) => {
      if (produce.lastOffset < logEndOffset) return false
      this.#refuse(replica, produce, error, reason)
      return true
    })
  }

  /** It leads no more: whether what waits will be committed shows only under the next leader. */
  deposed(replica: Replica): void {
    const error = ErrorCode.NOT_LEADER_OR_FOLLOWER
    this.#refuseWaiting(replica, error, ProduceReason.leadershipLost)
    this.refuseWatches(replica, error)
  }

  /** Fewer replicas keep up than the topic asks for, after the append. */
  refuseTooFew(replica: Replica): void {
    const error = ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND
    replica.waiting.drop(this.#scratch, (produce) => {
      if (!produce.isAll) return false
      this.#refuse(replica, produce, error, ProduceReason.notEnoughReplicasAfterAppend)
      return true
    })
  }

  /** Refuses every produce that waits for this partition. */
  #refuseWaiting(replica: Replica, error: number, reason: number): void {
    const { waiting } = replica
    const produce = this.#scratch
    while (waiting.size > 0) {
      waiting.shift(produce)
      this.#refuse(replica, produce, error, reason)
    }
    waiting.markWritten()
  }

  /** Answers everybody who waits for this partition: it failed, went away, or the broker stops. */
  refuseAll(replica: Replica, error: number): void {
    this.#refuseWaiting(replica, error, this.isStopping ? ProduceReason.stopping : reasonOf(error))
    this.refuseWatches(replica, error)
  }

  /** Wakes everybody who watches this partition, and says why there is nothing to wait for. */
  refuseWatches(replica: Replica, error: number): void {
    if (replica.watches !== null) this.#fire(replica, Number.POSITIVE_INFINITY, error)
  }

  /** What its watches are kept by: each front may wait for the leader, and for this replica. */
  watchesOf(replica: Replica): Watches {
    replica.watches ??= new Watches(2 * this.links.length)
    return replica.watches
  }

  #fire(replica: Replica, highWatermark: number, error: number): void {
    const fronts = this.links.length
    replica.watches!.fireBelow(highWatermark, (waiter, count) => {
      const link = this.links[waiter % fronts]!
      const type = waiter < fronts ? ReplyType.WOKEN : ReplyType.REPLICA_WOKEN
      const told = error === ErrorCode.NONE ? highWatermark : -1
      for (let i = 0; i < count; i++) link.woken(replica.number, error, told, type)
      this.counters.add(replica.topic.tenantId, BrokerCounter.WAKES, count)
    })
  }

  #refuse(replica: Replica, produce: WaitingProduce, error: number, reason: number): void {
    this.use.hold(replica, -produce.byteLength)
    this.links[produce.front]!.produceRefused(produce.correlation, error, reason)
    this.counters.refused(replica.topic.tenantId, error)
  }

  #refusal(number: PartitionNumber, currentLeaderEpoch: number): number {
    const { image, brokerId, drainControl, isImageWhole } = this.#options
    if (this.isStopping) return ErrorCode.NOT_LEADER_OR_FOLLOWER
    let epoch = image.leaderEpochOf(number)
    if (epoch < 0) {
      drainControl()
      epoch = image.leaderEpochOf(number)
      if (epoch < 0) {
        const { UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER } = ErrorCode
        return isImageWhole() ? UNKNOWN_TOPIC_OR_PARTITION : NOT_LEADER_OR_FOLLOWER
      }
      // what was drained may have been the order to stop
      if (this.isStopping) return ErrorCode.NOT_LEADER_OR_FOLLOWER
    }
    // who leads one of several replicas, and since when, is known by its group
    if (image.isReplicated(number)) {
      const isHere = image.holdersOf(number).includes(brokerId)
      return isHere ? ErrorCode.NONE : ErrorCode.NOT_LEADER_OR_FOLLOWER
    }
    if (image.leaderOf(number) !== brokerId) return ErrorCode.NOT_LEADER_OR_FOLLOWER
    return epochError(currentLeaderEpoch, epoch)
  }
}

/** −1: any will do. */
function epochError(asked: number, epoch: number): number {
  if (asked < 0 || asked === epoch) return ErrorCode.NONE
  return asked < epoch ? ErrorCode.FENCED_LEADER_EPOCH : ErrorCode.UNKNOWN_LEADER_EPOCH
}

function reasonOf(error: number): number {
  if (error === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION) return ProduceReason.unknownPartition
  return error === ErrorCode.KAFKA_STORAGE_ERROR ? ProduceReason.logFailed : ProduceReason.notLeader
}

import type { BrokerId, CellId, PartitionNumber } from '../base/ids.ts'
import type {
  DeletedReply,
  EpochEndedReply,
  LocatedReply,
  OffsetsReply,
  ProducedReply,
} from '../link/replies.ts'
import type { Waiter } from './watch-table.ts'

/*
 * Whoever asks a broker gets its answer by one of these calls, with the token that it gave: one object can have many
 * questions out without a closure for each. Reply objects are used again: read them inside the call. A call may come
 * from within the question when the broker is gone.
 */

export interface ProduceSink {
  onProduced(token: number, reply: Readonly<ProducedReply>): void
  /** The client has been answered already: its time was up. */
  readonly isOver?: boolean
  /** Although it is answered, some broker may look at a batch yet: its memory stays as it is until as many {@link releaseBatch}es. */
  retainBatch?(): void
  releaseBatch?(): void
}

export interface LocateSink {
  onLocated(token: number, reply: Readonly<LocatedReply>): void
}

export interface OffsetsSink {
  onOffsets(token: number, reply: Readonly<OffsetsReply>): void
}

export interface CoordinateSink {
  /**
   * `frame`: the response with its size, a view that lives as long as the call; null where `error` is not 0: no coordinator has answered.
   * `wasHandled`: what was asked may have been carried out all the same.
   */
  onCoordinated(token: number, error: number, frame: Uint8Array | null, wasHandled: boolean): void
}

export interface DeleteSink {
  onDeleted(token: number, reply: Readonly<DeletedReply>): void
}

export interface EpochEndSink {
  onEpochEnd(token: number, reply: Readonly<EpochEndedReply>): void
}

/** Logs as a front reads them: those that a broker leads, or the replicas that it has. */
export interface LogReads {
  readonly brokerId: BrokerId
  readonly alive: boolean
  /** Asks where `offset` is. */
  locate(
    partition: PartitionNumber,
    offset: number,
    maxBytes: number,
    currentLeaderEpoch: number,
    sink: LocateSink,
    token: number,
  ): void
  /** Calls `waiter` once the high watermark of `partition` is beyond `offset`, or when something is wrong with it. */
  watch(partition: PartitionNumber, offset: number, waiter: Waiter): void
  unwatch(waiter: Waiter): void
  /** Whoever waits for the partition here looks again: another leads it, or this replica does not keep up. */
  dismiss(partition: PartitionNumber): void
  /** The high watermark that the broker has been asked to look beyond and has not answered: it still stands. −1: not known. */
  watchedAt(partition: PartitionNumber): number
}

/** A broker's replicas of replicated partitions, whether it leads them or not, up to the high watermark that each knows. */
export interface ReplicaReads extends LogReads {
  /** Its thread hangs: whoever waits for any of them looks again. */
  dismissAll(): void
}

/** A broker as a front sees it: in memory over rings now, over TCP later. On the front's thread. */
export interface BrokerProxy extends LogReads {
  readonly cellId: CellId
  /** Commands that the broker is at work on: watches and coordinators' calls apart, which wait for others. */
  readonly answersDue: number
  /** An answer has come that {@link doWork} has not taken. */
  readonly hasReplies: boolean
  /** Commands that wait for room in the ring. */
  readonly parkedCommands: number
  /** Appends one batch. Its bytes are copied before the call returns, or kept until there is room. */
  produce(
    partition: PartitionNumber,
    acks: number,
    batch: Uint8Array,
    sink: ProduceSink,
    token: number,
  ): void
  listOffsets(
    partition: PartitionNumber,
    timestamp: number,
    currentLeaderEpoch: number,
    sink: OffsetsSink,
    token: number,
  ): void
  /**
   * Hands a request (its frame without the size) to the coordinator in `partition`. The frame is copied before the call returns.
   * `host` is the client's, for those who describe groups.
   */
  coordinate(
    partition: PartitionNumber,
    host: string,
    frame: Uint8Array,
    sink: CoordinateSink,
    token: number,
  ): void
  /** What its coordinators have answered, as the control message `coordinated` carries it. */
  onCoordinated(heads: Int32Array, bytes: Uint8Array): void
  /** Moves the start of the log to `offset`, −1 for the high watermark; answered when that is durable. */
  deleteRecords(partition: PartitionNumber, offset: number, sink: DeleteSink, token: number): void
  /** Asks where `leaderEpoch` ends in the log. */
  epochEnd(
    partition: PartitionNumber,
    leaderEpoch: number,
    currentLeaderEpoch: number,
    sink: EpochEndSink,
    token: number,
  ): void
  /** Takes replies, sends what was waiting for room; returns how much was done. */
  doWork(nowMs: number): number
  /** Sends what there is room for and wakes the broker: at the end of every turn and event. */
  flush(): void
  /** Somebody is to be woken by the next `doWork`, although nothing may come from the broker. */
  readonly hasWork: boolean
  /** Its thread has died: everything outstanding is answered with an error, and all that comes later too. */
  markGone(): void
}

/** One broker, and not whoever leads. */
export interface MemberProxy extends BrokerProxy {
  readonly replicas: ReplicaReads
}

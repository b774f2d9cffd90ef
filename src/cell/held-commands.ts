/** What a front holds of one replicated partition: produces in the order in which they came, and questions. */
import { ErrorCode } from '../base/error-code.ts'
import type { PartitionNumber } from '../base/ids.ts'
import { ProduceReason } from '../link/produce-reason.ts'
import type {
  DeletedReply,
  EpochEndedReply,
  LocatedReply,
  OffsetsReply,
  ProducedReply,
} from '../link/replies.ts'
import type {
  BrokerProxy,
  CoordinateSink,
  DeleteSink,
  EpochEndSink,
  LocateSink,
  OffsetsSink,
  ProduceSink,
} from './broker-proxy.ts'
import {
  failedDeleted,
  failedEpochEnd,
  failedLocated,
  failedOffsets,
  failedProduced,
} from './failed-replies.ts'

/** How many commands have waited for a leader, each counted once. */
export interface HeldCounts {
  produces: number
  /** Questions of fetches. */
  fetches: number
  others: number
}

/** Where commands wait and whence they are sent; the one object of its kind is {@link ReplicatedProxy}. */
export interface Holder {
  readonly counts: HeldCounts
  /** A produce has an answer that the client is to have; `leader`: whoever took it, null where nobody has. */
  onProduceDone(produce: HeldProduce, leader: BrokerProxy | null): void
  /** A produce is held again: `refusedBy`, to which it was sent, does not lead. */
  onProduceHeld(produce: HeldProduce, refusedBy: BrokerProxy): void
  /** One of the same producer came before it, and is held. */
  isBehindHeld(produce: HeldProduce): boolean
  /** The question was refused by one that does not lead: held, or, false, not any longer. */
  hold(ask: HeldAsk, refusedBy: BrokerProxy): boolean
  /** The question is out no more. */
  onAskDone(ask: HeldAsk): void
  /** Rises from question to question. */
  nextNumber(): number
  /** Of the leader as this thread knows it. */
  leaderEpochOf(partition: PartitionNumber): number
}

const isOfNoLeader = (error: number): boolean =>
  error === ErrorCode.NOT_LEADER_OR_FOLLOWER || error === ErrorCode.LEADER_NOT_AVAILABLE

/** Refusals by which nothing was appended. */
const NOT_APPENDED: ReadonlySet<number> = new Set([
  ProduceReason.notLeader,
  ProduceReason.electing,
  ProduceReason.noLeader,
])

/** A batch v2 with a producer id: the broker knows it again when it is sent twice. */
const PRODUCER_ID_AT = 43

function producerIdOf(batch: Uint8Array): number {
  if (batch.length < PRODUCER_ID_AT + 8) return -1
  const { buffer, byteOffset } = batch
  return Number(new DataView(buffer, byteOffset + PRODUCER_ID_AT).getBigInt64(0))
}

/**
 * A produce of a replicated partition from the request to its answer. Each time that it is sent is an attempt of its own: an answer to an
 * earlier one, of a broker that led once, is no answer.
 */
export class HeldProduce implements ProduceSink {
  readonly partition: PartitionNumber
  readonly acks: number
  readonly batch: Uint8Array
  readonly sink: ProduceSink
  readonly token: number
  /** The broker that has it now; null while it is held. */
  sentTo: BrokerProxy | null = null
  /** Of the leader when it was sent last. */
  sentInEpoch = -1
  /** Somebody may have appended it. */
  mayBeAppended = false
  /** Monotonic milliseconds beyond which it is not held; 0 before that is looked at. */
  heldUntilMs = 0
  readonly #holder: Holder
  #attempt = 0
  /** Attempts that are neither answered nor failed: brokers may read its batch yet. */
  #outstanding = 0
  #isStranded = false
  #isDone = false

  constructor(
    holder: Holder,
    partition: PartitionNumber,
    acks: number,
    batch: Uint8Array,
    sink: ProduceSink,
    token: number,
  ) {
    this.#holder = holder
    this.partition = partition
    this.acks = acks
    this.batch = batch
    this.sink = sink
    this.token = token
  }

  /** −1 without one. */
  get producerId(): number {
    return producerIdOf(this.batch)
  }

  /** Whoever appends it knows it again. */
  get isIdempotent(): boolean {
    return this.batch.length > PRODUCER_ID_AT && this.batch[PRODUCER_ID_AT]! < 0x80
  }

  /** The client has been told that its time is up, or has gone. */
  get isOver(): boolean {
    return this.sink.isOver === true
  }

  send(proxy: BrokerProxy): void {
    this.sentTo = proxy
    this.sentInEpoch = this.#holder.leaderEpochOf(this.partition)
    this.#outstanding++
    proxy.produce(this.partition, this.acks, this.batch, this, ++this.#attempt)
  }

  /** Another leads: what the broker that has it says counts no more. */
  abandon(): void {
    if (this.sentTo === null) return
    this.sentTo = null
    this.#attempt++
    this.mayBeAppended = true
  }

  /** It is to be sent to nobody else: the client gets what the broker that has it says. */
  strand(): void {
    this.#isStranded = true
  }

  /** Ends it: the client is told `error`. */
  refuse(error: number, reason: number = ProduceReason.notLeader): void {
    this.#finish({ ...failedProduced(error), reason }, null)
  }

  onProduced(attempt: number, reply: Readonly<ProducedReply>): void {
    this.#outstanding--
    if (this.#isDone) {
      if (this.#outstanding === 0) this.sink.releaseBatch?.()
      return
    }
    if (attempt !== this.#attempt) return
    const by = this.sentTo!
    this.sentTo = null
    if (this.#isToBeSentAgain(reply)) this.#holder.onProduceHeld(this, by)
    else this.#finish(reply, reply.error === ErrorCode.NONE ? by : null)
  }

  #isToBeSentAgain({ error, reason }: Readonly<ProducedReply>): boolean {
    if (error === ErrorCode.NONE || reason === ProduceReason.stopping) return false
    if (this.#isStranded) return false
    // it has overtaken one that was refused
    if (error === ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER) return this.#holder.isBehindHeld(this)
    const isDisk = error === ErrorCode.KAFKA_STORAGE_ERROR && reason !== ProduceReason.diskFull
    if (!isOfNoLeader(error) && !isDisk) return false
    this.mayBeAppended ||= !NOT_APPENDED.has(reason)
    return !this.mayBeAppended || this.isIdempotent
  }

  #finish(reply: Readonly<ProducedReply>, leader: BrokerProxy | null): void {
    this.#isDone = true
    this.sentTo = null
    if (this.heldUntilMs !== 0) this.#holder.counts.produces++
    // a broker that hangs may look at the batch when it wakes up
    if (this.#outstanding > 0) this.sink.retainBatch?.()
    this.#holder.onProduceDone(this, leader)
    this.sink.onProduced(this.token, reply)
  }
}

/** A question about a replicated partition, asked again until somebody who leads has answered. */
export abstract class HeldAsk {
  readonly partition: PartitionNumber
  readonly holder: Holder
  readonly token: number
  /** Monotonic milliseconds beyond which it is not held. */
  readonly untilMs: number
  /** The broker that it was sent to, null while it is held. */
  sentTo: BrokerProxy | null = null
  sentInEpoch = -1
  /** It may be sent only after those of its kind that came before it. */
  readonly isOrdered: boolean = false
  readonly isFetch: boolean = false
  /** Its place among others. */
  readonly number: number
  #attempt = 0
  #wasHeld = false

  constructor(holder: Holder, partition: PartitionNumber, token: number, untilMs: number) {
    this.holder = holder
    this.partition = partition
    this.token = token
    this.untilMs = untilMs
    this.number = holder.nextNumber()
  }

  send(proxy: BrokerProxy): void {
    this.sentTo = proxy
    this.sentInEpoch = this.holder.leaderEpochOf(this.partition)
    this.ask(proxy, ++this.#attempt)
  }

  noteHeld(): void {
    if (this.#wasHeld) return
    this.#wasHeld = true
    this.holder.counts[this.isFetch ? 'fetches' : 'others']++
  }

  /** Another leads, and the broker that was asked hangs: what it says counts no more. False: it is not to be asked of another, and has failed. */
  abandon(): boolean {
    this.sentTo = null
    this.#attempt++
    return true
  }

  /** Takes an answer: whether the client is to have it. `isRefusal`: whoever gave it does not lead. */
  protected isAnswer(attempt: number, isRefusal: boolean): boolean {
    if (attempt !== this.#attempt || this.sentTo === null) return false
    const by = this.sentTo
    this.sentTo = null
    if (isRefusal && this.holder.hold(this, by)) return false
    this.holder.onAskDone(this)
    return true
  }

  protected abstract ask(proxy: BrokerProxy, attempt: number): void
  /** Nobody leads, and it has been held for long enough. */
  abstract fail(): void
}

export class HeldLocate extends HeldAsk implements LocateSink {
  override readonly isFetch = true
  readonly sink: LocateSink
  readonly offset: number
  readonly maxBytes: number
  readonly currentLeaderEpoch: number

  constructor(
    holder: Holder,
    of: {
      readonly partition: PartitionNumber
      readonly offset: number
      readonly maxBytes: number
      readonly currentLeaderEpoch: number
      readonly sink: LocateSink
      readonly token: number
      readonly untilMs: number
    },
  ) {
    super(holder, of.partition, of.token, of.untilMs)
    this.sink = of.sink
    this.offset = of.offset
    this.maxBytes = of.maxBytes
    this.currentLeaderEpoch = of.currentLeaderEpoch
  }

  protected ask(proxy: BrokerProxy, attempt: number): void {
    proxy.locate(this.partition, this.offset, this.maxBytes, this.currentLeaderEpoch, this, attempt)
  }

  onLocated(attempt: number, reply: Readonly<LocatedReply>): void {
    if (this.isAnswer(attempt, isOfNoLeader(reply.error))) this.sink.onLocated(this.token, reply)
  }

  fail(): void {
    this.sink.onLocated(this.token, failedLocated(ErrorCode.NOT_LEADER_OR_FOLLOWER))
  }
}

export class HeldListOffsets extends HeldAsk implements OffsetsSink {
  readonly sink: OffsetsSink
  readonly timestamp: number
  readonly currentLeaderEpoch: number

  constructor(
    holder: Holder,
    of: {
      readonly partition: PartitionNumber
      readonly timestamp: number
      readonly currentLeaderEpoch: number
      readonly sink: OffsetsSink
      readonly token: number
      readonly untilMs: number
    },
  ) {
    super(holder, of.partition, of.token, of.untilMs)
    this.sink = of.sink
    this.timestamp = of.timestamp
    this.currentLeaderEpoch = of.currentLeaderEpoch
  }

  protected ask(proxy: BrokerProxy, attempt: number): void {
    proxy.listOffsets(this.partition, this.timestamp, this.currentLeaderEpoch, this, attempt)
  }

  onOffsets(attempt: number, reply: Readonly<OffsetsReply>): void {
    if (this.isAnswer(attempt, isOfNoLeader(reply.error))) this.sink.onOffsets(this.token, reply)
  }

  fail(): void {
    this.sink.onOffsets(this.token, failedOffsets(ErrorCode.NOT_LEADER_OR_FOLLOWER))
  }
}

export class HeldDelete extends HeldAsk implements DeleteSink {
  readonly sink: DeleteSink
  readonly offset: number

  constructor(
    holder: Holder,
    of: {
      readonly partition: PartitionNumber
      readonly offset: number
      readonly sink: DeleteSink
      readonly token: number
      readonly untilMs: number
    },
  ) {
    super(holder, of.partition, of.token, of.untilMs)
    this.sink = of.sink
    this.offset = of.offset
  }

  protected ask(proxy: BrokerProxy, attempt: number): void {
    proxy.deleteRecords(this.partition, this.offset, this, attempt)
  }

  onDeleted(attempt: number, reply: Readonly<DeletedReply>): void {
    if (this.isAnswer(attempt, isOfNoLeader(reply.error))) this.sink.onDeleted(this.token, reply)
  }

  fail(): void {
    this.sink.onDeleted(this.token, failedDeleted(ErrorCode.NOT_LEADER_OR_FOLLOWER))
  }
}

export class HeldEpochEnd extends HeldAsk implements EpochEndSink {
  readonly sink: EpochEndSink
  readonly leaderEpoch: number
  readonly currentLeaderEpoch: number

  constructor(
    holder: Holder,
    of: {
      readonly partition: PartitionNumber
      readonly leaderEpoch: number
      readonly currentLeaderEpoch: number
      readonly sink: EpochEndSink
      readonly token: number
      readonly untilMs: number
    },
  ) {
    super(holder, of.partition, of.token, of.untilMs)
    this.sink = of.sink
    this.leaderEpoch = of.leaderEpoch
    this.currentLeaderEpoch = of.currentLeaderEpoch
  }

  protected ask(proxy: BrokerProxy, attempt: number): void {
    proxy.epochEnd(this.partition, this.leaderEpoch, this.currentLeaderEpoch, this, attempt)
  }

  onEpochEnd(attempt: number, reply: Readonly<EpochEndedReply>): void {
    if (this.isAnswer(attempt, isOfNoLeader(reply.error))) this.sink.onEpochEnd(this.token, reply)
  }

  fail(): void {
    this.sink.onEpochEnd(this.token, failedEpochEnd(ErrorCode.NOT_LEADER_OR_FOLLOWER))
  }
}

/**
 * A request for a coordinator. One that a broker has refused before it looked at it is asked again of the next leader; one that a broker had when it died,
 * or that its coordinator had when it went, may have been carried out, and is the client's to ask again.
 */
export class HeldCall extends HeldAsk implements CoordinateSink {
  override readonly isOrdered = true
  readonly sink: CoordinateSink
  readonly host: string
  /** Of its own: what the caller gave is gone when its call returns. */
  readonly frame: Uint8Array

  constructor(
    holder: Holder,
    of: {
      readonly partition: PartitionNumber
      readonly host: string
      readonly frame: Uint8Array
      readonly sink: CoordinateSink
      readonly token: number
      readonly untilMs: number
    },
  ) {
    super(holder, of.partition, of.token, of.untilMs)
    this.sink = of.sink
    this.host = of.host
    this.frame = of.frame.slice()
  }

  protected ask(proxy: BrokerProxy, attempt: number): void {
    proxy.coordinate(this.partition, this.host, this.frame, this, attempt)
  }

  override abandon(): boolean {
    super.abandon()
    this.fail()
    return false
  }

  onCoordinated(
    attempt: number,
    error: number,
    frame: Uint8Array | null,
    wasHandled: boolean,
  ): void {
    const { NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE } = ErrorCode
    const isElsewhere = error === NOT_COORDINATOR || error === COORDINATOR_NOT_AVAILABLE
    if (this.isAnswer(attempt, frame === null && isElsewhere && !wasHandled)) {
      this.sink.onCoordinated(this.token, error, frame, wasHandled)
    }
  }

  fail(): void {
    this.sink.onCoordinated(this.token, ErrorCode.NOT_COORDINATOR, null, false)
  }
}

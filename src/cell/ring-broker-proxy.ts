import type { Clock } from '../base/clock.ts'
import { ErrorCode } from '../base/error-code.ts'
import { asPartitionNumber, type BrokerId, type CellId, type PartitionNumber } from '../base/ids.ts'
import { CommandType, ReplyType } from '../link/commands.ts'
import type { ControlPort, PeerName } from '../link/ports.ts'
import {
  type DeletedReply,
  type EpochEndedReply,
  type LocatedReply,
  type OffsetsReply,
  type ProducedReply,
  readDeleted,
  readEpochEnded,
  readLocated,
  readOffsets,
  readProduced,
  readWoken,
  type WokenReply,
} from '../link/replies.ts'
import type { RingHandler, RingReader } from '../shared/ring-reader.ts'
import type { RingWriter } from '../shared/ring-writer.ts'
import type {
  CoordinateSink,
  DeleteSink,
  EpochEndSink,
  LocateSink,
  MemberProxy,
  OffsetsSink,
  ProduceSink,
} from './broker-proxy.ts'
import { type Ask, type Asker, CommandSender } from './command-sender.ts'
import { CoordinatorCalls } from './coordinator-calls.ts'
import {
  failedDeleted,
  failedEpochEnd,
  failedLocated,
  failedOffsets,
  failedProduced,
} from './failed-replies.ts'
import { ParkedCommands } from './parked-commands.ts'
import { RingReplicaReads } from './replica-reads.ts'
import { type Waiter, WatchTable } from './watch-table.ts'

export interface RingBrokerProxyOptions {
  /** The front's memory for frames, if this broker sees it: batches that lie there are not copied. */
  readonly frames?: SharedArrayBuffer | null
  readonly cellId: CellId
  readonly brokerId: BrokerId
  readonly commands: RingWriter
  readonly replies: RingReader
  /** Of the broker's thread. */
  readonly bell: { ring(): void }
  /** Over which a batch too large for the ring is sent. */
  readonly control: ControlPort
  readonly peer: PeerName
  readonly clock: Clock
  /** Whose partition it is: what waits for room goes out in turn. All are one tenant's unless given. */
  readonly tenantOf?: (partition: PartitionNumber) => string
}

/** A command that waits for room. */
type Parked =
  | {
      readonly kind: 'produce'
      readonly tenant: string
      readonly partition: PartitionNumber
      readonly acks: number
      readonly batch: Uint8Array
      readonly sink: ProduceSink
      readonly token: number
    }
  | Ask

/** Replies taken per turn. */
const REPLIES_PER_TURN = 4096

/**
 * A broker on another thread of this process, through a pair of rings. A command is sent only when room for its reply
 * is reserved; what finds no room waits here in order, and holds nobody else up. Belongs to the front's thread.
 */
export class RingBrokerProxy implements MemberProxy, RingHandler {
  readonly cellId: CellId
  readonly brokerId: BrokerId
  readonly replicas: RingReplicaReads
  readonly #options: RingBrokerProxyOptions
  readonly #sender: CommandSender
  readonly #watches: WatchTable
  readonly #calls: CoordinatorCalls
  readonly #parked = new ParkedCommands<Parked>()
  readonly #tenantOf: (partition: PartitionNumber) => string
  #alive = true
  // used again for every reply
  readonly #produced: ProducedReply = failedProduced(0)
  readonly #located: LocatedReply = failedLocated(0)
  readonly #offsets: OffsetsReply = failedOffsets(0)
  readonly #deleted: DeletedReply = { correlation: 0, error: 0, lowWatermark: -1 }
  readonly #epochEnded: EpochEndedReply = {
    correlation: 0,
    error: 0,
    leaderEpoch: -1,
    endOffset: -1,
  }
  readonly #woken: WokenReply = { partition: asPartitionNumber(0), error: 0, highWatermark: 0 }

  constructor(options: RingBrokerProxyOptions) {
    this.cellId = options.cellId
    this.brokerId = options.brokerId
    this.#options = options
    this.#tenantOf = options.tenantOf ?? (() => '')
    const { commands, replies, control, peer, clock } = options
    const replyRingBytes = replies.capacityBytes
    this.#sender = new CommandSender({
      ...{ commands, replyRingBytes, control, peer, clock },
      frames: options.frames ?? null,
    })
    this.#watches = new WatchTable((partition, offset) => this.#sendWatch(partition, offset))
    const isAlive = () => this.#alive
    this.replicas = new RingReplicaReads({
      brokerId: this.brokerId,
      get alive() {
        return isAlive()
      },
      ask: (command) => this.#ask(command),
      sendWatch: (partition, offset) =>
        this.#sendWatch(partition, offset, CommandType.REPLICA_WATCH),
    })
    this.#calls = new CoordinatorCalls(commands, (bytes) => this.#sender.sendBuffer(bytes))
  }

  get alive(): boolean {
    return this.#alive
  }

  get parkedCommands(): number {
    return this.#parked.size + this.#calls.parked
  }

  /** LOCATEs sent so far. */
  get locates(): number {
    return this.#sender.locates
  }

  /** Commands that the broker has not answered, watches apart. */
  get outstanding(): number {
    return this.#sender.correlations.size + this.#calls.outstanding
  }

  get watches(): WatchTable {
    return this.#watches
  }

  produce(
    partition: PartitionNumber,
    acks: number,
    batch: Uint8Array,
    sink: ProduceSink,
    token: number,
  ): void {
    if (!this.#alive) {
      sink.onProduced(token, failedProduced(ErrorCode.LEADER_NOT_AVAILABLE))
      return
    }
    const tenant = this.#tenantOf(partition)
    this.#sender.noteWriter(tenant)
    const isFree = !this.#parked.has(tenant)
    if (isFree && this.#sender.sendProduce(tenant, partition, acks, batch, sink, token)) return
    const parked = { kind: 'produce', tenant, partition, acks, batch, sink, token } as const
    this.#parked.add(tenant, parked, batch.length)
  }

  locate(
    partition: PartitionNumber,
    offset: number,
    maxBytes: number,
    currentLeaderEpoch: number,
    sink: LocateSink,
    token: number,
  ): void {
    const kind = 'locate'
    this.#ask({ kind, partition, at: offset, maxBytes, currentLeaderEpoch, sink, token })
  }

  listOffsets(
    partition: PartitionNumber,
    timestamp: number,
    currentLeaderEpoch: number,
    sink: OffsetsSink,
    token: number,
  ): void {
    const kind = 'list-offsets'
    this.#ask({ kind, partition, at: timestamp, maxBytes: 0, currentLeaderEpoch, sink, token })
  }

  coordinate(
    partition: PartitionNumber,
    host: string,
    frame: Uint8Array,
    sink: CoordinateSink,
    token: number,
  ): void {
    if (!this.#alive) sink.onCoordinated(token, ErrorCode.COORDINATOR_NOT_AVAILABLE, null, false)
    else if (this.#calls.call(partition, host, frame, sink, token)) this.#sender.noteWritten()
  }

  /** From the control port: `coordinated`. */
  onCoordinated(heads: Int32Array, bytes: Uint8Array): void {
    if (this.#alive) this.#calls.onAnswers(heads, bytes)
  }

  deleteRecords(partition: PartitionNumber, offset: number, sink: DeleteSink, token: number): void {
    const kind = 'delete-records'
    this.#ask({ kind, partition, at: offset, maxBytes: 0, currentLeaderEpoch: -1, sink, token })
  }

  epochEnd(
    partition: PartitionNumber,
    leaderEpoch: number,
    currentLeaderEpoch: number,
    sink: EpochEndSink,
    token: number,
  ): void {
    const kind = 'epoch-end'
    this.#ask({ kind, partition, at: leaderEpoch, maxBytes: 0, currentLeaderEpoch, sink, token })
  }

  watch(partition: PartitionNumber, offset: number, waiter: Waiter): void {
    if (this.#alive) this.#watches.add(partition, offset, waiter)
    else waiter.onWoken(ErrorCode.LEADER_NOT_AVAILABLE)
  }

  unwatch(waiter: Waiter): void {
    this.#watches.remove(waiter)
  }

  dismiss(partition: PartitionNumber): void {
    this.#watches.dismiss(partition, ErrorCode.NOT_LEADER_OR_FOLLOWER)
  }

  watchedAt(partition: PartitionNumber): number {
    return this.#watches.outstandingAt(partition)
  }

  doWork(_nowMs: number): number {
    if (!this.#alive) return 0
    let work = this.#options.replies.poll(this, REPLIES_PER_TURN)
    this.#sender.polled()
    work += this.#sendParked()
    if (this.#calls.parked > 0) work += this.#sendCalls()
    if (this.#watches.hasWork) work += this.#watches.doWork()
    if (this.replicas.watches.hasWork) work += this.replicas.watches.doWork()
    return work
  }

  get answersDue(): number {
    return this.#sender.correlations.size
  }

  get hasReplies(): boolean {
    return this.#alive && !this.#options.replies.isEmpty
  }

  get hasWork(): boolean {
    return this.#watches.hasDue || this.replicas.watches.hasDue
  }

  flush(): void {
    if (this.#alive) {
      this.#watches.sendQueued()
      this.replicas.watches.sendQueued()
    }
    if (this.#sender.takeWritten()) this.#options.bell.ring()
  }

  markGone(): void {
    if (!this.#alive) return
    // What it answered before it died still counts.
    while (this.#options.replies.poll(this, REPLIES_PER_TURN) > 0);
    this.#alive = false
    const parked = this.#parked.takeAll()
    const { correlations } = this.#sender
    for (const slot of correlations.slots()) {
      const token = correlations.token(slot)
      fail(correlations.take(slot), token, ErrorCode.NOT_LEADER_OR_FOLLOWER)
    }
    for (const { sink, token } of parked) fail(sink, token, ErrorCode.LEADER_NOT_AVAILABLE)
    this.#calls.failAll()
    this.#watches.failAll(ErrorCode.LEADER_NOT_AVAILABLE)
    this.replicas.watches.failAll(ErrorCode.REPLICA_NOT_AVAILABLE)
  }

  /** From the reply ring. */
  onRecord(type: number, reader: RingReader, offset: number, _length: number): void {
    const view = reader.view
    if (type === ReplyType.WOKEN || type === ReplyType.REPLICA_WOKEN) {
      this.#sender.woken()
      const woken = this.#woken
      readWoken(view, offset, woken)
      const watches = type === ReplyType.WOKEN ? this.#watches : this.replicas.watches
      watches.onWoken(woken.partition, woken.error, woken.highWatermark)
      return
    }
    const slot = view.getUint32(offset, true)
    this.#sender.replied(slot)
    const { correlations } = this.#sender
    const token = correlations.token(slot)
    const asker = correlations.take(slot)
    if (type === ReplyType.PRODUCED) {
      readProduced(view, offset, this.#produced)
      ;(asker as ProduceSink).onProduced(token, this.#produced)
    } else if (type === ReplyType.LOCATED) {
      readLocated(view, offset, this.#located)
      this.#located.brokerId = this.brokerId
      ;(asker as LocateSink).onLocated(token, this.#located)
    } else if (type === ReplyType.OFFSETS) {
      readOffsets(view, offset, this.#offsets)
      this.#offsets.brokerId = this.brokerId
      ;(asker as OffsetsSink).onOffsets(token, this.#offsets)
    } else if (type === ReplyType.DELETED) {
      readDeleted(view, offset, this.#deleted)
      ;(asker as DeleteSink).onDeleted(token, this.#deleted)
    } else {
      readEpochEnded(view, offset, this.#epochEnded)
      ;(asker as EpochEndSink).onEpochEnd(token, this.#epochEnded)
    }
  }

  #ask(command: Ask): void {
    if (!this.#alive) fail(command.sink, command.token, ErrorCode.LEADER_NOT_AVAILABLE)
    else if (!this.#mayPass(command) || !this.#sender.sendAsk(command))
      this.#parked.add(this.#tenantOf(command.partition), command, 0)
  }

  /** What waits is not the tenant's own: it may wait for room that a question does not need. */
  #mayPass({ partition }: Ask): boolean {
    return this.#parked.size === 0 || !this.#parked.has(this.#tenantOf(partition))
  }

  #sendParked(): number {
    return this.#parked.sendTo((parked) => this.#send(parked))
  }

  #sendCalls(): number {
    const sent = this.#calls.sendParked()
    if (sent > 0) this.#sender.noteWritten()
    return sent
  }

  #send(parked: Parked): boolean {
    if (parked.kind !== 'produce') return this.#sender.sendAsk(parked)
    const { tenant, partition, acks, batch, sink, token } = parked
    return this.#sender.sendProduce(tenant, partition, acks, batch, sink, token)
  }

  /** Also where commands wait: those of a tenant that is held back are no reason not to wake others, and they have had the ring's room first. */
  #sendWatch(partition: PartitionNumber, offset: number, type?: number): boolean {
    return this.#sender.sendWatch(partition, offset, type)
  }
}

function fail(asker: Asker, token: number, error: number): void {
  if ('onProduced' in asker) asker.onProduced(token, failedProduced(error))
  else if ('onLocated' in asker) asker.onLocated(token, failedLocated(error))
  else if ('onOffsets' in asker) asker.onOffsets(token, failedOffsets(error))
  else if ('onDeleted' in asker) asker.onDeleted(token, failedDeleted(error))
  else asker.onEpochEnd(token, failedEpochEnd(error))
}

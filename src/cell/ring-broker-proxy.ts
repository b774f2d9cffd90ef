import type { Clock } from '../base/clock.ts'
import { copyBytes } from '../base/copy.ts'
import { ErrorCode } from '../base/error-code.ts'
import { asPartitionNumber, type BrokerId, type CellId, type PartitionNumber } from '../base/ids.ts'
import {
  BatchIn,
  CommandType,
  DELETE_RECORDS_BYTES,
  EPOCH_END_BYTES,
  LIST_OFFSETS_BYTES,
  LOCATE_BYTES,
  type LocateCommand,
  PRODUCE_HEADER_BYTES,
  type ProduceCommand,
  REPLY_BYTES_MAX,
  ReplyType,
  WATCH_BYTES,
  writeDeleteRecords,
  writeEpochEnd,
  writeListOffsets,
  writeLocate,
  writeProduce,
  writeWatch,
} from '../link/commands.ts'
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
  BrokerProxy,
  CoordinateSink,
  DeleteSink,
  EpochEndSink,
  LocateSink,
  OffsetsSink,
  ProduceSink,
} from './broker-proxy.ts'
import { CoordinatorCalls } from './coordinator-calls.ts'
import { Correlations } from './correlations.ts'
import {
  failedDeleted,
  failedEpochEnd,
  failedLocated,
  failedOffsets,
  failedProduced,
} from './failed-replies.ts'
import { type Waiter, WatchTable } from './watch-table.ts'

export interface RingBrokerProxyOptions {
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
}

type Asker = ProduceSink | LocateSink | OffsetsSink | DeleteSink | EpochEndSink

/** A question about one place of a log. */
interface Ask {
  readonly kind: 'locate' | 'list-offsets' | 'delete-records' | 'epoch-end'
  readonly partition: PartitionNumber
  /** Offset, timestamp or epoch. */
  readonly at: number
  readonly maxBytes: number
  readonly currentLeaderEpoch: number
  readonly sink: Asker
  readonly token: number
}

/** A command that waits for room. */
type Parked =
  | {
      readonly kind: 'produce'
      readonly partition: PartitionNumber
      readonly acks: number
      readonly batch: Uint8Array
      readonly sink: ProduceSink
      readonly token: number
    }
  | Ask

/** Replies taken per turn. */
const REPLIES_PER_TURN = 4096

/** WATCHes may take this share of the reply ring's room: an answer may be long in coming, and others need room too. */
const WATCH_SHARE = 0.5

const COMMANDS = {
  locate: { type: CommandType.LOCATE, bytes: LOCATE_BYTES },
  'list-offsets': { type: CommandType.LIST_OFFSETS, bytes: LIST_OFFSETS_BYTES },
  'delete-records': { type: CommandType.DELETE_RECORDS, bytes: DELETE_RECORDS_BYTES },
  'epoch-end': { type: CommandType.EPOCH_END, bytes: EPOCH_END_BYTES },
} as const

/** Ring bytes of a WOKEN with its record header. */
const WOKEN_RECORD_BYTES = 24

/**
 * A broker on another thread of this process, through a pair of rings. A command is sent only when room for its reply
 * is reserved; what finds no room waits here in order, and holds nobody else up. Belongs to the front's thread.
 */
export class RingBrokerProxy implements BrokerProxy, RingHandler {
  readonly cellId: CellId
  readonly brokerId: BrokerId
  readonly #options: RingBrokerProxyOptions
  readonly #correlations = new Correlations<Asker>()
  readonly #watches: WatchTable
  readonly #calls: CoordinatorCalls
  #parked: Parked[] = []
  #parkedHead = 0
  /** Reply ring bytes promised to commands that are out. */
  #reservedBytes = 0
  /** Promises kept during a poll: their room is free only once the poll has moved the ring's head. */
  #releasedBytes = 0
  readonly #reservableBytes: number
  #watchBytes = 0
  #wrote = false
  #alive = true
  #nextBufferId = 1
  /** LOCATEs sent so far. */
  #locates = 0
  // used again for every command and reply
  readonly #produce: ProduceCommand = {
    correlation: 0,
    partition: asPartitionNumber(0),
    nowMs: 0,
    acks: 0,
    batchIn: 0,
    bufferId: 0,
    byteLength: 0,
  }
  readonly #locate: LocateCommand = {
    correlation: 0,
    partition: asPartitionNumber(0),
    offset: 0,
    maxBytes: 0,
    currentLeaderEpoch: -1,
  }
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
    // A padding at the ring's end may take the room of one more reply.
    this.#reservableBytes = options.replies.capacityBytes - 2 * REPLY_BYTES_MAX
    this.#watches = new WatchTable((partition, offset) => this.#sendWatch(partition, offset))
    this.#calls = new CoordinatorCalls(options.commands, (bytes) => this.#sendBuffer(bytes))
  }

  get alive(): boolean {
    return this.#alive
  }

  get parkedCommands(): number {
    return this.#parkedInOrder + this.#calls.parked
  }

  /** Those that hold up all that come after them. */
  get #parkedInOrder(): number {
    return this.#parked.length - this.#parkedHead
  }

  get locates(): number {
    return this.#locates
  }

  /** Commands that the broker has not answered, watches apart. */
  get outstanding(): number {
    return this.#correlations.size + this.#calls.outstanding
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
    if (this.#parkedInOrder === 0 && this.#sendProduce(partition, acks, batch, sink, token)) return
    this.#parked.push({ kind: 'produce', partition, acks, batch, sink, token })
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
    if (!this.#alive) sink.onCoordinated(token, ErrorCode.COORDINATOR_NOT_AVAILABLE, null)
    else if (this.#calls.call(partition, host, frame, sink, token)) this.#wrote = true
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

  watchedAt(partition: PartitionNumber): number {
    return this.#watches.outstandingAt(partition)
  }

  doWork(_nowMs: number): number {
    if (!this.#alive) return 0
    let work = this.#options.replies.poll(this, REPLIES_PER_TURN)
    this.#reservedBytes -= this.#releasedBytes
    this.#releasedBytes = 0
    work += this.#sendParked()
    if (this.#calls.parked > 0) work += this.#sendCalls()
    if (this.#watches.hasWork) work += this.#watches.doWork()
    return work
  }

  get hasWork(): boolean {
    return this.#watches.hasDue
  }

  flush(): void {
    if (this.#alive) this.#watches.sendQueued()
    if (!this.#wrote) return
    this.#wrote = false
    this.#options.bell.ring()
  }

  markGone(): void {
    if (!this.#alive) return
    // What it answered before it died still counts.
    while (this.#options.replies.poll(this, REPLIES_PER_TURN) > 0);
    this.#alive = false
    const parked = this.#parked.slice(this.#parkedHead)
    this.#parked = []
    this.#parkedHead = 0
    for (const slot of this.#correlations.slots()) {
      const token = this.#correlations.token(slot)
      fail(this.#correlations.take(slot), token, ErrorCode.NOT_LEADER_OR_FOLLOWER)
    }
    for (const { sink, token } of parked) fail(sink, token, ErrorCode.LEADER_NOT_AVAILABLE)
    this.#calls.failAll()
    this.#watches.failAll(ErrorCode.LEADER_NOT_AVAILABLE)
  }

  /** From the reply ring. */
  onRecord(type: number, reader: RingReader, offset: number, _length: number): void {
    const view = reader.view
    if (type === ReplyType.WOKEN) {
      this.#releasedBytes += WOKEN_RECORD_BYTES
      this.#watchBytes -= WOKEN_RECORD_BYTES
      const woken = this.#woken
      readWoken(view, offset, woken)
      this.#watches.onWoken(woken.partition, woken.error, woken.highWatermark)
      return
    }
    this.#releasedBytes += REPLY_BYTES_MAX
    const slot = view.getUint32(offset, true)
    const token = this.#correlations.token(slot)
    const asker = this.#correlations.take(slot)
    if (type === ReplyType.PRODUCED) {
      readProduced(view, offset, this.#produced)
      ;(asker as ProduceSink).onProduced(token, this.#produced)
    } else if (type === ReplyType.LOCATED) {
      readLocated(view, offset, this.#located)
      ;(asker as LocateSink).onLocated(token, this.#located)
    } else if (type === ReplyType.OFFSETS) {
      readOffsets(view, offset, this.#offsets)
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
    else if (this.#parkedInOrder > 0 || !this.#sendAsk(command)) this.#parked.push(command)
  }

  #sendParked(): number {
    let sent = 0
    while (this.#parkedHead < this.#parked.length) {
      const next = this.#parked[this.#parkedHead]!
      if (!this.#send(next)) break
      this.#parkedHead++
      sent++
    }
    if (this.#parkedHead === this.#parked.length) {
      this.#parked.length = this.#parkedHead = 0
    } else if (this.#parkedHead > 1024) {
      this.#parked.splice(0, this.#parkedHead)
      this.#parkedHead = 0
    }
    return sent
  }

  #sendCalls(): number {
    const sent = this.#calls.sendParked()
    if (sent > 0) this.#wrote = true
    return sent
  }

  #send(parked: Parked): boolean {
    if (parked.kind !== 'produce') return this.#sendAsk(parked)
    const { partition, acks, batch, sink, token } = parked
    return this.#sendProduce(partition, acks, batch, sink, token)
  }

  #canReserve(bytes: number): boolean {
    return this.#reservedBytes + bytes <= this.#reservableBytes
  }

  #sendProduce(
    partition: PartitionNumber,
    acks: number,
    batch: Uint8Array,
    sink: ProduceSink,
    token: number,
  ): boolean {
    if (!this.#canReserve(REPLY_BYTES_MAX)) return false
    const ring = this.#options.commands
    const length = batch.length
    const inRing = PRODUCE_HEADER_BYTES + length <= ring.maxRecordBytes
    const at = ring.claim(
      CommandType.PRODUCE,
      inRing ? PRODUCE_HEADER_BYTES + length : PRODUCE_HEADER_BYTES,
    )
    if (at < 0) return false
    const command = this.#produce
    command.correlation = this.#correlations.add(sink, token)
    command.partition = partition
    command.nowMs = this.#options.clock.wallMs()
    command.acks = acks
    command.batchIn = inRing ? BatchIn.RING : BatchIn.BUFFER
    command.bufferId = inRing ? 0 : this.#sendBuffer(batch)
    command.byteLength = length
    writeProduce(ring.view, at, command)
    if (inRing) copyBytes(ring.bytes, at + PRODUCE_HEADER_BYTES, batch)
    this.#commit(REPLY_BYTES_MAX)
    return true
  }

  /** The message is posted before the command that names it is published, so the broker finds it. */
  #sendBuffer(batch: Uint8Array): number {
    const bufferId = this.#nextBufferId
    this.#nextBufferId = (bufferId % 0xffff_ffff) + 1
    const sab = new SharedArrayBuffer(batch.length)
    copyBytes(new Uint8Array(sab), 0, batch)
    this.#options.control.post(this.#options.peer, { kind: 'batch-buffer', bufferId, sab })
    return bufferId
  }

  #sendAsk(command: Ask): boolean {
    if (!this.#canReserve(REPLY_BYTES_MAX)) return false
    const ring = this.#options.commands
    const { partition, currentLeaderEpoch } = command
    const at = ring.claim(COMMANDS[command.kind].type, COMMANDS[command.kind].bytes)
    if (at < 0) return false
    const correlation = this.#correlations.add(command.sink, command.token)
    if (command.kind === 'locate') {
      const locate = this.#locate
      locate.correlation = correlation
      locate.partition = partition
      locate.offset = command.at
      locate.maxBytes = command.maxBytes
      locate.currentLeaderEpoch = currentLeaderEpoch
      writeLocate(ring.view, at, locate)
      this.#locates++
    } else if (command.kind === 'list-offsets') {
      const timestamp = command.at
      writeListOffsets(ring.view, at, { correlation, partition, timestamp, currentLeaderEpoch })
    } else if (command.kind === 'delete-records') {
      writeDeleteRecords(ring.view, at, { correlation, partition, offset: command.at })
    } else {
      const leaderEpoch = command.at
      writeEpochEnd(ring.view, at, { correlation, partition, leaderEpoch, currentLeaderEpoch })
    }
    this.#commit(REPLY_BYTES_MAX)
    return true
  }

  #sendWatch(partition: PartitionNumber, offset: number): boolean {
    const watchBytesMax = this.#reservableBytes * WATCH_SHARE
    if (this.#watchBytes + WOKEN_RECORD_BYTES > watchBytesMax) return false
    if (this.#parkedInOrder > 0 || !this.#canReserve(WOKEN_RECORD_BYTES)) return false
    const ring = this.#options.commands
    const at = ring.claim(CommandType.WATCH, WATCH_BYTES)
    if (at < 0) return false
    writeWatch(ring.view, at, { partition, offset })
    this.#watchBytes += WOKEN_RECORD_BYTES
    this.#commit(WOKEN_RECORD_BYTES)
    return true
  }

  #commit(replyBytes: number): void {
    this.#options.commands.commit()
    this.#reservedBytes += replyBytes
    this.#wrote = true
  }
}

function fail(asker: Asker, token: number, error: number): void {
  if ('onProduced' in asker) asker.onProduced(token, failedProduced(error))
  else if ('onLocated' in asker) asker.onLocated(token, failedLocated(error))
  else if ('onOffsets' in asker) asker.onOffsets(token, failedOffsets(error))
  else if ('onDeleted' in asker) asker.onDeleted(token, failedDeleted(error))
  else asker.onEpochEnd(token, failedEpochEnd(error))
}

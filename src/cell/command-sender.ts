import type { Clock } from '../base/clock.ts'
import { copyBytes } from '../base/copy.ts'
import { asPartitionNumber, type PartitionNumber } from '../base/ids.ts'
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
  WATCH_BYTES,
  writeDeleteRecords,
  writeEpochEnd,
  writeListOffsets,
  writeLocate,
  writeProduce,
  writeWatch,
} from '../link/commands.ts'
import type { ControlPort, PeerName } from '../link/ports.ts'
import type { RingWriter } from '../shared/ring-writer.ts'
import { BatchesOut } from './batches-out.ts'
import type {
  DeleteSink,
  EpochEndSink,
  LocateSink,
  OffsetsSink,
  ProduceSink,
} from './broker-proxy.ts'
import { Correlations } from './correlations.ts'

/** Whoever waits for a reply on the ring. */
export type Asker = ProduceSink | LocateSink | OffsetsSink | DeleteSink | EpochEndSink

/** A question about one place of a log. */
export interface Ask {
  readonly kind: 'locate' | 'replica-locate' | 'list-offsets' | 'delete-records' | 'epoch-end'
  readonly partition: PartitionNumber
  /** Offset, timestamp or epoch. */
  readonly at: number
  readonly maxBytes: number
  readonly currentLeaderEpoch: number
  readonly sink: Asker
  readonly token: number
}

export interface CommandSenderOptions {
  readonly commands: RingWriter
  /** Of the ring that replies come by. */
  readonly replyRingBytes: number
  /** Memory that the broker sees: what lies there is not copied. */
  readonly frames: SharedArrayBuffer | null
  /** Over which a batch too large for the ring is sent. */
  readonly control: ControlPort
  readonly peer: PeerName
  readonly clock: Clock
}

/** WATCHes may take this share of the reply ring's room: an answer may be long in coming, and others need room too. */
const WATCH_SHARE = 0.5

const COMMANDS = {
  locate: { type: CommandType.LOCATE, bytes: LOCATE_BYTES },
  'replica-locate': { type: CommandType.REPLICA_LOCATE, bytes: LOCATE_BYTES },
  'list-offsets': { type: CommandType.LIST_OFFSETS, bytes: LIST_OFFSETS_BYTES },
  'delete-records': { type: CommandType.DELETE_RECORDS, bytes: DELETE_RECORDS_BYTES },
  'epoch-end': { type: CommandType.EPOCH_END, bytes: EPOCH_END_BYTES },
} as const

/** Ring bytes of a WOKEN with its record header. */
const WOKEN_RECORD_BYTES = 24

/**
 * Writes commands into a broker's ring: each only when there is room for it, and room for its reply can be promised.
 * What was sent and has a reply to come is in {@link correlations}. Belongs to the front's thread.
 */
export class CommandSender {
  readonly correlations = new Correlations<Asker>()
  readonly #out: BatchesOut
  readonly #options: CommandSenderOptions
  /** Reply ring bytes promised to commands that are out. */
  #reservedBytes = 0
  /** Promises kept during a poll: their room is free only once the poll has moved the ring's head. */
  #releasedBytes = 0
  readonly #reservableBytes: number
  #watchBytes = 0
  #wrote = false
  #nextBufferId = 1
  #locates = 0
  // used again for every command
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

  constructor(options: CommandSenderOptions) {
    this.#options = options
    this.#out = new BatchesOut(options.clock)
    // A padding at the ring's end may take the room of one more reply.
    this.#reservableBytes = options.replyRingBytes - 2 * REPLY_BYTES_MAX
  }

  /** LOCATEs sent so far. */
  get locates(): number {
    return this.#locates
  }

  /** Something was written to the ring by others: the broker is to be told. */
  noteWritten(): void {
    this.#wrote = true
  }

  /** Whether the broker is to be told of commands; once for all of them. */
  takeWritten(): boolean {
    const wrote = this.#wrote
    this.#wrote = false
    return wrote
  }

  /** Batches that come are this tenant's. */
  noteWriter(tenant: string): void {
    this.#out.note(tenant)
  }

  /** A reply other than WOKEN was taken from the ring. */
  replied(correlation: number): void {
    this.#out.answered(correlation)
    this.#releasedBytes += REPLY_BYTES_MAX
  }

  /** A WOKEN was taken from the ring. */
  woken(): void {
    this.#releasedBytes += WOKEN_RECORD_BYTES
    this.#watchBytes -= WOKEN_RECORD_BYTES
  }

  /** The poll that took replies is over: their room is free. */
  polled(): void {
    this.#reservedBytes -= this.#releasedBytes
    this.#releasedBytes = 0
  }

  /** False, and nothing is sent, for want of room. */
  sendProduce(
    tenant: string,
    partition: PartitionNumber,
    acks: number,
    batch: Uint8Array,
    sink: ProduceSink,
    token: number,
  ): boolean {
    const length = batch.length
    if (!this.#canReserve(REPLY_BYTES_MAX) || !this.#out.hasRoom(tenant, length)) return false
    const ring = this.#options.commands
    const inFrame = batch.buffer === this.#options.frames
    const inRing = !inFrame && PRODUCE_HEADER_BYTES + length <= ring.maxRecordBytes
    const at = ring.claim(
      CommandType.PRODUCE,
      inRing ? PRODUCE_HEADER_BYTES + length : PRODUCE_HEADER_BYTES,
    )
    if (at < 0) return false
    const command = this.#produce
    command.correlation = this.correlations.add(sink, token)
    this.#out.sent(command.correlation, tenant, length)
    command.partition = partition
    command.nowMs = this.#options.clock.wallMs()
    command.acks = acks
    if (inFrame) {
      command.batchIn = BatchIn.FRAME
      command.bufferId = batch.byteOffset
    } else {
      command.batchIn = inRing ? BatchIn.RING : BatchIn.BUFFER
      command.bufferId = inRing ? 0 : this.sendBuffer(batch)
    }
    command.byteLength = length
    writeProduce(ring.view, at, command)
    if (inRing) copyBytes(ring.bytes, at + PRODUCE_HEADER_BYTES, batch)
    this.#commit(REPLY_BYTES_MAX)
    return true
  }

  /** The message is posted before the command that names it is published, so the broker finds it. */
  sendBuffer(batch: Uint8Array): number {
    const bufferId = this.#nextBufferId
    this.#nextBufferId = (bufferId % 0xffff_ffff) + 1
    const sab = new SharedArrayBuffer(batch.length)
    copyBytes(new Uint8Array(sab), 0, batch)
    this.#options.control.post(this.#options.peer, { kind: 'batch-buffer', bufferId, sab })
    return bufferId
  }

  /** False, and nothing is sent, for want of room. */
  sendAsk(command: Ask): boolean {
    if (!this.#canReserve(REPLY_BYTES_MAX)) return false
    const ring = this.#options.commands
    const { partition, currentLeaderEpoch } = command
    const at = ring.claim(COMMANDS[command.kind].type, COMMANDS[command.kind].bytes)
    if (at < 0) return false
    const correlation = this.correlations.add(command.sink, command.token)
    this.#out.other(correlation)
    if (command.kind === 'locate' || command.kind === 'replica-locate') {
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

  /** False, and nothing is sent, for want of room, or of the share that watches may have. */
  sendWatch(partition: PartitionNumber, offset: number, type: number = CommandType.WATCH): boolean {
    const watchBytesMax = this.#reservableBytes * WATCH_SHARE
    if (this.#watchBytes + WOKEN_RECORD_BYTES > watchBytesMax) return false
    if (!this.#canReserve(WOKEN_RECORD_BYTES)) return false
    const ring = this.#options.commands
    const at = ring.claim(type, WATCH_BYTES)
    if (at < 0) return false
    writeWatch(ring.view, at, { partition, offset })
    this.#watchBytes += WOKEN_RECORD_BYTES
    this.#commit(WOKEN_RECORD_BYTES)
    return true
  }

  #canReserve(bytes: number): boolean {
    return this.#reservedBytes + bytes <= this.#reservableBytes
  }

  #commit(replyBytes: number): void {
    this.#options.commands.commit()
    this.#reservedBytes += replyBytes
    this.#wrote = true
  }
}

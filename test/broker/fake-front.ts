/** The least that a front can be: writes commands, reserves room for their replies, and reads them. */
import type { FrontId, PartitionNumber } from '../../src/base/ids.ts'
import type { FrontRings } from '../../src/broker/front-link.ts'
import {
  BatchIn,
  COORDINATE_HEADER_BYTES,
  CommandType,
  DELETE_RECORDS_BYTES,
  EPOCH_END_BYTES,
  LIST_OFFSETS_BYTES,
  LOCATE_BYTES,
  PRODUCE_HEADER_BYTES,
  REPLY_BYTES_MAX,
  ReplyType,
  WATCH_BYTES,
  writeCoordinate,
  writeDeleteRecords,
  writeEpochEnd,
  writeListOffsets,
  writeLocate,
  writeProduce,
  writeWatch,
} from '../../src/link/commands.ts'
import { type ControlPort, frontPeer, type MemoryPorts } from '../../src/link/ports.ts'
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
} from '../../src/link/replies.ts'
import { newRegion } from '../../src/shared/region.ts'
import { formatRing, ringBytes } from '../../src/shared/ring-layout.ts'
import { RingReader } from '../../src/shared/ring-reader.ts'
import { RingWriter } from '../../src/shared/ring-writer.ts'

export type Reply =
  | ({ readonly kind: 'produced' } & ProducedReply)
  | ({ readonly kind: 'located' } & LocatedReply)
  | ({ readonly kind: 'woken'; readonly isOfReplica: boolean } & WokenReply)
  | ({ readonly kind: 'epoch-ended' } & EpochEndedReply)
  | ({ readonly kind: 'offsets' } & OffsetsReply)
  | ({ readonly kind: 'deleted' } & DeletedReply)

/** A reply object to be read into: every field is stored. */
const blank = <T>(): T => ({}) as T

export class FakeFront {
  readonly brokerSide: FrontRings
  readonly control: ControlPort
  rung = 0
  readonly #peer: string
  readonly #commands: RingWriter
  readonly #replies: RingReader
  readonly #reservableBytes: number
  #reservedBytes = 0
  #releasedBytes = 0
  #correlation = 0
  #bufferId = 0
  #received: Reply[] = []

  /** `of`: the broker that it speaks to, and the front's port where it speaks to others as well. */
  constructor(
    front: FrontId,
    ports: MemoryPorts,
    replyRingBytes = 64 * 1024,
    of: { readonly peer?: string; readonly control?: ControlPort } = {},
  ) {
    this.#peer = of.peer ?? 'broker-1-1'
    const commands = formatRing(newRegion(ringBytes(256 * 1024)))
    const replies = formatRing(newRegion(ringBytes(replyRingBytes)))
    this.#commands = new RingWriter(commands)
    this.#replies = new RingReader(replies)
    this.#reservableBytes = replyRingBytes - 2 * REPLY_BYTES_MAX
    this.control = of.control ?? ports.port(frontPeer(front))
    this.brokerSide = {
      front,
      commands: new RingReader(commands),
      replies: new RingWriter(replies),
      bell: { ring: () => this.rung++ },
    }
  }

  /** Returns the correlation, or −1 when no room for the reply could be reserved or the ring is full. */
  produce(
    partition: PartitionNumber,
    batch: Uint8Array,
    options: { readonly acks?: number; readonly forgetBuffer?: boolean } = {},
  ): number {
    const ring = this.#commands
    const inRing = PRODUCE_HEADER_BYTES + batch.length <= ring.maxRecordBytes
    const at = this.#claim(CommandType.PRODUCE, PRODUCE_HEADER_BYTES + (inRing ? batch.length : 0))
    if (at < 0) return -1
    let bufferId = 0
    if (!inRing) {
      bufferId = ++this.#bufferId
      const sab = new SharedArrayBuffer(batch.length)
      new Uint8Array(sab).set(batch)
      const message = { kind: 'batch-buffer', bufferId, sab } as const
      if (options.forgetBuffer !== true) this.control.post(this.#peer, message)
    } else {
      ring.bytes.set(batch, at + PRODUCE_HEADER_BYTES)
    }
    writeProduce(ring.view, at, {
      correlation: ++this.#correlation,
      partition,
      nowMs: 0,
      acks: options.acks ?? -1,
      batchIn: inRing ? BatchIn.RING : BatchIn.BUFFER,
      bufferId,
      byteLength: batch.length,
    })
    ring.commit()
    return this.#correlation
  }

  locate(
    partition: PartitionNumber,
    offset: number,
    options: {
      readonly maxBytes?: number
      readonly currentLeaderEpoch?: number
      readonly ofReplica?: boolean
    } = {},
  ): number {
    const type = options.ofReplica === true ? CommandType.REPLICA_LOCATE : CommandType.LOCATE
    const at = this.#claim(type, LOCATE_BYTES)
    if (at < 0) return -1
    const { maxBytes = 1 << 20, currentLeaderEpoch = -1 } = options
    const correlation = ++this.#correlation
    const command = { correlation, partition, offset, maxBytes, currentLeaderEpoch }
    writeLocate(this.#commands.view, at, command)
    this.#commands.commit()
    return correlation
  }

  listOffsets(partition: PartitionNumber, timestamp: number, currentLeaderEpoch = -1): number {
    const at = this.#claim(CommandType.LIST_OFFSETS, LIST_OFFSETS_BYTES)
    if (at < 0) return -1
    const correlation = ++this.#correlation
    const command = { correlation, partition, timestamp, currentLeaderEpoch }
    writeListOffsets(this.#commands.view, at, command)
    this.#commands.commit()
    return correlation
  }

  deleteRecords(partition: PartitionNumber, offset: number): number {
    const at = this.#claim(CommandType.DELETE_RECORDS, DELETE_RECORDS_BYTES)
    if (at < 0) return -1
    const correlation = ++this.#correlation
    writeDeleteRecords(this.#commands.view, at, { correlation, partition, offset })
    this.#commands.commit()
    return correlation
  }

  epochEnd(partition: PartitionNumber, leaderEpoch: number): number {
    const at = this.#claim(CommandType.EPOCH_END, EPOCH_END_BYTES)
    if (at < 0) return -1
    const correlation = ++this.#correlation
    const command = { correlation, partition, leaderEpoch, currentLeaderEpoch: -1 }
    writeEpochEnd(this.#commands.view, at, command)
    this.#commands.commit()
    return correlation
  }

  watch(partition: PartitionNumber, offset: number, ofReplica = false): boolean {
    const type = ofReplica ? CommandType.REPLICA_WATCH : CommandType.WATCH
    const at = this.#claim(type, WATCH_BYTES)
    if (at < 0) return false
    writeWatch(this.#commands.view, at, { partition, offset })
    this.#commands.commit()
    return true
  }

  /** A request for a coordinator, its frame without the size; answered through {@link coordinated}. */
  coordinate(partition: PartitionNumber, frame: Uint8Array, host = '/127.0.0.1'): number {
    const ring = this.#commands
    const start = COORDINATE_HEADER_BYTES + host.length
    const inRing = start + frame.length <= ring.maxRecordBytes
    const at = ring.claim(CommandType.COORDINATE, start + (inRing ? frame.length : 0))
    if (at < 0) return -1
    if (!inRing) {
      const sab = new SharedArrayBuffer(frame.length)
      new Uint8Array(sab).set(frame)
      this.control.post(this.#peer, { kind: 'batch-buffer', bufferId: ++this.#bufferId, sab })
    }
    writeCoordinate(ring.view, at, {
      correlation: ++this.#correlation,
      partition,
      requestIn: inRing ? BatchIn.RING : BatchIn.BUFFER,
      hostBytes: host.length,
      bufferId: inRing ? 0 : this.#bufferId,
      byteLength: frame.length,
    })
    for (let i = 0; i < host.length; i++) {
      ring.bytes[at + COORDINATE_HEADER_BYTES + i] = host.charCodeAt(i)
    }
    if (inRing) ring.bytes.set(frame, at + start)
    ring.commit()
    return this.#correlation
  }

  /** What coordinators have answered since the last call: frames with their sizes, null beside an error. */
  coordinated(): { correlation: number; error: number; frame: Uint8Array | null }[] {
    const answers = []
    for (let next = this.control.poll(); next !== undefined; next = this.control.poll()) {
      if (next.message.kind !== 'coordinated') continue
      const { heads, bytes } = next.message
      let at = 0
      for (let i = 0; i < heads.length; i += 4) {
        const end = at + heads[i + 2]!
        const frame = heads[i + 1] === 0 ? bytes.subarray(at, end) : null
        answers.push({ correlation: heads[i]!, error: heads[i + 1]!, frame })
        at = end
      }
    }
    return answers
  }

  /** What has come since the last call. */
  take(): Reply[] {
    this.#replies.poll(this, Number.POSITIVE_INFINITY)
    this.#reservedBytes -= this.#releasedBytes
    this.#releasedBytes = 0
    const received = this.#received
    this.#received = []
    return received
  }

  /** The one reply that has come. */
  takeOne<K extends Reply['kind']>(kind: K): Reply & { readonly kind: K } {
    const replies = this.take()
    const [reply] = replies
    if (replies.length !== 1 || reply?.kind !== kind) {
      throw new Error(`expected one ${kind}, got ${JSON.stringify(replies)}`)
    }
    return reply as Reply & { readonly kind: K }
  }

  onRecord(type: number, reader: RingReader, offset: number): void {
    this.#releasedBytes += REPLY_BYTES_MAX
    const { view } = reader
    if (type === ReplyType.PRODUCED) {
      const reply = blank<ProducedReply>()
      readProduced(view, offset, reply)
      this.#received.push({ kind: 'produced', ...reply })
    } else if (type === ReplyType.LOCATED) {
      const reply = blank<LocatedReply>()
      readLocated(view, offset, reply)
      this.#received.push({ kind: 'located', ...reply })
    } else if (type === ReplyType.WOKEN || type === ReplyType.REPLICA_WOKEN) {
      const reply = blank<WokenReply>()
      readWoken(view, offset, reply)
      const isOfReplica = type === ReplyType.REPLICA_WOKEN
      this.#received.push({ kind: 'woken', isOfReplica, ...reply })
    } else if (type === ReplyType.EPOCH_ENDED) {
      const reply = blank<EpochEndedReply>()
      readEpochEnded(view, offset, reply)
      this.#received.push({ kind: 'epoch-ended', ...reply })
    } else if (type === ReplyType.DELETED) {
      const reply = blank<DeletedReply>()
      readDeleted(view, offset, reply)
      this.#received.push({ kind: 'deleted', ...reply })
    } else {
      const reply = blank<OffsetsReply>()
      readOffsets(view, offset, reply)
      this.#received.push({ kind: 'offsets', ...reply })
    }
  }

  #claim(type: number, length: number): number {
    if (this.#reservedBytes + REPLY_BYTES_MAX > this.#reservableBytes) return -1
    const at = this.#commands.claim(type, length)
    if (at >= 0) this.#reservedBytes += REPLY_BYTES_MAX
    return at
  }
}

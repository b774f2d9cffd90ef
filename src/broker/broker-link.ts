import { invariant } from '../base/assert.ts'
import type { BrokerId, PartitionNumber } from '../base/ids.ts'
import type { Bell } from '../link/ports.ts'
import { RaftMessageReader, type ReceivedMessage } from '../link/raft-message-reader.ts'
import {
  type Append,
  type AppendPlace,
  appendBytes,
  type PlainMessage,
  plainShape,
  RAFT_RECORD_BYTES_MIN,
  RaftType,
  type Snapshot,
  type SnapshotBase,
  snapshotBytes,
  writeAppend,
  writePlain,
  writeSnapshot,
} from '../link/raft-messages.ts'
import { splitAppend } from '../link/split-append.ts'
import type { RingHandler, RingReader } from '../shared/ring-reader.ts'
import type { RingWriter } from '../shared/ring-writer.ts'

/** The rings between a broker and one of its peers, as that broker holds them. */
export interface BrokerRings {
  /** The peer. */
  readonly broker: BrokerId
  readonly to: RingWriter
  readonly from: RingReader
  /** The peer's doorbell. */
  readonly bell: Bell
  /** Posts bytes that are too large for the ring to the peer; their id, which is not 0. */
  readonly sendBuffer: (bytes: Uint8Array) => number
}

/** Who takes what a peer's replicas say; `received` is overwritten by the next message. */
export interface RaftSink {
  onRaft(from: BrokerLink, received: ReceivedMessage): void
}

/**
 * What replicas of this broker and of one peer say to each other, written and read in place; the peer is rung once per turn. Nothing
 * waits here: what finds no room is dropped, counted, and its sender told. Raft takes it as lost on the way, and sends it again; kept, it would
 * be old by the time that a peer which does not read its ring came back. On the broker's thread.
 */
export class BrokerLink implements RingHandler {
  readonly broker: BrokerId
  /** The longest record that this peer can be sent, in bytes; see {@link split}. */
  readonly recordBytesMax: number
  readonly #rings: BrokerRings
  readonly #reader = new RaftMessageReader()
  #sink: RaftSink | null = null
  #wrote = false
  #dropped = 0

  constructor(rings: BrokerRings) {
    this.broker = rings.broker
    this.recordBytesMax = rings.to.maxRecordBytes
    this.#rings = rings
    invariant(this.recordBytesMax >= RAFT_RECORD_BYTES_MIN, 'a ring between brokers is too small')
  }

  /** Messages dropped so far for want of room. */
  get dropped(): number {
    return this.#dropped
  }

  /** It goes as it is, as nearly always. */
  fits(message: Append): boolean {
    return appendBytes(message) <= this.recordBytesMax
  }

  /** The append as pieces that fit, for each of which the sender looks up its place: itself, nearly always. */
  split(message: Append): readonly Append[] {
    return splitAppend(message, this.recordBytesMax)
  }

  /** False when it was dropped. */
  send(partition: PartitionNumber, message: PlainMessage): boolean {
    const { type, bytes } = plainShape(message)
    const ring = this.#rings.to
    const at = this.#claim(type, bytes)
    if (at < 0) return false
    writePlain(ring.view, at, partition, message)
    return this.#commit()
  }

  /** One piece of {@link split}; false when it was dropped. Throws InvariantError when it is longer than {@link recordBytesMax}. */
  append(partition: PartitionNumber, message: Append, place: AppendPlace): boolean {
    const ring = this.#rings.to
    const at = this.#claim(RaftType.APPEND, appendBytes(message))
    if (at < 0) return false
    writeAppend(ring.bytes, ring.view, at, partition, message, place)
    return this.#commit()
  }

  /** False when it was dropped. Producers that are too many for the ring go before it, by control message. */
  snapshot(partition: PartitionNumber, message: Snapshot, base: SnapshotBase): boolean {
    const ring = this.#rings.to
    const { producers } = base
    const whole = snapshotBytes(message, producers.length)
    const isWhole = whole <= this.recordBytesMax
    const at = this.#claim(RaftType.SNAPSHOT, isWhole ? whole : snapshotBytes(message, 0))
    if (at < 0) return false
    // posted before the record is published, so that the peer finds it
    const bufferId = isWhole ? 0 : this.#rings.sendBuffer(producers)
    writeSnapshot(ring.bytes, ring.view, at, partition, message, base, bufferId)
    return this.#commit()
  }

  /** Hands up to `limit` messages of the peer's to `sink`; returns how many. */
  poll(sink: RaftSink, limit: number): number {
    this.#sink = sink
    return this.#rings.from.poll(this, limit)
  }

  /** From the ring. */
  onRecord(type: number, { bytes, view }: RingReader, offset: number, length: number): void {
    this.#sink?.onRaft(this, this.#reader.read(type, bytes, view, offset, length))
  }

  /** Wakes the peer if anything was written since the last call. */
  ring(): void {
    if (!this.#wrote) return
    this.#wrote = false
    this.#rings.bell.ring()
  }

  /** Wakes the peer's thread in any case, so that it beats (`link/broker-liveness.ts`). */
  probe(): void {
    this.#rings.bell.ring()
  }

  #claim(type: number, bytes: number): number {
    const at = this.#rings.to.claim(type, bytes)
    if (at < 0) this.#dropped++
    return at
  }

  #commit(): boolean {
    this.#rings.to.commit()
    this.#wrote = true
    return true
  }
}

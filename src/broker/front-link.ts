import { invariant } from '../base/assert.ts'
import type { FrontId, PartitionNumber } from '../base/ids.ts'
import {
  DELETED_BYTES,
  EPOCH_ENDED_BYTES,
  LOCATED_BYTES,
  OFFSETS_BYTES,
  PRODUCED_BYTES,
  ReplyType,
  WOKEN_BYTES,
} from '../link/commands.ts'
import type { Bell } from '../link/ports.ts'
import { ProduceReason } from '../link/produce-reason.ts'
import {
  type EpochEndedReply,
  type LocatedReply,
  type OffsetsReply,
  type ProducedReply,
  type WokenReply,
  writeDeleted,
  writeEpochEnded,
  writeLocated,
  writeOffsets,
  writeProduced,
  writeWoken,
} from '../link/replies.ts'
import type { RingReader } from '../shared/ring-reader.ts'
import type { RingWriter } from '../shared/ring-writer.ts'

/** A front's pair of rings, as the broker holds them. */
export interface FrontRings {
  readonly front: FrontId
  readonly commands: RingReader
  readonly replies: RingWriter
  /** The front's doorbell. */
  readonly bell: Bell
  /** The front's memory for frames of large requests. */
  readonly frames?: SharedArrayBuffer | null
}

/** Answers to one front, written in place; the front is rung once per turn. On the broker's thread. */
export class FrontLink {
  readonly front: FrontId
  readonly commands: RingReader
  readonly frames: Uint8Array
  readonly #replies: RingWriter
  readonly #bell: Bell
  readonly #produced: ProducedReply = {
    correlation: 0,
    error: 0,
    reason: 0,
    baseOffset: -1,
    logAppendTimeMs: -1,
    logStartOffset: -1,
  }
  readonly #woken: WokenReply = { partition: 0 as PartitionNumber, error: 0, highWatermark: -1 }
  #wrote = false

  constructor(rings: FrontRings) {
    this.front = rings.front
    this.commands = rings.commands
    this.frames = new Uint8Array(rings.frames ?? new SharedArrayBuffer(0))
    this.#replies = rings.replies
    this.#bell = rings.bell
  }

  produced(
    correlation: number,
    error: number,
    baseOffset: number,
    logAppendTimeMs: number,
    logStartOffset: number,
  ): void {
    this.#answerProduce(
      correlation,
      error,
      ProduceReason.NONE,
      baseOffset,
      logAppendTimeMs,
      logStartOffset,
    )
  }

  /** `reason`: of ProduceReason. */
  produceRefused(correlation: number, error: number, reason: number): void {
    this.#answerProduce(correlation, error, reason, -1, -1, -1)
  }

  #answerProduce(
    correlation: number,
    error: number,
    reason: number,
    baseOffset: number,
    logAppendTimeMs: number,
    logStartOffset: number,
  ): void {
    const reply = this.#produced
    reply.correlation = correlation
    reply.error = error
    reply.reason = reason
    reply.baseOffset = baseOffset
    reply.logAppendTimeMs = logAppendTimeMs
    reply.logStartOffset = logStartOffset
    const at = this.#claim(ReplyType.PRODUCED, PRODUCED_BYTES)
    writeProduced(this.#replies.view, at, reply)
    this.#replies.commit()
  }

  located(reply: Readonly<LocatedReply>): void {
    const at = this.#claim(ReplyType.LOCATED, LOCATED_BYTES)
    writeLocated(this.#replies.view, at, reply)
    this.#replies.commit()
  }

  /** `type`: WOKEN, or REPLICA_WOKEN. */
  woken(
    partition: PartitionNumber,
    error: number,
    highWatermark: number,
    type: number = ReplyType.WOKEN,
  ): void {
    const reply = this.#woken
    reply.partition = partition
    reply.error = error
    reply.highWatermark = highWatermark
    const at = this.#claim(type, WOKEN_BYTES)
    writeWoken(this.#replies.view, at, reply)
    this.#replies.commit()
  }

  offsets(reply: Readonly<OffsetsReply>): void {
    const at = this.#claim(ReplyType.OFFSETS, OFFSETS_BYTES)
    writeOffsets(this.#replies.view, at, reply)
    this.#replies.commit()
  }

  deleted(correlation: number, error: number, lowWatermark: number): void {
    const at = this.#claim(ReplyType.DELETED, DELETED_BYTES)
    writeDeleted(this.#replies.view, at, { correlation, error, lowWatermark })
    this.#replies.commit()
  }

  epochEnded(reply: Readonly<EpochEndedReply>): void {
    const at = this.#claim(ReplyType.EPOCH_ENDED, EPOCH_ENDED_BYTES)
    writeEpochEnded(this.#replies.view, at, reply)
    this.#replies.commit()
  }

  /** Wakes the front if anything was written since the last call. */
  ring(): void {
    if (!this.#wrote) return
    this.#wrote = false
    this.#bell.ring()
  }

  #claim(type: number, bytes: number): number {
    const at = this.#replies.claim(type, bytes)
    invariant(at >= 0, 'a front reserves room for the reply before it sends a command')
    this.#wrote = true
    return at
  }
}

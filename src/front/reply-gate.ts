import type { BufferPool } from '../cell/buffer-pool.ts'
import type { KafkaConnection } from '../net/connection.ts'
import { SMALL_BYTES } from '../net/in-flight.ts'
import type { ReplyBudget } from '../net/reply-budget.ts'
import type { ReplySlot } from '../net/reply-slot.ts'

/** A fetch that has found something and wants memory for its reply. */
export interface ReplyMaker {
  readonly slot: ReplySlot
  /** Of the first batch, without which there is no reply; 0 when that is not known. */
  readonly firstBytes: number
  /** Some of it comes out of files, into buffers of the pool. */
  readonly needsBuffers: boolean
  /** It may make a reply of so many bytes. */
  onMayReply(bytesMax: number): void
}

/**
 * Who may take memory for a reply now, and how much. Requests are small and their answers are not: without this, the
 * answers to pipelined fetches would all lie in memory while the first is still being sent, and readers that do not
 * drain would leave nothing to others. Everybody gets half of what is left at most, so there is always some; small
 * replies always pass; one that is large by its first batch alone waits until that fits. Belongs to the front's thread.
 */
export class ReplyGate {
  readonly #replies: ReplyBudget
  readonly #buffers: BufferPool
  readonly #connectionBytesMax: number
  /** Waiting for their own connection to drain, oldest first. */
  readonly #byConnection = new Map<KafkaConnection, ReplyMaker[]>()
  /** Waiting for room that others have, oldest first. */
  readonly #forRoom = new Set<ReplyMaker>()
  #admitting = false

  constructor(replies: ReplyBudget, buffers: BufferPool, connectionBytesMax: number) {
    this.#replies = replies
    this.#buffers = buffers
    this.#connectionBytesMax = connectionBytesMax
  }

  get waiting(): number {
    let waiting = this.#forRoom.size
    for (const makers of this.#byConnection.values()) waiting += makers.length
    return waiting
  }

  /** Whether somebody waits for memory that others hold. */
  get isShort(): boolean {
    return this.#forRoom.size > 0
  }

  /** The bytes that `maker` may take now; 0: it is told when it may. */
  enter(maker: ReplyMaker): number {
    const { connection } = maker.slot
    if (!this.#isItsTurn(maker)) {
      const others = this.#byConnection.get(connection)
      if (others === undefined) this.#byConnection.set(connection, [maker])
      else others.push(maker)
      return 0
    }
    const bytes = this.#forRoom.size === 0 || isSmall(maker) ? this.#bytesFor(maker) : 0
    if (bytes === 0) this.#forRoom.add(maker)
    return bytes
  }

  /** Memory has come back. */
  onRoom(): void {
    if (this.#forRoom.size === 0 || this.#admitting) return
    this.#admitting = true
    for (const maker of this.#forRoom) {
      const bytes = this.#bytesFor(maker)
      if (bytes === 0) break
      this.#forRoom.delete(maker)
      maker.onMayReply(bytes)
    }
    this.#admitting = false
  }

  /** Something of `connection` has been sent. */
  onDrained(connection: KafkaConnection): void {
    const makers = this.#byConnection.get(connection)
    if (makers === undefined) return
    while (makers.length > 0 && this.#isItsTurn(makers[0]!)) {
      const maker = makers.shift()!
      const bytes = this.enter(maker)
      if (bytes > 0) maker.onMayReply(bytes)
    }
    if (makers.length === 0) this.#byConnection.delete(connection)
  }

  /** Nobody waits for `connection` any more. */
  onClosed(connection: KafkaConnection): void {
    this.#byConnection.delete(connection)
    for (const maker of this.#forRoom) {
      if (maker.slot.connection === connection) this.#forRoom.delete(maker)
    }
  }

  /** The reply that goes out next may always be made once what went before it has left, or nothing would get on. */
  #isItsTurn(maker: ReplyMaker): boolean {
    const { slot, firstBytes } = maker
    if (slot.mayPin) return true
    const own = slot.connection.replyBytes
    const bytesMax = Math.min(this.#connectionBytesMax, this.#roomFor(maker))
    return own <= SMALL_BYTES || own + Math.max(firstBytes, SMALL_BYTES) <= bytesMax
  }

  #roomFor({ needsBuffers }: ReplyMaker): number {
    const room = this.#replies.roomBytes
    return needsBuffers ? Math.min(room, this.#buffers.roomBytes) : room
  }

  #bytesFor(maker: ReplyMaker): number {
    const { slot, firstBytes } = maker
    const room = this.#roomFor(maker)
    const own = this.#connectionBytesMax - slot.connection.replyBytes
    const share = Math.max(SMALL_BYTES, Math.min(own, room >> 1))
    if (firstBytes <= share) return share
    if (firstBytes <= room || this.#isQuiet) return firstBytes
    return 0
  }

  /** Others hold so little that one batch larger than all the room passes. */
  get #isQuiet(): boolean {
    return (
      this.#replies.roomBytes * 2 >= this.#replies.capacityBytes &&
      this.#buffers.roomBytes * 2 >= this.#buffers.capacityBytes
    )
  }
}

const isSmall = ({ firstBytes }: ReplyMaker): boolean => firstBytes <= SMALL_BYTES

import type { BufferPool } from '../cell/buffer-pool.ts'
import type { KafkaConnection } from '../net/connection.ts'
import { FairQueue } from '../net/fair-queue.ts'
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
 * drain would leave nothing to others. Everybody gets half of what is left at most, or of its owner's share where that has
 * company, so there is always some; small replies always pass, but not of an owner that holds more than half beside others;
 * one that is large by its first batch alone waits until that fits. Belongs to the front's thread.
 */
export class ReplyGate {
  readonly #replies: ReplyBudget
  readonly #buffers: BufferPool
  readonly #connectionBytesMax: number
  /** Waiting for their own connection to drain, oldest first. */
  readonly #byConnection = new Map<KafkaConnection, ReplyMaker[]>()
  /** Waiting for room that others have, or others of the same owner: one of each in turn, oldest first. */
  readonly #forRoom = new FairQueue<ReplyMaker>()
  /** The same, to be found when their connection goes. */
  readonly #forRoomOf = new Map<KafkaConnection, Set<ReplyMaker>>()
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
    const { owner } = connection
    const isHog = this.#isHog(maker)
    const isNext = !this.#forRoom.isHeld && !this.#forRoom.has(owner)
    const mayPass = (isSmall(maker) && !isHog) || isNext
    const bytes = mayPass ? this.#bytesFor(maker) : 0
    if (bytes === 0) this.#waitForRoom(maker)
    return bytes
  }

  /** Memory has come back. */
  onRoom(): void {
    if (this.#forRoom.size === 0 || this.#admitting) return
    this.#admitting = true
    this.#forRoom.serve((maker, _owner, leave) => {
      const bytes = this.#bytesFor(maker)
      if (bytes === 0) return this.#isOverShare(maker) ? 'over-share' : 'no-room'
      leave()
      this.#waitsNoMore(maker)
      maker.onMayReply(bytes)
      return 'taken'
    })
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
    const makers = this.#forRoomOf.get(connection) ?? []
    this.#forRoomOf.delete(connection)
    for (const maker of makers) this.#forRoom.delete(connection.owner, maker)
  }

  #waitForRoom(maker: ReplyMaker): void {
    const { connection } = maker.slot
    this.#forRoom.add(connection.owner, maker, !this.#isOverShare(maker))
    const own = this.#forRoomOf.get(connection)
    if (own === undefined) this.#forRoomOf.set(connection, new Set([maker]))
    else own.add(maker)
  }

  #waitsNoMore(maker: ReplyMaker): void {
    const { connection } = maker.slot
    const own = this.#forRoomOf.get(connection)
    own?.delete(maker)
    if (own?.size === 0) this.#forRoomOf.delete(connection)
  }

  /** The reply that goes out next may always be made once what went before it has left, or nothing would get on. */
  #isItsTurn(maker: ReplyMaker): boolean {
    const { slot, firstBytes } = maker
    if (slot.mayPin) return true
    const own = slot.connection.replyBytes
    const bytesMax = Math.min(this.#connectionBytesMax, this.#roomFor(maker))
    return own <= SMALL_BYTES || own + Math.max(firstBytes, SMALL_BYTES) <= bytesMax
  }

  /** Its owner, who has company, holds more than half of what it wants more of. */
  #isHog({ needsBuffers, slot }: ReplyMaker): boolean {
    const { owner } = slot.connection
    if (this.#replies.isHog(owner)) return true
    return needsBuffers && owner.hasCompany && owner.replyBytes * 2 > this.#buffers.capacityBytes
  }

  #roomFor({ needsBuffers, slot }: ReplyMaker): number {
    const room = this.#replies.roomFor(slot.connection.owner)
    return needsBuffers ? Math.min(room, this.#buffers.roomBytes) : room
  }

  /** There is room for it, but not for its owner. */
  #isOverShare(maker: ReplyMaker): boolean {
    const { slot, firstBytes, needsBuffers } = maker
    const roomBytes = needsBuffers ? this.#buffers.roomBytes : Number.POSITIVE_INFINITY
    const room = Math.min(this.#replies.roomBytes, roomBytes)
    const { owner } = slot.connection
    return this.#isHog(maker) || (owner.replyBytes > 0 && firstBytes <= room)
  }

  #bytesFor(maker: ReplyMaker): number {
    const { slot, firstBytes } = maker
    const room = this.#roomFor(maker)
    // thousands of small replies are a large one
    if (this.#isHog(maker)) return 0
    const own = this.#connectionBytesMax - slot.connection.replyBytes
    const share = Math.max(SMALL_BYTES, Math.min(own, room >> 1))
    if (firstBytes <= share) return share
    if (firstBytes <= room || this.#isQuiet) return firstBytes
    // larger than the share of one who holds nothing: in its turn it gets all there is
    const { owner } = slot.connection
    if (owner.replyBytes === 0 && firstBytes <= this.#replies.roomBytes) {
      if (!maker.needsBuffers || firstBytes <= this.#buffers.roomBytes) return firstBytes
    }
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

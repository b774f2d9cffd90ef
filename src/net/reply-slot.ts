import { invariant } from '../base/assert.ts'
import type { EncodedFrame } from '../protocol/frame-writer.ts'
import type { KafkaConnection } from './connection.ts'
import { isShared } from './frame-buffers.ts'

/** The place of one request's reply in its connection's order. Used once, on the front's thread. */
export class ReplySlot {
  readonly connection: KafkaConnection
  /** Counted as a request in flight until it is answered. */
  requestBytes: number
  reply: EncodedFrame | null = null
  /** The same, until it has been sent or never will be. */
  #frame: EncodedFrame | null = null
  /** Counted as reply in flight: memory gathered for it, then its own bytes until it has been sent. */
  replyBytes = 0
  ready = false
  closes = false
  /** Its request is still counted when the connection has gone, until {@link abandon}. */
  lingers = false
  next: ReplySlot | null = null
  #onDrained: (() => void) | null = null
  #frameBuffer: Uint8Array | null
  #holdsFrame = false

  constructor(connection: KafkaConnection, requestBytes: number, frameBuffer: Uint8Array | null) {
    this.connection = connection
    this.requestBytes = requestBytes
    this.#frameBuffer = frameBuffer
  }

  /** The frame is looked at until {@link frameDone}, by other threads perhaps. */
  holdFrame(): void {
    this.#holdsFrame = true
  }

  /** The request has been handed over. A frame in shared memory that nobody holds is done with. */
  handedOver(): void {
    if (this.#holdsFrame || this.#frameBuffer === null || !isShared(this.#frameBuffer)) return
    this.frameDone()
  }

  /**
   * Nobody looks at this request's frame any more: its memory may be used again. What never says so is collected as garbage,
   * unless it is shared.
   */
  frameDone(): void {
    if (this.#frameBuffer !== null) this.connection.giveBack(this.#frameBuffer)
    this.#frameBuffer = null
  }

  /** Nothing stands before this reply, and all before it has left user space: memory may be sent uncopied. */
  get mayPin(): boolean {
    return this.connection.drained && this.connection.isNext(this)
  }

  /** Counts `bytes` more of the request itself: it takes more memory than its frame while it waits. */
  grow(bytes: number): void {
    if (this.ready || this.connection.closed) return
    this.requestBytes += bytes
    this.connection.growRequest(bytes)
  }

  /** Counts `bytes` more (or fewer) that are held in memory for the reply to come. */
  charge(bytes: number): void {
    if (this.ready || this.connection.closed) return
    this.replyBytes += bytes
    this.connection.charge(bytes)
  }

  /** The connection went before there was an answer: what lingered is free. */
  abandon(): void {
    if (!this.ready && this.lingers) this.connection.giveUp(this)
    this.lingers = false
  }

  /** Gives the reply. `onDrained` is called exactly once, when its bytes are no longer needed, also if the socket dies. */
  send(frame: EncodedFrame, onDrained: (() => void) | null = null): void {
    this.#answer(frame, frame.byteLength, onDrained)
  }

  /** There will be no reply (acks=0). */
  skip(): void {
    this.#answer(null, 0, null)
  }

  /** Closes the connection when this slot's turn comes, with a line in the log; replies before it still go out. */
  closeConnection(reason: string): void {
    if (this.connection.closed) return
    this.closes = true
    this.connection.cutOffAt(reason)
    this.#answer(null, 0, null)
  }

  /** From the connection: the reply has been sent, or never will be. */
  drained(): void {
    const done = this.#onDrained
    this.#onDrained = null
    this.reply = null
    this.#frame?.release?.()
    this.#frame = null
    done?.()
  }

  #answer(frame: EncodedFrame | null, bytes: number, onDrained: (() => void) | null): void {
    invariant(!this.ready, 'a request is answered once')
    this.ready = true
    this.reply = this.#frame = frame
    if (!this.connection.closed) this.connection.charge(bytes - this.replyBytes)
    this.replyBytes = bytes
    this.#onDrained = onDrained
    this.connection.slotReady(this)
  }
}

import type { EncodedFrame } from '../protocol/frame-writer.ts'
import { ConnectionCount } from './connection-counts.ts'
import type { ConnectionSet } from './connection-set.ts'
import { FrameSplitter } from './frame-splitter.ts'
import type { BudgetMember } from './in-flight.ts'
import type { ListenerInfo } from './listener-info.ts'
import { ReplySlot } from './reply-slot.ts'
import { MERGE_BYTES_MAX, piecesOf } from './reply-writer.ts'

/** What a connection needs of a `node:net` socket; tests bring their own. */
export interface SocketLike {
  readonly writableLength: number
  readonly destroyed: boolean
  write(bytes: Uint8Array, done?: () => void): boolean
  cork(): void
  uncork(): void
  pause(): unknown
  resume(): unknown
  destroy(): unknown
}

/** Replies of one flush that the kernel has not taken whole yet. */
interface Undrained {
  bytes: number
  slots: ReplySlot | null
}

/** Counted per request besides its bytes, so that a flood of tiny requests is bounded too. */
export const REQUEST_OVERHEAD_BYTES = 512

/**
 * One client's connection: cuts frames, hands them to the sink, sends the replies in the order of the requests, and
 * stops reading while too much is in flight. Belongs to the front's thread.
 */
export class KafkaConnection implements BudgetMember {
  readonly id: number
  readonly listener: ListenerInfo
  readonly remoteAddress: string
  readonly localAddress: string
  /** The front's own: who this is, once that is known. */
  session: unknown = null
  /** Monotonic milliseconds of the last byte that came or went. */
  lastActiveMs: number
  // intrusive list of the set, least recently active first
  idlePrevious: KafkaConnection | null = null
  idleNext: KafkaConnection | null = null

  readonly #set: ConnectionSet
  readonly #socket: SocketLike
  readonly #splitter: FrameSplitter
  #first: ReplySlot | null = null
  #last: ReplySlot | null = null
  #slots = 0
  /** Requests and replies of this connection that count in the budget. */
  #heldBytes = 0
  #partialBytes = 0
  readonly #undrained = new Set<Undrained>()
  #paused = false
  #dispatching = false
  #dirty = false
  #finishing = false
  /** A request that cannot be answered: close once the replies before it have been sent. */
  #cutOff = false
  #closed = false

  constructor(
    set: ConnectionSet,
    id: number,
    socket: SocketLike,
    listener: ListenerInfo,
    addresses: { readonly remote: string; readonly local: string },
    nowMs: number,
  ) {
    this.#set = set
    this.id = id
    this.#socket = socket
    this.listener = listener
    this.remoteAddress = addresses.remote
    this.localAddress = addresses.local
    this.lastActiveMs = nowMs
    this.#splitter = new FrameSplitter(set.limits.frameBytesMax)
  }

  /** When the last bytes came: monotonic microseconds, an int32 that wraps. */
  get arrivedUs(): number {
    return this.#set.arrivedUs
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Bytes that count in the budget on behalf of this connection. */
  get inFlightBytes(): number {
    return this.#heldBytes + this.#partialBytes
  }

  get partialBytes(): number {
    return this.#partialBytes
  }

  /** Requests that have no reply yet, or whose reply waits for an earlier one. */
  get outstanding(): number {
    return this.#slots
  }

  get paused(): boolean {
    return this.#paused
  }

  /** Everything sent has left user space, and nothing waits to be sent: memory may go out without a copy. */
  get drained(): boolean {
    return this.#undrained.size === 0 && !this.#dirty && !this.#closed
  }

  /** True for the request whose reply goes out next. */
  isNext(slot: ReplySlot): boolean {
    return this.#first === slot
  }

  /** From the socket. Takes over `chunk`. */
  onData(chunk: Uint8Array): void {
    if (this.#closed || this.#finishing) return
    this.#set.touch(this)
    this.#set.counts[ConnectionCount.BYTES_IN]! += chunk.length
    this.#splitter.feed(chunk)
    this.#read()
    this.#set.flush()
  }

  onBudgetRoom(): void {
    if (this.#paused) this.#continueIfRoom()
  }

  closeForBudget(reason: string): void {
    this.#set.counts[ConnectionCount.CLOSED_FOR_BUDGET]!++
    this.#set.logBroken(this, reason)
    this.close()
  }

  /** From the socket, once: nothing can be sent any more. */
  onClosed(): void {
    if (this.#closed) return
    this.#closed = true
    this.#set.budget.forget(this)
    this.#countPartial(0)
    for (const batch of this.#undrained) this.#settle(batch)
    for (let slot = this.#first; slot !== null; slot = slot.next) {
      if (slot.ready) slot.drained()
    }
    this.#first = this.#last = null
    this.#slots = 0
    this.#set.budget.remove(this.#heldBytes)
    this.#heldBytes = 0
    this.#set.onClosed(this)
  }

  /** Drops the connection at once. */
  close(): void {
    if (!this.#socket.destroyed) this.#socket.destroy()
    this.onClosed()
  }

  /** Reads no more; closes once every request so far is answered and sent. */
  finish(): void {
    this.#finishing = true
    this.#socket.pause()
    this.#closeIfFinished()
  }

  /** From a slot: its reply is there (or none will come). */
  slotReady(slot: ReplySlot): void {
    if (this.#closed) {
      slot.drained()
      return
    }
    this.#hold(slot.replyBytes - slot.heldBytes)
    slot.heldBytes = slot.replyBytes
    if (slot === this.#first && !this.#dirty) {
      this.#dirty = true
      this.#set.markDirty(this)
    }
  }

  /** From a slot: more or fewer bytes are held on its behalf. */
  charge(bytes: number): void {
    this.#hold(bytes)
  }

  /** Sends every reply whose turn has come, in as few writes as make sense. */
  flush(): void {
    this.#dirty = false
    if (this.#closed) return
    if (this.#cutOff) return
    const sent: Undrained = { bytes: 0, slots: null }
    const frames: EncodedFrame[] = []
    let lastSent: ReplySlot | null = null
    let slot = this.#first
    while (slot?.ready) {
      if (slot.closes) {
        // Replies before it still go out; nothing behind it ever does.
        this.#cutOff = true
        this.#finishing = true
        break
      }
      const next: ReplySlot | null = slot.next
      if (slot.reply !== null) frames.push(slot.reply)
      sent.bytes += slot.heldBytes
      slot.reply = null
      slot.next = null
      if (lastSent === null) sent.slots = slot
      else lastSent.next = slot
      lastSent = slot
      this.#slots--
      slot = next
    }
    this.#first = slot
    if (slot === null) this.#last = null
    this.#set.counts[ConnectionCount.BYTES_OUT]! += sent.bytes
    this.#write(frames, sent)
    this.#afterSending()
  }

  #write(frames: EncodedFrame[], sent: Undrained): void {
    const socket = this.#socket
    const pieces = piecesOf(frames, this.#set.mergeBytesMax ?? MERGE_BYTES_MAX)
    const count = pieces.length
    if (count > 1) socket.cork()
    const settle = () => this.#onWritten(sent)
    if (count > 0) this.#undrained.add(sent)
    for (let i = 0; i < count; i++) {
      if (i === count - 1) socket.write(pieces[i]!, settle)
      else socket.write(pieces[i]!)
    }
    if (count > 1) socket.uncork()
    if (count === 0) {
      this.#undrained.add(sent)
      this.#settle(sent)
    } else if (socket.writableLength === 0) this.#settle(sent)
  }

  #onWritten(sent: Undrained): void {
    if (!this.#undrained.has(sent)) return
    this.#settle(sent)
    if (this.#closed) return
    this.#set.touch(this)
    this.#afterSending()
    this.#set.flush()
  }

  #afterSending(): void {
    if (!this.#closed) this.#continueIfRoom()
    if (!this.#closed) this.#set.sink.onDrained(this)
    this.#closeIfFinished()
  }

  #settle(sent: Undrained): void {
    // The callback of a write and a look at the socket may both say so.
    if (!this.#undrained.delete(sent)) return
    let slot = sent.slots
    sent.slots = null
    while (slot !== null) {
      const next: ReplySlot | null = slot.next
      slot.next = null
      slot.drained()
      slot = next
    }
    this.#hold(-sent.bytes)
  }

  #hold(bytes: number): void {
    this.#heldBytes += bytes
    if (bytes >= 0) this.#set.budget.add(bytes)
    else this.#set.budget.remove(-bytes)
  }

  /** Hands over frames until there are no more, or too much is in flight. */
  #read(): void {
    if (this.#dispatching) return
    this.#dispatching = true
    const splitter = this.#splitter
    while (!this.#closed && !this.#finishing) {
      if (!this.#hasRoom()) {
        this.#pause()
        // Waiting for room may have made some at once.
        if (this.#paused) break
        continue
      }
      const frame = splitter.next()
      if (frame === null) break
      this.#countPartial(0)
      this.#dispatch(frame)
    }
    this.#dispatching = false
    this.#set.sink.onReadEnd()
    if (this.#closed) return
    this.#countPartial(splitter.partialBytes)
    if (splitter.fault !== null) this.broken(splitter.fault)
  }

  /** From a slot that closes the connection when its turn comes: nothing more is read. */
  cutOffAt(reason: string): void {
    this.#set.logBroken(this, reason)
    this.#finishing = true
    this.#socket.pause()
  }

  /** Closes the connection because of what came in over it, with a line in the log. */
  broken(reason: string): void {
    if (this.#closed) return
    this.#set.counts[ConnectionCount.FRAMES_BROKEN]!++
    this.#set.logBroken(this, reason)
    this.close()
  }

  #dispatch(frame: Uint8Array): void {
    const held = frame.length + REQUEST_OVERHEAD_BYTES
    const slot = new ReplySlot(this, held)
    if (this.#last === null) this.#first = slot
    else this.#last.next = slot
    this.#last = slot
    this.#slots++
    this.#hold(held)
    this.#set.sink.onFrame(this, slot, frame)
  }

  #countPartial(bytes: number): void {
    if (bytes === this.#partialBytes) return
    const before = this.#partialBytes
    this.#partialBytes = bytes
    this.#set.budget.partial(this, before, bytes)
  }

  #hasRoom(): boolean {
    return this.#heldBytes < this.#set.limits.connectionBytesMax && this.#set.budget.hasRoom
  }

  #pause(): void {
    if (!this.#paused) {
      this.#socket.pause()
      this.#set.counts[ConnectionCount.PAUSES]!++
    }
    this.#paused = true
    if (!this.#set.budget.hasRoom) this.#set.budget.await(this)
  }

  #continueIfRoom(): void {
    if (!this.#paused || this.#closed || this.#finishing) return
    if (this.#heldBytes * 2 >= this.#set.limits.connectionBytesMax) return
    if (!this.#set.budget.hasRoom) {
      this.#set.budget.await(this)
      return
    }
    this.#paused = false
    this.#read()
    if (!this.#paused && !this.#closed) this.#socket.resume()
  }

  #closeIfFinished(): void {
    if (!this.#finishing || this.#closed) return
    if ((this.#slots === 0 || this.#cutOff) && this.#undrained.size === 0) this.close()
  }
}

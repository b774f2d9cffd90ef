import type { LogFields } from '../base/log.ts'
import type { EncodedFrame } from '../protocol/frame-writer.ts'
import { ConnectionCount } from './connection-counts.ts'
import type { ConnectionSet } from './connection-set.ts'
import { FrameSplitter } from './frame-splitter.ts'
import { HeldBytes } from './held-bytes.ts'
import { type BudgetMember, PROGRESS_BYTES, SMALL_BYTES } from './in-flight.ts'
import type { ListenerInfo } from './listener-info.ts'
import type { Owner } from './owner.ts'
import { ReplySlot } from './reply-slot.ts'
import { MERGE_BYTES_MAX, piecesOf, withFrame } from './reply-writer.ts'
import type { SocketLike, Undrained } from './socket-like.ts'

/** Counted per request besides its bytes, so that a flood of tiny requests is bounded too. */
export const REQUEST_OVERHEAD_BYTES = 512

/** One client's connection: cuts frames, hands them to the sink, sends the replies in the order of the requests, and stops reading while too much is in flight. Belongs to the front's thread. */
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
  readonly #held: HeldBytes
  /** A frame has come in part; this much of it since the last sign of progress. */
  #collecting = false
  #progressBytes = 0
  readonly #undrained = new Set<Undrained>()
  #paused = false
  /** Its turn to hand over requests is over: the set lets it go on. */
  #yielded = false
  #wantedBytes = 0
  #dispatching = false
  #dirty = false
  #finishing = false
  /** The client sends no more, but waits for what it has asked. */
  #ended = false
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
    this.#splitter = new FrameSplitter(set.limits.frameBytesMax, set.frameBuffers)
    this.#held = new HeldBytes(set.budget, set.replies, set.owners.strangers)
    this.owner.joined()
  }

  /** When the last bytes came: monotonic microseconds, an int32 that wraps. */
  get arrivedUs(): number {
    return this.#set.arrivedUs
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Bytes that count in the budgets on behalf of this connection. */
  get inFlightBytes(): number {
    return this.#held.bytes
  }

  get owner(): Owner {
    return this.#held.owner
  }

  /** It is `owner`'s: what it holds and waits for counts as that one's from now on. */
  set owner(owner: Owner) {
    if (owner === this.owner || this.#closed) return
    const { budget, turns } = this.#set
    const isWaiting = budget.forgetWait(this)
    const hasYielded = turns.forget(this)
    this.owner.left()
    this.#held.moveTo(owner)
    owner.joined()
    if (isWaiting) budget.await(this)
    if (hasYielded) turns.yield(this)
  }

  /** Requests that come from now on are no larger; null: as large as anybody's. */
  limitRequests(bytesMax: number | null): void {
    this.#splitter.limit(bytesMax)
  }

  /** Of replies that have not left user space, and of memory that is being gathered for them. */
  get replyBytes(): number {
    return this.#held.replyBytes
  }

  /** Monotonic milliseconds since when the socket has not taken all it was given; −Infinity when it has. */
  get sendingSinceMs(): number {
    for (const { sinceMs } of this.#undrained) return sinceMs
    return Number.NEGATIVE_INFINITY
  }

  get wantedBytes(): number {
    return this.#wantedBytes
  }

  get isSmall(): boolean {
    return this.#isSmall(this.#wantedBytes)
  }

  /** It is for us to do something: requests have no reply yet, and the client takes what there is. */
  get isOurTurn(): boolean {
    return this.#slots > 0 && this.#undrained.size === 0
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

  /** Where the socket's next bytes are to go. */
  get readInto(): Uint8Array {
    const { readBuffer } = this.#set
    if (this.#closed) return readBuffer
    return this.#splitter.rest ?? this.owner.shareOf(readBuffer)
  }

  /** From the socket. `chunk` is used until this returns. */
  onData(chunk: Uint8Array): void {
    if (this.#closed || this.#finishing) return
    this.#set.onReceived(this, chunk.length)
    this.#splitter.feed(chunk)
    this.#progress(chunk.length)
    this.#read()
    this.#splitter.keepRest()
    this.#set.flush()
  }

  /** From the socket: the client sends no more. What it has asked is answered, then the connection closes. */
  onEnd(): void {
    if (this.#closed || this.#ended) return
    this.#ended = true
    this.#set.sink.onEnd(this)
    this.#closeIfFinished()
    this.#set.flush()
  }

  onBudgetRoom(): void {
    if (this.#paused && !this.#yielded && !this.#closed && !this.#finishing) this.#readOn()
  }

  /** From the set: its turn has come again. */
  readFurther(): void {
    this.#yielded = false
    if (this.#paused && !this.#closed && !this.#finishing) this.#readOn()
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
    this.#splitter.close()
    for (const batch of this.#undrained) this.#settle(batch)
    let lingeringBytes = 0
    for (let slot = this.#first; slot !== null; slot = slot.next) {
      if (slot.ready) slot.drained()
      else if (slot.lingers) lingeringBytes += slot.requestBytes
    }
    this.#first = this.#last = null
    this.#slots = 0
    this.#held.close(lingeringBytes, () => {
      this.#set.onClosed(this)
      this.owner.left()
    })
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
    this.#held.answered(slot.requestBytes)
    if (slot === this.#first && !this.#dirty) {
      this.#dirty = true
      this.#set.markDirty(this)
    }
  }

  /** From a slot that lingered after the connection had gone. */
  giveUp(slot: ReplySlot): void {
    if (this.#closed) this.#held.giveUp(slot.requestBytes)
  }

  /** From a slot: its request takes more memory than its frame. */
  growRequest(bytes: number): void {
    this.#held.grow(bytes)
  }

  /** From a slot: what its frame was collected in is free. */
  giveBack(buffer: Uint8Array): void {
    this.#set.frameBuffers.give(buffer)
  }

  /** From a slot: more or fewer bytes are held for its reply. */
  charge(bytes: number): void {
    this.#held.charge(bytes)
  }

  /** Sends every reply whose turn has come, in as few writes as make sense. */
  flush(): void {
    this.#dirty = false
    if (this.#closed || this.#cutOff) return
    const sent: Undrained = { connection: this, sinceMs: 0, bytes: 0, slots: null }
    let frames: EncodedFrame[] | null = null
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
      if (slot.reply !== null) frames = withFrame(frames, slot.reply)
      sent.bytes += slot.replyBytes
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
    this.#set.countOut(this.owner, sent.bytes)
    this.#write(frames ?? [], sent)
    this.#afterSending()
  }

  #write(frames: readonly EncodedFrame[], sent: Undrained): void {
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
    else this.#set.onSending(sent)
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
    this.#set.onSent(sent)
    let slot = sent.slots
    sent.slots = null
    while (slot !== null) {
      const next: ReplySlot | null = slot.next
      slot.next = null
      slot.drained()
      slot = next
    }
    this.charge(-sent.bytes)
  }

  /** Hands over frames until there are no more, or there is no room for the next. */
  #read(): void {
    if (this.#dispatching) return
    this.#dispatching = true
    const splitter = this.#splitter
    const { turns } = this.#set
    const untilMs = turns.begin(this.owner)
    // what belongs to a frame that has been begun is where it belongs: it is taken in any case
    if (!this.#yielded && !this.#collecting && splitter.hasMore && turns.isOver(untilMs))
      this.#yield()
    while (!this.#yielded && !this.#closed && !this.#finishing) {
      if (this.#held.reservedBytes === 0) {
        const size = splitter.peekSize()
        if (size < 0) break
        if (!this.#reserve(size + REQUEST_OVERHEAD_BYTES)) {
          this.#pause()
          break
        }
      }
      const frame = splitter.next()
      if (frame === null) {
        // Nothing can stop this frame any more: its room is kept. What has come may be old: it is read on from only now.
        if (!this.#collecting) this.#set.budget.collecting(this, turns.sinceMs)
        this.#collecting = true
        if (turns.isOver(untilMs)) this.#yield()
        break
      }
      this.#dispatch(frame)
      if (splitter.hasMore && turns.isOver(untilMs)) this.#yield()
    }
    this.#dispatching = false
    turns.end(this.owner)
    this.#set.sink.onReadEnd()
    if (this.#closed) return
    if (splitter.fault !== null) this.broken(splitter.fault)
    else if (this.#ended) {
      // Also of what was read only now there is nothing to wait for.
      this.#set.sink.onEnd(this)
      this.#closeIfFinished()
    }
  }

  /** Others have their turn, then this one goes on. */
  #yield(): void {
    if (!this.#paused) this.#socket.pause()
    this.#paused = this.#yielded = true
    this.#wantedBytes = 0
    this.#set.turns.yield(this)
  }

  /** Bytes have come: of an unfinished frame, now and then that is told. */
  #progress(bytes: number): void {
    if (!this.#collecting || (this.#progressBytes += bytes) < PROGRESS_BYTES) return
    this.#progressBytes = 0
    this.#set.budget.collecting(this, this.lastActiveMs)
  }

  /** Takes room for the next frame, whole; false: there is none now. */
  #reserve(bytes: number): boolean {
    if (!this.#mayRead()) {
      this.#wantedBytes = 0
      return false
    }
    if (!this.#set.budget.hasRoom(bytes, this.#isSmall(bytes), this.owner)) {
      this.#wantedBytes = bytes
      return false
    }
    this.#wantedBytes = 0
    this.#held.reserve(bytes)
    return true
  }

  #isSmall(bytes: number): boolean {
    return this.#held.requestBytes + bytes <= SMALL_BYTES
  }

  /** From a slot that closes the connection when its turn comes: nothing more is read. */
  cutOffAt(reason: string): void {
    this.#set.logBroken(this, reason)
    this.#finishing = true
    this.#socket.pause()
  }

  /** Tells the operator what a client asked for in vain. */
  logRefused(message: string, fields: LogFields): void {
    this.#set.logRefused(this, message, fields)
  }

  /** Closes the connection because of what came in over it, with a line in the log. */
  broken(reason: string): void {
    if (this.#closed) return
    this.#set.counts[ConnectionCount.FRAMES_BROKEN]!++
    this.#set.logBroken(this, reason)
    this.close()
  }

  #dispatch(frame: Uint8Array): void {
    const held = this.#held.begin()
    this.#progressBytes = 0
    if (this.#collecting) this.#set.budget.collected(this)
    this.#collecting = false
    const slot = new ReplySlot(this, held, this.#splitter.buffer)
    if (this.#last === null) this.#first = slot
    else this.#last.next = slot
    this.#last = slot
    this.#slots++
    this.#set.sink.onFrame(this, slot, frame)
    slot.handedOver()
  }

  /** As far as this connection's own bytes go. */
  #mayRead(): boolean {
    const bytesMax = this.#set.limits.connectionBytesMax
    const most = Math.max(this.#held.requestBytes, this.replyBytes)
    return most < bytesMax && this.#repliesAllow()
  }

  /** While replies fill their budget, only those get on whose own share of that is small; of an owner whose share is large, those that have none. */
  #repliesAllow(): boolean {
    const { replies } = this.#set
    if (replies.isHog(this.owner)) return this.replyBytes === 0
    return this.replyBytes <= SMALL_BYTES || replies.roomBytes > 0
  }

  #pause(): void {
    if (!this.#paused) {
      this.#socket.pause()
      this.#set.counts[ConnectionCount.PAUSES]!++
    }
    this.#paused = true
    if (this.#wantedBytes > 0) this.#set.budget.await(this)
    else if (this.#held.requestBytes >= this.#set.limits.connectionBytesMax)
      this.#set.setFull(this, true)
  }

  #continueIfRoom(): void {
    if (!this.#paused || this.#yielded || this.#closed || this.#finishing) return
    // Waiting for others, who will tell.
    if (this.#wantedBytes > 0) return
    const bytesMax = this.#set.limits.connectionBytesMax
    const most = Math.max(this.#held.requestBytes, this.replyBytes)
    if (most * 2 < bytesMax && this.#repliesAllow()) this.#readOn()
  }

  #readOn(): void {
    this.#paused = false
    this.#set.setFull(this, false)
    this.#wantedBytes = 0
    this.#read()
    if (!this.#paused && !this.#closed && !this.#finishing) this.#socket.resume()
  }

  #closeIfFinished(): void {
    if (this.#closed) return
    if (!this.#finishing && !(this.#ended && !this.#paused && !this.#splitter.hasMore)) return
    if ((this.#slots === 0 || this.#cutOff) && this.#undrained.size === 0) this.close()
  }
}

import { ErrorCode } from '../base/error-code.ts'
import type { Timer } from '../base/timer-queue.ts'
import type { LocateSink } from '../cell/broker-proxy.ts'
import type { TailReader } from '../cell/tail-reader.ts'
import { newTailLook, TailState } from '../cell/tail-reader.ts'
import { FetchSource } from '../link/commands.ts'
import type { LocatedReply } from '../link/replies.ts'
import type { ReplySlot } from '../net/reply-slot.ts'
import type { fetch } from '../protocol/01-fetch.ts'
import type { RequestContext } from './context.ts'
import { fetchResponse } from './fetch-answer.ts'
import { FetchMemory } from './fetch-memory.ts'
import type { FetchPart, PartOwner } from './fetch-part.ts'
import type { FetchSession } from './fetch-sessions.ts'
import { readSegment } from './file-read.ts'
import type { ParkedFetch } from './parked-fetches.ts'
import type { FileReader } from './read-gate.ts'

export interface FetchAsked {
  readonly parts: readonly FetchPart[]
  readonly maxBytes: number
  readonly minBytes: number
  readonly maxWaitMs: number
  readonly isolationLevel: number
  readonly session: FetchSession | null
  /** Partitions without news may be left out. */
  readonly incremental: boolean
}

/**
 * The broker was asked to tell when the high watermark moves beyond this part's offset, and has not: what was found
 * before still holds. Spares a question per poll for each quiet partition of a session.
 */
const isStillAtEnd = (part: FetchPart): boolean =>
  part.fetchOffset === part.highWatermark &&
  part.highWatermark >= 0 &&
  part.proxy!.watchedAt(part.partition) === part.highWatermark

/** A connection that holds much already still gets this much copied, or it would never get on. */
const COPY_BYTES_MIN = 64 * 1024

/** Times a part is asked for again before it counts as unreadable. */
const RETRIES_MAX = 3

const look = newTailLook()

/**
 * One fetch from request to reply: reads what is there, parks when that is too little, and looks again when woken.
 * Belongs to the front's thread.
 */
export class FetchOp implements LocateSink, PartOwner, ParkedFetch, FileReader {
  readonly context: RequestContext<typeof fetch>
  readonly asked: FetchAsked
  readonly memory: FetchMemory
  readonly #deadlineMs: number
  #remainingBytes = 0
  /** Something will be sent: what follows may be left for the next fetch. */
  #any = false
  #outstanding = 0
  #located: FetchPart[] = []
  #gathering = false
  #late = false
  /** Let through to read files; asked for once in a round. */
  #mayRead = false
  #chargedBytes = 0
  #timer: Timer | null = null
  #parked = false
  #woken = false
  #closed = false
  #done = false
  /** Told when the connection goes: not worth it for what is answered on the spot. */
  #open = false

  constructor(context: RequestContext<typeof fetch>, asked: FetchAsked) {
    this.context = context
    this.asked = asked
    this.memory = new FetchMemory(context.services)
    this.#deadlineMs = context.services.clock.monotonicMs() + Math.max(0, asked.maxWaitMs)
    this.#late = asked.maxWaitMs <= 0
    for (const part of asked.parts) part.owner = this
    if (asked.session !== null) asked.session.busy = true
  }

  /** Reads every part whose state is not known, then answers or parks. */
  gather(): void {
    this.#gathering = true
    const { connection, services } = this.context
    const room = services.fetchConnectionBytesMax - connection.inFlightBytes
    this.#remainingBytes = Math.min(this.asked.maxBytes, Math.max(room, COPY_BYTES_MIN))
    this.#any = false
    const { parts } = this.asked
    for (let token = 0; token < parts.length; token++) {
      const part = parts[token]!
      if (part.dirty) this.#lookFor(part, token)
    }
    this.#gathering = false
    this.#next()
    if (this.#done || this.#open) return
    this.#open = true
    this.context.state.open.add(this)
  }

  onLocated(token: number, reply: Readonly<LocatedReply>): void {
    const part = this.asked.parts[token]!
    this.#outstanding--
    part.error = reply.error
    part.highWatermark = reply.highWatermark
    part.lastStableOffset = reply.lastStableOffset
    part.logStartOffset = reply.logStartOffset
    part.source = reply.error === ErrorCode.NONE ? reply.source : FetchSource.NONE
    part.segmentBaseOffset = reply.segmentBaseOffset
    part.position = reply.position
    part.byteLength = reply.byteLength
    if (reply.error === ErrorCode.NONE) {
      const arena = this.context.services.arenaOf(part.proxy!)
      this.context.services.tails.update(part.partition, reply, arena)
    }
    if (part.source !== FetchSource.NONE) this.#located.push(part)
    if (!this.#gathering) this.#next()
  }

  get slot(): ReplySlot {
    return this.context.slot
  }

  /** From the gate. */
  onMayRead(): void {
    this.#mayRead = true
    this.#next()
  }

  /** Counts bytes that are held for the answer as in flight. */
  charge(bytes: number): void {
    this.#chargedBytes += bytes
    this.context.slot.charge(bytes)
  }

  onPartWoken(_part: FetchPart): void {
    if (this.#woken || !this.#parked) return
    this.#woken = true
    this.context.services.fetches.wake(this)
  }

  resume(): void {
    this.#woken = false
    if (!this.#parked) return
    this.#unpark()
    this.gather()
  }

  answerNow(): void {
    this.#late = true
    this.resume()
  }

  onConnectionClosed(): void {
    this.#closed = true
    if (this.#parked) this.#unpark()
    if (this.#outstanding === 0) this.#end()
  }

  /** Whatever was asked of others has been answered: go on. */
  #next(): void {
    if (this.#outstanding > 0 || this.#done) return
    if (this.#located.length > 0 && !this.#closed) {
      if (!this.#mayRead && !this.context.services.readGate.enter(this)) return
      this.#mayRead = true
      const located = this.#located
      this.#located = []
      this.#gathering = true
      for (const part of located) this.#readLocated(part)
      this.#gathering = false
      if (this.#outstanding > 0) return
    }
    if (this.#closed) this.#end()
    else if (this.#located.length > 0) this.#next()
    else this.#answerOrPark()
  }

  #lookFor(part: FetchPart, token: number): void {
    part.dirty = false
    part.clear()
    const error = this.#resolve(part)
    if (error !== ErrorCode.NONE) {
      part.fail(error)
      return
    }
    const tail = this.context.services.tails.get(part.partition)
    if (tail === undefined && isStillAtEnd(part)) return
    if (tail === undefined || !this.#readTail(part, tail)) this.#locate(part, token)
  }

  #resolve(part: FetchPart): number {
    const { services, session, version } = this.context
    const { image, dispatcher } = services
    const byId = version >= 13
    const topic = byId
      ? image.topicById(session.tenantId, part.topicId)
      : image.topicByName(session.tenantId, part.topicName)
    part.topic = topic
    if (topic === undefined) {
      return byId ? ErrorCode.UNKNOWN_TOPIC_ID : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    }
    if (part.index < 0 || part.index >= topic.partitionCount) {
      return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    }
    part.partition = topic.numberOf(part.index)
    const proxy = dispatcher.leaderOf(topic.cellId, part.partition)
    if (!proxy?.alive) return ErrorCode.NOT_LEADER_OR_FOLLOWER
    part.proxy = proxy
    const epoch = part.currentLeaderEpoch
    if (epoch < 0) return ErrorCode.NONE
    const known = image.leaderEpochOf(part.partition)
    if (epoch < known) return ErrorCode.FENCED_LEADER_EPOCH
    return epoch > known ? ErrorCode.UNKNOWN_LEADER_EPOCH : ErrorCode.NONE
  }

  #locate(part: FetchPart, token: number): void {
    this.#outstanding++
    const { partition, fetchOffset, maxBytes, currentLeaderEpoch } = part
    part.proxy!.locate(partition, fetchOffset, maxBytes, currentLeaderEpoch, this, token)
  }

  #readLocated(part: FetchPart): void {
    if (part.source === FetchSource.RING) {
      const tail = this.context.services.tails.get(part.partition)
      if (tail === undefined || !this.#readTail(part, tail)) this.askAgain(part)
      return
    }
    const allowed = Math.min(part.maxBytes, this.#remainingBytes)
    if (allowed <= 0 && this.#any) return
    const first = !this.#any
    this.#any = true
    this.#remainingBytes -= Math.min(allowed, part.byteLength)
    this.#outstanding++
    readSegment(this, part, allowed, first)
  }

  /** From a file read: `part.records` or `part.error` is set. */
  onSegmentRead(): void {
    this.#outstanding--
    if (this.#gathering) return
    this.#next()
    this.context.services.afterCallback()
  }

  /** What the broker named was gone by the time it was read. */
  askAgain(part: FetchPart): void {
    if (part.retries++ < RETRIES_MAX && part.proxy!.alive) {
      this.#locate(part, this.asked.parts.indexOf(part))
    } else part.fail(ErrorCode.KAFKA_STORAGE_ERROR)
  }

  /** Reads from the ring log; false when the broker must be asked. */
  #readTail(part: FetchPart, tail: TailReader): boolean {
    const { services } = this.context
    const allowed = Math.min(part.maxBytes, this.#remainingBytes)
    tail.usedAtMs = services.clock.monotonicMs()
    for (let tries = 0; tries < 2; tries++) {
      const state = tail.look(part.fetchOffset, Math.max(1, allowed), look)
      if (state === TailState.ASK) return false
      part.highWatermark = look.highWatermark
      part.lastStableOffset = look.lastStableOffset
      part.logStartOffset = look.logStartOffset
      if (state === TailState.END || (this.#any && look.length > allowed)) return true
      const { position, length, secondPosition, secondLength } = look
      const heldBefore = this.memory.ringBytes
      const first = this.#take(tail, position, length)
      if (first === null) continue
      const second = secondLength > 0 ? this.#take(tail, secondPosition, secondLength) : null
      const bytes = second === null ? length : length + secondLength
      const heldBytes = this.memory.ringBytes - heldBefore
      part.found(second === null ? [first] : [first, second], bytes, heldBytes)
      this.#any = true
      this.#remainingBytes -= bytes
      return true
    }
    return false
  }

  /** The span's bytes: the memory itself where a socket may hold it, else a copy; null when it was overwritten. */
  #take(tail: TailReader, position: number, length: number): Uint8Array | null {
    const { services, slot } = this.context
    const large = length >= services.settings.zeroCopyBytesMin
    if (large && slot.mayPin && services.pins.mayPin(length)) {
      const view = tail.hold(position, length)
      if (view === null) return null
      this.memory.addHold(tail, position, length)
      this.charge(length)
      return view
    }
    const target = large ? this.memory.takeBuffer(length) : Buffer.allocUnsafe(length)
    if (large) this.charge(length)
    if (!tail.copy(position, length, target, 0)) return null
    return target.length === length ? target : target.subarray(0, length)
  }

  #answerOrPark(): void {
    let bytes = 0
    let failed = false
    for (const part of this.asked.parts) {
      bytes += part.recordsBytes
      if (part.error !== ErrorCode.NONE) failed = true
    }
    const enough = bytes >= this.asked.minBytes || this.asked.parts.length === 0
    const late = this.#late || this.context.services.fetches.closing
    if (enough || failed || late) this.#answer()
    else this.#park()
  }

  #park(): void {
    const { services } = this.context
    this.memory.release()
    this.charge(-this.#chargedBytes)
    this.#mayRead = false
    this.#parked = true
    services.fetches.park(this)
    for (const part of this.asked.parts) {
      if (part.recordsBytes > 0) part.dirty = true
      part.drop()
      part.proxy!.watch(part.partition, part.highWatermark, part)
    }
    this.#timer = services.timers.schedule(this.#deadlineMs, () => {
      this.#timer = null
      this.answerNow()
    })
  }

  #unpark(): void {
    const { services } = this.context
    this.#parked = false
    services.fetches.unpark(this)
    if (this.#timer !== null) services.timers.cancel(this.#timer)
    this.#timer = null
    for (const part of this.asked.parts) part.proxy!.unwatch(part)
  }

  #answer(): void {
    const { context, memory } = this
    const response = fetchResponse(this)
    this.#finish()
    if (!memory.isEmpty) memory.seal(context.connection)
    context.reply(response, memory.isEmpty ? null : () => memory.release())
  }

  /** Nobody is there to be answered. */
  #end(): void {
    this.memory.release()
    this.#finish()
  }

  #finish(): void {
    this.#done = true
    if (this.#open) this.context.state.open.delete(this)
    const { session, parts } = this.asked
    if (session !== null) session.busy = false
    for (const part of parts) {
      if (part.owner !== this) continue
      part.owner = null
      part.drop()
    }
  }
}

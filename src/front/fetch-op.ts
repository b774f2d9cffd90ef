import { ErrorCode } from '../base/error-code.ts'
import type { BrokerId, PartitionNumber } from '../base/ids.ts'
import type { Timer } from '../base/timer-queue.ts'
import type { LocateSink, ReplicaReads } from '../cell/broker-proxy.ts'
import type { TailReader } from '../cell/tail-reader.ts'
import { FetchSource } from '../link/commands.ts'
import type { LocatedReply } from '../link/replies.ts'
import type { ReplySlot } from '../net/reply-slot.ts'
import { fetchResponse } from './fetch-answer.ts'
import type { FetchAsked, FetchContext } from './fetch-asked.ts'
import { goOn, resolvePart, tailOf, toLeader, toLocate, toldTail } from './fetch-look.ts'
import { FetchMemory } from './fetch-memory.ts'
import type { FetchPart, PartOwner } from './fetch-part.ts'
import { readSegment } from './file-read.ts'
import {
  type FollowerAsker,
  FollowerQuestion,
  nearestOf,
  toOwnFollower,
  wakeFollower,
} from './follower-fetch.ts'
import { UNLED_MS, waitUntilMs } from './held-looks.ts'
import type { ParkedFetch } from './parked-fetches.ts'
import type { ReplyMaker } from './reply-gate.ts'
import { firstBytesOf, lookIntoRing, readRing } from './ring-read.ts'

/** What a partition takes at least while it waits: named in 28 bytes, and so more than its request counts. */
const PART_BYTES = 300

/** Times a part is asked for again before it counts as unreadable. */
const RETRIES_MAX = 3

/**
 * One fetch from request to reply: looks where everything is, parks when that is too little and looks again when woken,
 * and takes memory for the answer only once it is to be answered. Belongs to the front's thread.
 */
export class FetchOp implements LocateSink, FollowerAsker, PartOwner, ParkedFetch, ReplyMaker {
  readonly context: FetchContext
  readonly asked: FetchAsked
  readonly memory: FetchMemory
  firstBytes = 0
  needsBuffers = false
  readonly #deadlineMs: number
  #remainingBytes = 0
  /** Something will be sent: what follows may be left for the next fetch. */
  #any = false
  #outstanding = 0
  /** Questions so far: each has a token of its own, from which follows its part. */
  #asked = 0
  /** While questions are out that may be held for want of a leader. */
  #heldTimer: Timer | null = null
  /** By token, the partitions of questions whose answers are not waited for any more. */
  #givenUp: Map<number, PartitionNumber> | null = null
  /** Calls that may come from within are let pass. */
  #busy = false
  #late = false
  /** What the gate allows; 0 when it has not been asked, or lets wait. */
  #mayReadBytes = 0
  #waiting = false
  #chargedBytes = 0
  #timer: Timer | null = null
  #parked = false
  #woken = false
  #closed = false
  #done = false
  /** Told when the connection goes: not worth it for what is answered on the spot. */
  #open = false

  constructor(context: FetchContext, asked: FetchAsked) {
    this.context = context
    this.asked = asked
    this.memory = new FetchMemory(context.services)
    this.#deadlineMs = context.services.clock.monotonicMs() + Math.max(0, asked.maxWaitMs)
    this.#late = asked.maxWaitMs <= 0
    for (const part of asked.parts) {
      part.owner = this
      part.isPastFollowers = false
    }
    if (asked.session !== null) asked.session.busy = true
    // A session's partitions have a bound of their own.
    else context.slot.grow(asked.parts.length * PART_BYTES)
  }

  /** Looks for every part whose state is not known, then answers or parks. */
  gather(): void {
    this.#busy = true
    const { parts } = this.asked
    for (let index = 0; index < parts.length; index++) {
      const part = parts[index]!
      if (part.dirty) this.#lookFor(part, index)
    }
    this.#busy = false
    this.#next()
    if (this.#done || this.#open) return
    this.#open = true
    this.context.state.open.add(this)
  }

  onLocated(token: number, reply: Readonly<LocatedReply>): void {
    const givenUp = this.#givenUp?.get(token)
    if (givenUp !== undefined) {
      this.#givenUp!.delete(token)
      this.context.services.heldLooks.remove(givenUp)
      return
    }
    const part = this.asked.parts[token % this.asked.parts.length]!
    this.#outstanding--
    part.askedAs = -1
    // nobody has led it for long: it is waited for beside the others all the same, or its client would ask over and over
    part.isUnled = reply.error === ErrorCode.NOT_LEADER_OR_FOLLOWER && this.#isHeld(part)
    if (part.asleep !== 0 && reply.error === ErrorCode.NONE) wakeFollower(this.context, part)
    this.#take(part, reply, part.isUnled ? ErrorCode.NONE : reply.error)
    if (!this.#busy) this.#next()
  }

  #take(part: FetchPart, reply: Readonly<LocatedReply>, error: number): void {
    part.error = error
    part.isAt(reply)
    part.source = reply.error === ErrorCode.NONE ? reply.source : FetchSource.NONE
    part.pending = part.source === FetchSource.FILE
    part.batchBaseOffset = reply.batchBaseOffset
    if (reply.error !== ErrorCode.NONE) return
    const tail = toldTail(this.context, part, reply)
    if (part.source !== FetchSource.RING) return
    if (tail === undefined || !this.#lookInto(part, tail)) this.askAgain(part)
  }

  onFollower(part: FetchPart, from: BrokerId, reply: Readonly<LocatedReply>): void {
    this.#outstanding--
    if (part.question!.isToBeNamed) {
      part.isAt({ ...reply, brokerId: 0 })
      part.preferred = from
    } else this.#take(part, reply, reply.error)
    part.question = null
    if (!this.#busy) this.#next()
  }

  onNoFollower(part: FetchPart): void {
    this.#outstanding--
    part.question = null
    this.#lookAtLeader(part)
    if (!this.#busy) this.#next()
  }

  get heldBytes(): number {
    return this.slot.requestBytes
  }

  get slot(): ReplySlot {
    return this.context.slot
  }

  /** From the gate. */
  onMayReply(bytesMax: number): void {
    this.#waiting = false
    this.#mayReadBytes = bytesMax
    this.#next()
    this.context.services.afterCallback()
  }

  /** Counts bytes that are held for the answer as in flight. */
  charge(bytes: number): void {
    if (bytes === 0) return
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
    const { parts } = this.asked
    if (this.#outstanding === 0) this.#cancelHeldTimer()
    while (this.#outstanding === 0 && !this.#done && !this.#waiting && !this.#parked) {
      if (this.#closed) this.#end()
      else if (!parts.some((part) => part.pending)) this.#answerOrPark()
      else if (this.#mayReadBytes > 0) this.#readPending()
      else if (this.#isEnough) this.#enterGate()
      else this.#park()
    }
  }

  /** Whether what is there is to be sent now. */
  get #isEnough(): boolean {
    if (this.#late || this.context.services.fetches.closing) return true
    let bytes = 0
    for (const part of this.asked.parts) {
      if (part.error !== ErrorCode.NONE || part.preferred !== 0) return true
      bytes += part.availableBytes
    }
    return bytes >= this.asked.minBytes || this.asked.parts.length === 0
  }

  #enterGate(): void {
    this.firstBytes = 0
    this.needsBuffers = false
    let first: FetchPart | null = null
    for (const part of this.asked.parts) {
      if (!part.pending) continue
      first ??= part
      if (part.source === FetchSource.FILE) this.needsBuffers = true
    }
    if (first !== null) this.firstBytes = firstBytesOf(this.context, first)
    this.#mayReadBytes = this.context.services.replyGate.enter(this)
    this.#waiting = this.#mayReadBytes === 0
  }

  /** Reads what was found, as far as it may go out with this reply. */
  #readPending(): void {
    const { parts, maxBytes } = this.asked
    this.#busy = true
    this.#remainingBytes = Math.min(maxBytes, this.#mayReadBytes)
    this.#any = false
    for (const part of parts) {
      this.#remainingBytes -= part.recordsBytes
      if (part.recordsBytes > 0) this.#any = true
    }
    for (const part of parts) {
      if (!part.pending) continue
      part.pending = false
      if (this.#any && this.#remainingBytes <= 0) continue
      if (part.source === FetchSource.RING) this.#readRing(part)
      else this.#readFile(part)
    }
    this.#busy = false
    this.#waitForFirst()
  }

  #lookFor(part: FetchPart, index: number): void {
    part.dirty = false
    part.clear()
    const error = resolvePart(this.context, part, this.asked.isFromFollower)
    if (error !== ErrorCode.NONE) {
      part.fail(error)
      return
    }
    const { rackId } = this.asked
    const isOwn = rackId !== '' && toOwnFollower(this.context, part)
    const nearest = rackId === '' || isOwn ? null : nearestOf(this.context, part, rackId)
    if (nearest === null) this.#lookAt(part, index)
    else this.#askFollowers(part, nearest, true, 1)
  }

  /** At the log of whoever it is read from. */
  #lookAt(part: FetchPart, index: number): void {
    const tail = tailOf(this.context, part)
    if (tail === undefined && part.isStillAtEnd) return
    if (tail !== undefined && this.#lookInto(part, tail)) {
      if (part.asleep !== 0) wakeFollower(this.context, part)
      return
    }
    if (goOn(this.context, part)) return
    if (
      part.follower === 0 &&
      this.context.services.heldLooks.has(part.partition) &&
      this.#isHeld(part)
    ) {
      part.isUnled = true
    } else this.#locate(part, index)
  }

  /** No follower serves it, for as long as this request lasts. */
  #lookAtLeader(part: FetchPart): void {
    part.isPastFollowers = true
    part.retries = 0
    if (toLeader(this.context, part)) this.#lookAt(part, this.asked.parts.indexOf(part))
    else part.fail(ErrorCode.NOT_LEADER_OR_FOLLOWER)
  }

  #askFollowers(
    part: FetchPart,
    replicas: readonly ReplicaReads[],
    isToBeNamed: boolean,
    maxBytes: number,
  ): void {
    this.#outstanding++
    part.question = new FollowerQuestion(this, part, replicas, isToBeNamed)
    this.#checkHeldLater()
    part.question.ask(maxBytes)
  }

  #isHeld(part: FetchPart): boolean {
    return this.context.services.dispatcher.isHeld(part.topic!.cellId, part.partition)
  }

  #locate(part: FetchPart, index: number): void {
    const { partition, fetchOffset, currentLeaderEpoch } = part
    const maxBytes = toLocate(this.context, part)
    if (part.follower !== 0) {
      this.#askFollowers(part, [part.proxy as ReplicaReads], false, maxBytes)
      return
    }
    this.#outstanding++
    const token = this.#asked++ * this.asked.parts.length + index
    part.askedAs = token
    if (this.context.services.image.isReplicated(partition)) this.#checkHeldLater()
    part.proxy!.locate(partition, fetchOffset, maxBytes, currentLeaderEpoch, this, token)
  }

  #checkHeldLater(): void {
    if (this.#heldTimer !== null) return
    const { timers, clock } = this.context.services
    const atMs = waitUntilMs(clock.monotonicMs(), this.#deadlineMs)
    this.#heldTimer = timers.schedule(atMs, () => this.#checkHeld())
  }

  /** Gives up questions that wait for a leader: the others have waited for their answers for long enough. */
  #checkHeld(): void {
    this.#heldTimer = null
    this.#busy = true
    for (const part of this.asked.parts) {
      const { question } = part
      if (question !== null && !question.giveUp(this.#isHung)) this.#checkHeldLater()
      if (question !== null || part.askedAs < 0) continue
      if (!this.#isHeld(part)) {
        this.#checkHeldLater()
        continue
      }
      this.#givenUp ??= new Map()
      this.#givenUp.set(part.askedAs, part.partition)
      this.context.services.heldLooks.add(part.partition)
      this.#outstanding--
      part.askedAs = -1
      part.isUnled = true
    }
    this.#busy = false
    this.#next()
  }

  readonly #isHung = ({ brokerId }: ReplicaReads): boolean =>
    this.context.services.dispatcher.replicasAt(this.context.cellId, brokerId) === undefined

  #readFile(part: FetchPart): void {
    const allowed = Math.min(part.maxBytes, this.#remainingBytes)
    const first = !this.#any
    this.#any = true
    this.#remainingBytes -= Math.min(allowed, part.byteLength)
    this.#outstanding++
    readSegment(this, part, allowed, first)
  }

  /** From a file read: `part.records` or `part.error` is set. */
  onSegmentRead(): void {
    this.#outstanding--
    if (this.#busy) return
    this.#waitForFirst()
    this.#next()
    this.context.services.afterCallback()
  }

  /** What the broker named was gone by the time it was read. */
  askAgain(part: FetchPart): void {
    if (part.retries++ < RETRIES_MAX && part.proxy!.alive) {
      this.#locate(part, this.asked.parts.indexOf(part))
    } else this.unreadable(part)
  }

  /** Its files cannot be read: those of the leader may be. */
  unreadable(part: FetchPart): void {
    if (part.follower === 0) part.fail(ErrorCode.KAFKA_STORAGE_ERROR)
    else this.#lookAtLeader(part)
  }

  /** The first batch is larger than was thought: true when it may be read; else the gate is asked again. */
  mayReadFirst(part: FetchPart, bytes: number): boolean {
    if (bytes <= this.#mayReadBytes) return true
    part.neededBytes = bytes
    part.pending = true
    return false
  }

  /** What was to be first is waited for, unless there is something else to send. */
  #waitForFirst(): void {
    if (this.#outstanding > 0 || !this.asked.parts.some((part) => part.pending)) return
    const found = this.asked.parts.some((part) => part.recordsBytes > 0)
    if (found) for (const part of this.asked.parts) part.pending = false
    else {
      this.#late = true
      this.#letGo()
    }
  }

  /** Looks into the ring log; false when the broker must be asked. */
  #lookInto(part: FetchPart, tail: TailReader): boolean {
    tail.usedAtMs = this.context.services.clock.monotonicMs()
    const bytesMax = Math.min(part.maxBytes, this.asked.maxBytes)
    part.brokerId = tail.brokerId
    return lookIntoRing(part, tail, bytesMax)
  }

  /** Takes what a look has found in the ring log; what has gone meanwhile is asked of the broker. */
  #readRing(part: FetchPart): void {
    const allowed = Math.min(part.maxBytes, this.#remainingBytes)
    if (!readRing(this, part, allowed, this.#any)) this.askAgain(part)
    if (part.recordsBytes > 0) this.#any = true
    this.#remainingBytes -= part.recordsBytes
  }

  /** Nothing is left to be read. */
  #answerOrPark(): void {
    if (this.#isEnough || this.asked.parts.some((part) => part.recordsBytes > 0)) this.#answer()
    else this.#park()
  }

  #park(): void {
    const { services } = this.context
    this.#letGo()
    this.#parked = true
    services.fetches.park(this)
    let untilMs = this.#deadlineMs
    for (const part of this.asked.parts) {
      if (part.availableBytes > 0) part.dirty = true
      part.drop()
      if (part.isUnled && services.dispatcher.isLed(part.topic!.cellId, part.partition)) {
        // who is told as its leader refuses it, and would refuse to watch it at once
        part.dirty = true
        untilMs = Math.min(untilMs, services.clock.monotonicMs() + UNLED_MS)
      } else part.proxy!.watch(part.partition, part.highWatermark, part)
    }
    this.#timer = services.timers.schedule(untilMs, (nowMs) => {
      this.#timer = null
      if (nowMs < this.#deadlineMs) this.resume()
      else this.answerNow()
    })
  }

  #cancelHeldTimer(): void {
    if (this.#heldTimer === null) return
    this.context.services.timers.cancel(this.#heldTimer)
    this.#heldTimer = null
  }

  /** Of memory, and of the leave to take some. */
  #letGo(): void {
    this.memory.release()
    this.charge(-this.#chargedBytes)
    this.#mayReadBytes = 0
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
    for (const part of this.asked.parts) {
      if (part.isUnled) part.fail(ErrorCode.NOT_LEADER_OR_FOLLOWER)
    }
    const response = fetchResponse(this)
    this.#finish()
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

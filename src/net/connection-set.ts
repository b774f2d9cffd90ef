import type { Clock } from '../base/clock.ts'
import type { LogFields, Logger } from '../base/log.ts'
import {
  KafkaConnection,
  REQUEST_OVERHEAD_BYTES,
  type SocketLike,
  type Undrained,
} from './connection.ts'
import { ConnectionCount, newConnectionCounts } from './connection-counts.ts'
import { FrameBuffers } from './frame-buffers.ts'
import { type InFlightBudget, SMALL_BYTES, STUCK_AFTER_MS } from './in-flight.ts'
import type { ListenerInfo } from './listener-info.ts'
import { RateLimitedLog } from './rate-limited-log.ts'
import type { ReplyBudget } from './reply-budget.ts'
import type { ReplySlot } from './reply-slot.ts'

/** Who makes replies of frames. Called on the front's thread. */
export interface RequestSink {
  onOpen(connection: KafkaConnection): void
  /** `frame` has no size prefix and may be kept until the slot is answered. */
  onFrame(connection: KafkaConnection, slot: ReplySlot, frame: Uint8Array): void
  /** The frames of one chunk have been handed over: what they asked for can be sent on together. */
  onReadEnd(): void
  /** Replies of `connection` have been handed to the socket or have left user space. */
  onDrained(connection: KafkaConnection): void
  /** The client sends no more, and waits for what it has asked: there is no use in long polls. */
  onEnd(connection: KafkaConnection): void
  /** Nothing that is still outstanding on this connection will be sent. */
  onClose(connection: KafkaConnection): void
}

export interface ConnectionLimits {
  /** `socket.request.max.bytes`. */
  readonly frameBytesMax: number
  /** Bytes in flight at which one connection is no longer read from. */
  readonly connectionBytesMax: number
  /** `connections.max.idle.ms`. */
  readonly idleMs: number
}

export const defaultLimits: ConnectionLimits = {
  frameBytesMax: 104_857_600,
  connectionBytesMax: 16 * 2 ** 20,
  idleMs: 600_000,
}

/** Of buffers for frames that are free. */
const KEPT_BYTES_MAX = 32 * 2 ** 20

/** Least time between two moves within the idle list: activity is counted no more finely than this. */
const TOUCH_MS = 100

/**
 * Every connection of one front: whose replies are ready to be sent, and who has been idle for longest. Belongs to
 * the front's thread.
 */
export class ConnectionSet {
  readonly sink: RequestSink
  /** Idleness alone may change later. */
  limits: ConnectionLimits
  readonly budget: InFlightBudget
  readonly replies: ReplyBudget
  readonly frameBuffers: FrameBuffers
  /** By {@link ConnectionCount}. */
  readonly counts: Float64Array
  /** When the last bytes came: monotonic microseconds, an int32 that wraps. Frames are timed from here. */
  arrivedUs = 0
  /** For measurements; undefined for the measured best. */
  mergeBytesMax: number | undefined
  readonly #clock: Clock
  readonly #log: RateLimitedLog
  readonly #connections = new Set<KafkaConnection>()
  /** What sockets have not taken yet, longest ago first. */
  readonly #sending = new Set<Undrained>()
  #dirty: KafkaConnection[] = []
  #spare: KafkaConnection[] = []
  #flushing = false
  #nextId = 1
  #oldest: KafkaConnection | null = null
  #newest: KafkaConnection | null = null

  constructor(options: {
    readonly sink: RequestSink
    readonly clock: Clock
    readonly logger: Logger
    readonly budget: InFlightBudget
    readonly replies: ReplyBudget
    readonly limits?: ConnectionLimits
    /** Slots to count in; own ones unless given. */
    readonly counts?: Float64Array
  }) {
    this.sink = options.sink
    this.#clock = options.clock
    this.#log = new RateLimitedLog(options.logger, options.clock)
    this.budget = options.budget
    this.replies = options.replies
    this.frameBuffers = new FrameBuffers(Math.min(KEPT_BYTES_MAX, this.budget.capacityBytes / 4))
    this.counts = options.counts ?? newConnectionCounts()
    const limits = options.limits ?? defaultLimits
    // A frame that the budget could never hold would wait for ever.
    const frameBytesMax = Math.min(
      limits.frameBytesMax,
      options.budget.largeBytesMax - REQUEST_OVERHEAD_BYTES,
    )
    this.limits = { ...limits, frameBytesMax }
  }

  get size(): number {
    return this.#connections.size
  }

  [Symbol.iterator](): Iterator<KafkaConnection> {
    return this.#connections.values()
  }

  /** A new connection over `socket`, whose data and close events the caller passes on. */
  open(
    socket: SocketLike,
    listener: ListenerInfo,
    addresses: { readonly remote: string; readonly local: string },
  ): KafkaConnection {
    const nowMs = this.#clock.monotonicMs()
    const connection = new KafkaConnection(this, this.#nextId++, socket, listener, addresses, nowMs)
    this.#connections.add(connection)
    this.counts[ConnectionCount.OPENED]!++
    this.#append(connection)
    this.sink.onOpen(connection)
    return connection
  }

  /** `connections.max.idle.ms`, of open connections as well; the caller asks {@link nextIdleAtMs} anew. */
  setIdleMs(idleMs: number): void {
    this.limits = { ...this.limits, idleMs }
  }

  /** Sends what has become ready; called at the end of every turn and of every event. */
  flush(): void {
    if (this.#flushing) return
    this.#flushing = true
    while (this.#dirty.length > 0) {
      const batch = this.#dirty
      this.#dirty = this.#spare
      for (const connection of batch) connection.flush()
      batch.length = 0
      this.#spare = batch
    }
    this.#flushing = false
  }

  markDirty(connection: KafkaConnection): void {
    this.#dirty.push(connection)
  }

  /** Monotonic milliseconds at which `closeIdle` has something to look at, or Infinity. */
  get nextIdleAtMs(): number {
    const oldest = this.#oldest
    return oldest === null ? Number.POSITIVE_INFINITY : oldest.lastActiveMs + this.limits.idleMs
  }

  /** Closes connections on which nothing came or went for `connections.max.idle.ms`; looks at those that are due only. */
  closeIdle(nowMs: number): number {
    let closed = 0
    for (let oldest = this.#oldest; oldest !== null; oldest = this.#oldest) {
      if (nowMs - oldest.lastActiveMs < this.limits.idleMs) break
      if (oldest.isOurTurn) {
        // A long poll is no idleness.
        oldest.lastActiveMs = nowMs
        this.#unlink(oldest)
        this.#append(oldest)
        continue
      }
      this.counts[ConnectionCount.CLOSED_IDLE]!++
      oldest.close()
      closed++
    }
    return closed
  }

  onSending(replies: Undrained): void {
    replies.sinceMs = this.#clock.monotonicMs()
    this.#sending.add(replies)
  }

  onSent(replies: Undrained): void {
    this.#sending.delete(replies)
  }

  /** Monotonic milliseconds at which {@link closeStuck} has something to do, or Infinity. */
  get nextStuckAtMs(): number {
    const stuck = this.#oldestSending()
    return stuck === null ? Number.POSITIVE_INFINITY : stuck.sinceMs + STUCK_AFTER_MS
  }

  /** The last resort while others wait for room: closes the socket that has not taken much for longest; returns how many. */
  closeStuck(nowMs: number): number {
    const stuck = this.#oldestSending()
    if (stuck === null || nowMs - stuck.sinceMs < STUCK_AFTER_MS) return 0
    stuck.connection.closeForBudget('does not read, while others wait for its memory')
    return 1
  }

  /** A line about what a client asked for in vain; of many at once only some are written. */
  logRefused(connection: KafkaConnection, message: string, fields: LogFields): void {
    this.#log.log('warn', message, { client: connection.remoteAddress, ...fields })
  }

  /** Those with little to send are left alone while there are others. */
  #oldestSending(): Undrained | null {
    let oldest: Undrained | null = null
    for (const replies of this.#sending) {
      if (replies.connection.replyBytes > SMALL_BYTES) return replies
      oldest ??= replies
    }
    return oldest
  }

  touch(connection: KafkaConnection): void {
    const nowMs = this.#clock.monotonicMs()
    this.arrivedUs = (nowMs * 1000) | 0
    if (nowMs - connection.lastActiveMs < TOUCH_MS) return
    connection.lastActiveMs = nowMs
    if (this.#newest === connection) return
    this.#unlink(connection)
    this.#append(connection)
  }

  logBroken(connection: KafkaConnection, reason: string): void {
    this.#log.log('warn', 'connection closed because of what came in over it', {
      client: connection.remoteAddress,
      reason,
    })
  }

  /** Closes every connection once its requests are answered and sent. */
  finishAll(): void {
    for (const connection of this.#connections) connection.finish()
  }

  closeAll(): void {
    for (const connection of this.#connections) connection.close()
  }

  /** From a connection, once. */
  onClosed(connection: KafkaConnection): void {
    if (!this.#connections.delete(connection)) return
    this.counts[ConnectionCount.CLOSED]!++
    this.#unlink(connection)
    this.sink.onClose(connection)
  }

  #append(connection: KafkaConnection): void {
    connection.idlePrevious = this.#newest
    connection.idleNext = null
    if (this.#newest === null) this.#oldest = connection
    else this.#newest.idleNext = connection
    this.#newest = connection
  }

  #unlink(connection: KafkaConnection): void {
    const { idlePrevious, idleNext } = connection
    if (idlePrevious === null) this.#oldest = idleNext
    else idlePrevious.idleNext = idleNext
    if (idleNext === null) this.#newest = idlePrevious
    else idleNext.idlePrevious = idlePrevious
    connection.idlePrevious = connection.idleNext = null
  }
}

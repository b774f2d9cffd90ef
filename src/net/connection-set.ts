import type { Clock } from '../base/clock.ts'
import type { TenantId } from '../base/ids.ts'
import type { LogFields, Logger } from '../base/log.ts'
import { type Arrival, Arrivals } from './arrivals.ts'
import { KafkaConnection, REQUEST_OVERHEAD_BYTES } from './connection.ts'
import { ConnectionCount, newConnectionCounts } from './connection-counts.ts'
import { FrameBuffers, type SharedFrames } from './frame-buffers.ts'
import { type InFlightBudget, SMALL_BYTES, STUCK_AFTER_MS } from './in-flight.ts'
import type { ListenerInfo } from './listener-info.ts'
import { type Owner, Owners } from './owner.ts'
import { OwnerCount } from './owner-counts.ts'
import { RateLimitedLog } from './rate-limited-log.ts'
import { ReadTurns, type TurnOptions } from './read-turns.ts'
import { READ_BYTES } from './receive.ts'
import type { ReplyBudget } from './reply-budget.ts'
import type { ReplySlot } from './reply-slot.ts'
import type { SocketLike, Undrained } from './socket-like.ts'

/** Who makes replies of frames. Called on the front's thread. */
export interface RequestSink {
  onOpen(connection: KafkaConnection): void
  /** `frame` has no size prefix and may be kept until the slot is answered. */
  onFrame(connection: KafkaConnection, slot: ReplySlot, frame: Uint8Array): void
  /** The frames of one chunk have been handed over: what they asked for can be sent on together. */
  onReadEnd(): void
  /** Replies of `connection` have been handed to the socket or have left user space. */
  onDrained(connection: KafkaConnection): void
  /**
   * No more is read from `connection` until half of what it has asked is answered, so it would not be seen to go: what waits for
   * others' doings is to be answered, some of it at a time. False when there is nothing of that kind.
   */
  onFull(connection: KafkaConnection): boolean
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
  /** Descriptors are needed for files as well; no limit unless given. */
  readonly connectionsMax?: number
}

export const defaultLimits: ConnectionLimits = {
  frameBytesMax: 104_857_600,
  connectionBytesMax: 16 * 2 ** 20,
  idleMs: 600_000,
}

/** Of buffers for frames that are free. */
const KEPT_BYTES_MAX = 32 * 2 ** 20

/** Who has been idle for this long may lose a connection to somebody new when no more are allowed. */
const EVICT_IDLE_MS = 10_000

/** Least time between two moves within the idle list: activity is counted no more finely than this. */
const TOUCH_MS = 100

const DROPPED = 'connection closed before it was opened: too many of its tenant have come at once'

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
  readonly owners: Owners
  readonly turns: ReadTurns
  /** Whose connections come in where only one tenant's do; null: nobody is told apart before it says who it is. */
  readonly ownerAt: (tenantId: TenantId | null) => Owner
  /** What the sockets of this thread read into, one after the other. */
  readonly readBuffer = new Uint8Array(READ_BYTES)
  /** By {@link ConnectionCount}. */
  readonly counts: Float64Array
  /** When the last bytes came: monotonic microseconds, an int32 that wraps. Frames are timed from here. */
  arrivedUs = 0
  /** Sockets that are no connections yet, for their TLS handshake is under way: they count as connections. */
  handshaking = 0
  /** For measurements; undefined for the measured best. */
  mergeBytesMax: number | undefined
  readonly #clock: Clock
  readonly #log: RateLimitedLog
  readonly #connections = new Set<KafkaConnection>()
  /** They count as connections, too. */
  readonly #arrivals: Arrivals
  /** What sockets have not taken yet, longest ago first. */
  readonly #sending = new Set<Undrained>()
  /** Those that are not read from for the sake of what they have asked themselves. */
  readonly #full = new Set<KafkaConnection>()
  #dirty: KafkaConnection[] = []
  #spare: KafkaConnection[] = []
  /** Those with replies whose owners have had their turn. */
  readonly #late: KafkaConnection[] = []
  /** When the first of them may be written. */
  #lateAtMs = Number.POSITIVE_INFINITY
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
    /** Of connections that others know; of its own unless given. */
    readonly owners?: Owners
    /** Whose the connections of a tenant are; left out: nobody's that others know of. */
    readonly ownerOf?: (tenantId: TenantId) => Owner
    /** Memory that other threads see, for the frames of some requests. */
    readonly sharedFrames?: SharedFrames | null
    readonly turns?: TurnOptions | undefined
    /** Slots to count in; own ones unless given. */
    readonly counts?: Float64Array
  }) {
    this.sink = options.sink
    this.#clock = options.clock
    this.owners = options.owners ?? new Owners()
    this.turns = new ReadTurns(options.clock, this.owners.strangers, options.turns)
    this.#arrivals = new Arrivals(this.turns)
    const { ownerOf } = options
    const { strangers } = this.owners
    this.ownerAt = (tenantId) =>
      tenantId === null ? strangers : (ownerOf?.(tenantId) ?? strangers)
    this.#log = new RateLimitedLog(options.logger, options.clock)
    this.budget = options.budget
    this.replies = options.replies
    this.frameBuffers = new FrameBuffers(
      Math.min(KEPT_BYTES_MAX, this.budget.capacityBytes / 4),
      options.sharedFrames,
    )
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

  /**
   * Whether there may be one more connection; for it the one that is idle for longest is closed, if that is a while, or else one of an
   * owner that has more than half of all beside others. A refusal is logged.
   */
  makeRoom(remoteAddress: string): boolean {
    const connectionsMax = this.limits.connectionsMax ?? Number.POSITIVE_INFINITY
    const coming = this.handshaking + this.#arrivals.size
    if (this.#connections.size + coming < connectionsMax) return true
    const oldest = this.#oldest
    const nowMs = this.#clock.monotonicMs()
    if (oldest !== null && nowMs - oldest.lastActiveMs >= EVICT_IDLE_MS && !oldest.isOurTurn) {
      this.#evict(oldest, 'idle connection closed for a new one')
      return true
    }
    const spare = this.#spareConnection()
    if (spare !== null) {
      this.#evict(spare, 'connection closed for a new one: its tenant has more than half of all')
      return true
    }
    const message = 'connection refused: as many are open as the limit of open files allows'
    this.#log.log('warn', message, { client: remoteAddress, connectionsMax })
    return false
  }

  #evict(connection: KafkaConnection, message: string): void {
    const { connectionsMax } = this.limits
    this.counts[ConnectionCount.CLOSED_IDLE]!++
    this.#log.log('warn', message, { client: connection.remoteAddress, connectionsMax })
    connection.close()
  }

  /** Of an owner with more than half of all, beside others, the one that is idle for longest. */
  #spareConnection(): KafkaConnection | null {
    for (let one = this.#oldest; one !== null; one = one.idleNext) {
      if (!one.owner.hasCompany) return null
      if (one.owner.connections * 2 > this.#connections.size) return one
    }
    return null
  }

  /** Something has come in for `owner`: it is opened when its turn comes; at once where there are as many as there may be, so that somebody gives way. */
  arrive(owner: Owner, arrival: Arrival): void {
    const { connectionsMax = Number.POSITIVE_INFINITY } = this.limits
    const waiting = this.#arrivals.makeRoom(owner, connectionsMax)
    if (waiting > 0) this.#log.log('warn', DROPPED, { tenant: owner.name, waiting, connectionsMax })
    const coming = this.handshaking + this.#arrivals.size
    if (this.#connections.size + coming >= connectionsMax) {
      // it is paid for all the same, or who has short ones would have as many as it likes here
      this.turns.open(owner, () => {
        arrival.open()
        return false
      })
      return
    }
    this.#arrivals.add(owner, arrival)
    this.sink.onReadEnd()
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
    const lateBefore = this.#late.length
    while (this.#dirty.length > 0) {
      const batch = this.#dirty
      this.#dirty = this.#spare
      for (const connection of batch) this.#flushOne(connection)
      batch.length = 0
      this.#spare = batch
    }
    this.#flushing = false
    // those have a turn to come
    if (this.#late.length > lateBefore) this.sink.onReadEnd()
    if (this.replies.isOverfull) this.#closeHungriest()
  }

  #flushOne(connection: KafkaConnection): void {
    const { owner } = connection
    const atMs = owner.hasCompany ? this.turns.writableAtMs(owner) : Number.NEGATIVE_INFINITY
    if (atMs === Number.NEGATIVE_INFINITY) {
      this.turns.write(connection)
      return
    }
    this.#late.push(connection)
    this.#lateAtMs = Math.min(this.#lateAtMs, atMs)
  }

  /** When an owner whose turn was over may go on, or has replies written: monotonic milliseconds, or Infinity. */
  get nextTurnAtMs(): number {
    return Math.min(this.turns.nextAtMs, this.#lateAtMs, this.#arrivals.nextAtMs)
  }

  /** `connection` has as many requests as one may have (or is read from again). */
  setFull(connection: KafkaConnection, isFull: boolean): void {
    if (isFull) this.#full.add(connection)
    else this.#full.delete(connection)
  }

  get hasFull(): boolean {
    return this.#full.size > 0
  }

  /** Has some of what full connections wait for answered; returns how many of them there are. */
  relieveFull(): number {
    const full = [...this.#full]
    for (const connection of full) {
      if (!this.sink.onFull(connection)) this.#full.delete(connection)
    }
    return full.length
  }

  /** Lets those go on whose turn was over, as long as a turn lasts; returns how many. */
  resumeYielded(): number {
    this.turns.renew()
    if (this.#lateAtMs <= this.#clock.monotonicMs()) {
      this.#lateAtMs = Number.POSITIVE_INFINITY
      this.#dirty.push(...this.#late.splice(0))
    }
    // by turns of each owner, whose time is enough for the first of both only: ours come in pairs, the second of which finds nothing
    const opened = this.#arrivals.open(true)
    const resumed = this.turns.resume() + opened + this.#arrivals.open()
    if (resumed === 0) return 0
    this.flush()
    // of no account for those who come next: they would have to queue up behind all that wait here
    this.turns.renew()
    return resumed
  }

  /**
   * Replies that are made whatever the room (each small for what is asked, but asked for by many, or over and over) have
   * filled their budget twice: of the owner that holds most of them, who holds most and does not read loses its connection,
   * as long as there is somebody else; at four times whoever holds most.
   */
  #closeHungriest(): void {
    const nowMs = this.#clock.monotonicMs()
    while (this.replies.isOverfull) {
      let most: KafkaConnection | null = null
      let others = 0
      for (const connection of this.#connections) {
        if (connection.replyBytes > SMALL_BYTES) others++
        if (connection.replyBytes === 0 || !isHungrier(connection, most)) continue
        const isReading = nowMs - connection.sendingSinceMs < STUCK_AFTER_MS
        if (!isReading || this.replies.isBursting) most = connection
      }
      if (most === null || (others < 2 && !most.owner.isBeside)) return
      most.closeForBudget('does not read its replies, and they fill the memory for all replies')
    }
  }

  /** So much has been given to a socket of `owner`. */
  countOut(owner: Owner, bytes: number): void {
    this.counts[ConnectionCount.BYTES_OUT]! += bytes
    owner.counts[OwnerCount.BYTES_OUT]! += bytes
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

  /**
   * The last resort while others wait for room: of the owner that holds most, closes the socket that has not taken much for
   * longest; returns how many.
   */
  closeStuck(nowMs: number): number {
    let stuck = this.#oldestSending()
    if (stuck === null || nowMs - stuck.sinceMs < STUCK_AFTER_MS) return 0
    for (const replies of this.#sending) {
      if (nowMs - replies.sinceMs < STUCK_AFTER_MS) break
      const { owner, replyBytes } = replies.connection
      if (replyBytes <= SMALL_BYTES) continue
      if (owner.replyBytes > stuck.connection.owner.replyBytes) stuck = replies
    }
    stuck.connection.closeForBudget('does not read, while others wait for its memory')
    return 1
  }

  /** Monotonic milliseconds at which {@link flushLog} has something to tell, or Infinity. */
  get nextLogAtMs(): number {
    return this.#log.nextFlushAtMs
  }

  /** Tells of lines that were left out. */
  flushLog(nowMs: number): void {
    this.#log.flush(nowMs)
  }

  /** A line about what a client asked for in vain; of many at once only some are written. */
  logRefused(connection: KafkaConnection, message: string, fields: LogFields): void {
    this.#log.log('warn', message, { ...whose(connection), ...fields })
  }

  /** The same where there is no connection yet. */
  logClient(client: string, message: string, fields: LogFields): void {
    this.#log.log('warn', message, { client, ...fields })
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

  /** So many bytes have come over `connection`. */
  onReceived(connection: KafkaConnection, bytes: number): void {
    this.touch(connection)
    this.counts[ConnectionCount.BYTES_IN]! += bytes
    this.turns.hasRead(connection.owner, bytes)
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
      ...whose(connection),
      reason,
    })
  }

  /** Closes every connection once its requests are answered and sent; what is not open yet is not opened. */
  finishAll(): void {
    this.#arrivals.dropAll()
    for (const connection of this.#connections) connection.finish()
  }

  closeAll(): void {
    this.#arrivals.dropAll()
    for (const connection of this.#connections) connection.close()
  }

  /** From a connection, once. */
  onClosed(connection: KafkaConnection): void {
    if (!this.#connections.delete(connection)) return
    this.counts[ConnectionCount.CLOSED]!++
    this.turns.forget(connection)
    this.#full.delete(connection)
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

function isHungrier(connection: KafkaConnection, most: KafkaConnection | null): boolean {
  if (most === null) return true
  const [own, other] = [connection.owner.replyBytes, most.owner.replyBytes]
  return own > other || (own === other && connection.replyBytes > most.replyBytes)
}

/** Fields of a line in the log: where the client is, and of which tenant, where that is known. */
const whose = ({ remoteAddress, owner }: KafkaConnection): LogFields =>
  owner.name === null ? { client: remoteAddress } : { client: remoteAddress, tenant: owner.name }

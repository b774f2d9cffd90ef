import type { Clock } from '../base/clock.ts'
import type { KafkaConnection } from './connection.ts'
import type { Owner } from './owner.ts'
import { OwnerCount } from './owner-counts.ts'

/** So long may one connection's requests be handled in one go while others wait, … */
const READ_TURN_MS = 10
/** … and those of all connections for which the event loop has something at once, … */
const ALL_READ_MS = 50
/** … of which one owner, however many its connections, has this while others ask for something, too. */
const SHARED_TURN_MS = 2
/** Others ask for something as long as it is no longer ago than this. */
const COMPANY_MS = 10_000
/** What the system takes for a read before we are called, and for each byte of it. */
const READ_CALL_MS = 0.005
const READ_BYTE_MS = 0.3e-6
/** Reading that has taken less needs no turn of the agent's. */
const NOTED_MS = 2
const NS_PER_MS = 1e6

/**
 * When connections hand over requests: as long as a turn lasts, then others have theirs. Between owners turns go round, and each
 * is as long whether it has one connection or thousands; within one, connections go round. Belongs to the front's thread.
 */
export class ReadTurns {
  readonly #clock: Clock
  /** Those with connections whose turn is over, in the order of their turns. */
  readonly #waiting = new Set<Owner>()
  /** Those whose `readMs` or `writeMs` is not 0. */
  readonly #counted: Owner[] = []
  #owner: Owner | null = null
  /** When somebody else than the one before had a turn. */
  #companyAtMs = Number.NEGATIVE_INFINITY
  #sinceMs = 0
  /** What reading has taken since the last turn. */
  #readMs = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** When the connection that hands over requests has begun to: monotonic milliseconds. */
  get sinceMs(): number {
    return this.#sinceMs
  }

  /** The moment at which a connection of `owner` that now begins to hand over requests must let others have their turn; already over, perhaps. */
  begin(owner: Owner): number {
    const nowMs = this.#clock.monotonicMs()
    this.#sinceMs = nowMs
    if (owner !== this.#owner) {
      if (this.#owner !== null) this.#companyAtMs = nowMs
      this.#owner = owner
    }
    const ownMs = this.#isSharedAt(nowMs) ? SHARED_TURN_MS - owner.readMs : READ_TURN_MS
    return nowMs + Math.min(ownMs, ALL_READ_MS - this.#readMs)
  }

  end(owner: Owner): void {
    const tookMs = this.#clock.monotonicMs() - this.#sinceMs
    owner.counts[OwnerCount.FRONT_NS]! += tookMs * NS_PER_MS
    this.#count(owner, tookMs)
  }

  /** So many bytes have been read for `owner`: that takes time of its turn, too, while others ask for something. */
  hasRead(owner: Owner, bytes: number): void {
    owner.counts[OwnerCount.BYTES_IN]! += bytes
    if (owner.hasCompany) this.#count(owner, READ_CALL_MS + bytes * READ_BYTE_MS)
  }

  /** Whether replies of `owner` may be written in this turn; otherwise in one of the next. */
  mayWrite(owner: Owner): boolean {
    return owner.writeMs < SHARED_TURN_MS
  }

  /** Has a connection write its replies, in its owner's time. */
  write(connection: KafkaConnection): void {
    const { owner } = connection
    const sinceMs = this.#clock.monotonicMs()
    connection.flush()
    const nowMs = this.#clock.monotonicMs()
    owner.counts[OwnerCount.FRONT_NS]! += (nowMs - sinceMs) * NS_PER_MS
    if (!this.#isSharedAt(nowMs)) return
    this.#note(owner)
    owner.writeMs += nowMs - sinceMs
  }

  /** The turn that ends at `untilMs` is over. */
  isOver(untilMs: number): boolean {
    return this.#clock.monotonicMs() >= untilMs
  }

  /** Has `connection` go on in a later turn. */
  yield(connection: KafkaConnection): void {
    const { owner } = connection
    owner.yielded.add(connection)
    this.#waiting.add(owner)
  }

  /** It has gone, or is to go on as another owner's. True when it had yielded. */
  forget(connection: KafkaConnection): boolean {
    const { owner } = connection
    if (!owner.yielded.delete(connection)) return false
    if (owner.yielded.size === 0) this.#waiting.delete(owner)
    return true
  }

  get hasYielded(): boolean {
    return this.#waiting.size > 0
  }

  /** Reading has taken some time: who comes next may have to wait until a turn has begun. */
  get isBusy(): boolean {
    return this.#readMs >= NOTED_MS
  }

  /** A turn of the agent's begins: all have theirs anew. */
  renew(): void {
    for (const owner of this.#counted) owner.readMs = owner.writeMs = 0
    this.#counted.length = 0
    this.#readMs = 0
  }

  /** Lets those go on whose turn was over: one owner after the other, each connection once, as long as a turn lasts; returns how many. */
  resume(): number {
    if (this.#waiting.size === 0) return 0
    const untilMs = this.#clock.monotonicMs() + READ_TURN_MS
    let resumed = 0
    for (const owner of [...this.#waiting]) {
      resumed += this.#resumeOwner(owner, untilMs)
      if (this.isOver(untilMs)) break
    }
    return resumed
  }

  #resumeOwner(owner: Owner, untilMs: number): number {
    let resumed = 0
    // its next turn comes after all others
    this.#waiting.delete(owner)
    let left = owner.yielded.size
    for (const connection of owner.yielded) {
      // who has yielded again meanwhile has had its turn
      if (left-- === 0) break
      owner.yielded.delete(connection)
      connection.readFurther()
      resumed++
      const isShared = this.#isSharedAt(this.#clock.monotonicMs())
      if (this.isOver(untilMs) || (isShared && owner.readMs >= SHARED_TURN_MS)) break
    }
    if (owner.yielded.size > 0) this.#waiting.add(owner)
    return resumed
  }

  #isSharedAt(nowMs: number): boolean {
    return nowMs - this.#companyAtMs < COMPANY_MS
  }

  #note(owner: Owner): void {
    if (owner.readMs === 0 && owner.writeMs === 0) this.#counted.push(owner)
  }

  #count(owner: Owner, ms: number): void {
    this.#note(owner)
    owner.readMs += ms
    this.#readMs += ms
  }
}

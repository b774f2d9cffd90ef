import type { Clock } from '../base/clock.ts'
import type { KafkaConnection } from './connection.ts'
import type { Owner } from './owner.ts'
import { OwnerCount } from './owner-counts.ts'

/** So long may one connection's requests be handled in one go while others wait, … */
const READ_TURN_MS = 10
/** … and those of all connections for which the event loop has something at once, … */
const ALL_READ_MS = 50
/** … of which one owner, however many its connections, has this while others ask for something, too. */
const SHARED_TURN_MS = 1
/** Whose turn is over goes on when nothing is owed; replies go out until so much is. */
const WRITES_UNTIL_MS = SHARED_TURN_MS
/** Who has not used its share may have so much at once: timers are no more exact than this. */
const SAVED_MAX_MS = 0.5
/** Less is nothing. */
const OWED_MS = 1e-3
/** Nobody owes more, whatever one request has taken. */
const DEBT_MAX_MS = 50
/** What an owner may have of this thread while others ask for something, unless said otherwise. */
const OWNER_SHARE = 0.5
/** Others ask for something as long as it is no longer ago than this. */
const COMPANY_MS = 10_000
/** What the system takes for a read before we are called, and for each byte of it. */
const READ_CALL_MS = 0.005
const READ_BYTE_MS = 0.3e-6
/** What the system and Node take to accept a connection and to close it, … */
const CONNECT_MS = 0.1
/** … and what the other side of both takes of the same cores, where there are few. */
const CONNECT_ELSEWHERE_MS = 0.2
/** So much is counted before the rest of the thread's time is shared out, which is asked for then, … */
const SHARED_OUT_MS = 0.25
/** … if that was no longer ago than this. */
const SHARED_OUT_MAX_MS = 20
/** Reading that has taken less needs no turn of the agent's. */
const NOTED_MS = 2
const NS_PER_MS = 1e6

export interface TurnOptions {
  /** What an owner may have of the thread's time beside others, between 0 and 1. */
  readonly ownerShare?: number | undefined
  /** How long the thread has been at work since it began, in milliseconds; left out: what is counted here is all that there is. */
  readonly busyMs?: (() => number) | undefined
  /** Other threads have the same cores as this one: what they do for an owner is its time, too. */
  readonly areCoresShared?: boolean | undefined
  /** Where the clock stands still while something is done: what the system takes would be made up. */
  readonly isSystemFree?: boolean | undefined
}

/**
 * When connections hand over requests: as long as a turn lasts, then others have theirs. Between owners turns go round, and each
 * is as long whether it has one connection or thousands; within one, connections go round. Who asks for more than its share of
 * the thread's time, while others ask for something, waits even if nobody else does: what comes next finds the thread, and the
 * processors, free. Belongs to the front's thread.
 */
export class ReadTurns {
  readonly #clock: Clock
  readonly #isSystemFree: boolean
  readonly #areCoresShared: boolean
  readonly #readBusyMs: (() => number) | null
  /** What a millisecond of waiting pays. */
  readonly #payRate: number
  /** Those with connections whose turn is over, in the order of their turns. */
  readonly #waiting = new Set<Owner>()
  /** The first of them has paid what it owes then. */
  #nextAtMs = Number.POSITIVE_INFINITY
  /** Of connections that have not said whose they are: nobody waits for their sake, they do for everybody's. */
  readonly #strangers: Owner
  #owner: Owner | null = null
  /** When an owner had a turn, … */
  #ownerAtMs = Number.NEGATIVE_INFINITY
  /** … and another one than the one before. */
  #companyAtMs = Number.NEGATIVE_INFINITY
  #sinceMs = 0
  /** Who had time that is not shared out yet, how much of it all together, … */
  readonly #counted: Owner[] = []
  #countedMs = 0
  /** … and how long the thread had worked when it was last, and when that was. */
  #busyMs = 0
  #sharedOutAtMs = Number.NEGATIVE_INFINITY
  /** For whom the thread works now: it pays nothing meanwhile. */
  #working: Owner | null = null
  /** Whose work was interrupted by that, the last one first to go on. */
  readonly #interrupted: Owner[] = []
  /** What reading has taken since the last turn. */
  #readMs = 0

  constructor(clock: Clock, strangers: Owner, options: TurnOptions = {}) {
    const { ownerShare = OWNER_SHARE, isSystemFree = false, busyMs = null } = options
    this.#areCoresShared = options.areCoresShared === true
    this.#clock = clock
    this.#strangers = strangers
    this.#isSystemFree = isSystemFree
    this.#readBusyMs = busyMs
    this.#payRate = ownerShare / (1 - ownerShare)
  }

  /** When the connection that hands over requests has begun to, or has gone on: monotonic milliseconds. */
  get sinceMs(): number {
    return this.#sinceMs
  }

  /** The moment at which a connection of `owner` that now begins to hand over requests must let others have their turn; already over, perhaps. */
  begin(owner: Owner): number {
    const nowMs = this.#enter(owner)
    if (owner !== this.#strangers) this.#note(owner, nowMs)
    return nowMs + Math.min(this.#turnOf(owner, nowMs), ALL_READ_MS - this.#readMs)
  }

  end(owner: Owner): void {
    this.#readMs += this.#leave(owner)
    // what it waits for was worked out without this
    if (owner.yielded.size > 0) this.#wait(owner)
  }

  /** What is done from now on is `owner`'s; who is interrupted by that (an answer gives room, and somebody reads on) has had its time until now. */
  #enter(owner: Owner): number {
    const nowMs = this.#clock.monotonicMs()
    if (this.#working !== null) {
      const interrupted = this.#working
      this.#charge(interrupted, nowMs)
      this.#interrupted.push(interrupted)
    }
    this.#working = owner
    this.#sinceMs = nowMs
    return nowMs
  }

  /** It was done for `owner`; returns how long it took, in milliseconds. */
  #leave(owner: Owner): number {
    const nowMs = this.#clock.monotonicMs()
    const tookMs = this.#charge(owner, nowMs)
    this.#working = this.#interrupted.pop() ?? null
    this.#sinceMs = nowMs
    return tookMs
  }

  #charge(owner: Owner, nowMs: number): number {
    const tookMs = nowMs - this.#sinceMs
    owner.counts[OwnerCount.FRONT_NS]! += tookMs * NS_PER_MS
    this.#working = null
    this.#owe(owner, tookMs, nowMs)
    return tookMs
  }

  /** So many bytes have been read for `owner`: that takes time of its turn, too, while others ask for something. */
  hasRead(owner: Owner, bytes: number): void {
    owner.counts[OwnerCount.BYTES_IN]! += bytes
    if (!owner.hasCompany || this.#isSystemFree) return
    const tookMs = READ_CALL_MS + bytes * READ_BYTE_MS
    this.#readMs += tookMs
    this.#owe(owner, tookMs, this.#clock.monotonicMs())
  }

  /** Other threads have been asked to work for `owner`, for about `ms`. */
  elsewhere(owner: Owner, ms: number): void {
    if (!this.#areCoresShared || !owner.hasCompany) return
    const nowMs = this.#clock.monotonicMs()
    if (this.#isShared(owner, nowMs)) this.#addDebt(owner, ms, nowMs)
  }

  /** When replies of `owner` may be written: monotonic milliseconds; −Infinity: at once. */
  writableAtMs(owner: Owner): number {
    const nowMs = this.#clock.monotonicMs()
    if (!this.#isShared(owner, nowMs)) return Number.NEGATIVE_INFINITY
    const overMs = this.#debtOf(owner, nowMs) - WRITES_UNTIL_MS
    return overMs < OWED_MS ? Number.NEGATIVE_INFINITY : nowMs + overMs / this.#payRate
  }

  /** Has a connection write its replies, in its owner's time. */
  write(connection: KafkaConnection): void {
    const { owner } = connection
    this.#enter(owner)
    connection.flush()
    this.#leave(owner)
  }

  /**
   * Opens connections of `owner`, who has some, as long as its turn lasts: `openNext` opens one and returns whether there are more. It pays for what each takes besides,
   * now and when it is closed, before the next: who has short ones would have hundreds at once. Returns how many.
   */
  open(owner: Owner, openNext: () => boolean): number {
    const sinceMs = this.#enter(owner)
    const untilMs = sinceMs + this.#turnOf(owner, sinceMs)
    const besideMs = this.#isSystemFree ? 0 : CONNECT_MS
    owner.hasOpened = true
    let opened = 1
    while (openNext() && !this.isOver(untilMs - opened * besideMs)) opened++
    this.#owe(owner, opened * besideMs, this.#clock.monotonicMs())
    this.elsewhere(owner, opened * CONNECT_ELSEWHERE_MS)
    this.#leave(owner)
    return opened
  }

  /** When the turns of all owners together end, of those that begin now. */
  get allUntilMs(): number {
    return this.#clock.monotonicMs() + READ_TURN_MS
  }

  /** The turn that ends at `untilMs` is over. */
  isOver(untilMs: number): boolean {
    return this.#clock.monotonicMs() >= untilMs
  }

  /** Has `connection` go on in a later turn. */
  yield(connection: KafkaConnection): void {
    const { owner } = connection
    owner.yielded.add(connection)
    this.#wait(owner)
  }

  /** It has gone, or is to go on as another owner's. True when it had yielded. */
  forget(connection: KafkaConnection): boolean {
    const { owner } = connection
    if (!owner.yielded.delete(connection)) return false
    if (owner.yielded.size === 0) this.#waiting.delete(owner)
    if (this.#waiting.size === 0) this.#nextAtMs = Number.POSITIVE_INFINITY
    return true
  }

  /** When somebody whose turn was over may go on, monotonic milliseconds, or Infinity. */
  get nextAtMs(): number {
    return this.#nextAtMs
  }

  /** Reading has taken some time: who comes next may have to wait until a turn has begun. */
  get isBusy(): boolean {
    return this.#readMs >= NOTED_MS
  }

  /** A turn of the agent's begins: reading has all its time anew. */
  renew(): void {
    this.#readMs = 0
    if (this.#countedMs >= SHARED_OUT_MS) this.#shareOut()
  }

  /** What the thread has done besides (accept, answer, collect garbage) was for those who had its time, by how much they had. */
  #shareOut(): void {
    const nowMs = this.#clock.monotonicMs()
    if (this.#readBusyMs !== null) {
      const busyMs = this.#readBusyMs()
      const restMs = busyMs - this.#busyMs - this.#countedMs
      // what was before nobody had company, or for long, is of no account
      if (restMs > 0 && nowMs - this.#sharedOutAtMs < SHARED_OUT_MAX_MS) {
        const factor = restMs / this.#countedMs
        for (const owner of this.#counted) this.#owe(owner, owner.countedMs * factor, nowMs)
      }
      this.#busyMs = busyMs
      this.#sharedOutAtMs = nowMs
    }
    for (const owner of this.#counted) owner.countedMs = 0
    this.#counted.length = 0
    this.#countedMs = 0
  }

  /** Lets those go on whose turn has come again: one owner after the other, each connection once, as long as a turn lasts; returns how many. */
  resume(): number {
    const sinceMs = this.#clock.monotonicMs()
    if (this.#nextAtMs > sinceMs) return 0
    const untilMs = sinceMs + READ_TURN_MS
    this.#nextAtMs = Number.POSITIVE_INFINITY
    let resumed = 0
    for (const owner of [...this.#waiting]) {
      if (this.isOver(untilMs)) {
        this.#nextAtMs = sinceMs
        break
      }
      if (this.goesOnAtMs(owner) <= sinceMs) {
        resumed += this.#resumeOwner(owner, untilMs)
        // its next turn comes after all others
        this.#waiting.delete(owner)
      }
      if (owner.yielded.size > 0) this.#wait(owner)
    }
    return resumed
  }

  #resumeOwner(owner: Owner, allUntilMs: number): number {
    const sinceMs = this.#clock.monotonicMs()
    const untilMs = Math.min(allUntilMs, sinceMs + this.#turnOf(owner, sinceMs))
    let resumed = 0
    let left = owner.yielded.size
    owner.hasOpened = false
    for (const connection of owner.yielded) {
      // who has yielded again meanwhile has had its turn
      if (left-- === 0) break
      owner.yielded.delete(connection)
      connection.readFurther()
      resumed++
      if (this.isOver(untilMs)) break
    }
    return resumed
  }

  #wait(owner: Owner): void {
    this.#waiting.add(owner)
    this.#nextAtMs = Math.min(this.#nextAtMs, this.goesOnAtMs(owner))
  }

  /** When `owner` has paid what it owes: monotonic milliseconds; −Infinity: nothing. */
  goesOnAtMs(owner: Owner): number {
    const nowMs = this.#clock.monotonicMs()
    const debtMs = this.#isShared(owner, nowMs) ? this.#debtOf(owner, nowMs) : 0
    return debtMs < OWED_MS ? Number.NEGATIVE_INFINITY : nowMs + debtMs / this.#payRate
  }

  /** How long its turn may be now, in milliseconds; 0 or less: it has had it. */
  #turnOf(owner: Owner, nowMs: number): number {
    if (!this.#isShared(owner, nowMs)) return READ_TURN_MS
    return Math.min(SHARED_TURN_MS, SHARED_TURN_MS - this.#debtOf(owner, nowMs))
  }

  #debtOf(owner: Owner, nowMs: number): number {
    if (owner === this.#working) return owner.debtMs
    const paidMs = (nowMs - owner.settledAtMs) * this.#payRate
    owner.settledAtMs = nowMs
    owner.debtMs = Math.max(-SAVED_MAX_MS, owner.debtMs - paidMs)
    return owner.debtMs
  }

  /** `ms` that end now are `owner`'s, who has paid nothing in them. */
  #owe(owner: Owner, ms: number, nowMs: number): void {
    if (!this.#isShared(owner, nowMs)) return
    this.#addDebt(owner, ms, nowMs)
    if (owner.countedMs === 0) this.#counted.push(owner)
    owner.countedMs += ms
    this.#countedMs += ms
  }

  #addDebt(owner: Owner, ms: number, nowMs: number): void {
    const debtMs = this.#debtOf(owner, Math.max(owner.settledAtMs, nowMs - ms))
    owner.debtMs = Math.min(DEBT_MAX_MS, debtMs + ms)
    owner.settledAtMs = nowMs
  }

  #note(owner: Owner, nowMs: number): void {
    this.#ownerAtMs = nowMs
    if (owner === this.#owner) return
    if (this.#owner !== null) this.#companyAtMs = nowMs
    this.#owner = owner
  }

  /** Others than `owner` ask for something. */
  #isShared(owner: Owner, nowMs: number): boolean {
    const atMs = owner === this.#strangers ? this.#ownerAtMs : this.#companyAtMs
    return nowMs - atMs < COMPANY_MS
  }
}

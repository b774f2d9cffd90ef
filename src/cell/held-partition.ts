/** What a front holds of one replicated partition, or has sent and has no answer to. */
import { ErrorCode } from '../base/error-code.ts'
import type { PartitionNumber } from '../base/ids.ts'
import { ProduceReason } from '../link/produce-reason.ts'
import type { EpochEndedReply } from '../link/replies.ts'
import type { BrokerProxy, EpochEndSink } from './broker-proxy.ts'
import type { HeldAsk, HeldProduce } from './held-commands.ts'

/** Where nobody is known to lead, the next living replica is asked after this: it may lead, or take its chance. Twice as long each time. */
export const ASK_EVERY_MS = 20
/** And at least so often. */
const ASK_EVERY_MAX_MS = 500
/** Where nobody has wanted it for a while. */
const ASK_IDLE_EVERY_MS = 5_000
const IDLE_AFTER_MS = 60_000

/** Produces are held for so long: leaders that come and go all the time could hold them for as long as clients like. */
const HOLD_PRODUCE_MAX_MS = 30_000

/** A question without any effect: who answers it leads. Answers of those who were asked before do not count. */
export class Probe implements EpochEndSink {
  /** The broker that has it. */
  askedOf: BrokerProxy | null = null
  readonly #partition: PartitionNumber
  readonly #onFound: (leader: BrokerProxy) => void
  #attempt = 0

  constructor(partition: PartitionNumber, onFound: (leader: BrokerProxy) => void) {
    this.#partition = partition
    this.#onFound = onFound
  }

  send(broker: BrokerProxy): void {
    this.askedOf = broker
    broker.epochEnd(this.#partition, 0, -1, this, ++this.#attempt)
  }

  onEpochEnd(attempt: number, { error }: Readonly<EpochEndedReply>): void {
    if (attempt !== this.#attempt) return
    const by = this.askedOf
    this.askedOf = null
    if (error === ErrorCode.NONE && by !== null) this.#onFound(by)
  }
}

/** Of one partition, on the front's thread. */
export class HeldPartition {
  readonly partition: PartitionNumber
  /** In the order in which they came, until they are answered. */
  produces: HeldProduce[] = []
  /** Questions that are held, in the order in which they came. */
  asks: HeldAsk[] = []
  /** Questions that some broker has. */
  readonly out = new Set<HeldAsk>()
  /** Nobody is known to lead, or those who have something of it are waited for. */
  isHolding = false
  askAtMs = 0
  /** How many have been asked since it is held. */
  asked = 0
  /** Monotonic milliseconds since when leaders are looked for, −1 while one is known. */
  leaderlessSinceMs = -1
  /** It has been without a leader for so long that nothing is held any more. */
  isLeaderless = false
  /** Somebody has asked for it last. */
  touchedAtMs = 0
  probe: Probe | null = null
  #everyMs = ASK_EVERY_MS

  constructor(partition: PartitionNumber) {
    this.partition = partition
  }

  get isEmpty(): boolean {
    return this.produces.length === 0 && this.asks.length === 0 && this.out.size === 0
  }

  /** Nobody has any of its produces, nor anybody but `leader` a call: what is sent to it now comes after all that went before. */
  isFreeFor(leader: BrokerProxy): boolean {
    return this.hasNoProduceOut && !this.hasCallElsewhere(leader)
  }

  get hasNoProduceOut(): boolean {
    return this.produces.every(({ sentTo }) => sentTo === null)
  }

  hasCallElsewhere(leader: BrokerProxy): boolean {
    for (const { isOrdered, sentTo } of this.out) if (isOrdered && sentTo !== leader) return true
    return false
  }

  /** Among the others in the order in which they came. */
  insert(ask: HeldAsk): void {
    const { asks } = this
    ask.noteHeld()
    let at = asks.length
    while (at > 0 && asks[at - 1]!.number > ask.number) at--
    asks.splice(at, 0, ask)
  }

  /** The pause until the next is asked. */
  nextPauseMs(nowMs: number): number {
    if (this.isEmpty && nowMs >= this.touchedAtMs + IDLE_AFTER_MS) return ASK_IDLE_EVERY_MS
    const pauseMs = this.#everyMs
    this.#everyMs = Math.min(2 * pauseMs, ASK_EVERY_MAX_MS)
    return pauseMs
  }

  /** Something has changed: it is asked anew, and often. */
  beginAnew(): void {
    this.asked = 0
    this.#everyMs = ASK_EVERY_MS
  }

  /** Somebody leads. */
  leads(): void {
    this.leaderlessSinceMs = -1
    this.isLeaderless = false
    this.beginAnew()
  }

  /**
   * What was answered is not appended afterwards, if that can be helped. What the same producer has behind it is refused as well: a log that
   * does not know the producer would take the next for its first, and the first, when it is sent again, for one out of order.
   */
  dropTimedOut(nowMs: number): void {
    const dropped = new Set<number>()
    for (const produce of [...this.produces]) {
      if (produce.sentTo !== null) continue
      if (produce.heldUntilMs === 0) produce.heldUntilMs = nowMs + HOLD_PRODUCE_MAX_MS
      const { isOver, producerId } = produce
      if (!isOver && nowMs < produce.heldUntilMs && !dropped.has(producerId)) continue
      if (producerId >= 0) dropped.add(producerId)
      if (isOver) produce.refuse(ErrorCode.REQUEST_TIMED_OUT)
      else produce.refuse(ErrorCode.NOT_LEADER_OR_FOLLOWER, ProduceReason.noLeader)
    }
  }

  /** Of those whose clients were told that their time is up, and of questions, those that have waited for long enough. */
  dropOver(nowMs: number): void {
    this.dropTimedOut(nowMs)
    const over = this.asks.filter(({ untilMs }) => nowMs >= untilMs)
    if (over.length === 0) return
    this.asks = this.asks.filter(({ untilMs }) => nowMs < untilMs)
    for (const ask of over) ask.fail()
  }

  /** What nobody has. */
  refuse(error: number, reason: number): void {
    for (const produce of [...this.produces]) {
      if (produce.sentTo === null) produce.refuse(error, reason)
    }
    for (const ask of this.asks.splice(0)) ask.fail()
  }
}

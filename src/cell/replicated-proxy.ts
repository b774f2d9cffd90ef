import type { Clock } from '../base/clock.ts'
import { ErrorCode } from '../base/error-code.ts'
import { asBrokerId, type BrokerId, type CellId, type PartitionNumber } from '../base/ids.ts'
import type { MetadataView } from '../image/view.ts'
import { ProduceReason } from '../link/produce-reason.ts'
import type {
  BrokerProxy,
  CoordinateSink,
  DeleteSink,
  EpochEndSink,
  LocateSink,
  OffsetsSink,
  ProduceSink,
} from './broker-proxy.ts'
import {
  type HeldAsk,
  HeldCall,
  HeldDelete,
  HeldEpochEnd,
  HeldListOffsets,
  HeldLocate,
  HeldProduce,
  type Holder,
} from './held-commands.ts'
import { type Waiter, WatchTable } from './watch-table.ts'

export interface ReplicatedProxyOptions {
  readonly cellId: CellId
  readonly image: MetadataView
  readonly clock: Clock
  /** A broker of the cell that lives and does not hang. */
  readonly proxyOf: (broker: BrokerId) => BrokerProxy | undefined
  /** All of the cell, those that hang too. */
  readonly brokers: () => readonly BrokerProxy[]
}

/** Where nobody is known to lead, so often the next living replica is asked: it may lead, or take its chance. */
const ASK_EVERY_MS = 20
/** Questions are held for so long, and then refused: clients ask again on their own. */
const HOLD_MAX_MS = 5_000

/** What is held of one partition, or not answered. */
class Held {
  readonly partition: PartitionNumber
  /** In the order in which they came, until they are answered. */
  produces: HeldProduce[] = []
  asks: HeldAsk[] = []
  /** Nobody is known to lead. */
  isHolding = false
  askAtMs = 0
  /** How many have been asked since it is held. */
  asked = 0

  constructor(partition: PartitionNumber) {
    this.partition = partition
  }
}

/**
 * The replicated partitions of a cell as one broker that never goes: commands go to whoever leads their partition, as this thread was told last. When
 * that one does not, or is gone, what it has not answered is held, and sent again, oldest first, to the next leader; clients see latency and no error.
 * Batches of which nobody knows whether they were appended go again only if the broker would know them again. Belongs to the front's thread.
 */
export class ReplicatedProxy implements BrokerProxy, Holder {
  readonly cellId: CellId
  readonly brokerId = asBrokerId(0)
  readonly alive = true
  readonly answersDue = 0
  readonly hasReplies = false
  readonly parkedCommands = 0
  readonly #options: ReplicatedProxyOptions
  readonly #held = new Map<PartitionNumber, Held>()
  /** Of these, those for which nobody is known to lead. */
  readonly #holding = new Set<Held>()
  /** Not later than the first of them wants to ask. */
  #askAtMs = Number.POSITIVE_INFINITY
  /** Questions that some broker has. */
  readonly #out = new Set<HeldAsk>()
  /** Who waits for records where nobody is known to lead. */
  readonly #waiters = new WatchTable(() => false)

  constructor(options: ReplicatedProxyOptions) {
    this.#options = options
    this.cellId = options.cellId
  }

  /** Partitions that wait for a leader. */
  get holding(): number {
    return this.#holding.size
  }

  /** Monotonic milliseconds at which the next turn is due, or an earlier time. */
  get nextTimerAtMs(): number {
    return this.#askAtMs
  }

  produce(
    partition: PartitionNumber,
    acks: number,
    batch: Uint8Array,
    sink: ProduceSink,
    token: number,
  ): void {
    const held = this.#of(partition)
    const produce = new HeldProduce(this, partition, acks, batch, sink, token)
    const before = held.produces.at(-1)
    held.produces.push(produce)
    // Until it is told who leads, the oldest goes alone: its broker may begin to lead between it and the next, which would be taken before it.
    const isTold = this.leaderEpochOf(partition) > 0
    const leader = held.isHolding || !isTold ? null : this.#leaderOf(partition)
    // those before it may be with one that was found to lead, and not told of yet
    const isApart = before !== undefined && before.sentTo !== leader
    if (leader === null || isApart) this.#wait(held)
    else produce.send(leader)
  }

  locate(
    partition: PartitionNumber,
    offset: number,
    maxBytes: number,
    currentLeaderEpoch: number,
    sink: LocateSink,
    token: number,
  ): void {
    const untilMs = this.#untilMs()
    const of = { partition, offset, maxBytes, currentLeaderEpoch, sink, token, untilMs }
    this.#ask(new HeldLocate(this, of))
  }

  listOffsets(
    partition: PartitionNumber,
    timestamp: number,
    currentLeaderEpoch: number,
    sink: OffsetsSink,
    token: number,
  ): void {
    const untilMs = this.#untilMs()
    const of = { partition, timestamp, currentLeaderEpoch, sink, token, untilMs }
    this.#ask(new HeldListOffsets(this, of))
  }

  coordinate(
    partition: PartitionNumber,
    host: string,
    frame: Uint8Array,
    sink: CoordinateSink,
    token: number,
  ): void {
    const untilMs = this.#untilMs()
    this.#ask(new HeldCall(this, { partition, host, frame, sink, token, untilMs }))
  }

  /** Comes to the broker that was asked. */
  onCoordinated(): void {}

  deleteRecords(partition: PartitionNumber, offset: number, sink: DeleteSink, token: number): void {
    const untilMs = this.#untilMs()
    this.#ask(new HeldDelete(this, { partition, offset, sink, token, untilMs }))
  }

  epochEnd(
    partition: PartitionNumber,
    leaderEpoch: number,
    currentLeaderEpoch: number,
    sink: EpochEndSink,
    token: number,
  ): void {
    const untilMs = this.#untilMs()
    const of = { partition, leaderEpoch, currentLeaderEpoch, sink, token, untilMs }
    this.#ask(new HeldEpochEnd(this, of))
  }

  /** Where nobody leads, it waits for a leader, which it is told of as of an error: it looks again then. */
  watch(partition: PartitionNumber, offset: number, waiter: Waiter): void {
    const leader = this.#leaderOf(partition)
    if (leader === null) this.#waiters.add(partition, offset, waiter)
    else leader.watch(partition, offset, waiter)
  }

  unwatch(waiter: Waiter): void {
    waiter.leave()
  }

  dismiss(): void {}

  watchedAt(partition: PartitionNumber): number {
    return this.#leaderOf(partition)?.watchedAt(partition) ?? -1
  }

  /** This thread was told who leads the partition: what is held goes there at once. */
  onLeader(partition: PartitionNumber): void {
    const leader = this.#leaderOf(partition)
    if (leader !== null) this.#leave(partition, leader)
    const held = this.#held.get(partition)
    if (held === undefined) return
    held.asked = 0
    if (leader === null) {
      if (held.isHolding) this.#askAt(held, 0)
    } else if (this.#isAllHeld(held)) this.#sendAll(held, leader)
    else this.#askAt(held, 0)
  }

  /** A broker that hung turns again: it may lead what is held, and be what somebody waits for. */
  onAnswering(): void {
    this.#waiters.failAll(ErrorCode.LEADER_NOT_AVAILABLE)
    for (const held of this.#holding) {
      held.asked = 0
      this.#askAt(held, 0)
    }
  }

  doWork(nowMs: number): number {
    if (this.#askAtMs > nowMs) return 0
    let work = 0
    this.#askAtMs = Number.POSITIVE_INFINITY
    for (const held of [...this.#holding]) {
      if (held.askAtMs <= nowMs) {
        work++
        this.#askSomebody(held, nowMs)
      }
      if (this.#holding.has(held)) this.#askAtMs = Math.min(this.#askAtMs, held.askAtMs)
    }
    return work
  }

  get hasWork(): boolean {
    return this.#askAtMs === 0
  }

  flush(): void {}

  markGone(): void {}

  // Holder

  onProduceDone(produce: HeldProduce, leader: BrokerProxy | null): void {
    const held = this.#held.get(produce.partition)
    const at = held?.produces.indexOf(produce) ?? -1
    // stranded with one that led
    if (held === undefined || at < 0) return
    if (at === 0) held.produces.shift()
    else held.produces.splice(at, 1)
    if (held.isHolding && this.#isAllHeld(held)) {
      if (leader?.alive) this.#sendAll(held, leader)
      else this.#askAt(held, 0)
    }
    this.#dropIfEmpty(held)
  }

  onProduceHeld(produce: HeldProduce, refusedBy: BrokerProxy): void {
    this.#wait(this.#of(produce.partition), refusedBy, produce.sentInEpoch)
  }

  isBehindHeld(produce: HeldProduce): boolean {
    const produces = this.#held.get(produce.partition)?.produces ?? []
    for (const one of produces) {
      if (one === produce) return false
      if (one.sentTo === null && one.producerId === produce.producerId) return true
    }
    return false
  }

  hold(ask: HeldAsk, refusedBy: BrokerProxy | null = null): boolean {
    this.#out.delete(ask)
    if (this.#options.clock.monotonicMs() >= ask.untilMs) return false
    const held = this.#of(ask.partition)
    // one that was sent ahead of the others stays the first of them
    if (ask.isProbe) held.asks.unshift(ask)
    else held.asks.push(ask)
    ask.isProbe = false
    this.#wait(held, refusedBy, ask.sentInEpoch)
    return true
  }

  onAskDone(ask: HeldAsk, leader: BrokerProxy): void {
    this.#out.delete(ask)
    if (!ask.isProbe) return
    const held = this.#held.get(ask.partition)
    if (held?.isHolding && leader.alive && this.#isAllHeld(held)) this.#sendAll(held, leader)
  }

  leaderEpochOf(partition: PartitionNumber): number {
    return this.#options.image.leaderEpochOf(partition)
  }

  #ask(ask: HeldAsk): void {
    const held = this.#held.get(ask.partition)
    const leader = held?.isHolding === true ? null : this.#leaderOf(ask.partition)
    if (leader !== null) this.#send(ask, leader)
    else if (!this.hold(ask)) ask.fail()
  }

  #send(ask: HeldAsk, broker: BrokerProxy): void {
    this.#out.add(ask)
    ask.send(broker)
  }

  /** What others than `leader` have of the partition, or wait for, is taken away from them. */
  #leave(partition: PartitionNumber, leader: BrokerProxy): void {
    this.#waiters.dismiss(partition, ErrorCode.NOT_LEADER_OR_FOLLOWER)
    // forgets it
    this.#waiters.sendQueued()
    const { image, proxyOf, brokers } = this.#options
    for (const broker of brokers()) if (broker !== leader) broker.dismiss(partition)
    const isHung = ({ brokerId }: BrokerProxy) => proxyOf(brokerId) === undefined
    const held = this.#held.get(partition)
    for (const produce of held === undefined ? [] : [...held.produces]) {
      const { sentTo } = produce
      if (sentTo === null || sentTo === leader) continue
      if (produce.isIdempotent) produce.abandon()
      else if (isHung(sentTo)) {
        produce.abandon()
        produce.refuse(ErrorCode.NOT_LEADER_OR_FOLLOWER)
      } else {
        // it knows what became of it, and nobody else does
        produce.strand()
        held!.produces.splice(held!.produces.indexOf(produce), 1)
      }
    }
    if (image.replicasOf(partition).every((one) => proxyOf(one) !== undefined)) return
    for (const ask of [...this.#out]) {
      const { sentTo } = ask
      if (ask.partition !== partition || sentTo === null || sentTo === leader) continue
      if (!isHung(sentTo)) continue
      this.#out.delete(ask)
      if (ask.abandon()) this.#send(ask, leader)
    }
  }

  /** Holds the partition. `refusedBy`: it was asked as one that leads in epoch `epoch`, and does not. */
  #wait(held: Held, refusedBy: BrokerProxy | null = null, epoch = -1): void {
    if (held.isHolding) {
      // somebody is known since, or was, and nothing is under way any more
      if (held.asked === 0 && this.#isAllHeld(held)) this.#askAt(held, 0)
      return
    }
    held.isHolding = true
    this.#holding.add(held)
    const { partition } = held
    const isSame = refusedBy !== null && refusedBy === this.#leaderOf(partition)
    // who is known to lead says that it does not: it would say so again, until somebody is told of, which is soon
    const isTooEarly = isSame && epoch === this.leaderEpochOf(partition)
    held.asked = isTooEarly ? 1 : 0
    // not from within whoever calls: it may have more to say
    this.#askAt(held, isTooEarly ? this.#options.clock.monotonicMs() + ASK_EVERY_MS : 0)
  }

  #askAt(held: Held, atMs: number): void {
    held.askAtMs = atMs
    if (held.isHolding) this.#askAtMs = Math.min(this.#askAtMs, atMs)
  }

  /** A leader that is known and lives, or else the next replica that lives. */
  #askSomebody(held: Held, nowMs: number): void {
    held.askAtMs = nowMs + ASK_EVERY_MS
    this.#dropOver(held, nowMs)
    if (!this.#holding.has(held) || !this.#isAllHeld(held)) return
    const { partition } = held
    const leader = this.#leaderOf(partition)
    if (leader !== null && held.asked === 0 && this.leaderEpochOf(partition) > 0) {
      this.#sendAll(held, leader)
      return
    }
    const living = this.#living(partition)
    if (living.length === 0) {
      if (this.#options.image.replicasOf(partition).length === 0) this.#refuseAll(held)
      return
    }
    const next = living[held.asked++ % living.length]!
    const first = held.produces[0]
    if (first !== undefined) {
      first.send(next)
      return
    }
    const ask = held.asks.shift()
    if (ask === undefined) return
    ask.isProbe = true
    this.#send(ask, next)
  }

  #isAllHeld({ produces }: Held): boolean {
    return produces.every(({ sentTo }) => sentTo === null)
  }

  /** Everything that is held, oldest first; of its produces nobody has any. */
  #sendAll(held: Held, leader: BrokerProxy): void {
    held.isHolding = false
    this.#holding.delete(held)
    this.#dropTimedOut(held)
    const { asks } = held
    held.asks = []
    for (const produce of [...held.produces]) produce.send(leader)
    for (const ask of asks) this.#send(ask, leader)
    this.#dropIfEmpty(held)
  }

  /** What was answered is not appended afterwards, if that can be helped. */
  #dropTimedOut({ produces }: Held): void {
    for (const produce of produces.filter(({ sentTo, isOver }) => sentTo === null && isOver)) {
      produce.refuse(ErrorCode.REQUEST_TIMED_OUT)
    }
  }

  /** Of those whose clients were told that their time is up, and of questions, those that have waited for long enough. */
  #dropOver(held: Held, nowMs: number): void {
    this.#dropTimedOut(held)
    const over = held.asks.filter(({ untilMs }) => nowMs >= untilMs)
    if (over.length > 0) {
      held.asks = held.asks.filter(({ untilMs }) => nowMs < untilMs)
      for (const ask of over) ask.fail()
    }
    this.#dropIfEmpty(held)
  }

  /** Its topic has been deleted. */
  #refuseAll(held: Held): void {
    for (const produce of [...held.produces]) {
      produce.refuse(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ProduceReason.unknownPartition)
    }
    for (const ask of held.asks.splice(0)) ask.fail()
    this.#dropIfEmpty(held)
  }

  #dropIfEmpty(held: Held): void {
    if (held.produces.length > 0 || held.asks.length > 0) return
    // a later one of the same partition has an entry of its own
    if (this.#held.get(held.partition) !== held) return
    this.#holding.delete(held)
    this.#held.delete(held.partition)
  }

  #of(partition: PartitionNumber): Held {
    let held = this.#held.get(partition)
    if (held === undefined) {
      held = new Held(partition)
      this.#held.set(partition, held)
    }
    return held
  }

  #leaderOf(partition: PartitionNumber): BrokerProxy | null {
    const { image, proxyOf } = this.#options
    const leader = image.leaderOf(partition)
    const proxy = leader === 0 ? undefined : proxyOf(leader)
    return proxy?.alive === true ? proxy : null
  }

  #living(partition: PartitionNumber): BrokerProxy[] {
    const { image, proxyOf } = this.#options
    const living: BrokerProxy[] = []
    for (const broker of image.replicasOf(partition)) {
      const proxy = proxyOf(broker)
      if (proxy?.alive === true) living.push(proxy)
    }
    return living
  }

  #untilMs(): number {
    return this.#options.clock.monotonicMs() + HOLD_MAX_MS
  }
}

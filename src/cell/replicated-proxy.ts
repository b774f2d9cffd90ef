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
import { failedProduced } from './failed-replies.ts'
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
import { ASK_EVERY_MS, HeldPartition, Probe } from './held-partition.ts'
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

/** Questions are held for so long, and then refused: clients ask again on their own. */
const HOLD_MAX_MS = 5_000
/** A partition that nobody has led for so long holds nobody up any more: what is asked of it is refused at once, until somebody leads. */
const LEADERLESS_AFTER_MS = 5_000

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
  readonly counts = { produces: 0, fetches: 0, others: 0 }
  readonly #options: ReplicatedProxyOptions
  readonly #held = new Map<PartitionNumber, HeldPartition>()
  /** Of these, those for which nobody is known to lead. */
  readonly #holding = new Set<HeldPartition>()
  /** Not later than the first of them wants to ask. */
  #askAtMs = Number.POSITIVE_INFINITY
  /** Who waits for records where nobody is known to lead. */
  readonly #waiters = new WatchTable(null)
  #number = 0

  constructor(options: ReplicatedProxyOptions) {
    this.#options = options
    this.cellId = options.cellId
  }

  /** Partitions that wait for a leader. */
  get holding(): number {
    let count = 0
    for (const held of this.#holding) if (!held.isEmpty) count++
    return count
  }

  /** Nobody has led the partition for longer than an election takes. */
  isLeaderless(partition: PartitionNumber): boolean {
    const held = this.#held.get(partition)
    if (held?.isLeaderless !== true) return false
    held.touchedAtMs = this.#options.clock.monotonicMs()
    return true
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
    if (held.isHolding) held.touchedAtMs = this.#options.clock.monotonicMs()
    if (held.isLeaderless) {
      const refused = failedProduced(ErrorCode.NOT_LEADER_OR_FOLLOWER)
      sink.onProduced(token, { ...refused, reason: ProduceReason.noLeader })
      return
    }
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
    if (leader === null) {
      held.beginAnew()
      if (held.isHolding) this.#askAt(held, 0)
      return
    }
    held.leads()
    if (held.isFreeFor(leader)) this.#sendAll(held, leader)
    else {
      // what was taken away from another waits until those that this one has are answered
      const isWaiting = held.produces.some(({ sentTo }) => sentTo === null)
      if (isWaiting || held.asks.length > 0) this.#hold(held)
      this.#askAt(held, 0)
    }
  }

  /** A broker that hung turns again: it may lead what is held, and be what somebody waits for. */
  onAnswering(): void {
    this.#waiters.failAll(ErrorCode.LEADER_NOT_AVAILABLE)
    this.onBrokerBack()
  }

  /** A broker is there again: it may help to elect a leader of what is held. */
  onBrokerBack(): void {
    for (const held of this.#holding) {
      held.beginAnew()
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

  /** Whether what is asked of the partition waits for a leader. */
  isHolding(partition: PartitionNumber): boolean {
    return this.#held.get(partition)?.isHolding === true
  }

  // Holder

  onProduceDone(produce: HeldProduce, leader: BrokerProxy | null): void {
    const held = this.#held.get(produce.partition)
    const at = held?.produces.indexOf(produce) ?? -1
    // stranded with one that led
    if (held === undefined || at < 0) return
    if (at === 0) held.produces.shift()
    else held.produces.splice(at, 1)
    if (held.isHolding) {
      if (leader?.alive) this.#onFound(held, leader)
      else if (held.hasNoProduceOut) this.#askAt(held, 0)
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
    const held = this.#of(ask.partition)
    held.out.delete(ask)
    if (held.isLeaderless || this.#options.clock.monotonicMs() >= ask.untilMs) {
      this.#dropIfEmpty(held)
      return false
    }
    held.insert(ask)
    this.#wait(held, refusedBy, ask.sentInEpoch)
    return true
  }

  onAskDone(ask: HeldAsk): void {
    const held = this.#held.get(ask.partition)
    if (held === undefined) return
    held.out.delete(ask)
    // others may have waited for it, with a leader that is known
    if (held.isHolding && ask.isOrdered && held.asked === 0) this.#askAt(held, 0)
    this.#dropIfEmpty(held)
  }

  nextNumber(): number {
    return ++this.#number
  }

  leaderEpochOf(partition: PartitionNumber): number {
    return this.#options.image.leaderEpochOf(partition)
  }

  #ask(ask: HeldAsk): void {
    const held = this.#of(ask.partition)
    if (held.isHolding) held.touchedAtMs = this.#options.clock.monotonicMs()
    const leader = held.isHolding ? null : this.#leaderOf(ask.partition)
    // one that led has an older call: it may send that back
    const isEarly = leader !== null && ask.isOrdered && held.hasCallElsewhere(leader)
    if (leader !== null && !isEarly) this.#send(held, ask, leader)
    else if (!this.hold(ask)) ask.fail()
  }

  #send(held: HeldPartition, ask: HeldAsk, broker: BrokerProxy): void {
    held.out.add(ask)
    ask.send(broker)
  }

  /** What others than `leader` have of the partition, or wait for, is taken away from them. */
  #leave(partition: PartitionNumber, leader: BrokerProxy): void {
    this.#waiters.dismiss(partition, ErrorCode.NOT_LEADER_OR_FOLLOWER)
    const { image, proxyOf, brokers } = this.#options
    for (const broker of brokers()) if (broker !== leader) broker.dismiss(partition)
    const isHung = ({ brokerId }: BrokerProxy) => proxyOf(brokerId) === undefined
    const held = this.#held.get(partition)
    if (held === undefined) return
    for (const produce of [...held.produces]) {
      const { sentTo } = produce
      if (sentTo === null || sentTo === leader) continue
      if (produce.isIdempotent) produce.abandon()
      else if (isHung(sentTo)) {
        produce.abandon()
        produce.refuse(ErrorCode.NOT_LEADER_OR_FOLLOWER)
      } else {
        // it knows what became of it, and nobody else does
        produce.strand()
        held.produces.splice(held.produces.indexOf(produce), 1)
      }
    }
    if (image.replicasOf(partition).every((one) => proxyOf(one) !== undefined)) return
    for (const ask of [...held.out]) {
      const { sentTo } = ask
      if (sentTo === null || sentTo === leader || !isHung(sentTo)) continue
      held.out.delete(ask)
      if (ask.abandon()) this.#send(held, ask, leader)
    }
  }

  /** Holds the partition. `refusedBy`: it was asked as one that leads in epoch `epoch`, and does not. */
  #wait(held: HeldPartition, refusedBy: BrokerProxy | null = null, epoch = -1): void {
    if (held.isHolding) {
      // somebody is known since, or was, and nothing is under way any more
      if (held.asked === 0 && held.hasNoProduceOut) this.#askAt(held, 0)
      return
    }
    held.touchedAtMs = this.#options.clock.monotonicMs()
    this.#hold(held)
    const { partition } = held
    const isSame = refusedBy !== null && refusedBy === this.#leaderOf(partition)
    // who is known to lead says that it does not: it would say so again, until somebody is told of, which is soon
    const isTooEarly = isSame && epoch === this.leaderEpochOf(partition)
    held.beginAnew()
    held.asked = isTooEarly ? 1 : 0
    // not from within whoever calls: it may have more to say
    this.#askAt(held, isTooEarly ? held.touchedAtMs + ASK_EVERY_MS : 0)
  }

  /** Whatever nobody has lies in a partition that is held: it is looked at again. */
  #hold(held: HeldPartition): void {
    held.isHolding = true
    this.#holding.add(held)
  }

  #askAt(held: HeldPartition, atMs: number): void {
    held.askAtMs = atMs
    if (held.isHolding) this.#askAtMs = Math.min(this.#askAtMs, atMs)
  }

  /** A leader that is known and lives, or else the next replica that lives. */
  #askSomebody(held: HeldPartition, nowMs: number): void {
    held.dropOver(nowMs)
    this.#dropIfEmpty(held)
    if (!this.#holding.has(held)) return
    const { partition } = held
    const leader = this.#leaderOf(partition)
    const isTold = leader !== null && held.asked === 0 && this.leaderEpochOf(partition) > 0
    held.askAtMs = nowMs + (isTold ? ASK_EVERY_MS : held.nextPauseMs(nowMs))
    if (isTold && !held.isLeaderless) {
      if (held.isFreeFor(leader)) this.#sendAll(held, leader)
      return
    }
    if (held.leaderlessSinceMs < 0) held.leaderlessSinceMs = nowMs
    if (!held.isLeaderless && nowMs >= held.leaderlessSinceMs + LEADERLESS_AFTER_MS) {
      held.isLeaderless = true
      held.refuse(ErrorCode.NOT_LEADER_OR_FOLLOWER, ProduceReason.noLeader)
    }
    if (this.#options.image.replicasOf(partition).length === 0) this.#forget(held)
    else this.#probe(held)
  }

  /** Sends the oldest produce to the next living replica, or where there is none, a question. */
  #probe(held: HeldPartition): void {
    const first = held.produces[0]
    // what one has that lives it answers, or refuses
    if (first !== undefined && !held.isLeaderless && !held.hasNoProduceOut) return
    const asked = held.probe?.askedOf ?? null
    if (first === undefined && asked !== null && this.#isAnswering(asked)) return
    const living = this.#living(held.partition)
    if (living.length === 0) return
    const next = living[held.asked++ % living.length]!
    if (first !== undefined && first.sentTo === null) {
      first.send(next)
      return
    }
    held.probe ??= new Probe(held.partition, (leader) => this.#onFound(held, leader))
    held.probe.send(next)
  }

  /** Somebody who leads has answered. */
  #onFound(held: HeldPartition, leader: BrokerProxy): void {
    // a later one of the same partition has an entry of its own
    if (this.#held.get(held.partition) !== held || !leader.alive) return
    held.leads()
    if (held.isHolding && held.isFreeFor(leader)) this.#sendAll(held, leader)
  }

  #isAnswering(broker: BrokerProxy): boolean {
    return broker.alive && this.#options.proxyOf(broker.brokerId) === broker
  }

  /** Everything that is held, oldest first; of its produces nobody has any. */
  #sendAll(held: HeldPartition, leader: BrokerProxy): void {
    held.isHolding = false
    this.#holding.delete(held)
    held.dropTimedOut(this.#options.clock.monotonicMs())
    const { asks } = held
    held.asks = []
    for (const produce of [...held.produces]) produce.send(leader)
    for (const ask of asks) this.#send(held, ask, leader)
    this.#dropIfEmpty(held)
  }

  /** Its topic has been deleted. */
  #forget(held: HeldPartition): void {
    held.leaderlessSinceMs = -1
    const { UNKNOWN_TOPIC_OR_PARTITION } = ErrorCode
    held.refuse(UNKNOWN_TOPIC_OR_PARTITION, ProduceReason.unknownPartition)
    this.#dropIfEmpty(held)
  }

  #dropIfEmpty(held: HeldPartition): void {
    if (!held.isEmpty) return
    // it is looked for until somebody leads, so that it is known when that is so again
    if (held.isHolding && held.leaderlessSinceMs >= 0) return
    // a later one of the same partition has an entry of its own
    if (this.#held.get(held.partition) !== held) return
    this.#holding.delete(held)
    this.#held.delete(held.partition)
  }

  #of(partition: PartitionNumber): HeldPartition {
    let held = this.#held.get(partition)
    if (held === undefined) {
      held = new HeldPartition(partition)
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

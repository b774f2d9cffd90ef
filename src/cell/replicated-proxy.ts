import type { Clock } from '../base/clock.ts'
import { ErrorCode } from '../base/error-code.ts'
import { asBrokerId, type BrokerId, type CellId, type PartitionNumber } from '../base/ids.ts'
import type { MetadataView } from '../image/view.ts'
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
import type { Waiter } from './watch-table.ts'

export interface ReplicatedProxyOptions {
  readonly cellId: CellId
  readonly image: MetadataView
  readonly clock: Clock
  /** The brokers of the cell. */
  readonly proxyOf: (broker: BrokerId) => BrokerProxy | undefined
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

  constructor(options: ReplicatedProxyOptions) {
    this.#options = options
    this.cellId = options.cellId
  }

  /** Partitions that wait for a leader. */
  get holding(): number {
    return this.#holding.size
  }

  /** Monotonic milliseconds at which the next turn is due. */
  get nextTimerAtMs(): number {
    let atMs = Number.POSITIVE_INFINITY
    for (const { askAtMs } of this.#holding) atMs = Math.min(atMs, askAtMs)
    return atMs
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
    held.produces.push(produce)
    const leader = held.isHolding ? null : this.#leaderOf(partition)
    if (leader === null) this.#wait(held)
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

  /** Where nobody leads, the waiter looks again: its question is held then. */
  watch(partition: PartitionNumber, offset: number, waiter: Waiter): void {
    const leader = this.#leaderOf(partition)
    if (leader === null) waiter.onWoken(ErrorCode.LEADER_NOT_AVAILABLE)
    else leader.watch(partition, offset, waiter)
  }

  unwatch(waiter: Waiter): void {
    waiter.leave()
  }

  watchedAt(partition: PartitionNumber): number {
    return this.#leaderOf(partition)?.watchedAt(partition) ?? -1
  }

  /** This thread was told who leads the partition: what is held goes there at once. */
  onLeader(partition: PartitionNumber): void {
    const held = this.#held.get(partition)
    if (held === undefined) return
    const leader = this.#leaderOf(partition)
    if (leader === null) {
      if (held.isHolding) held.askAtMs = 0
      return
    }
    // whoever else has them leads no more: what it says of them counts no more
    for (const produce of held.produces) if (produce.sentTo !== leader) produce.abandon()
    this.#sendAll(held, leader)
  }

  doWork(nowMs: number): number {
    if (this.#holding.size === 0) return 0
    let work = 0
    for (const held of [...this.#holding]) {
      if (held.askAtMs > nowMs) continue
      work++
      this.#askSomebody(held, nowMs)
    }
    return work
  }

  get hasWork(): boolean {
    return this.#holding.size > 0 && this.nextTimerAtMs === 0
  }

  flush(): void {}

  markGone(): void {}

  // Holder

  onProduceDone(produce: HeldProduce): void {
    const held = this.#held.get(produce.partition)
    if (held === undefined) return
    const { produces } = held
    if (produces[0] === produce) produces.shift()
    else produces.splice(produces.indexOf(produce), 1)
    // it has been taken: whoever took it leads, and was told of before it could
    if (held.isHolding && produces.every(({ sentTo }) => sentTo === null)) this.#tryAgain(held)
    this.#dropIfEmpty(held)
  }

  onProduceHeld(produce: HeldProduce): void {
    const held = this.#of(produce.partition)
    if (!held.produces.includes(produce)) return
    this.#wait(held)
  }

  isBehindHeld(produce: HeldProduce): boolean {
    const produces = this.#held.get(produce.partition)?.produces ?? []
    for (const one of produces) {
      if (one === produce) return false
      if (one.sentTo === null && one.producerId === produce.producerId) return true
    }
    return false
  }

  hold(ask: HeldAsk): boolean {
    if (this.#options.clock.monotonicMs() >= ask.untilMs) return false
    const held = this.#of(ask.partition)
    held.asks.push(ask)
    this.#wait(held)
    return true
  }

  #ask(ask: HeldAsk): void {
    const held = this.#held.get(ask.partition)
    const leader = held?.isHolding === true ? null : this.#leaderOf(ask.partition)
    if (leader !== null) ask.send(leader)
    else if (!this.hold(ask)) ask.fail()
  }

  #wait(held: Held): void {
    if (held.isHolding) return
    held.isHolding = true
    held.asked = 0
    // not from within whoever calls: it may have more to say
    held.askAtMs = 0
    this.#holding.add(held)
  }

  /** A leader that is known and lives, or else the next replica that lives. */
  #askSomebody(held: Held, nowMs: number): void {
    held.askAtMs = nowMs + ASK_EVERY_MS
    this.#dropOver(held, nowMs)
    if (!this.#held.has(held.partition)) return
    const leader = this.#leaderOf(held.partition)
    if (leader !== null && held.asked === 0 && held.produces.every((one) => one.sentTo === null)) {
      held.asked++
      this.#sendAll(held, leader)
      return
    }
    const living = this.#living(held.partition)
    if (living.length === 0) return
    const next = living[held.asked++ % living.length]!
    const first = held.produces[0]
    if (first === undefined) held.asks.shift()?.send(next)
    else if (held.produces.every(({ sentTo }) => sentTo === null)) first.send(next)
  }

  #tryAgain(held: Held): void {
    held.asked = 0
    held.askAtMs = 0
  }

  /** Everything that is held, oldest first; produces only where nothing before them is under way elsewhere. */
  #sendAll(held: Held, leader: BrokerProxy): void {
    if (held.produces.some(({ sentTo }) => sentTo !== null)) {
      held.askAtMs = 0
      return
    }
    held.isHolding = false
    this.#holding.delete(held)
    const { asks } = held
    held.asks = []
    for (const produce of [...held.produces]) produce.send(leader)
    for (const ask of asks) ask.send(leader)
    this.#dropIfEmpty(held)
  }

  /** Of those whose clients were told that their time is up, and of questions, those that have waited for long enough. */
  #dropOver(held: Held, nowMs: number): void {
    for (const produce of held.produces.filter(({ sentTo, isOver }) => sentTo === null && isOver)) {
      produce.refuse(ErrorCode.REQUEST_TIMED_OUT)
    }
    const over = held.asks.filter(({ untilMs }) => nowMs >= untilMs)
    if (over.length > 0) {
      held.asks = held.asks.filter(({ untilMs }) => nowMs < untilMs)
      for (const ask of over) ask.fail()
    }
    this.#dropIfEmpty(held)
  }

  #dropIfEmpty(held: Held): void {
    if (held.produces.length > 0 || held.asks.length > 0) return
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

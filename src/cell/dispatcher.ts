import type { Clock } from '../base/clock.ts'
import type { BrokerId, CellId, PartitionNumber } from '../base/ids.ts'
import { likelyLeader } from '../image/likely-leader.ts'
import type { MetadataView } from '../image/view.ts'
import type { BrokerProxy, MemberProxy, ReplicaReads } from './broker-proxy.ts'
import type { HeldCounts } from './held-commands.ts'
import { ReplicatedProxy } from './replicated-proxy.ts'

/** Which broker leads a partition, by the image of this thread: the one place where leaders are looked up. */
export class Dispatcher {
  readonly #image: MetadataView
  /** By cell, then by broker; both count from 1. */
  readonly #cells: (MemberProxy | undefined)[][] = []
  readonly #all: MemberProxy[] = []
  /** By cell: whom commands about replicated partitions go to. */
  readonly #replicated: ReplicatedProxy[] = []
  /** Brokers whose threads hang: they are there, and asked nothing that others can answer. */
  readonly #hung = new Set<MemberProxy>()
  readonly #clock: Clock

  constructor(image: MetadataView, proxies: readonly MemberProxy[], clock: Clock) {
    this.#image = image
    this.#clock = clock
    for (const proxy of proxies) this.add(proxy)
  }

  get proxies(): readonly MemberProxy[] {
    return this.#all
  }

  /** Adds a broker, or puts it in the place of its predecessor. */
  add(proxy: MemberProxy): void {
    const cell = (this.#cells[proxy.cellId] ??= [])
    const before = cell[proxy.brokerId]
    if (before !== undefined) {
      this.#all.splice(this.#all.indexOf(before), 1)
      this.#hung.delete(before)
    }
    const { cellId } = proxy
    this.#replicated[cellId] ??= new ReplicatedProxy({
      ...{ cellId, image: this.#image, clock: this.#clock },
      proxyOf: (broker) => this.#answering(cellId, broker),
      brokers: () => this.#all.filter((one) => one.cellId === cellId),
    })
    cell[proxy.brokerId] = proxy
    this.#all.push(proxy)
    if (before !== undefined) this.#replicated[cellId].onBrokerBack()
  }

  proxy(cellId: CellId, brokerId: BrokerId): MemberProxy | undefined {
    return this.#cells[cellId]?.[brokerId]
  }

  /**
   * Whom to ask about a partition of `cellId`, undefined where nobody leads it. Of one with several replicas it is one that finds out who
   * leads, and holds what it is asked until then.
   */
  leaderOf(cellId: CellId, partition: PartitionNumber): BrokerProxy | undefined {
    if (this.#image.isReplicated(partition)) return this.#replicated[cellId]
    return this.#cells[cellId]?.[this.#image.leaderOf(partition)]
  }

  /**
   * The broker to name to clients as leader, or to ask by control message; 0 where there is none. While nobody is known to lead one of
   * several replicas, the first that lives: every port serves every partition, and a client that is told of no leader would wait in vain.
   * Once nobody has led it for longer than elections take, there is none; nor where too few replicas are left of it.
   */
  nodeOf(cellId: CellId, partition: PartitionNumber): BrokerId | 0 {
    const leader = this.#image.leaderOf(partition)
    if (!this.#image.isReplicated(partition)) {
      return leader !== 0 && this.isAnswering(cellId, leader) ? leader : 0
    }
    if (this.#replicated[cellId]?.isLeaderless(partition)) return 0
    return likelyLeader(this.#image, partition, (broker) => this.isAnswering(cellId, broker))
  }

  /** The broker lives, and does not hang: as in Kafka one that does not counts for nothing. */
  isAnswering(cellId: CellId, broker: BrokerId): boolean {
    return this.#answering(cellId, broker) !== undefined
  }

  /** The replicas of a broker, to be read from: undefined where it is gone, or hangs. */
  replicasAt(cellId: CellId, brokerId: BrokerId): ReplicaReads | undefined {
    return this.#answering(cellId, brokerId)?.replicas
  }

  /** This thread was told who leads a replicated partition, or that nobody is known to, or who keeps up. */
  onLeader(cellId: CellId, partition: PartitionNumber): void {
    this.#replicated[cellId]?.onLeader(partition)
    // whether that one is still to be read from is looked at anew
    for (const proxy of this.#cells[cellId] ?? []) proxy?.replicas.dismiss(partition)
  }

  /** Whether the broker's thread hangs: what it was asked waits for it, or for the next leader. */
  setHung(cellId: CellId, brokerId: BrokerId, isHung: boolean): void {
    const proxy = this.proxy(cellId, brokerId)
    if (proxy === undefined) return
    if (isHung) {
      this.#hung.add(proxy)
      proxy.replicas.dismissAll()
    } else {
      this.#hung.delete(proxy)
      this.#replicated[cellId]?.onAnswering()
    }
  }

  #answering(cellId: CellId, broker: BrokerId): MemberProxy | undefined {
    const proxy = this.proxy(cellId, broker)
    return proxy?.alive === true && !this.#hung.has(proxy) ? proxy : undefined
  }

  /** Monotonic milliseconds at which what is held for want of a leader wants a turn. */
  get nextTimerAtMs(): number {
    let atMs = Number.POSITIVE_INFINITY
    for (const one of this.#replicated) atMs = Math.min(atMs, one?.nextTimerAtMs ?? atMs)
    return atMs
  }

  /** Partitions for which nobody is known to lead, and something waits. */
  get holding(): number {
    return this.#replicated.reduce((sum, one) => sum + (one?.holding ?? 0), 0)
  }

  /** Commands that have waited for a leader, and whose answer has come or that wait yet. */
  get heldCounts(): HeldCounts {
    const sum = { produces: 0, fetches: 0, others: 0 }
    for (const one of this.#replicated) {
      sum.produces += one?.counts.produces ?? 0
      sum.fetches += one?.counts.fetches ?? 0
      sum.others += one?.counts.others ?? 0
    }
    return sum
  }

  /** Takes replies of every broker; returns how much was done. */
  doWork(nowMs: number): number {
    let work = 0
    for (const proxy of this.#all) work += proxy.doWork(nowMs)
    for (const one of this.#replicated) work += one?.doWork(nowMs) ?? 0
    return work
  }

  flush(): void {
    for (const proxy of this.#all) proxy.flush()
  }

  /** Commands that brokers are at work on. */
  get answersDue(): number {
    let due = 0
    for (const proxy of this.#all) due += proxy.answersDue
    return due
  }

  /** Some broker has answered: there is something for {@link doWork}. */
  get hasReplies(): boolean {
    for (const proxy of this.#all) if (proxy.hasReplies) return true
    return false
  }

  get hasWork(): boolean {
    for (const proxy of this.#all) if (proxy.hasWork) return true
    for (const one of this.#replicated) if (one?.hasWork) return true
    return false
  }

  /** Commands that wait for room in some ring. */
  get parkedCommands(): number {
    let parked = 0
    for (const proxy of this.#all) parked += proxy.parkedCommands
    return parked
  }

  /** Whether nobody answers for a replicated partition now: what is asked of it waits for a leader, or for one whose thread hangs. */
  isHeld(cellId: CellId, partition: PartitionNumber): boolean {
    if (!this.#image.isReplicated(partition)) return false
    return !this.isLed(cellId, partition) || this.#replicated[cellId]!.isHolding(partition)
  }

  /** Whether one is known to lead it that lives, and does not hang: it may say that it does not. */
  isLed(cellId: CellId, partition: PartitionNumber): boolean {
    const leader = this.#image.leaderOf(partition)
    return leader !== 0 && this.#answering(cellId, leader) !== undefined
  }
}

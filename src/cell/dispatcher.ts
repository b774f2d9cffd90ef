import type { BrokerId, CellId, PartitionNumber } from '../base/ids.ts'
import type { MetadataView } from '../image/view.ts'
import type { BrokerProxy } from './broker-proxy.ts'

/** Which broker leads a partition, by the image of this thread: the one place where leaders are looked up. */
export class Dispatcher {
  readonly #image: MetadataView
  /** By cell, then by broker; both count from 1. */
  readonly #cells: (BrokerProxy | undefined)[][] = []
  readonly #all: BrokerProxy[] = []

  constructor(image: MetadataView, proxies: readonly BrokerProxy[]) {
    this.#image = image
    for (const proxy of proxies) this.add(proxy)
  }

  get proxies(): readonly BrokerProxy[] {
    return this.#all
  }

  /** Adds a broker, or puts it in the place of its predecessor. */
  add(proxy: BrokerProxy): void {
    const cell = (this.#cells[proxy.cellId] ??= [])
    const before = cell[proxy.brokerId]
    if (before !== undefined) this.#all.splice(this.#all.indexOf(before), 1)
    cell[proxy.brokerId] = proxy
    this.#all.push(proxy)
  }

  proxy(cellId: CellId, brokerId: BrokerId): BrokerProxy | undefined {
    return this.#cells[cellId]?.[brokerId]
  }

  /** The leader of a partition of `cellId`, undefined where nobody leads it. */
  leaderOf(cellId: CellId, partition: PartitionNumber): BrokerProxy | undefined {
    return this.#cells[cellId]?.[this.#image.leaderOf(partition)]
  }

  /** Takes replies of every broker; returns how much was done. */
  doWork(nowMs: number): number {
    let work = 0
    for (const proxy of this.#all) work += proxy.doWork(nowMs)
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
    return false
  }

  /** Commands that wait for room in some ring. */
  get parkedCommands(): number {
    let parked = 0
    for (const proxy of this.#all) parked += proxy.parkedCommands
    return parked
  }
}

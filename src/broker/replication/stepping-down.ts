import type { PartitionNumber } from '../../base/ids.ts'
import type { Replica } from '../replica.ts'
import type { ReplicaGroup } from './replica-group.ts'
import { UnfitReplicas } from './unfit-replicas.ts'
import { heirsOf, Yielding, type YieldingOptions } from './yielding.ts'

/** What a broker's disk makes of its leaderships: one that refuses a write costs that one, one that is full all of them. On the broker's thread. */
export class SteppingDown {
  readonly #options: YieldingOptions
  readonly #unfit = new UnfitReplicas()
  readonly #yielding: Yielding
  /** To be given up once this turn's batches are written. */
  readonly #refused = new Set<Replica>()

  constructor(options: YieldingOptions) {
    this.#options = options
    this.#yielding = new Yielding(options)
  }

  /** Replicas are unfit, for a while. */
  get isBusy(): boolean {
    return this.#unfit.size > 0
  }

  get nextTimerAtMs(): number {
    return this.#yielding.nextTimerAtMs
  }

  opened(group: ReplicaGroup): void {
    this.#yielding.opened(group)
    if (this.#unfit.has(group.partition)) group.raft.mayLead = false
  }

  /** The disk has refused what was to be written: another is to lead, whose disk may be well. */
  giveUp(replica: Replica, nowMs: number): void {
    const { group } = replica
    if (group === null) return
    this.#unfit.giveUp(replica, group, nowMs)
    this.#options.touch(group)
  }

  /** It cannot do what its leader must: with the next {@link look} it leads no more, unless nobody else can. */
  distrust({ number }: Replica): void {
    this.#unfit.distrust(number)
  }

  /** There is no such replica here any more. */
  forget(number: PartitionNumber): void {
    this.#unfit.forget(number)
  }

  /** The disk takes no more of a batch that was to be staged: true where another can lead, and is to. `isFull`: for want of space. */
  refuses(replica: Replica, isFull: boolean): boolean {
    const { group } = replica
    // what all disks share, no other has
    if (group === null || (isFull && !this.#options.isFull())) return false
    if (heirsOf(group.raft).length === 0) return false
    this.#refused.add(replica)
    return true
  }

  /** Each turn, after the writes. */
  look(nowMs: number): void {
    for (const replica of this.#refused) this.giveUp(replica, nowMs)
    this.#refused.clear()
    this.#unfit.look(nowMs, this.#options)
    this.#yielding.look(nowMs, ({ partition }) => this.#unfit.has(partition))
  }
}

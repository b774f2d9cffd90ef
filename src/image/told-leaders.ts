/** Who leads replicated partitions, as brokers have told: no entry of the metadata log, and kept over an image that begins anew. */
import type { BrokerId, PartitionNumber } from '../base/ids.ts'

export interface ToldLeader {
  /** 0: nobody is known to. */
  readonly leader: BrokerId | 0
  readonly leaderEpoch: number
  readonly isr: readonly BrokerId[]
  /** Nobody can lead it; in `isr` is whoever has a replica yet. */
  readonly isLost?: boolean | undefined
}

export class ToldLeaders {
  readonly #told = new Map<PartitionNumber, ToldLeader>()

  get size(): number {
    return this.#told.size
  }

  get(number: PartitionNumber): ToldLeader | undefined {
    return this.#told.get(number)
  }

  /** The leader that was told of last says that the broker has its replica, and keeps up. */
  keepsUp(number: PartitionNumber, broker: BrokerId): boolean {
    return this.#told.get(number)?.isr.includes(broker) === true
  }

  /**
   * False where a later epoch is known, or just this. An epoch has one leader, whose last word counts; who kept up with it did so when it leads no more. Who says that
   * nobody can lead may have been left behind: it counts only where nobody is known to.
   */
  note(number: PartitionNumber, now: ToldLeader): boolean {
    const known = this.#told.get(number)
    const isOver = now.leader === 0 && now.isLost !== true && known !== undefined
    const told = isOver ? { ...known, leader: now.leader, leaderEpoch: now.leaderEpoch } : now
    if (known !== undefined) {
      if (told.isLost === true && known.leader !== 0) return false
      if (known.leaderEpoch > told.leaderEpoch || isSame(known, told)) return false
    }
    this.#told.set(number, told)
    return true
  }

  /** Of partitions that are concerned, `broker` has not its replica any more: neither does it lead nor keep up. Returns what is changed. */
  withoutReplica(
    broker: BrokerId,
    isConcerned: (number: PartitionNumber) => boolean,
  ): [PartitionNumber, ToldLeader][] {
    const changed: [PartitionNumber, ToldLeader][] = []
    for (const [number, told] of this.#told) {
      const { leader, isr } = told
      if (!isr.includes(broker) || !isConcerned(number)) continue
      const rest = isr.filter((one) => one !== broker)
      changed.push([number, { ...told, leader: leader === broker ? 0 : leader, isr: rest }])
    }
    for (const [number, told] of changed) this.#told.set(number, told)
    return changed
  }

  /** The partition is gone. */
  forget(number: PartitionNumber): void {
    this.#told.delete(number)
  }

  /** Forgets what `isThere` does not know. */
  prune(isThere: (number: PartitionNumber) => boolean): void {
    for (const number of this.#told.keys()) if (!isThere(number)) this.#told.delete(number)
  }
}

const isSame = (a: ToldLeader, b: ToldLeader): boolean =>
  a.leader === b.leader &&
  a.leaderEpoch === b.leaderEpoch &&
  a.isLost === b.isLost &&
  a.isr.length === b.isr.length &&
  a.isr.every((broker, i) => broker === b.isr[i])

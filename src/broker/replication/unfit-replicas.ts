import type { PartitionNumber } from '../../base/ids.ts'
import type { Replica } from '../replica.ts'
import type { ReplicaGroup } from './replica-group.ts'
import { heirsOf, type YieldingOptions } from './yielding.ts'

/** A replica whose disk has refused a write does not lead for so long. */
const UNFIT_MS = 5_000

/** Replicas that cannot do what a leader must: others lead, where there are any. On the broker's thread. */
export class UnfitReplicas {
  /** Until that time, monotonic milliseconds. */
  readonly #unfit = new Map<PartitionNumber, number>()

  get size(): number {
    return this.#unfit.size
  }

  has(number: PartitionNumber): boolean {
    return this.#unfit.has(number)
  }

  /** Its disk has refused what it was to write as leader: hands leadership over to a voter that keeps up. Where there is none, this replica goes on. */
  giveUp({ number }: Replica, { raft }: ReplicaGroup, nowMs: number): void {
    const heirs = heirsOf(raft)
    if (heirs.length === 0) return
    raft.mayLead = false
    this.#unfit.set(number, Math.max(nowMs + UNFIT_MS, this.#unfit.get(number) ?? 0))
    if (!heirs.some((voter) => raft.transferTo(voter))) raft.resign()
  }

  /** What a leader must read of it is damaged, and will be: it does not lead before this broker is started anew. */
  distrust(number: PartitionNumber): void {
    this.#unfit.set(number, Number.POSITIVE_INFINITY)
  }

  /** Those whose time is over may lead again: their groups are touched. A group that was opened anew meanwhile is told, too. */
  look(nowMs: number, { groupOf, touch }: Pick<YieldingOptions, 'groupOf' | 'touch'>): void {
    for (const [number, untilMs] of this.#unfit) {
      const group = groupOf(number)
      const isOver = nowMs >= untilMs
      if (isOver) this.#unfit.delete(number)
      if (group === undefined || group.raft.mayLead === isOver) continue
      group.raft.mayLead = isOver
      touch(group)
    }
  }
}

import type { PartitionNumber } from '../../base/ids.ts'
import type { Replica } from '../replica.ts'
import type { ReplicaGroup } from './replica-group.ts'
import { heirsOf } from './yielding.ts'

/** A replica whose disk has refused a write does not lead for so long. */
const UNFIT_MS = 5_000

interface Unfit {
  readonly replica: Replica
  readonly untilMs: number
}

/** Replicas whose disks have refused what they were to write as leaders: others lead, where there are any. On the broker's thread. */
export class UnfitReplicas {
  readonly #unfit = new Map<PartitionNumber, Unfit>()

  get size(): number {
    return this.#unfit.size
  }

  has(number: PartitionNumber): boolean {
    return this.#unfit.has(number)
  }

  /** Hands leadership over to a voter that keeps up. Where there is none, this replica goes on. */
  giveUp(replica: Replica, { raft }: ReplicaGroup, nowMs: number): void {
    const heirs = heirsOf(raft)
    if (heirs.length === 0) return
    raft.mayLead = false
    this.#unfit.set(replica.number, { replica, untilMs: nowMs + UNFIT_MS })
    if (!heirs.some((voter) => raft.transferTo(voter))) raft.resign()
  }

  /** Those whose time is over may lead again: `touch` is called for their groups. A group that was opened anew meanwhile is told, too. */
  look(nowMs: number, touch: (group: ReplicaGroup) => void): void {
    for (const [number, { replica, untilMs }] of this.#unfit) {
      const { group } = replica
      const isOver = nowMs >= untilMs
      if (isOver) this.#unfit.delete(number)
      if (group === null || group.raft.mayLead === isOver) continue
      group.raft.mayLead = isOver
      touch(group)
    }
  }
}

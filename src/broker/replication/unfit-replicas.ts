import type { PartitionNumber } from '../../base/ids.ts'
import { NO_REPLICA, Role } from '../../raft/types.ts'
import type { Replica } from '../replica.ts'
import type { ReplicaGroup } from './replica-group.ts'
import { heirsOf, LEADERLESS_MS, type YieldingOptions } from './yielding.ts'

/** A replica whose disk has refused a write does not lead for so long. */
const UNFIT_MS = 5_000
/** One that leads since nobody else can hands that over as soon as somebody has caught up; who does not take it is asked again after this. */
const HAND_OVER_EVERY_MS = 1_000

interface Unfit {
  /** Monotonic milliseconds. */
  readonly untilMs: number
  leaderlessSinceMs: number
  handOverAtMs: number
}

const unfitUntil = (untilMs: number): Unfit => ({
  untilMs,
  leaderlessSinceMs: Number.POSITIVE_INFINITY,
  handOverAtMs: 0,
})

/** Replicas that cannot do what a leader must: others lead, where there are any. On the broker's thread. */
export class UnfitReplicas {
  readonly #unfit = new Map<PartitionNumber, Unfit>()

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
    const before = this.#unfit.get(number)?.untilMs ?? 0
    this.#unfit.set(number, unfitUntil(Math.max(nowMs + UNFIT_MS, before)))
    if (!heirs.some((voter) => raft.transferTo(voter))) raft.resign()
  }

  /** What a leader must read of it is damaged, and will be: where others can, it does not lead before this broker is started anew. */
  distrust(number: PartitionNumber): void {
    if (this.#unfit.get(number)?.untilMs === Number.POSITIVE_INFINITY) return
    this.#unfit.set(number, unfitUntil(Number.POSITIVE_INFINITY))
  }

  /** There is no such replica here any more. */
  forget(number: PartitionNumber): void {
    this.#unfit.delete(number)
  }

  /** Those whose time is over may lead again: their groups are touched. A group that was opened anew meanwhile is told, too. */
  look(nowMs: number, { groupOf, touch }: Pick<YieldingOptions, 'groupOf' | 'touch'>): void {
    for (const [number, unfit] of this.#unfit) {
      const group = groupOf(number)
      const isOver = nowMs >= unfit.untilMs
      if (isOver) this.#unfit.delete(number)
      if (group === undefined) continue
      const mayLead = isOver || this.#isNeeded(group, unfit, nowMs, touch)
      if (group.raft.mayLead === mayLead) continue
      group.raft.mayLead = mayLead
      touch(group)
    }
  }

  /** Nobody else can: its log may be the longest of those that are left. It leads until another has caught up. */
  #isNeeded(
    group: ReplicaGroup,
    unfit: Unfit,
    nowMs: number,
    touch: (group: ReplicaGroup) => void,
  ): boolean {
    const { raft } = group
    if (raft.role === Role.LEADER) {
      const heirs = nowMs >= unfit.handOverAtMs && raft.takesProposals ? heirsOf(raft) : []
      if (heirs.length > 0) unfit.handOverAtMs = nowMs + HAND_OVER_EVERY_MS
      if (heirs.some((voter) => raft.transferTo(voter))) touch(group)
      return true
    }
    if (raft.leader !== NO_REPLICA) unfit.leaderlessSinceMs = Number.POSITIVE_INFINITY
    else if (unfit.leaderlessSinceMs === Number.POSITIVE_INFINITY) unfit.leaderlessSinceMs = nowMs
    return nowMs - unfit.leaderlessSinceMs >= LEADERLESS_MS
  }
}

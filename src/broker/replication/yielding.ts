import type { PartitionNumber } from '../../base/ids.ts'
import type { RaftGroup } from '../../raft/raft-group.ts'
import { NO_REPLICA, type ReplicaId, Role } from '../../raft/types.ts'
import type { ReplicaGroup } from './replica-group.ts'

/** Groups are looked at so often while the disk is full. */
const LOOK_MS = 500
/** A group that nobody has led for so long is led by this replica all the same: others may be no better off. */
export const LEADERLESS_MS = 1_500

export interface YieldingOptions {
  /** The disk is full, and no other broker's is: see {@link DiskSpace.isFullAlone}. */
  readonly isFull: () => boolean
  readonly groups: () => Iterable<ReplicaGroup>
  readonly groupOf: (number: PartitionNumber) => ReplicaGroup | undefined
  readonly touch: (group: ReplicaGroup) => void
}

/** Voters to which leadership can be handed over: they can be reached, and have what is committed. */
export const heirsOf = (raft: RaftGroup): ReplicaId[] =>
  raft.configuration.voters.filter(
    (voter) =>
      voter !== raft.id &&
      !raft.unreachable.has(voter) &&
      (raft.progressOf(voter)?.match ?? 0) >= raft.commit,
  )

/**
 * While this broker's own disk is full, others lead, where there are any who can: its groups are handed over, and do not campaign unless nobody else
 * leads. On the broker's thread.
 */
export class Yielding {
  readonly #options: YieldingOptions
  readonly #leaderlessSinceMs = new WeakMap<ReplicaGroup, number>()
  #isOn = false
  #lookAtMs = Number.POSITIVE_INFINITY
  #looks = 0

  constructor(options: YieldingOptions) {
    this.#options = options
  }

  /** Leadership is left to others now. */
  get isOn(): boolean {
    return this.#isOn
  }

  get nextTimerAtMs(): number {
    return this.#isOn ? this.#lookAtMs : Number.POSITIVE_INFINITY
  }

  /** Each turn: `isUnfit` tells of a group that may not lead for another reason. */
  look(nowMs: number, isUnfit: (group: ReplicaGroup) => boolean): void {
    const isFull = this.#options.isFull()
    if (isFull === this.#isOn && (!isFull || nowMs < this.#lookAtMs)) return
    this.#isOn = isFull
    this.#lookAtMs = nowMs + LOOK_MS
    this.#looks++
    for (const group of this.#options.groups()) {
      if (isFull) this.#yield(group, nowMs)
      else this.#mayLead(group, !isUnfit(group))
    }
  }

  /** It is opened while the disk is full. */
  opened(group: ReplicaGroup): void {
    if (this.#isOn) group.raft.mayLead = false
  }

  #yield(group: ReplicaGroup, nowMs: number): void {
    const { raft } = group
    if (raft.role === Role.LEADER) {
      const heirs = heirsOf(raft)
      if (heirs.length === 0) return
      raft.mayLead = false
      // one whose disk is full, too, does not take it: another is asked the next time
      if (raft.takesProposals && raft.transferTo(heirs[this.#looks % heirs.length]!)) {
        this.#options.touch(group)
      }
      return
    }
    if (raft.leader !== NO_REPLICA) {
      this.#leaderlessSinceMs.delete(group)
      this.#mayLead(group, false)
      return
    }
    const sinceMs = this.#leaderlessSinceMs.get(group) ?? nowMs
    this.#leaderlessSinceMs.set(group, sinceMs)
    this.#mayLead(group, nowMs - sinceMs >= LEADERLESS_MS)
  }

  #mayLead(group: ReplicaGroup, may: boolean): void {
    if (group.raft.mayLead === may) return
    group.raft.mayLead = may
    this.#options.touch(group)
  }
}

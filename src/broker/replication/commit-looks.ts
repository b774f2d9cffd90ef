import type { Position } from '../../raft/types.ts'
import type { ReplicaGroup } from './replica-group.ts'

/** So far behind a replica may be when it gets its vote. */
const MOMENT_MS = 20

interface CommitLook {
  readonly term: number
  readonly atMs: number
  readonly commit: Position
  readonly before: Position
}

/** Of groups that this broker leads and that change: what was committed a moment ago. On the broker's thread. */
export class CommitLooks {
  readonly #looks = new WeakMap<ReplicaGroup, CommitLook>()

  /**
   * How far a replica is to have got to be given a vote: what was committed a moment ago. While one replica alone commits what it writes, nobody else
   * ever has it all.
   */
  caughtUpTo(group: ReplicaGroup, nowMs: number): Position {
    const { commit, term } = group.raft
    const look = this.#looks.get(group)
    if (look === undefined || look.term !== term) {
      this.#looks.set(group, { term, atMs: nowMs, commit, before: commit })
      return commit
    }
    if (nowMs - look.atMs >= MOMENT_MS) {
      this.#looks.set(group, { term, atMs: nowMs, commit, before: look.commit })
      return look.commit
    }
    return look.before
  }
}

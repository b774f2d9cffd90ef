import { membersOf } from '../../raft/membership.ts'
import type { Configuration, ReplicaId } from '../../raft/types.ts'

/**
 * The next step from one set of voters to another, each a change of one voter, so that clients notice none of it: whoever is to come copies first, as
 * learner; one that has caught up gets its vote; then whoever is to go, goes, one that is gone already first of all. null: nothing is to be done, or what is needed
 * has not caught up yet.
 */
export function nextConfiguration(
  now: Configuration,
  wanted: readonly ReplicaId[],
  of: {
    readonly hasCaughtUp: (replica: ReplicaId) => boolean
    readonly isLost: (replica: ReplicaId) => boolean
    /** It goes after all others that are to go. */
    readonly isLast?: (replica: ReplicaId) => boolean
  },
): Configuration | null {
  // nobody knows of the partition at the moment: that is no wish
  if (wanted.length === 0) return null
  const members = membersOf(now)
  const missing = wanted.filter((replica) => !members.includes(replica))
  const learners = [...now.learners.filter((replica) => wanted.includes(replica)), ...missing]
  if (missing.length > 0 || learners.length < now.learners.length) {
    return { voters: now.voters, learners }
  }
  const surplus = now.voters.filter((replica) => !wanted.includes(replica))
  // it counts towards the majority, and never will be part of one
  const lost = surplus.find(of.isLost)
  if (lost !== undefined && now.voters.length > 1) return without(now, lost)
  const ready = now.learners.find(of.hasCaughtUp)
  if (ready !== undefined) {
    return {
      voters: [...now.voters, ready],
      learners: now.learners.filter((replica) => replica !== ready),
    }
  }
  // only once those that take its place are there
  const isComplete = wanted.every((replica) => now.voters.includes(replica))
  const next = surplus.find((replica) => of.isLast?.(replica) !== true) ?? surplus[0]
  return isComplete && next !== undefined ? without(now, next) : null
}

const without = ({ voters, learners }: Configuration, gone: ReplicaId): Configuration => ({
  voters: voters.filter((replica) => replica !== gone),
  learners,
})

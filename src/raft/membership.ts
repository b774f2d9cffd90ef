import type { ReplicaLog } from './replica-log.ts'
import type { Configuration, Position, ReplicaId } from './types.ts'

const ends: Position[] = []

/** The greatest end that a majority of the voters has, by `endOf`. */
export function majorityEnd(
  { voters }: Configuration,
  endOf: (replica: ReplicaId) => Position,
): Position {
  if (voters.length === 0) return 0
  // for each batch that a leader writes, and each answer: a few voters, in place, the greatest first
  ends.length = 0
  for (const voter of voters) {
    const end = endOf(voter)
    let at = ends.length
    for (; at > 0 && ends[at - 1]! < end; at--) ends[at] = ends[at - 1]!
    ends[at] = end
  }
  return ends[ends.length >> 1]!
}

export const majorityOf = ({ voters }: Configuration): number => (voters.length >> 1) + 1

export const canReachMajority = (
  configuration: Configuration,
  unreachable: ReadonlySet<ReplicaId>,
): boolean => {
  const there = configuration.voters.filter((voter) => !unreachable.has(voter))
  return there.length >= majorityOf(configuration)
}

export type Tally = 'won' | 'lost' | 'open'

/** Of an election: `voteOf` is undefined where nobody has answered. */
export function tally(
  configuration: Configuration,
  voteOf: (replica: ReplicaId) => boolean | undefined,
): Tally {
  const { voters } = configuration
  const votes = voters.map(voteOf)
  const needed = majorityOf(configuration)
  if (votes.filter((vote) => vote === true).length >= needed) return 'won'
  return votes.filter((vote) => vote !== false).length < needed ? 'lost' : 'open'
}

export const membersOf = ({ voters, learners }: Configuration): ReplicaId[] => [
  ...voters,
  ...learners,
]

const without = (of: readonly ReplicaId[], other: readonly ReplicaId[]): ReplicaId[] =>
  of.filter((replica) => !other.includes(replica))

/** Why a configuration cannot follow another, or null. One voter at a time: any two majorities have a replica in common. */
export function refusalOf(before: Configuration, after: Configuration): string | null {
  const members = membersOf(after)
  if (after.voters.length === 0) return 'no voter would be left'
  if (new Set(members).size < members.length) return 'a replica is named twice'
  if (members.some((replica) => !Number.isSafeInteger(replica) || replica <= 0)) {
    return 'a replica id is not a positive integer'
  }
  const added = without(after.voters, before.voters)
  const removed = without(before.voters, after.voters)
  if (added.length + removed.length > 1) return 'more than one voter would change'
  if (added.some((replica) => !before.learners.includes(replica))) {
    return `replica ${added[0]} is no learner: only what has caught up may vote`
  }
  return null
}

/** What a leader knows that is asked for another configuration. */
export interface KnownToLeader {
  readonly log: ReplicaLog
  /** Its term began there. */
  readonly startedAt: Position
  readonly isCaughtUp: (voter: ReplicaId) => boolean
}

/** Why a leader does not propose a configuration now, or null. */
export function whyNotNext(
  leader: ReplicaId,
  configuration: Configuration,
  { log, startedAt, isCaughtUp }: KnownToLeader,
): string | null {
  const { view } = log
  // a configuration of an earlier term may be committed behind our back (Ongaro, raft-dev, July 2015)
  if (log.commit <= startedAt) return 'no entry of this term is committed yet'
  if (view.membershipAt >= log.commit) return 'another change is not committed yet'
  const refusal = refusalOf(view.configuration, configuration)
  if (refusal !== null) return refusal
  const { voters } = view.configuration
  const behind = configuration.voters.find(
    (voter) => voter !== leader && !voters.includes(voter) && !isCaughtUp(voter),
  )
  return behind === undefined ? null : `replica ${behind} has not caught up`
}

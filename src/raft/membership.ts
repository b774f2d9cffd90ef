import type { Configuration, Position, ReplicaId } from './types.ts'

/** The greatest end that a majority of the voters has, by `endOf`. */
export function majorityEnd(
  { voters }: Configuration,
  endOf: (replica: ReplicaId) => Position,
): Position {
  if (voters.length === 0) return 0
  const ends = voters.map(endOf).sort((a, b) => b - a)
  return ends[ends.length >> 1]!
}

export const majorityOf = ({ voters }: Configuration): number => (voters.length >> 1) + 1

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

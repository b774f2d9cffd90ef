import type { BrokerId } from '../../base/ids.ts'
import { brokerOf, isBefore } from '../../base/replica-id.ts'
import { membersOf } from '../../raft/membership.ts'
import type { Position, ReplicaId } from '../../raft/types.ts'
import { nextConfiguration } from './next-configuration.ts'
import type { ReplicaGroup } from './replica-group.ts'

/**
 * A step of a leader's group towards the replicas that there are to be; whether one was taken. Replicas of an earlier life of their broker's
 * directory, which nobody will hear of again, are taken for lost: they count towards the majority and cannot be part of one.
 * Whoever has what was committed up to `caughtUpTo` has caught up. A leader that is to go is the last to go, and hands over first where it can.
 */
export function moveMembership(
  { raft }: ReplicaGroup,
  wanted: readonly ReplicaId[],
  currentIdOf: (broker: BrokerId) => ReplicaId,
  caughtUpTo: Position = raft.commit,
): boolean {
  const isOfThePast = (replica: ReplicaId) => isBefore(replica, currentIdOf(brokerOf(replica)))
  const isNewer = (replica: ReplicaId) => isBefore(currentIdOf(brokerOf(replica)), replica)
  // the image here is older than what has been done by it elsewhere
  if (membersOf(raft.configuration).some(isNewer)) return false
  for (const voter of raft.configuration.voters) {
    const isHeard = voter !== raft.id && !raft.unreachable.has(voter)
    if (isHeard && isOfThePast(voter)) raft.setReachable(voter, false)
  }
  const next = nextConfiguration(raft.configuration, wanted, {
    isLost: (replica) => isOfThePast(replica) || raft.unreachable.has(replica),
    isLast: (replica) => replica === raft.id,
    hasCaughtUp: (replica) => (raft.progressOf(replica)?.match ?? 0) >= caughtUpTo,
  })
  if (next === null) return false
  if (!next.voters.includes(raft.id) && raft.isMembershipCommitted) {
    const heirs = wanted.filter((replica) => (raft.progressOf(replica)?.match ?? 0) >= raft.commit)
    // what it takes until then waits for its successor, who removes it
    if (raft.takesProposals && heirs.some((replica) => raft.transferTo(replica))) return true
  }
  return raft.proposeMembership(next, caughtUpTo) === null
}

/** The group has just these voters and nobody who learns. */
export const isSettled = ({ raft }: ReplicaGroup, wanted: readonly ReplicaId[]): boolean => {
  const { voters, learners } = raft.configuration
  if (learners.length > 0 || voters.length !== wanted.length) return false
  return wanted.every((replica) => voters.includes(replica))
}

/** The replica votes, and that is committed. */
export const isVoter = ({ raft }: ReplicaGroup): boolean =>
  raft.configuration.voters.includes(raft.id) && raft.isMembershipCommitted

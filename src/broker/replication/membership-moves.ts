import type { BrokerId } from '../../base/ids.ts'
import { brokerOf } from '../../base/replica-id.ts'
import type { ReplicaId } from '../../raft/types.ts'
import { nextConfiguration } from './next-configuration.ts'
import type { ReplicaGroup } from './replica-group.ts'

/**
 * A step of a leader's group towards the replicas that there are to be; whether one was taken. Replicas of an earlier life of their broker's
 * directory, which nobody will hear of again, are taken for lost: they count towards the majority and cannot be part of one.
 */
export function moveMembership(
  { raft }: ReplicaGroup,
  wanted: readonly ReplicaId[],
  currentIdOf: (broker: BrokerId) => ReplicaId,
): boolean {
  const isOfThePast = (replica: ReplicaId) => currentIdOf(brokerOf(replica)) !== replica
  for (const voter of raft.configuration.voters) {
    const isHeard = voter !== raft.id && !raft.unreachable.has(voter)
    if (isHeard && isOfThePast(voter)) raft.setReachable(voter, false)
  }
  const next = nextConfiguration(raft.configuration, wanted, {
    isLost: (replica) => isOfThePast(replica) || raft.unreachable.has(replica),
    hasCaughtUp: (replica) => (raft.progressOf(replica)?.match ?? 0) >= raft.commit,
  })
  return next !== null && raft.proposeMembership(next) === null
}

/** The group has just these voters and nobody who learns. */
export const isSettled = ({ raft }: ReplicaGroup, wanted: readonly ReplicaId[]): boolean => {
  const { voters, learners } = raft.configuration
  if (learners.length > 0 || voters.length !== wanted.length) return false
  return wanted.every((replica) => voters.includes(replica))
}

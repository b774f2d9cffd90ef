import { describe, expect, test } from 'vitest'
import { RaftGroup } from '../../src/raft/raft-group.ts'
import { type Message, NO_REPLICA, type ReplicaId, Role } from '../../src/raft/types.ts'

const THREE = { voters: [1, 2, 3], learners: [] }

const grant = (from: ReplicaId, term: number, type: 'pre-vote-reply'): Message => ({
  ...{ from, to: 1, term, type, isGranted: true },
})

describe('the first election after a power loss', () => {
  const afterPowerLoss = (): RaftGroup =>
    new RaftGroup({
      ...{ id: 1, hardState: { term: 1, vote: NO_REPLICA }, commit: 0 },
      log: { start: 0, end: 5, lines: [{ term: 1, start: 0 }], controls: [], configuration: THREE },
      electionTicks: () => 1_000,
      isAfterPowerLoss: true,
    })

  test('hears all voters, so that the longest log wins', () => {
    const group = afterPowerLoss()
    group.campaign()
    group.step(grant(2, 2, 'pre-vote-reply'))
    expect(group.role).toBe(Role.PRE_CANDIDATE)
    group.step(grant(3, 2, 'pre-vote-reply'))
    expect(group.role).toBe(Role.CANDIDATE)
  })

  test('is given up where one voter has more, whatever the others grant', () => {
    const group = afterPowerLoss()
    group.campaign()
    group.step(grant(2, 2, 'pre-vote-reply'))
    group.step({ ...grant(3, 2, 'pre-vote-reply'), isGranted: false, term: 1 } as Message)
    expect(group.role).toBe(Role.FOLLOWER)
    group.step(grant(2, 2, 'pre-vote-reply'))
    expect(group.role).toBe(Role.FOLLOWER)
  })

  test('waits a second at most for who does not answer', () => {
    const group = afterPowerLoss()
    group.campaign()
    group.step(grant(2, 2, 'pre-vote-reply'))
    for (let i = 0; i < 99; i++) group.tick()
    expect(group.role).toBe(Role.PRE_CANDIDATE)
    group.tick()
    expect(group.role).toBe(Role.CANDIDATE)
  })
})

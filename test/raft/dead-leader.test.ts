/** Elections after a leader that runs no more, for certain; and who waits for whom. */
import { describe, expect, test } from 'vitest'
import { RaftGroup } from '../../src/raft/raft-group.ts'
import { type Message, NO_REPLICA, type ReplicaId, Role } from '../../src/raft/types.ts'

const LINES = [{ term: 1, start: 0 }]

interface Made {
  readonly id?: ReplicaId
  readonly end?: number
  readonly voters?: readonly ReplicaId[]
}

/** In term 1, led by 2. */
function follower({ id = 1, end = 10, voters = [1, 2, 3] }: Made = {}) {
  const group = new RaftGroup({
    id,
    hardState: { term: 1, vote: 2 },
    log: {
      ...{ start: 0, end, lines: LINES, controls: [] },
      configuration: { voters: [...voters], learners: [] },
    },
    ...{ commit: 0, electionTicks: () => 10 },
  })
  group.step({
    ...{ from: 2, to: id, term: 1, type: 'append', start: end, previousTerm: 1, end },
    ...{ lines: LINES, controls: [], commit: 0 },
  })
  group.ready()
  expect(group.leader).toBe(2)
  return group
}

const sent = (group: RaftGroup) =>
  group
    .ready()
    .messages.map(({ type, to, term }) => `${type} ${to} ${term}`)
    .filter((text) => !text.startsWith('append-reply'))

const vote = (of: Partial<Message & { readonly type: 'vote' }> = {}): Message => ({
  ...{ from: 3, to: 1, term: 2, type: 'vote', lastTerm: 1, end: 10, isTransfer: true, ...of },
})

describe('where the leader runs no more', () => {
  test('the next asks for votes at once, and nobody holds on to that leader', () => {
    const next = follower()
    next.setReachable(2, false)
    next.campaign(true)
    expect([next.role, next.term]).toEqual([Role.CANDIDATE, 2])
    const ready = next.ready()
    expect(ready.hardState).toEqual({ term: 2, vote: 1 })
    const asked = ready.messages.find(({ to }) => to === 3)!
    expect(asked).toMatchObject({ type: 'vote', term: 2, end: 10, isTransfer: true })
    // which has not heard of it yet
    const other = follower({ id: 3 })
    other.step(asked)
    expect(sent(other)).toEqual(['vote-reply 1 2'])
    expect(other.leader).toBe(NO_REPLICA)
    next.step({ from: 3, to: 1, term: 2, type: 'vote-reply', isGranted: true })
    expect(next.role).toBe(Role.LEADER)
  })

  test('after a power loss the longest log is looked for all the same', () => {
    const fresh = new RaftGroup({
      id: 1,
      hardState: { term: 1, vote: 2 },
      log: {
        ...{ start: 0, end: 10, lines: LINES, controls: [] },
        configuration: { voters: [1, 2, 3], learners: [] },
      },
      ...{ commit: 0, electionTicks: () => 10, isAfterPowerLoss: true },
    })
    fresh.setReachable(2, false)
    fresh.campaign(true)
    expect(fresh.role).toBe(Role.PRE_CANDIDATE)
    expect(sent(fresh)).toEqual(['pre-vote 2 2', 'pre-vote 3 2'])
  })

  test('who has more refuses and runs itself, since the other cannot win', () => {
    const longer = follower({ end: 12 })
    longer.setReachable(2, false)
    longer.step(vote({ end: 11 }))
    expect(sent(longer)).toEqual(['vote-reply 3 2', 'vote 2 3', 'vote 3 3'])
    expect([longer.role, longer.term]).toEqual([Role.CANDIDATE, 3])
    longer.step({ from: 3, to: 1, term: 3, type: 'vote-reply', isGranted: true })
    expect(longer.role).toBe(Role.LEADER)
  })

  test('but not where the other can win without it', () => {
    const longer = follower({ end: 12, voters: [1, 2, 3, 4, 5] })
    longer.setReachable(2, false)
    longer.step(vote({ end: 11 }))
    expect(sent(longer)).toEqual(['vote-reply 3 2'])
    expect([longer.role, longer.term]).toEqual([Role.FOLLOWER, 2])
  })

  test('nor where it has given its vote to a third one', () => {
    const longer = follower({ end: 12, voters: [1, 2, 3, 4] })
    longer.setReachable(2, false)
    longer.step(vote({ from: 4, end: 12 }))
    longer.step(vote({ from: 3, end: 11 }))
    expect(sent(longer)).toEqual(['vote-reply 4 2', 'vote-reply 3 2'])
    expect(longer.role).toBe(Role.FOLLOWER)
  })
})

describe('who has given its vote', () => {
  function given() {
    const group = follower()
    group.setReachable(2, false)
    expect(group.awaited).toBe(NO_REPLICA)
    group.step(vote())
    expect([group.awaited, group.leader]).toEqual([3, NO_REPLICA])
    group.ready()
    return group
  }

  test('waits for that one, also where another asks that has less', () => {
    const group = given()
    group.step({
      ...{ from: 2, to: 1, term: 3, type: 'pre-vote', lastTerm: 1, end: 9 },
      isTransfer: false,
    })
    expect(sent(group)).toEqual(['pre-vote-reply 2 2'])
    expect(group.role).toBe(Role.FOLLOWER)
  })

  test.each<[string, (group: RaftGroup) => void]>([
    ['cannot be reached', (group) => group.setReachable(3, false)],
    [
      'leads',
      (group) =>
        group.step({
          ...{ from: 3, to: 1, term: 2, type: 'append', start: 10, previousTerm: 1, end: 10 },
          ...{ lines: LINES, controls: [], commit: 0 },
        }),
    ],
    [
      'is behind a later term',
      (group) => group.step(vote({ from: 2, term: 3, end: 9, isTransfer: true })),
    ],
    ['is not heard of for long', (group) => Array.from({ length: 10 }, () => group.tick())],
  ])('until that one %s', (_, happens) => {
    const group = given()
    happens(group)
    expect(group.awaited).toBe(NO_REPLICA)
  })
})

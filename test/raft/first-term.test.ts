import { describe, expect, test } from 'vitest'
import { FIRST_PATIENCE } from '../../src/raft/first-term.ts'
import { RaftGroup } from '../../src/raft/raft-group.ts'
import { type HardState, type Message, Role } from '../../src/raft/types.ts'

/** A replica of a new group of three, as it is opened for the first time; ten ticks to an election. */
const open = (id: number, hardState: HardState | null = null, voters = [1, 2, 3]): RaftGroup =>
  new RaftGroup({
    ...{ id, hardState, commit: 0 },
    log: {
      ...{ start: 0, end: 0, lines: [], controls: [] },
      configuration: { voters, learners: [] },
    },
    electionTicks: () => 10,
  })

const vote = (type: 'vote' | 'pre-vote', from: number, to: number, term: number): Message => ({
  ...{ type, from, to, term, lastTerm: 0, end: 0, isTransfer: false },
})

const grants = (group: RaftGroup): boolean[] =>
  group
    .ready()
    .messages.flatMap((m) =>
      m.type === 'vote-reply' || m.type === 'pre-vote-reply' ? [m.isGranted] : [],
    )

describe('the first term of a new group', () => {
  test('is the first voter’s, without any vote, once its own is kept', () => {
    const group = open(1)
    group.campaign()
    const asked = group.ready()
    expect(asked.hardState).toEqual({ term: 1, vote: 1 })
    expect([asked.messages, group.role]).toEqual([[], Role.CANDIDATE])
    // however long that takes
    for (let i = 0; i < 1_000; i++) group.tick()
    expect([group.ready().messages, group.term]).toEqual([[], 1])
    group.hardStateStored()
    const led = group.ready()
    expect([led.role, led.term, led.hardState]).toEqual([Role.LEADER, 1, null])
    expect(led.controls).toEqual([{ kind: 'term-start', at: 0, term: 1 }])
    // the others have what it begins with in its first message
    expect(led.messages.map((m) => m.type === 'append' && [m.to, m.start, m.end])).toEqual([
      [2, 0, 1],
      [3, 0, 1],
    ])
  })

  test('is nobody else’s: each other voter begins with that vote, and keeps it', () => {
    const group = open(2)
    expect(group.ready().hardState).toEqual({ term: 1, vote: 1 })
    group.step(vote('vote', 3, 2, 1))
    expect(grants(group)).toEqual([false])
    group.step(vote('vote', 1, 2, 1))
    expect(grants(group)).toEqual([true])
  })

  test('is waited for by the others, who then ask for the second', () => {
    const group = open(2)
    for (let i = 1; i < 10 * FIRST_PATIENCE; i++) group.tick()
    expect(group.ready().messages).toEqual([])
    group.tick()
    expect(group.ready().messages.map(({ type, term }) => [type, term])).toEqual([
      ['pre-vote', 2],
      ['pre-vote', 2],
    ])
  })

  test('is led once: who has lost it is elected for another', () => {
    const group = open(1)
    group.campaign()
    group.ready()
    group.hardStateStored()
    group.ready()
    group.resign()
    group.campaign()
    expect(group.ready().messages.filter(({ type }) => type === 'pre-vote')).toHaveLength(2)
    expect([group.role, group.term]).toEqual([Role.PRE_CANDIDATE, 1])
  })

  test('is not led by a replica that was opened before, and may have led it', () => {
    const group = open(1, { term: 1, vote: 1 })
    group.campaign()
    group.hardStateStored()
    expect(group.role).toBe(Role.PRE_CANDIDATE)
  })

  test('is over for who has voted in another', () => {
    const group = open(1)
    group.ready()
    group.hardStateStored()
    group.step(vote('vote', 3, 1, 2))
    expect(group.ready().hardState).toEqual({ term: 2, vote: 3 })
    group.hardStateStored()
    group.campaign()
    expect(group.role).toBe(Role.PRE_CANDIDATE)
  })

  test('is elected where the replica is alone, and where it is no voter', () => {
    const alone = open(1, null, [1])
    expect([alone.term, alone.ready().hardState]).toEqual([0, null])
    alone.campaign()
    expect([alone.role, alone.ready().hardState]).toEqual([Role.LEADER, { term: 1, vote: 1 }])
    const learner = open(1, null, [])
    expect([learner.term, learner.ready().hardState]).toEqual([0, null])
  })
})

import { describe, expect, test } from 'vitest'
import { LogView } from '../../src/raft/log-view.ts'
import { majorityEnd, refusalOf, tally } from '../../src/raft/membership.ts'
import { RaftGroup } from '../../src/raft/raft-group.ts'
import { TermLines } from '../../src/raft/term-lines.ts'
import {
  type Message,
  NO_REPLICA,
  type Position,
  type ReplicaId,
  Role,
  type TermLine,
} from '../../src/raft/types.ts'

const THREE = { voters: [1, 2, 3], learners: [] }

interface Made {
  readonly id?: ReplicaId
  readonly term?: number
  readonly vote?: ReplicaId
  readonly lines?: readonly TermLine[]
  readonly end?: Position
  readonly commit?: Position
  readonly configuration?: typeof THREE
}

/** A replica as it would be recovered; ten ticks to an election. */
const make = (made: Made = {}): RaftGroup => {
  const { id = 1, lines = [], end = 0, commit = 0, vote = NO_REPLICA } = made
  return new RaftGroup({
    id,
    hardState: { term: made.term ?? lines.at(-1)?.term ?? 0, vote },
    log: { start: 0, end, lines, controls: [], configuration: made.configuration ?? THREE },
    commit,
    electionTicks: () => 10,
  })
}

type Sent<T extends Message['type']> = Message & { readonly type: T }
const sent = <T extends Message['type']>(group: RaftGroup, type: T): Sent<T>[] =>
  group.ready().messages.filter((m): m is Sent<T> => m.type === type)

const grant = (from: ReplicaId, term: number, type: 'vote-reply' | 'pre-vote-reply'): Message => ({
  ...{ from, to: 1, term, type, isGranted: true },
})

/** Elected for the term after `group`'s. */
const elect = (group: RaftGroup, from: ReplicaId = 2): void => {
  const term = group.term + 1
  group.campaign()
  group.step(grant(from, term, 'pre-vote-reply'))
  group.step(grant(from, term, 'vote-reply'))
  expect(group.role).toBe(Role.LEADER)
}

const reply = (group: RaftGroup, from: ReplicaId, end: Position, commit = 0): void =>
  group.step({
    ...{ from, to: group.id, term: group.term, type: 'append-reply' },
    ...{ end, isRefused: false, lastTerm: 0, commit },
  })

const append = (of: Partial<Sent<'append'>> = {}): Message => ({
  ...{ from: 2, to: 1, term: 1, type: 'append', start: 0, previousTerm: 0, end: 0 },
  ...{ lines: [], controls: [], commit: 0, ...of },
})

const vote = (of: Partial<Sent<'vote'>>): Message => ({
  ...{ from: 2, to: 1, term: 1, type: 'vote', lastTerm: 0, end: 0, isTransfer: false, ...of },
})

describe('an election', () => {
  test('is asked for again, each tick, of voters that have not answered: they may have held on to the leader that is lost', () => {
    const group = make()
    group.campaign()
    expect(sent(group, 'pre-vote').map(({ to }) => to)).toEqual([2, 3])
    group.step({ ...grant(2, 1, 'pre-vote-reply'), isGranted: false, term: 0 } as Message)
    group.tick()
    expect(sent(group, 'pre-vote').map(({ to }) => to)).toEqual([3])
    group.step(grant(3, 1, 'pre-vote-reply'))
    expect(group.role).toBe(Role.CANDIDATE)
    group.tick()
    expect(sent(group, 'pre-vote')).toEqual([])
  })

  test('is begun at once by who is asked for a vote by a shorter log, and follows nobody', () => {
    const lines = [{ term: 1, start: 0 }]
    const asked = {
      from: 2,
      to: 1,
      term: 2,
      type: 'pre-vote',
      lastTerm: 1,
      isTransfer: false,
    } as const
    const longer = make({ lines, end: 10 })
    longer.step({ ...asked, end: 9 })
    expect(longer.role).toBe(Role.PRE_CANDIDATE)
    const equal = make({ lines, end: 10 })
    equal.step({ ...asked, end: 10 })
    expect(equal.role).toBe(Role.FOLLOWER)
  })

  test('is asked for first, and then held; the vote is durable before it is told', () => {
    const group = make()
    for (let i = 0; i < 10; i++) group.tick()
    const asked = group.ready()
    expect(asked.messages.map(({ type, to, term }) => [type, to, term])).toEqual([
      ['pre-vote', 2, 1],
      ['pre-vote', 3, 1],
    ])
    expect([asked.hardState, group.term]).toEqual([null, 0])
    group.step(grant(2, 1, 'pre-vote-reply'))
    const held = group.ready()
    expect(held.hardState).toEqual({ term: 1, vote: 1 })
    expect(held.messages.map(({ type }) => type)).toEqual(['vote', 'vote'])
    group.step(grant(3, 1, 'vote-reply'))
    expect([group.role, group.leader]).toEqual([Role.LEADER, 1])
    expect(group.ready().controls).toEqual([{ kind: 'term-start', at: 0, term: 1 }])
  })

  test('is not won by what was granted for an earlier one', () => {
    const group = make({ term: 4 })
    group.campaign()
    group.step(grant(2, 4, 'pre-vote-reply'))
    expect([group.role, group.term]).toEqual([Role.PRE_CANDIDATE, 4])
  })

  test.each([
    ['of an older last term, however long', { lastTerm: 1, end: 100 }, false],
    ['shorter, of the same term', { lastTerm: 2, end: 9 }, false],
    ['as long', { lastTerm: 2, end: 10 }, true],
    ['of a newer term, however short', { lastTerm: 3, end: 5 }, true],
  ])('goes to a log that is %s: %o %s', (_what, log, isGranted) => {
    const group = make({ lines: [{ term: 2, start: 0 }], end: 10 })
    group.step(vote({ term: 4, ...log }))
    expect(sent(group, 'vote-reply')).toMatchObject([{ term: 4, isGranted }])
    const asked = make({ lines: [{ term: 2, start: 0 }], end: 10 })
    asked.step({ ...vote({ term: 4, ...log }), type: 'pre-vote' } as Message)
    expect(sent(asked, 'pre-vote-reply')).toMatchObject([{ isGranted }])
    expect(asked.term).toBe(2)
  })

  test('has one vote a term, also after a restart', () => {
    const group = make({ term: 1 })
    group.step(vote({ from: 2 }))
    expect(group.ready().hardState).toEqual({ term: 1, vote: 2 })
    group.step(vote({ from: 3 }))
    expect(sent(group, 'vote-reply')).toMatchObject([{ to: 3, isGranted: false }])
    const again = make({ term: 1, vote: 2 })
    again.step(vote({ from: 3 }))
    again.step(vote({ from: 2 }))
    expect(sent(again, 'vote-reply')).toMatchObject([
      { to: 3, isGranted: false },
      { to: 2, isGranted: true },
    ])
  })

  test('is not held while a leader lives, unless that leader asks for it, resigns or cannot be reached', () => {
    const led = () => {
      const group = make({ term: 1 })
      group.step(append())
      expect(group.leader).toBe(2)
      expect(group.needsTicks).toBe(false)
      group.ready()
      return group
    }
    const disturbed = led()
    disturbed.step(vote({ from: 3, term: 2 }))
    expect([disturbed.term, disturbed.ready().messages]).toEqual([1, []])
    const asked = led()
    asked.step(vote({ from: 3, term: 2, isTransfer: true }))
    expect(sent(asked, 'vote-reply')).toMatchObject([{ term: 2, isGranted: true }])
    const resigned = led()
    resigned.step({ from: 2, to: 1, term: 1, type: 'resign' })
    expect([resigned.leader, resigned.needsTicks]).toEqual([NO_REPLICA, true])
    const cutOff = led()
    cutOff.setReachable(2, false)
    expect([cutOff.leader, cutOff.needsTicks]).toEqual([NO_REPLICA, true])
  })
})

describe('a leader', () => {
  test('of whom an old append arrives after it has resigned is believed when it asks for votes', () => {
    const group = make()
    // the break was told, and then what was on its way before it comes all the same
    group.setReachable(2, false)
    group.setReachable(2, true)
    group.step(append({ end: 0 }))
    expect(group.leader).toBe(2)
    group.ready()
    group.step({ ...vote({ term: 2 }), type: 'pre-vote' } as Message)
    expect(sent(group, 'pre-vote-reply')).toMatchObject([{ to: 2, term: 2, isGranted: true }])
    // another is told to wait all the same
    group.step(append({ end: 0 }))
    group.step({ ...vote({ term: 2, from: 3 }), type: 'pre-vote' } as Message)
    expect(sent(group, 'pre-vote-reply')).toEqual([])
    group.step(append({ end: 0 }))
    group.step(vote({ term: 2 }))
    expect(sent(group, 'vote-reply')).toMatchObject([{ to: 2, isGranted: true }])
  })

  test('whose host cannot go on says so', () => {
    const group = make()
    elect(group)
    group.ready()
    group.resign()
    expect([group.role, group.leader]).toEqual([Role.FOLLOWER, NO_REPLICA])
    expect(sent(group, 'resign').map(({ to }) => to)).toEqual([2, 3])
    group.resign()
    expect(group.ready().messages).toEqual([])
  })

  test('commits what a majority and its own disk have, once an entry of its own term is among it', () => {
    // figure 8 of the paper: an entry of an earlier term on a majority may yet be overwritten
    const group = make({ lines: [{ term: 1, start: 0 }], end: 5 })
    elect(group)
    reply(group, 2, 5)
    group.stored(6)
    expect(group.commit).toBe(0)
    reply(group, 2, 6)
    expect(group.commit).toBe(6)
    expect(group.propose(4)).toBe(6)
    reply(group, 2, 10)
    reply(group, 3, 10)
    expect(group.commit).toBe(6)
    group.stored(10)
    expect(group.commit).toBe(10)
  })

  test('resigns when it cannot reach a majority, and drops what is on no disk of its own', () => {
    const group = make()
    elect(group)
    group.stored(1)
    reply(group, 2, 1)
    expect(group.propose(5)).toBe(1)
    group.ready()
    group.setReachable(3, false)
    expect(group.role).toBe(Role.LEADER)
    group.setReachable(2, false)
    const ready = group.ready()
    expect([ready.role, ready.truncateTo, group.end]).toEqual([Role.FOLLOWER, 1, 1])
    expect(ready.messages.map(({ type, to }) => [type, to])).toEqual([
      ['resign', 2],
      ['resign', 3],
    ])
    expect(group.propose(1)).toBe(-1)
  })

  test('says nothing once everybody has everything and knows that it is committed', () => {
    const group = make()
    elect(group)
    group.ready()
    group.stored(1)
    for (const from of [2, 3]) reply(group, from, 1, 0)
    expect(sent(group, 'append').map(({ to, commit }) => [to, commit])).toEqual([
      [2, 1],
      [3, 1],
    ])
    expect(group.needsTicks).toBe(true)
    for (const from of [2, 3]) reply(group, from, 1, 1)
    expect([group.needsTicks, group.ready().messages]).toEqual([false, []])
  })

  test('sends what replaces its log to whom it has nothing older for', () => {
    const group = make({ lines: [{ term: 1, start: 0 }], end: 20, commit: 20 })
    group.logStart(12)
    elect(group)
    group.ready()
    group.step({
      ...{ from: 2, to: 1, term: 2, type: 'append-reply' },
      ...{ end: 0, isRefused: true, lastTerm: 0, commit: 0 },
    })
    expect(sent(group, 'snapshot')).toEqual([
      {
        ...{ from: 1, to: 2, term: 2, type: 'snapshot', start: 12, configuration: THREE },
        lines: [{ term: 1, start: 11 }],
      },
    ])
  })

  test('changes its voters one at a time, and not before its term has committed something', () => {
    const group = make()
    elect(group)
    const withFour = { voters: [1, 2, 3], learners: [4] }
    expect(group.proposeMembership(withFour)).toMatch(/no entry of this term/)
    group.stored(1)
    reply(group, 2, 1)
    expect(group.proposeMembership(withFour)).toBe(null)
    expect(group.configuration).toEqual(withFour)
    expect(group.proposeMembership(THREE)).toMatch(/another change is not committed/)
    group.stored(2)
    reply(group, 2, 2)
    const promoted = { voters: [1, 2, 3, 4], learners: [] }
    expect(group.proposeMembership(promoted)).toMatch(/replica 4 has not caught up/)
    reply(group, 4, 2)
    expect(group.proposeMembership(promoted)).toBe(null)
  })

  test('hands over to a voter that has caught up, and takes nothing meanwhile', () => {
    const group = make()
    elect(group)
    group.ready()
    expect(group.transferTo(4)).toBe(false)
    expect(group.transferTo(2)).toBe(true)
    expect(group.propose(1)).toBe(-1)
    expect(sent(group, 'timeout-now')).toEqual([])
    reply(group, 2, 1)
    expect(sent(group, 'timeout-now')).toMatchObject([{ to: 2 }])
    for (let i = 0; i < 10; i++) group.tick()
    expect(group.propose(1)).toBe(1)
  })
})

describe('a follower', () => {
  test('copies what it lacks, tells each piece, and goes on where the leader goes on', () => {
    const group = make()
    const lines = [{ term: 1, start: 0 }]
    group.step(append({ end: 10, lines }))
    expect(group.ready().copy).toEqual({ leader: 2, term: 1, start: 0, end: 10, lines })
    group.stored(4)
    expect(sent(group, 'append-reply')).toMatchObject([{ end: 4, isRefused: false }])
    const more = { start: 10, previousTerm: 1, end: 15, lines: [{ term: 1, start: 10 }], commit: 6 }
    group.step(append(more))
    const merged = [...lines, ...more.lines]
    expect(group.ready()).toMatchObject({ copy: { start: 4, end: 15, lines: merged }, commit: 4 })
    group.stored(15)
    expect(sent(group, 'append-reply')).toMatchObject([{ end: 15, commit: 6 }])
  })

  test('asks for a control entry once, however often and from wherever it is sent again', () => {
    const group = make({ lines: [{ term: 1, start: 0 }], end: 10, term: 1 })
    const entry = { kind: 'host', at: 12, term: 1, payload: 'x' } as const
    const again = { previousTerm: 1, controls: [entry], end: 15 }
    group.step(append({ ...again, start: 10, lines: [{ term: 1, start: 10 }] }))
    expect(group.ready().controls).toEqual([entry])
    group.step(append({ ...again, start: 5, lines: [{ term: 1, start: 5 }] }))
    expect(group.ready().controls).toEqual([])
    const next = { kind: 'host', at: 16, term: 1, payload: 'y' } as const
    const more = { ...again, controls: [entry, next], end: 18 }
    group.step(append({ ...more, start: 5, lines: [{ term: 1, start: 5 }] }))
    expect(group.ready()).toMatchObject({ controls: [next], copy: { start: 10, end: 18 } })
    group.stored(18)
    expect(sent(group, 'append-reply')).toMatchObject([{ end: 18, isRefused: false }])
  })

  test('drops what another leader has otherwise, and never claims it', () => {
    const group = make({ lines: [{ term: 1, start: 0 }], end: 20 })
    const lines = [
      { term: 1, start: 8 },
      { term: 2, start: 10 },
    ]
    group.step(append({ term: 2, start: 8, previousTerm: 1, end: 13, lines }))
    expect(group.ready()).toMatchObject({
      truncateTo: 10,
      copy: { start: 10, end: 13 },
      messages: [{ type: 'append-reply', end: 10, isRefused: false }],
    })
  })

  test('agrees with a new leader only as far as that one has said', () => {
    const group = make()
    group.step(append({ end: 20, lines: [{ term: 1, start: 0 }] }))
    group.stored(20)
    group.ready()
    const probe = { from: 3, term: 2, start: 5, previousTerm: 1, end: 5 }
    group.step(append(probe))
    expect(sent(group, 'append-reply')).toMatchObject([{ to: 3, end: 5 }])
  })

  test('names, when it does not agree, the last end that may', () => {
    const lines = [
      { term: 1, start: 0 },
      { term: 3, start: 10 },
    ]
    const group = make({ lines, end: 15 })
    group.step(append({ term: 4, start: 12, previousTerm: 2, end: 12 }))
    expect(sent(group, 'append-reply')).toMatchObject([{ isRefused: true, end: 10, lastTerm: 1 }])
  })

  test('tells a leader of an older term that it is one no more', () => {
    const group = make({ term: 5 })
    group.step(append({ term: 4 }))
    expect(sent(group, 'append-reply')).toMatchObject([{ to: 2, term: 5, isRefused: true }])
    const old = make({ term: 3 })
    elect(old)
    old.step({
      ...append({ term: 5 }),
      type: 'append-reply',
      isRefused: true,
      lastTerm: 0,
    } as Message)
    expect([old.role, old.term]).toEqual([Role.FOLLOWER, 5])
  })
})

describe('majorities', () => {
  test('of ends and votes', () => {
    const ends = [0, 7, 3, 5, 9]
    const endOf = (replica: number) => ends[replica]!
    expect(majorityEnd({ voters: [1, 2, 3], learners: [4] }, endOf)).toBe(5)
    expect(majorityEnd({ voters: [1, 2, 3, 4], learners: [] }, endOf)).toBe(5)
    expect(majorityEnd({ voters: [1, 2], learners: [] }, endOf)).toBe(3)
    const votes = (...of: (boolean | undefined)[]) => tally(THREE, (replica) => of[replica - 1])
    expect(votes(true, true)).toBe('won')
    expect(votes(true, false, false)).toBe('lost')
    expect(votes(true, false)).toBe('open')
  })

  test.each([
    [{ voters: [1, 2, 3, 4], learners: [] }, /replica 4 is no learner/],
    [{ voters: [1], learners: [] }, /more than one voter/],
    [{ voters: [1, 2, 5], learners: [] }, /more than one voter/],
    [{ voters: [], learners: [] }, /no voter would be left/],
    [{ voters: [1, 2, 3], learners: [3] }, /named twice/],
    [{ voters: [1, 2, 3], learners: [-1] }, /not a positive integer/],
  ])('of %o cannot follow those of three', (after, why) => {
    expect(refusalOf({ ...THREE, learners: [5] }, after)).toMatch(why)
  })

  test('of one voter less, or of a learner more, can', () => {
    expect(refusalOf(THREE, { voters: [1, 2], learners: [3] })).toBe(null)
    expect(refusalOf(THREE, { voters: [1, 2, 3], learners: [4] })).toBe(null)
    expect(refusalOf({ voters: [1], learners: [2] }, { voters: [1, 2], learners: [] })).toBe(null)
  })
})

describe('what Raft knows of a log', () => {
  const lines = [
    { term: 1, start: 0 },
    { term: 2, start: 10 },
    { term: 5, start: 30 },
  ]

  test('entries that no line covers have term 0, also as they are told', () => {
    const made = new TermLines([{ term: 1, start: 10 }])
    expect(made.between(0, 12)).toEqual([
      { term: 0, start: 0 },
      { term: 1, start: 10 },
    ])
    expect(made.between(4, 8)).toEqual([{ term: 0, start: 4 }])
    expect(made.between(10, 12)).toEqual([{ term: 1, start: 10 }])
    expect(new TermLines().between(0, 3)).toEqual([{ term: 0, start: 0 }])
    expect(made.between(3, 3)).toEqual([])
  })

  test('terms by position, and the greatest end that may agree', () => {
    const made = new TermLines(lines)
    expect([-1, 0, 9, 10, 29, 30, 99].map((at) => made.termAt(at))).toEqual([0, 1, 1, 2, 2, 5, 5])
    expect(made.endUpTo(5, 40)).toBe(40)
    expect(made.endUpTo(4, 40)).toBe(30)
    expect(made.endUpTo(1, 40)).toBe(10)
    expect(made.endUpTo(0, 40)).toBe(0)
    expect(made.endUpTo(2, 15)).toBe(15)
    expect(made.between(5, 31)).toEqual([
      { term: 1, start: 5 },
      { term: 2, start: 10 },
      { term: 5, start: 30 },
    ])
    made.truncate(30)
    expect(made.lastTerm).toBe(2)
    made.forget(11)
    expect(made.all).toEqual([{ term: 2, start: 10 }])
  })

  test('the configuration, back to what it was when its entry is dropped', () => {
    const log = new LogView({
      start: 0,
      end: 5,
      lines: [lines[0]!],
      controls: [],
      configuration: THREE,
    })
    const two = { voters: [1, 2], learners: [] }
    log.extendBy({ kind: 'membership', at: 5, term: 1, configuration: two })
    log.extend(1, 9)
    expect(log.configuration).toEqual(two)
    expect(log.configurationAt(5)).toEqual(THREE)
    log.truncate(5)
    expect(log.configuration).toEqual(THREE)
    log.extendBy({ kind: 'membership', at: 5, term: 1, configuration: two })
    log.forget(6)
    expect([log.configuration, log.membershipAt]).toEqual([two, -1])
  })
})

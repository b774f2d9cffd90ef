import { describe, expect, test } from 'vitest'
import { RaftGroup } from '../../src/raft/raft-group.ts'
import { type Message, NO_REPLICA, type Position, type Term } from '../../src/raft/types.ts'

const configuration = { voters: [1, 2, 3], learners: [] }

/** A follower whose log, from 0 on, is all of one term. */
const follower = (term: Term, end: Position, commit: Position): RaftGroup =>
  new RaftGroup({
    ...{ id: 1, hardState: { term, vote: NO_REPLICA }, commit, electionTicks: () => 10 },
    log: { start: 0, end, lines: [{ term, start: 0 }], controls: [], configuration },
  })

const snapshotOf = (start: Position): Message => ({
  ...{ from: 2, to: 1, term: 3, type: 'snapshot', start, configuration },
  lines: [{ term: 2, start: start - 1 }],
})

describe('a replica that is sent what is to replace its log', () => {
  test('begins with it where its own ends before', () => {
    const group = follower(1, 10, 0)
    group.step(snapshotOf(50))
    expect(group.ready()).toMatchObject({
      ...{ restore: { start: 50 }, commit: 50 },
      messages: [{ type: 'append-reply', end: 50, isRefused: false }],
    })
  })

  test('begins with it where its own is another, however much there is', () => {
    const group = follower(1, 60, 5)
    group.step(snapshotOf(20))
    expect(group.ready()).toMatchObject({ restore: { start: 20 }, commit: 20 })
    expect(group.end).toBe(20)
  })

  test('keeps its own where that is committed beyond', () => {
    const group = follower(2, 60, 55)
    group.step(snapshotOf(50))
    expect(group.ready()).toMatchObject({ restore: null, messages: [{ end: 55 }] })
    expect(group.end).toBe(60)
  })

  // an answer may be on its way that tells the leader of all this log has, and counts
  test('keeps its own where both agree, and knows that this much is committed', () => {
    const group = follower(2, 60, 5)
    group.step(snapshotOf(20))
    expect(group.ready()).toMatchObject({
      ...{ restore: null, truncateTo: null, commit: 20 },
      messages: [{ type: 'append-reply', end: 20, isRefused: false, commit: 20 }],
    })
    expect(group.end).toBe(60)
  })
})

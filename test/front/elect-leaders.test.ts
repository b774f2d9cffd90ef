/** ElectLeaders: what is refused on the spot, and leaderships that are handed over, or are not. */
import { describe, expect, test } from 'vitest'
import type { ControlEnvelope } from '../../src/link/ports.ts'
import { electLeaders } from '../../src/protocol/43-elect-leaders.ts'
import type { Asking } from './fake-client.ts'
import { Harness } from './harness.ts'

type Wanted = NonNullable<Asking<typeof electLeaders>['topicPartitions']> | null

/** Three brokers and a topic with a replica on each; the front has been told that `leader` leads its first partition. */
function world(leader: 'preferred' | 'another' = 'another') {
  const harness = new Harness({ brokers: 3, isReplicated: true })
  harness.createTopic('t', 1)
  const [preferred, other] = harness.image.replicasOf(harness.partition('t'))
  const old = leader === 'preferred' ? preferred! : other!
  harness.tellLeader('t', 0, old, 5)
  return { harness, preferred: preferred!, other: other!, client: harness.connect() }
}

type World = ReturnType<typeof world>

const ask = (
  { harness, client }: World,
  topicPartitions: Wanted,
  { electionType = 0, timeoutMs = 10_000, version = 2 } = {},
) => {
  const correlation = client.send(electLeaders, version, {
    ...(version > 0 ? { electionType } : {}),
    ...{ topicPartitions, timeoutMs },
  })
  harness.run()
  return () => client.answer(electLeaders, correlation)
}

const first: Wanted = [{ topic: 't', partitions: [0] }]

/** Of an answer: error and message of each partition. */
const rows = (answer: ReturnType<ReturnType<typeof ask>>) =>
  answer?.replicaElectionResults.flatMap(({ topic, partitionResult }) =>
    partitionResult.map(({ partitionId, errorCode, errorMessage }) => [
      `${topic}-${partitionId}`,
      errorCode,
      errorMessage,
    ]),
  )

/** What the broker in whose place the test answers was asked. */
function asked(harness: Harness, brokerId: number) {
  const found: (ControlEnvelope['message'] & { kind: 'move-leadership' })[] = []
  for (;;) {
    const envelope = harness.portOf(brokerId).poll()
    if (envelope === undefined) return found
    if (envelope.message.kind === 'move-leadership') found.push(envelope.message)
  }
}

const answerMove = (harness: Harness, brokerId: number, correlation: number, error: number) =>
  harness.portOf(brokerId).post('front-0', { kind: 'leadership-moved', correlation, error })

describe('answered on the spot', () => {
  test('what is not there, in every version', () => {
    const it = world('preferred')
    for (const version of [0, 1, 2]) {
      const wanted = [
        { topic: 'nowhere', partitions: [0] },
        { topic: 't', partitions: [7, -1] },
      ]
      expect(rows(ask(it, wanted, { version })())).toEqual([
        ['nowhere-0', 3, 'No such topic as nowhere'],
        ['t-7', 3, 'No such partition as t-7'],
        ['t--1', 3, 'No such partition as t--1'],
      ])
    }
  })

  test('who leads as preferred needs no election, and of all such partitions nothing is told', () => {
    const it = world('preferred')
    expect(rows(ask(it, first)())).toEqual([
      ['t-0', 84, 'Leader election not needed for topic partition.'],
    ])
    const all = ask(it, null)()
    expect(all).toMatchObject({ errorCode: 0 })
    expect(rows(all)).toEqual([])
    expect(all?.replicaElectionResults.map(({ topic }) => topic)).toEqual(['t'])
  })

  test('a preferred replica that is dead', () => {
    const it = world()
    it.harness.tellGone(it.preferred)
    it.harness.run()
    const message = `Broker ${it.preferred}, the preferred leader, is not there.`
    expect(rows(ask(it, first)())).toEqual([['t-0', 80, message]])
    expect(rows(ask(it, null)())).toEqual([['t-0', 80, message]])
  })

  test('an unclean election: there is none', () => {
    const it = world()
    expect(rows(ask(it, first, { electionType: 1 })())).toEqual([
      ['t-0', 84, 'Leader election not needed for topic partition.'],
    ])
    it.harness.tellGone(it.other)
    it.harness.run()
    const told = rows(ask(it, first, { electionType: 1 })())
    expect(told).toEqual([['t-0', 83, expect.stringMatching(/^There is no unclean election/)]])
  })

  test('what too few replicas are left of: nobody is elected, whoever is preferred', () => {
    const it = world('preferred')
    const { harness, preferred, other } = it
    const tell = (leader: number, more: object) =>
      harness.portOf(other).post('front-0', {
        ...{ kind: 'leaders', cellId: 1 },
        leaders: [
          { partition: harness.partition('t'), leader, leaderEpoch: 5, isr: [other], ...more },
        ],
      })
    tell(0, {})
    tell(0, { isLost: true })
    harness.run()
    expect(harness.image.replicasOf(harness.partition('t'))[0]).toBe(preferred)
    expect(rows(ask(it, first, { electionType: 1 })())).toEqual([
      ['t-0', 83, expect.stringMatching(/^There is no unclean.* directories .* emptied/)],
    ])
    const refused = ['t-0', 80, expect.stringMatching(/^Nobody can lead.* emptied/)]
    expect(rows(ask(it, first)())).toEqual([refused])
    expect(rows(ask(it, null)())).toEqual([refused])
  })

  test('a kind of election that there is not', () => {
    const it = world()
    const answer = ask(it, first, { electionType: 9 })()
    expect(answer?.errorCode).toBe(42)
    expect(rows(answer)).toEqual([['t-0', 42, 'Unknown election type 9']])
  })
})

test('no time for it: nothing is done', () => {
  for (const version of [0, 1, 2]) {
    const it = world()
    it.harness.hung.add(it.other)
    const answer = ask(it, first, { timeoutMs: 0, version })()
    expect(answer?.errorCode).toBe(version < 1 ? 0 : 7)
    expect(rows(answer)).toEqual([['t-0', 7, null]])
    expect(asked(it.harness, it.other)).toEqual([])
  }
})

describe('a leadership that is elsewhere', () => {
  test('is handed over by who has it, and answered once the preferred replica leads', () => {
    const it = world()
    const { harness, preferred, other } = it
    harness.hung.add(other)
    const answer = ask(it, first)
    const [move] = asked(harness, other)
    expect(move).toMatchObject({ partition: harness.partition('t'), to: preferred })
    answerMove(harness, other, move!.correlation, 0)
    harness.run()
    // the one that led knows that it does not; who does has not told yet
    expect(answer()).toBeUndefined()
    harness.tellLeader('t', 0, preferred, 6)
    harness.pass(50, 10)
    expect(rows(answer())).toEqual([['t-0', 0, null]])
  })

  test('also when all partitions are asked for', () => {
    const it = world()
    const { harness, preferred, other } = it
    harness.hung.add(other)
    const answer = ask(it, null)
    const [move] = asked(harness, other)
    harness.tellLeader('t', 0, preferred, 6)
    answerMove(harness, other, move!.correlation, 0)
    harness.pass(50, 10)
    expect(rows(answer())).toEqual([['t-0', 0, null]])
  })

  test('stays there when the preferred replica cannot take over, or does not', () => {
    for (const [error, words] of [
      [80, /cannot take over now/],
      [7, /did not take over in time/],
    ] as const) {
      const it = world()
      it.harness.hung.add(it.other)
      const answer = ask(it, first)
      const [move] = asked(it.harness, it.other)
      answerMove(it.harness, it.other, move!.correlation, error)
      it.harness.run()
      expect(rows(answer())).toEqual([['t-0', error, expect.stringMatching(words)]])
    }
  })

  test('is asked for at the next leader when it has gone there', () => {
    const it = world()
    const { harness, preferred, other } = it
    const third = harness.image.replicasOf(harness.partition('t'))[2]!
    harness.hung.add(other).add(third)
    const answer = ask(it, first)
    const [move] = asked(harness, other)
    harness.tellLeader('t', 0, third, 6)
    answerMove(harness, other, move!.correlation, 6)
    harness.pass(20, 10)
    const [again] = asked(harness, third)
    expect(again).toMatchObject({ to: preferred })
    harness.tellLeader('t', 0, preferred, 7)
    answerMove(harness, third, again!.correlation, 0)
    harness.pass(50, 10)
    expect(rows(answer())).toEqual([['t-0', 0, null]])
  })

  test('is waited for while nobody leads, when the one that led has died', () => {
    const it = world()
    const { harness, preferred, other } = it
    harness.hung.add(other)
    const answer = ask(it, first)
    harness.tellGone(other)
    harness.pass(100, 10)
    expect(answer()).toBeUndefined()
    harness.tellLeader('t', 0, preferred, 6)
    harness.pass(50, 10)
    expect(rows(answer())).toEqual([['t-0', 0, null]])
  })

  test('is not waited for longer than the client says: the leader hangs', () => {
    const it = world()
    it.harness.hung.add(it.other)
    const answer = ask(it, first, { timeoutMs: 1_000 })
    it.harness.pass(900, 100)
    expect(answer()).toBeUndefined()
    it.harness.pass(500, 100)
    expect(rows(answer())).toEqual([['t-0', 7, 'The preferred replica does not lead yet.']])
  })

  test('is given up when it goes round', () => {
    const it = world()
    // the real broker says that it does not lead, and nobody tells who does
    const answer = ask(it, first, { timeoutMs: 600_000 })
    it.harness.pass(10_000, 10)
    expect(rows(answer())).toEqual([['t-0', 80, expect.stringMatching(/come to rest/)]])
  })
})

describe('what is asked more than once', () => {
  test('is moved and told once: named twice in a request', () => {
    const it = world()
    it.harness.hung.add(it.other)
    const wanted = Array.from({ length: 50 }, () => ({ topic: 't', partitions: [0, 0] }))
    const answer = ask(it, wanted)
    const moves = asked(it.harness, it.other)
    expect(moves).toHaveLength(1)
    it.harness.tellLeader('t', 0, it.preferred, 6)
    answerMove(it.harness, it.other, moves[0]!.correlation, 0)
    it.harness.pass(50, 10)
    expect(rows(answer())).toEqual([['t-0', 0, null]])
    const refused = ask(it, wanted, { electionType: 9 })()
    expect(rows(refused)).toEqual([['t-0', 42, 'Unknown election type 9']])
  })

  test('is asked of its leader once, by whoever waits for it', () => {
    const it = world()
    const { harness, preferred, other } = it
    harness.hung.add(other)
    const short = ask(it, first, { timeoutMs: 300 })
    const others = [1, 2].map(() => ask({ ...it, client: harness.connect() }, first))
    harness.pass(1_000, 100)
    expect(rows(short())).toEqual([['t-0', 7, 'The preferred replica does not lead yet.']])
    const moves = asked(harness, other)
    expect(moves).toHaveLength(1)
    harness.tellLeader('t', 0, preferred, 6)
    answerMove(harness, other, moves[0]!.correlation, 0)
    harness.pass(50, 10)
    for (const answer of others) expect(rows(answer())).toEqual([['t-0', 0, null]])
  })

  test('is refused where it is more than the limit', () => {
    const it = world()
    const partitions = Array.from({ length: 10_001 }, (_, index) => index % 3)
    for (const version of [0, 2]) {
      const answer = ask(it, [{ topic: 't', partitions }], { version })()
      expect(answer?.errorCode).toBe(version < 1 ? 0 : 44)
      const words = 'Excessively large number of partitions per request: 10001, the limit is 10000.'
      expect(rows(answer)).toEqual([['t-0', 44, words]])
    }
  })
})

test('a topic that is deleted meanwhile', () => {
  const it = world()
  const { harness, other } = it
  harness.hung.add(other)
  const answer = ask(it, first)
  const [move] = asked(harness, other)
  harness.hung.delete(other)
  harness.deleteTopic('t')
  answerMove(harness, other, move!.correlation, 6)
  harness.pass(50, 10)
  expect(rows(answer())).toEqual([['t-0', 3, 'No such topic as t']])
})

test('of many partitions a few move at a time', () => {
  const harness = new Harness({ brokers: 3, isReplicated: true })
  harness.createTopic('wide', 200)
  const client = harness.connect()
  // one broker leads all of it
  for (let index = 0; index < 200; index++) harness.tellLeader('wide', index, 2, 3)
  const wrong = Array.from({ length: 200 }, (_, i) => i).filter(
    (index) => harness.image.replicasOf(harness.partition('wide', index))[0] !== 2,
  )
  harness.hung.add(2)
  const correlation = client.send(electLeaders, 2, {
    ...{ electionType: 0, topicPartitions: null, timeoutMs: 60_000 },
  })
  harness.run()
  let moved = 0
  for (let rounds = 0; rounds < 20 && moved < wrong.length; rounds++) {
    const moves = asked(harness, 2)
    expect(moves.length).toBeLessThanOrEqual(64)
    for (const { partition, to, correlation: token } of moves) {
      const leaders = [{ partition, leader: to, leaderEpoch: 4, isr: [1, 2, 3] }]
      harness.portOf(to).post('front-0', { kind: 'leaders', cellId: 1, leaders })
      answerMove(harness, 2, token, 0)
    }
    moved += moves.length
    harness.pass(20, 10)
  }
  const told = rows(client.answer(electLeaders, correlation))
  expect(told?.length).toBe(wrong.length)
  expect(told?.every(([, error]) => error === 0)).toBe(true)
})

import { describe, expect, test } from 'vitest'
import { fetch } from '../../src/protocol/01-fetch.ts'
import { createTopics } from '../../src/protocol/19-create-topics.ts'
import { Harness } from './harness.ts'
import type { FetchOptions, FetchWhat } from './requests.ts'
import { batchOf, bigBatch, fetched, partitionsOf, sendFetch, sendProduce } from './requests.ts'
import { login, Operator } from './tenants.ts'

const open = (options: ConstructorParameters<typeof Harness>[0] = {}) => {
  const world = new Harness(options)
  world.createTopic('t', 4)
  const client = world.connect()
  const ask = (what: FetchWhat, options: FetchOptions) => {
    const correlation = sendFetch(client, what, { maxWaitMs: 0, ...options })
    world.run()
    const response = fetched(client, correlation)!
    return { ...response, found: Object.keys(partitionsOf(response)).sort() }
  }
  const write = (index: number, records = batchOf('a')) => {
    sendProduce(world.connect(), 't', records, { index })
    world.run()
  }
  return { world, client, ask, write }
}

describe('a fetch session (KIP-227)', () => {
  test('answers all partitions once, then those with news', () => {
    const { ask, write } = open()
    const full = ask({ t: { 0: 0, 1: 0, 2: 0 } }, { sessionEpoch: 0 })
    const { sessionId } = full
    expect(sessionId).not.toBe(0)
    expect(full.found).toEqual(['t/0', 't/1', 't/2'])
    expect(ask({}, { sessionId, sessionEpoch: 1 }).found).toEqual([])
    write(1)
    const news = ask({}, { sessionId, sessionEpoch: 2 })
    expect(news.found).toEqual(['t/1'])
    // Not moved on, so the same again.
    expect(ask({}, { sessionId, sessionEpoch: 3 }).found).toEqual(['t/1'])
    expect(ask({ t: { 1: 1 } }, { sessionId, sessionEpoch: 4 }).found).toEqual([])
  })

  test('takes partitions in and forgets them', () => {
    const { ask, write } = open()
    const { sessionId } = ask({ t: { 0: 0 } }, { sessionEpoch: 0 })
    write(0)
    write(3)
    expect(ask({ t: { 3: 0 } }, { sessionId, sessionEpoch: 1 }).found).toEqual(['t/0', 't/3'])
    const forgotten = [{ topic: 't', partitions: [0] }]
    expect(ask({}, { sessionId, sessionEpoch: 2, forgotten }).found).toEqual(['t/3'])
    const last = ask(
      {},
      {
        sessionId,
        sessionEpoch: 3,
        forgotten: [{ topic: 't', partitions: [3] }],
      },
    )
    expect(last).toMatchObject({ errorCode: 0, sessionId: 0 })
    expect(ask({}, { sessionId, sessionEpoch: 4 }).errorCode).toBe(70)
  })

  test('refuses what is not its turn, and ids that were never given', () => {
    const { ask } = open()
    const { sessionId } = ask({ t: { 0: 0 } }, { sessionEpoch: 0 })
    expect(ask({}, { sessionId, sessionEpoch: 2 })).toMatchObject({ errorCode: 71, sessionId: 0 })
    expect(ask({}, { sessionId, sessionEpoch: 1 }).errorCode).toBe(0)
    expect(ask({}, { sessionId, sessionEpoch: 1 }).errorCode).toBe(71)
    expect(ask({}, { sessionId: sessionId + 1, sessionEpoch: 1 }).errorCode).toBe(70)
  })

  test('ends when its client asks for another, or for none', () => {
    const { world, ask } = open()
    const tenant = () => world.image.defaultTenant!.tenantId
    const first = ask({ t: { 0: 0 } }, { sessionEpoch: 0 }).sessionId
    const second = ask({ t: { 0: 0 } }, { sessionId: first, sessionEpoch: 0 }).sessionId
    expect(second).not.toBe(first)
    expect(ask({}, { sessionId: first, sessionEpoch: 1 }).errorCode).toBe(70)
    expect(world.front.services.fetchSessions.sizeOf(tenant())).toBe(1)
    expect(ask({ t: { 0: 0 } }, { sessionId: second, sessionEpoch: -1 }).sessionId).toBe(0)
    expect(world.front.services.fetchSessions.sizeOf(tenant())).toBe(0)
  })

  test('is not given when every slot is in use; one unused for two minutes gives way', () => {
    const { world, ask } = open({ settings: { fetchSessionsMax: 2 } })
    const ids = [1, 2].map(() => ask({ t: { 0: 0 } }, { sessionEpoch: 0 }).sessionId)
    expect(ask({ t: { 0: 0 } }, { sessionEpoch: 0 })).toMatchObject({ sessionId: 0, errorCode: 0 })
    world.pass(119_000)
    expect(ask({}, { sessionId: ids[0]!, sessionEpoch: 1 }).errorCode).toBe(0)
    world.pass(2_000)
    expect(ask({ t: { 0: 0 } }, { sessionEpoch: 0 }).sessionId).not.toBe(0)
    expect(ask({}, { sessionId: ids[1]!, sessionEpoch: 1 }).errorCode).toBe(70)
    expect(ask({}, { sessionId: ids[0]!, sessionEpoch: 2 }).errorCode).toBe(0)
  })

  test('parks, and is woken by any of its partitions', () => {
    const { world, client, ask, write } = open()
    const { sessionId } = ask({ t: { 0: 0, 1: 0, 2: 0, 3: 0 } }, { sessionEpoch: 0 })
    const waiting = sendFetch(client, {}, { sessionId, sessionEpoch: 1, maxWaitMs: 10_000 })
    world.run()
    expect(fetched(client, waiting)).toBeUndefined()
    write(2)
    expect(Object.keys(partitionsOf(fetched(client, waiting)))).toEqual(['t/2'])
  })

  test('gives every partition its share of a small limit in turn', () => {
    const { ask, write } = open()
    const size = bigBatch('x', 5000).length
    for (const index of [0, 1, 2]) write(index, bigBatch('x', 5000))
    const { sessionId, found } = ask(
      { t: { 0: 0, 1: 0, 2: 0 } },
      {
        sessionEpoch: 0,
        maxBytes: size,
      },
    )
    expect(found).toHaveLength(3)
    const served = [1, 2, 3].map((sessionEpoch) => {
      const answer = ask({}, { sessionId, sessionEpoch, maxBytes: size })
      const [first] = answer.responses.flatMap(({ partitions }) =>
        partitions.filter(({ records }) => records!.length > 0),
      )
      return first!.partitionIndex
    })
    expect(new Set(served).size).toBe(3)
  })

  test('asks the broker nothing about partitions where nothing has happened', () => {
    const { world, client, ask } = open()
    const { sessionId } = ask({ t: { 0: 0, 1: 0, 2: 0, 3: 0 } }, { sessionEpoch: 0 })
    const wait = (sessionEpoch: number) => {
      sendFetch(client, {}, { sessionId, sessionEpoch, maxWaitMs: 100 })
      world.pass(100)
    }
    wait(1)
    const asked = world.proxies[0]!.locates
    for (let epoch = 2; epoch < 12; epoch++) wait(epoch)
    expect(world.proxies[0]!.locates).toBe(asked)
  })
})

test('a client without sessions sees every partition every time', () => {
  const { ask } = open()
  for (let i = 0; i < 2; i++) {
    const answer = ask({ t: { 0: 0, 1: 0 } }, { version: 6 })
    expect(answer.found).toEqual(['t/0', 't/1'])
  }
})

test('a session does not grow without bound', () => {
  const { ask, world, client } = open()
  const { sessionId } = ask({ t: { 0: 0 } }, { sessionEpoch: 0 })
  const many = (from: number) =>
    Object.fromEntries(Array.from({ length: 4_000 }, (_, i) => [from + i, 0]))
  expect(ask({ t: many(0) }, { sessionId, sessionEpoch: 1 }).errorCode).toBe(0)
  expect(ask({ t: many(4_000) }, { sessionId, sessionEpoch: 2 }).errorCode).toBe(70)
  expect(world.front.services.fetchSessions.sizeOf(world.image.defaultTenant!.tenantId)).toBe(0)
  expect(client.closed).toBe(false)
})

test('a partition that is named twice is answered once, for what was asked last', () => {
  const { client, world, write } = open()
  write(1)
  write(1)
  const asked = (partition: number, fetchOffset: number) => ({
    partition,
    fetchOffset,
    partitionMaxBytes: 1_000_000,
  })
  for (const topics of [
    [{ topic: 't', partitions: [asked(1, 0), asked(0, 0), asked(1, 1)] }],
    [
      { topic: 't', partitions: [asked(0, 0), asked(1, 0)] },
      { topic: 't', partitions: [asked(1, 1)] },
    ],
  ]) {
    const correlation = client.send(fetch, 11, {
      maxWaitMs: 0,
      minBytes: 1,
      topics,
      forgottenTopicsData: [],
    })
    world.run()
    const { responses } = fetched(client, correlation)!
    const parts = responses.flatMap(({ partitions }) => partitions)
    expect(parts.map(({ partitionIndex }) => partitionIndex).sort()).toEqual([0, 1])
    const { records } = parts.find(({ partitionIndex }) => partitionIndex === 1)!
    expect(records!.length).toBe(batchOf('a').length)
  }
})

test('of a tenant that was deleted nothing is kept', () => {
  const world = new Harness()
  const operator = new Operator(world)
  const acme = operator.tenant('acme')
  const client = world.connect()
  login(world, client, operator.key(acme))
  const topic = { name: 't', numPartitions: 1, replicationFactor: -1, assignments: [], configs: [] }
  client.send(createTopics, 7, { topics: [topic] })
  world.run()
  sendFetch(client, { t: { 0: 0 } }, { maxWaitMs: 0, sessionEpoch: 0 })
  world.run()
  const { fetchSessions, counters } = world.front.services
  expect(fetchSessions.sizeOf(acme)).toBe(1)
  const counts = counters.ofTenant(acme)
  operator.ask(acme, { kind: 'delete-tenant' })
  for (let i = 0; i < 200 && world.image.tenant(acme) !== undefined; i++) {
    world.clock.advance(100)
    world.run()
  }
  world.clock.advance(60_000)
  world.run()
  expect(fetchSessions.size).toBe(0)
  expect(counters.ofTenant(acme)).not.toBe(counts)
})

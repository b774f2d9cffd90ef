/** Fetches of several partitions, when one of them has no leader, or its ring log changes hands meanwhile. */
import { describe, expect, test } from 'vitest'
import { failedLocated } from '../../src/cell/failed-replies.ts'
import { fetch } from '../../src/protocol/01-fetch.ts'
import { createTopics } from '../../src/protocol/19-create-topics.ts'
import { baseOffsetOf } from '../../src/record/batch.ts'
import type { FakeClient } from './fake-client.ts'
import { Harness, type HarnessOptions } from './harness.ts'
import {
  batchOf,
  bigBatch,
  fetched,
  lettersIn,
  partitionsOf,
  sendFetch,
  sendProduce,
} from './requests.ts'

/** Topic `led` has one replica, which leads; of `unled` there are three, and none of them ever does. */
function makeWorld(options: HarnessOptions = {}): Harness {
  const world = new Harness({ brokers: 3, isReplicated: true, ...options })
  const client = world.connect()
  for (const [name, replicationFactor] of [
    ['led', 1],
    ['unled', 3],
  ] as const) {
    client.send(createTopics, 7, {
      topics: [{ name, numPartitions: 1, replicationFactor, assignments: [], configs: [] }],
    })
    world.run()
  }
  client.connection.close()
  return world
}

/** Milliseconds until it is answered. */
function answeredAfter(world: Harness, client: FakeClient, correlation: number): number {
  let ms = 0
  for (; client.answer(fetch, correlation) === undefined && ms < 10_000; ms += 10) world.pass(10)
  return ms
}

const fill = (world: Harness, client: FakeClient, letters: string) => {
  for (const letter of letters) {
    sendProduce(client, 'led', bigBatch(letter, 3_000))
    world.run()
  }
}

test('what was found in one ring log is not read from the next', () => {
  const world = makeWorld({ arenaBytes: 64 * 2 ** 20 })
  const other = world.connect()
  const { tails } = world.front.services
  fill(world, other, 'abcdefghij'.repeat(2))
  sendFetch(other, { led: { 0: 10 } }, { maxWaitMs: 0 })
  world.run()
  const before = tails.get(world.partition('led'), world.image.leaderOf(world.partition('led')))
  // waits for one that nobody leads, and so does not take what it has found
  const client = world.connect()
  const correlation = sendFetch(client, { led: { 0: 10 }, unled: { 0: 0 } }, { maxWaitMs: 1_000 })
  world.run()
  // so much that the ring has to grow
  fill(world, other, 'abcdefghij'.repeat(38))
  sendFetch(other, { led: { 0: 399 } }, { maxWaitMs: 0 })
  world.run()
  const after = tails.get(world.partition('led'), world.image.leaderOf(world.partition('led')))
  expect(before).toBeDefined()
  expect(after).toBeDefined()
  expect(after).not.toBe(before)
  expect(client.answer(fetch, correlation)).toBeUndefined()
  answeredAfter(world, client, correlation)
  const { errorCode, records } = partitionsOf(fetched(client, correlation))['led/0']!
  expect(errorCode).toBe(0)
  expect(Number(baseOffsetOf(records!, 0))).toBe(10)
  expect(lettersIn(records!)).toMatch(/^abcdefghij/)
})

describe('a partition that nobody leads', () => {
  const both = { led: { 0: 0 }, unled: { 0: 0 } }

  const told = (client: FakeClient, correlation: number) =>
    Object.entries(partitionsOf(fetched(client, correlation))).map(([name, part]) => [
      name,
      part.errorCode,
      (part.records?.length ?? 0) > 0,
    ])

  test('holds up the others of its fetch for a moment only, and then not at all', () => {
    const world = makeWorld()
    const client = world.connect()
    sendProduce(client, 'led', batchOf('a'))
    world.run()
    const first = sendFetch(client, both, { maxWaitMs: 5_000 })
    world.run()
    expect(answeredAfter(world, client, first)).toBeLessThanOrEqual(550)
    const expected = [
      ['led/0', 0, true],
      ['unled/0', 6, false],
    ]
    expect(told(client, first)).toEqual(expected)
    for (let next = 0; next < 20; next++) {
      const again = sendFetch(client, both, { maxWaitMs: 500 })
      world.run()
      expect(told(client, again)).toEqual(expected)
    }
  })

  test('is told as such at the deadline of the fetch, when the others have nothing', () => {
    const world = makeWorld()
    const client = world.connect()
    const correlation = sendFetch(client, both, { maxWaitMs: 500 })
    world.run()
    world.pass(480, 20)
    expect(client.answer(fetch, correlation)).toBeUndefined()
    world.pass(40, 20)
    expect(told(client, correlation)).toEqual([
      ['led/0', 0, false],
      ['unled/0', 6, false],
    ])
  })

  test('does not keep the others from being looked at as soon as there is something', () => {
    const world = makeWorld()
    const [client, other] = [world.connect(), world.connect()]
    const correlation = sendFetch(client, both, { maxWaitMs: 5_000 })
    world.pass(600, 20)
    expect(client.answer(fetch, correlation)).toBeUndefined()
    sendProduce(other, 'led', batchOf('a'))
    world.run()
    expect(told(client, correlation)).toEqual([
      ['led/0', 0, true],
      ['unled/0', 6, false],
    ])
  })

  test('is looked at again when somebody leads it', () => {
    const world = makeWorld()
    const client = world.connect()
    const correlation = sendFetch(client, both, { maxWaitMs: 5_000 })
    world.pass(600, 20)
    // and the front asks it, which is in the place of an answer here
    const [leader] = world.image.replicasOf(world.partition('unled'))
    const asked: number[] = []
    const proxy = world.proxies[leader! - 1]!
    const locate = proxy.locate.bind(proxy)
    proxy.locate = (partition, ...rest) => {
      asked.push(partition)
      locate(partition, ...rest)
    }
    world.pass(50, 10)
    asked.length = 0
    world.tellLeader('unled', 0, leader!, 3)
    world.run()
    expect(asked).toContain(world.partition('unled'))
    expect(client.answer(fetch, correlation)).toBeUndefined()
  })

  test('holds up nobody either when one is told as its leader that refuses it', () => {
    const world = makeWorld()
    world.tellLeader('unled', 0, world.image.replicasOf(world.partition('unled'))[0]!, 3)
    const client = world.connect()
    const [first, second] = [100, 1_000].map((maxWaitMs) => {
      const correlation = sendFetch(client, both, { maxWaitMs })
      world.run()
      return answeredAfter(world, client, correlation)
    })
    expect(first).toBeLessThanOrEqual(150)
    expect(second).toBeGreaterThanOrEqual(980)
    expect(second).toBeLessThanOrEqual(1_150)
    sendProduce(client, 'led', batchOf('a'))
    world.run()
    const third = sendFetch(client, both, { maxWaitMs: 1_000 })
    world.pass(150, 10)
    expect(told(client, third)).toEqual([
      ['led/0', 0, true],
      ['unled/0', 6, false],
    ])
  })

  test('is waited for beside the others although it is refused at once, as one that has long been so is', () => {
    const world = makeWorld()
    const partition = world.partition('unled')
    const ofLed = world.image.leaderOf(world.partition('led'))
    const gone = world.image.replicasOf(partition).find((id) => id !== ofLed && id !== 1)!
    world.tellLeader('unled', 0, gone, 3)
    world.tellGone(gone)
    world.run()
    const proxy = world.front.services.dispatcher.leaderOf(1 as never, partition)!
    let asked = 0
    proxy.locate = (_partition, _offset, _maxBytes, _epoch, sink, token) => {
      asked++
      sink.onLocated(token, failedLocated(6))
    }
    const [client, other] = [world.connect(), world.connect()]
    const correlation = sendFetch(client, both, { maxWaitMs: 500 })
    world.pass(480, 20)
    expect(client.answer(fetch, correlation)).toBeUndefined()
    expect(asked).toBe(1)
    sendProduce(other, 'led', batchOf('a'))
    world.run()
    expect(told(client, correlation)).toEqual([
      ['led/0', 0, true],
      ['unled/0', 6, false],
    ])
  })

  test('is asked for once at a time, however many fetches come, and forgotten when they are gone', () => {
    const world = makeWorld()
    const client = world.connect()
    const { dispatcher, heldLooks } = world.front.services
    const partition = world.partition('unled')
    const proxy = dispatcher.leaderOf(1 as never, partition)!
    let asked = 0
    const locate = proxy.locate.bind(proxy)
    proxy.locate = (...args) => {
      asked++
      locate(...args)
    }
    for (let round = 0; round < 30; round++) {
      const correlation = sendFetch(client, { unled: { 0: 0 } }, { maxWaitMs: 100 })
      world.run()
      answeredAfter(world, client, correlation)
    }
    expect(asked).toBe(1)
    expect(heldLooks.has(partition)).toBe(true)
    client.connection.close()
    world.pass(6_000, 20)
    expect(heldLooks.has(partition)).toBe(false)
  })

  test('of a client that is gone holds nothing', () => {
    const world = makeWorld()
    const client = world.connect()
    const before = world.inFlightBytes
    sendFetch(client, both, { maxWaitMs: 60_000 })
    world.run()
    client.connection.close()
    world.pass(600, 10)
    expect(world.front.services.fetches.size).toBe(0)
    expect(world.inFlightBytes).toBe(before)
  })
})

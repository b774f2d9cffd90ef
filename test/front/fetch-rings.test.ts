/** Fetches of several partitions, when one of them has no leader, or its ring log changes hands meanwhile. */
import { expect, test } from 'vitest'
import { fetch } from '../../src/protocol/01-fetch.ts'
import { createTopics } from '../../src/protocol/19-create-topics.ts'
import { baseOffsetOf } from '../../src/record/batch.ts'
import type { FakeClient } from './fake-client.ts'
import { Harness, type HarnessOptions } from './harness.ts'
import { bigBatch, fetched, lettersIn, partitionsOf, sendFetch, sendProduce } from './requests.ts'

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
  const before = tails.get(world.partition('led'))
  // waits for one that nobody leads, and so does not take what it has found
  const client = world.connect()
  const correlation = sendFetch(client, { led: { 0: 10 }, unled: { 0: 0 } }, { maxWaitMs: 1_000 })
  world.run()
  // so much that the ring has to grow
  fill(world, other, 'abcdefghij'.repeat(38))
  sendFetch(other, { led: { 0: 399 } }, { maxWaitMs: 0 })
  world.run()
  const after = tails.get(world.partition('led'))
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

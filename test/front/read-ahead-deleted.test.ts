import { expect, test } from 'vitest'
import { deleteRecords } from '../../src/protocol/21-delete-records.ts'
import { sizeInBytesOf } from '../../src/record/batch.ts'
import type { FakeClient } from './fake-client.ts'
import { Harness } from './harness.ts'
import { bigBatch, fetched, partitionsOf, sendFetch, sendProduce } from './requests.ts'

const filled = (): Harness => {
  const world = new Harness({ arenaBytes: 16 * 1024 })
  world.createTopic('t', 1, { 'segment.bytes': '4194304' })
  const writer = world.connect()
  for (let i = 0; i < 60; i++) {
    sendProduce(writer, 't', bigBatch(`${i} `, 50_000))
    world.run()
  }
  return world
}

const ask = (world: Harness, client: FakeClient, offset: number, partitionMaxBytes = 210_000) => {
  const one = sendFetch(client, { t: { 0: offset } }, { maxWaitMs: 0, partitionMaxBytes })
  world.run()
  return partitionsOf(fetched(client, one))['t/0']!
}

const count = (records: Uint8Array): number => {
  let batches = 0
  for (let at = 0; at < records.length; at += sizeInBytesOf(records, at)) batches++
  return batches
}

/** In a row, up to where the next fetch is not asked of the broker. */
const inRow = (world: Harness, client: FakeClient): number => {
  let next = 0
  for (let i = 0; i < 3; i++) next += count(ask(world, client, next).records!)
  const before = world.proxies[0]!.locates
  next += count(ask(world, client, next).records!)
  expect(world.proxies[0]!.locates).toBe(before)
  return next
}

test('records that were deleted within a segment are told to be so after 20 ms', () => {
  const world = filled()
  const client = world.connect()
  const next = inRow(world, client)
  world.connect().send(deleteRecords, 2, {
    topics: [{ name: 't', partitions: [{ partitionIndex: 0, offset: next + 4 }] }],
    timeoutMs: 10_000,
  })
  world.run()
  world.pass(20)
  expect(ask(world, client, next)).toMatchObject({ errorCode: 1 })
})

test('who asks for nothing at all in a row gets a batch, as out of a row', () => {
  const world = filled()
  const client = world.connect()
  const next = inRow(world, client)
  const answer = ask(world, client, next, 0)
  expect([answer.errorCode, count(answer.records!)]).toEqual([0, 1])
})

/** A tenant writes no more than it may store, until there is room again. */
import { expect, test } from 'vitest'
import { deleteRecords } from '../../src/protocol/21-delete-records.ts'
import { buildBatch } from '../../src/record/builder.ts'
import type { FakeClient } from './fake-client.ts'
import { Harness } from './harness.ts'
import { bigBatch, fetched, partitionsOf, produced, sendFetch, sendProduce } from './requests.ts'
import { Operator } from './tenants.ts'

const BATCH = bigBatch('x', 300_000)

const tenantId = (world: Harness) => world.image.defaultTenant!.tenantId

function limit(world: Harness, storageBytes: number | null): void {
  const limits = { storageBytes }
  new Operator(world).ask(tenantId(world), { kind: 'alter-tenant', settings: {}, limits })
}

function ask(world: Harness, client: FakeClient, records = BATCH, topic = 't', index = 0) {
  const correlation = sendProduce(client, topic, records, { index })
  world.pass(50)
  const { errorCode, errorMessage } = produced(client, correlation)!
  return [errorCode, errorMessage]
}

const refused = (used: number, asked = BATCH.length) => [
  44,
  `The limit of 1500000 storageBytes of this cluster would be passed: ${used} are used, ${asked} more are asked for (t-0)`,
]

function full(): { world: Harness; client: FakeClient } {
  const world = new Harness()
  world.createTopic('t', 2, { 'segment.bytes': '1048576' })
  limit(world, 1_500_000)
  const client = world.connect()
  for (let n = 0; n < 4; n++) expect(ask(world, client, BATCH, 't', n % 2)).toEqual([0, null])
  return { world, client }
}

test('what is beyond is refused, naming all of it, however soon it comes; reads go on', () => {
  const { world, client } = full()
  const small = bigBatch('x', 1_000)
  // all in one turn
  const asked = [BATCH, small, BATCH].map((batch) => sendProduce(client, 't', batch))
  world.pass(100)
  const answers = asked.map((one) => produced(client, one)!)
  expect(answers.map(({ errorCode }) => errorCode)).toEqual([44, 0, 44])
  expect(ask(world, client)).toEqual(refused(4 * BATCH.length + small.length))
  const read = sendFetch(client, { t: { 1: 0 } }, { maxWaitMs: 0 })
  world.run()
  expect(partitionsOf(fetched(client, read))['t/1']).toMatchObject({ errorCode: 0 })
  limit(world, 1_600_000)
  expect(ask(world, client)).toEqual([0, null])
  limit(world, null)
  expect(ask(world, client)).toEqual([0, null])
})

test('what is there already is acknowledged again, also where nothing more may come', () => {
  const world = new Harness()
  world.createTopic('t', 1)
  const client = world.connect()
  const records = [{ timestampMs: 1_000_000, key: null, value: Buffer.alloc(1_000) }]
  const of = (baseSequence: number) =>
    buildBatch(records, { producerId: 7, producerEpoch: 0, baseSequence })
  expect(ask(world, client, of(0))).toEqual([0, null])
  limit(world, 1_100)
  expect(ask(world, client, of(0))).toEqual([0, null])
  expect(ask(world, client, of(1))[0]).toBe(44)
  limit(world, null)
  // a refusal has taken no number
  expect(ask(world, client, of(1))).toEqual([0, null])
})

test('there is room again once records are deleted, or their topic', () => {
  const { world, client } = full()
  expect(ask(world, client)[0]).toBe(44)
  client.send(deleteRecords, 2, {
    topics: [{ name: 't', partitions: [{ partitionIndex: 0, offset: -1 }] }],
    timeoutMs: 1_000,
  })
  world.pass(100)
  world.clock.advance(120_000)
  world.pass(2_000)
  expect(ask(world, client)).toEqual([0, null])
  world.createTopic('u', 1)
  while (ask(world, client, BATCH, 'u')[0] === 0);
  world.deleteTopic('t')
  world.pass(100)
  expect(ask(world, client, BATCH, 'u')).toEqual([0, null])
})

test('what a tenant holds is told to fronts', () => {
  const { world } = full()
  world.pass(1_000)
  const { holdings } = world.front.services
  expect(holdings.storageBytes(tenantId(world))).toBe(4 * BATCH.length)
})

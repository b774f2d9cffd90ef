/** How large a batch and a request of a tenant may be, by its own limits and its plan's. */
import { beforeEach, expect, test } from 'vitest'
import { metadata } from '../../src/protocol/03-metadata.ts'
import { apiVersions } from '../../src/protocol/18-api-versions.ts'
import { buildBatch } from '../../src/record/builder.ts'
import type { FakeClient } from './fake-client.ts'
import { Harness } from './harness.ts'
import { bigBatch, produced, sendProduce } from './requests.ts'
import { Operator } from './tenants.ts'

let world: Harness
let operator: Operator
beforeEach(() => {
  world = new Harness()
  operator = new Operator(world)
})

const tenantId = () => world.image.defaultTenant!.tenantId
const limit = (limits: Record<string, number | null>) =>
  operator.ask(tenantId(), { kind: 'alter-tenant', settings: {}, limits })

const packedBatch = (bytes: number) =>
  buildBatch([{ timestampMs: 1, key: null, value: Buffer.alloc(bytes) }], { codec: 1 })

const ask = (client: FakeClient, topic: string, bytes: number) =>
  askWith(client, topic, bigBatch('x', bytes))

function askWith(client: FakeClient, topic: string, batch: Uint8Array) {
  const correlation = sendProduce(client, topic, batch)
  world.pass(100)
  const { errorCode, errorMessage } = produced(client, correlation)!
  return [errorCode, errorMessage]
}

test('a batch is as large as topic and tenant both allow, also where it is recompressed', () => {
  world.createTopic('plain', 1)
  world.createTopic('small', 1, { 'max.message.bytes': '50000' })
  world.createTopic('packed', 1, { 'compression.type': 'uncompressed' })
  const client = world.connect()
  expect(ask(client, 'plain', 200_000)).toEqual([0, null])
  limit({ messageBytes: 100_000 })
  const { length } = bigBatch('x', 200_000)
  const text = (what: string) =>
    `batch of ${length} bytes exceeds the limit of 100000 messageBytes of this cluster (${what}-0)`
  expect(ask(client, 'plain', 200_000)).toEqual([10, text('plain')])
  // a few hundred bytes as they come
  const [error, why] = askWith(client, 'packed', packedBatch(200_000))
  expect([error, why]).toEqual([
    10,
    expect.stringMatching(/^batch of 200\d+ bytes exceeds the limit of 100000/),
  ])
  expect(ask(client, 'plain', 90_000)).toEqual([0, null])
  expect(ask(client, 'small', 90_000)[1]).toContain('max.message.bytes=50000 of topic small')
  limit({ messageBytes: null })
  expect(ask(client, 'plain', 200_000)).toEqual([0, null])
})

test('a request that is too large closes its connection as soon as its size has come', () => {
  const client = world.connect()
  client.send(metadata, 9, { topics: [] })
  world.run()
  limit({ requestBytes: 1_000 })
  client.send(metadata, 9, { topics: [{ name: 'x'.repeat(900) }] })
  world.run()
  expect([client.closed, client.answers.length]).toEqual([false, 2])
  // of the size alone, of a frame that never comes whole
  client.connection.onData(Buffer.from([0, 0, 4, 0]))
  expect(client.closed).toBe(true)
  expect(JSON.stringify(world.lines.at(-1))).toContain(
    'frame size 1024 exceeds 1000 (the limit requestBytes of its tenant)',
  )
  expect(world.lines.at(-1)!.fields).toMatchObject({ tenant: 'default' })
})

test('of such requests, however many, some are told in the log and the others counted', () => {
  limit({ requestBytes: 1_000 })
  world.clock.advance(1_000)
  const before = world.lines.length
  for (let i = 0; i < 100; i++) {
    const client = world.connect()
    client.send(metadata, 9, { topics: [] })
    world.run()
    client.connection.onData(Buffer.from([0, 0, 4, 0]))
  }
  expect(world.lines.length - before).toBe(10)
})

test('so does the one that tells whose the connection is', () => {
  limit({ requestBytes: 1_000 })
  const client = world.connect()
  client.send(apiVersions, 0, {})
  client.send(metadata, 9, { topics: [{ name: 'x'.repeat(2_000) }] })
  world.run()
  expect([client.closed, client.answers.length]).toEqual([true, 1])
  expect(JSON.stringify(world.lines.at(-1))).toContain(
    'exceeds the limit of 1000 requestBytes of this cluster',
  )
})

test('a plan that changes is enough for connections of the tenants that have it', () => {
  operator.ask(tenantId(), { kind: 'create-plan', name: 'small', limits: {} })
  operator.ask(tenantId(), { kind: 'alter-tenant', settings: {}, plan: 'small' })
  const client = world.connect()
  client.send(metadata, 9, { topics: [] })
  world.run()
  operator.ask(tenantId(), { kind: 'alter-plan', name: 'small', limits: { requestBytes: 10 } })
  client.send(metadata, 9, { topics: [] })
  world.run()
  expect([client.closed, client.answers.length]).toEqual([true, 1])
})

test('a limit of its own wins over a plan that changes', () => {
  operator.ask(tenantId(), { kind: 'create-plan', name: 'small', limits: {} })
  operator.ask(tenantId(), { kind: 'alter-tenant', settings: {}, plan: 'small' })
  const client = world.connect()
  client.send(metadata, 9, { topics: [] })
  world.run()
  operator.ask(tenantId(), { kind: 'alter-plan', name: 'small', limits: { requestBytes: 10 } })
  limit({ requestBytes: 2_000 })
  client.send(metadata, 9, { topics: [{ name: 'x'.repeat(1_000) }] })
  world.run()
  expect(client.answers).toHaveLength(2)
  limit({ requestBytes: null })
  client.send(metadata, 9, { topics: [] })
  world.run()
  expect([client.closed, client.answers.length]).toEqual([true, 2])
})

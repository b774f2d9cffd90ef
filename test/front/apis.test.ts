import { describe, expect, test, vi } from 'vitest'
import { servedApis } from '../../src/front/handlers.ts'
import { produce } from '../../src/protocol/00-produce.ts'
import { listOffsets } from '../../src/protocol/02-list-offsets.ts'
import { metadata } from '../../src/protocol/03-metadata.ts'
import { findCoordinator } from '../../src/protocol/10-find-coordinator.ts'
import { apiVersions } from '../../src/protocol/18-api-versions.ts'
import { createTopics } from '../../src/protocol/19-create-topics.ts'
import { deleteTopics } from '../../src/protocol/20-delete-topics.ts'
import { initProducerId } from '../../src/protocol/22-init-producer-id.ts'
import { describeConfigs } from '../../src/protocol/32-describe-configs.ts'
import { describeCluster } from '../../src/protocol/60-describe-cluster.ts'
import type { Api, RequestInputOf } from '../../src/protocol/api.ts'
import { type Field, type Fields, walkFields } from '../../src/protocol/schema.ts'
import { includes } from '../../src/protocol/version-range.ts'
import { buildBatch } from '../../src/record/builder.ts'
import { call } from './call.ts'
import { Harness } from './harness.ts'
import { batchOf, sendProduce } from './requests.ts'

/** A value that the field can have in `version`: one element in every array, `name` for every string. */
function sample(field: Field, version: number, name: string): unknown {
  if (!includes(field.versions, version)) return field.defaultValue
  switch (field.kind) {
    case 'array':
      return [sample(field.element!, version, name)]
    case 'struct':
      return sampleOf(field.fields!, version, name)
    case 'string':
      return name
    case 'uuid':
      return '0123456789abcdef0123456789abcdef'
    case 'bool':
      return false
    case 'records':
    case 'bytes':
      return batchOf('a')
    default:
      return field.defaultValue === 0 ? 1 : field.defaultValue
  }
}

function sampleOf(fields: Fields, version: number, name: string): Record<string, unknown> {
  const made: Record<string, unknown> = {}
  for (const [key, field] of Object.entries(fields)) {
    if (includes(field.versions, version)) made[key] = sample(field, version, name)
  }
  return made
}

const cases = servedApis.flatMap((api) => {
  const { min, max } = api.validVersions
  return Array.from({ length: max - min + 1 }, (_, i) => [api.name, min + i, api] as const)
})

test.each(cases)(
  '%s v%i answers whatever is asked, about topics that are there or not',
  (_, version, api) => {
    const world = new Harness({ brokers: 2 })
    world.createTopic('t', 2)
    for (const name of ['t', 'nowhere', '']) {
      const client = world.connect()
      const request = sampleOf(api.request, version, name) as RequestInputOf<Api>
      const correlation = client.send(api, version, request)
      world.pass(1000)
      expect(world.lines.filter(({ level }) => level === 'error')).toEqual([])
      expect(client.answers.map((answer) => answer.correlation)).toEqual([correlation])
    }
  },
)

test('every field of the requests is of a kind that the sample above makes', () => {
  let fields = 0
  for (const api of servedApis) walkFields(api.request, () => fields++)
  expect(fields).toBeGreaterThan(60)
})

describe('ApiVersions', () => {
  test('tells what is served, Produce from 0 on', () => {
    const world = new Harness()
    const client = world.connect()
    const told = call(world, client, apiVersions, 3, {
      clientSoftwareName: 'test',
      clientSoftwareVersion: '1.0',
    })
    expect(told.errorCode).toBe(0)
    expect(told.apiKeys.map(({ apiKey }) => apiKey)).toEqual([
      0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 29, 30, 31, 32, 33,
      35, 36, 37, 42, 43, 44, 45, 46, 47, 48, 50, 51, 55, 60, 61, 74, 75,
    ])
    expect(told.apiKeys[0]).toEqual({ apiKey: 0, minVersion: 0, maxVersion: 13 })
    expect(told.finalizedFeatures.map(({ name }) => name)).toEqual(['metadata.version'])
  })

  test('of an unknown version is refused in the oldest format', () => {
    const world = new Harness()
    const client = world.connect()
    const software = { clientSoftwareName: 'new', clientSoftwareVersion: '9' }
    const bytes = client.encode(apiVersions, 4, software, 77)
    bytes.writeInt16BE(9, 6)
    // The client expects the oldest format.
    client.encode(apiVersions, 0, {}, 77)
    client.connection.onData(bytes)
    world.run()
    const told = client.answer(apiVersions, 77)!
    expect(told.errorCode).toBe(35)
    expect(told.apiKeys.some(({ apiKey }) => apiKey === 18)).toBe(true)
  })

  test('wants a name that a client may have', () => {
    const world = new Harness()
    const request = { clientSoftwareName: 'a b', clientSoftwareVersion: '1' }
    expect(call(world, world.connect(), apiVersions, 3, request).errorCode).toBe(42)
  })
})

describe('requests that cannot be served', () => {
  test.each([
    ['an unknown API', (bytes: Buffer) => bytes.writeInt16BE(999, 4)],
    ['an unknown version', (bytes: Buffer) => bytes.writeInt16BE(99, 6)],
    ['a broken body', (bytes: Buffer) => bytes.fill(0xff, 20)],
  ])('close the connection with a line: %s', (_name, spoil) => {
    const world = new Harness()
    const client = world.connect()
    const bytes = client.encode(metadata, 9, { topics: [{ name: 'some-topic' }] })
    spoil(bytes)
    client.connection.onData(bytes)
    world.run()
    expect(client.closed).toBe(true)
    expect(world.lines.filter(({ level }) => level === 'warn')).toHaveLength(1)
  })

  test('among them Produce v2, which is advertised only to be found', () => {
    const world = new Harness()
    const client = world.connect()
    const bytes = client.encode(produce, 3, { acks: 1, timeoutMs: 1, topicData: [] })
    bytes.writeInt16BE(2, 6)
    client.connection.onData(bytes)
    expect(client.closed).toBe(true)
  })
})

test('topics are made and deleted, and errors told one by one', () => {
  const world = new Harness()
  const client = world.connect()
  const topic = { numPartitions: 2, replicationFactor: 1, assignments: [], configs: [] }
  const made = call(world, client, createTopics, 7, {
    topics: [
      { name: 'good', ...topic },
      { name: 'bad name', ...topic },
      { name: 'twice', ...topic },
      { name: 'twice', ...topic },
    ],
  })
  const errors = Object.fromEntries(made.topics.map(({ name, errorCode }) => [name, errorCode]))
  expect(errors).toEqual({ good: 0, 'bad name': 17, twice: 42 })
  expect(made.topics.find(({ name }) => name === 'good')!.configs!.length).toBeGreaterThan(20)
  const checked = call(world, client, createTopics, 7, {
    topics: [{ name: 'dry', ...topic }],
    validateOnly: true,
  })
  expect(checked.topics[0]!.errorCode).toBe(0)
  const deleted = call(world, client, deleteTopics, 5, {
    topicNames: ['good', 'dry'],
    timeoutMs: 1000,
  })
  expect(deleted.responses.map(({ name, errorCode }) => [name, errorCode])).toEqual([
    ['good', 0],
    ['dry', 3],
  ])
})

test('DescribeConfigs lists all configs of topics and brokers, or those asked for', () => {
  const world = new Harness()
  world.createTopic('t', 1, { 'retention.ms': '1000' })
  const { results } = call(world, world.connect(), describeConfigs, 4, {
    resources: [
      { resourceType: 2, resourceName: 't', configurationKeys: ['retention.ms'] },
      { resourceType: 2, resourceName: 't', configurationKeys: null },
      { resourceType: 4, resourceName: '1', configurationKeys: null },
      { resourceType: 2, resourceName: 'nowhere', configurationKeys: null },
      { resourceType: 4, resourceName: '9', configurationKeys: null },
    ],
    includeSynonyms: true,
    includeDocumentation: true,
  })
  expect(results[0]!.configs).toHaveLength(1)
  expect(results[0]!.configs[0]).toMatchObject({ value: '1000', configSource: 1 })
  expect(results[0]!.configs[0]!.synonyms[0]).toEqual({
    name: 'retention.ms',
    value: '1000',
    source: 1,
  })
  expect(results[1]!.configs.length).toBeGreaterThan(20)
  expect(results[2]!.configs.find(({ name }) => name === 'broker.id')!.value).toBe('1')
  expect(results.map(({ errorCode }) => errorCode)).toEqual([0, 0, 0, 3, 42])
})

test('DescribeCluster and Metadata show the same cluster, not the physical one', () => {
  const world = new Harness({ brokers: 3 })
  const client = world.connect()
  const cluster = call(world, client, describeCluster, 1, {
    includeClusterAuthorizedOperations: false,
    endpointType: 1,
  })
  const told = call(world, client, metadata, 9, { topics: [] })
  expect(cluster.clusterId).toBe(told.clusterId)
  expect(cluster.clusterId).toBe(world.image.defaultTenant!.clusterId)
  expect(cluster.brokers.map(({ brokerId }) => brokerId)).toEqual([1, 2, 3])
})

test('producer ids come from blocks and are never given twice', () => {
  const world = new Harness()
  const clients = [world.connect(), world.connect()]
  const ids = new Set<number>()
  for (let i = 0; i < 1500; i++) {
    const told = call(world, clients[i % 2]!, initProducerId, 4, {
      transactionalId: null,
      transactionTimeoutMs: 1000,
    })
    expect(told).toMatchObject({ errorCode: 0, producerEpoch: 0 })
    ids.add(told.producerId)
  }
  expect(ids.size).toBe(1500)
})

test('what needs a transaction coordinator fails at once, with a text', () => {
  const world = new Harness()
  const client = world.connect()
  const transactional = { transactionalId: 'x', transactionTimeoutMs: 1000 }
  expect(call(world, client, initProducerId, 4, transactional).errorCode).toBe(53)
  const found = call(world, client, findCoordinator, 4, {
    keyType: 1,
    coordinatorKeys: ['g', 'h'],
  })
  expect(found.coordinators.map(({ errorCode }) => errorCode)).toEqual([53, 53])
  expect(found.coordinators[0]!.errorMessage).toContain('not available yet')
  const old = call(world, client, findCoordinator, 1, { key: 'g', keyType: 1 })
  expect(old).toMatchObject({ errorCode: 53, errorMessage: expect.stringContaining('not') })
  const lines = world.lines.filter(({ message }) => message.includes('not available yet'))
  expect(lines).toHaveLength(2)
})

describe('ListOffsets', () => {
  const at = (timestampMs: number, text: string) => ({
    timestampMs,
    key: null,
    value: Buffer.from(text),
  })

  const ask = (world: Harness, timestamp: number, version = 7) => {
    const request = {
      replicaId: -1,
      isolationLevel: 0,
      topics: [{ name: 't', partitions: [{ partitionIndex: 0, timestamp }] }],
    }
    const told = call(world, world.connect(), listOffsets, version, request)
    const { errorCode, offset, timestamp: found } = told.topics[0]!.partitions[0]!
    return errorCode === 0 ? [offset, found] : errorCode
  }

  test('is exact by timestamp, also inside of batches, compressed or not', () => {
    for (const codec of [0, 1] as const) {
      const world = new Harness()
      world.createTopic('t')
      const client = world.connect()
      sendProduce(client, 't', buildBatch([at(100, 'a'), at(300, 'b'), at(200, 'c')], { codec }))
      sendProduce(client, 't', buildBatch([at(250, 'd'), at(500, 'e')], { codec }))
      world.run()
      expect(ask(world, 50)).toEqual([0, 100])
      expect(ask(world, 150)).toEqual([1, 300])
      expect(ask(world, 301)).toEqual([4, 500])
      expect(ask(world, 501)).toEqual([-1, -1])
      expect(ask(world, -1)).toEqual([5, -1])
      expect(ask(world, -2)).toEqual([0, -1])
      expect(ask(world, -3)).toEqual([4, 500])
    }
  })

  test("searches bytes of its own: a buffer that goes back is soon another read's", () => {
    const world = new Harness()
    world.createTopic('t')
    sendProduce(world.connect(), 't', buildBatch([at(100, 'a'), at(300, 'b')]))
    world.run()
    const { fileBuffers } = world.front.services
    const client = world.connect()
    const correlation = client.send(listOffsets, 7, {
      replicaId: -1,
      isolationLevel: 0,
      topics: [{ name: 't', partitions: [{ partitionIndex: 0, timestamp: 150 }] }],
    })
    while (fileBuffers.outBytes === 0) world.turn()
    while (fileBuffers.outBytes > 0) world.turn()
    fileBuffers.take(100).fill(0)
    world.run()
    const answer = client.answer(listOffsets, correlation)!.topics[0]!.partitions[0]!
    expect(answer).toMatchObject({ errorCode: 0, offset: 1, timestamp: 300 })
  })

  test('reads the files of the broker that was asked, though another leads by the answer', () => {
    const world = new Harness({ brokers: 2 })
    world.createTopic('t')
    const number = world.partition('t')
    const asked = world.image.leaderOf(number)
    sendProduce(world.connectTo(asked), 't', buildBatch([at(100, 'a'), at(300, 'b')]))
    world.run()
    world.hung.add(asked)
    const client = world.connect()
    const correlation = client.send(listOffsets, 7, {
      replicaId: -1,
      isolationLevel: 0,
      topics: [{ name: 't', partitions: [{ partitionIndex: 0, timestamp: 150 }] }],
    })
    world.run()
    const leaderOf = vi.spyOn(world.image, 'leaderOf').mockReturnValue((3 - asked) as never)
    try {
      // the broker has an image of its own
      world.hung.delete(asked)
      world.run()
    } finally {
      leaderOf.mockRestore()
    }
    const answer = client.answer(listOffsets, correlation)!.topics[0]!.partitions[0]!
    expect(answer).toMatchObject({ errorCode: 0, offset: 1, timestamp: 300 })
  })

  test('of many partitions reads a few of them at a time', () => {
    const world = new Harness()
    world.createTopic('t', 40)
    const client = world.connect()
    for (let index = 0; index < 40; index++) {
      sendProduce(client, 't', buildBatch([at(100, 'a'), at(300, `${index}`)]), { index })
    }
    world.run()
    const correlation = client.send(listOffsets, 7, {
      replicaId: -1,
      isolationLevel: 0,
      topics: [
        {
          name: 't',
          partitions: Array.from({ length: 40 }, (_, i) => ({ partitionIndex: i, timestamp: 150 })),
        },
      ],
    })
    let most = 0
    while (client.answer(listOffsets, correlation) === undefined) {
      world.turn()
      most = Math.max(most, world.front.services.fileBuffers.outBytes)
    }
    expect(most).toBeLessThanOrEqual(4 * 16 * 1024)
    const { partitions } = client.answer(listOffsets, correlation)!.topics[0]!
    expect(partitions.map(({ offset }) => offset)).toEqual(partitions.map(() => 1))
  })

  test('refuses a partition that is asked for twice', () => {
    const world = new Harness()
    world.createTopic('t', 2)
    const ask = (partitionIndex: number) => ({ partitionIndex, timestamp: -1 })
    const told = call(world, world.connect(), listOffsets, 7, {
      replicaId: -1,
      isolationLevel: 0,
      topics: [
        { name: 't', partitions: [ask(0), ask(1), ask(0)] },
        { name: 'other', partitions: [ask(1)] },
        { name: 'other', partitions: [ask(1)] },
      ],
    })
    const codes = told.topics.map(({ partitions }) => partitions.map(({ errorCode }) => errorCode))
    expect(codes).toEqual([[42, 0], [42]])
  })

  test('refuses special timestamps that the version does not have', () => {
    const world = new Harness()
    world.createTopic('t')
    expect(ask(world, -3, 6)).toBe(35)
    expect(ask(world, -4, 7)).toBe(35)
    expect(ask(world, -4, 8)).toEqual([0, -1])
    expect(ask(world, -7, 9)).toBe(35)
  })
})

test('Produce v13 finds topics by the tenant’s own ids, and no others', () => {
  const world = new Harness()
  world.createTopic('t')
  const { topicId } = world.image.topicByName(world.image.defaultTenant!.tenantId, 't')!
  const strange = 'f'.repeat(32) as typeof topicId
  const partitionData = [{ index: 0, records: batchOf('a') }]
  const told = call(world, world.connect(), produce, 13, {
    acks: -1,
    timeoutMs: 1000,
    topicData: [
      { topicId: strange, partitionData },
      { topicId, partitionData },
    ],
  })
  const errors = told.responses.map(({ partitionResponses }) => partitionResponses[0]!.errorCode)
  expect(errors).toEqual([100, 0])
})

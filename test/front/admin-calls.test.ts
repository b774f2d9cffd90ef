/** Admin calls end to end: a client's frame, the controller or a broker, the answer; and what they change for producers and readers. */
import { describe, expect, test } from 'vitest'
import { listOffsets } from '../../src/protocol/02-list-offsets.ts'
import { metadata } from '../../src/protocol/03-metadata.ts'
import { deleteTopics } from '../../src/protocol/20-delete-topics.ts'
import { deleteRecords } from '../../src/protocol/21-delete-records.ts'
import { offsetForLeaderEpoch } from '../../src/protocol/23-offset-for-leader-epoch.ts'
import { describeConfigs } from '../../src/protocol/32-describe-configs.ts'
import { alterConfigs } from '../../src/protocol/33-alter-configs.ts'
import { createPartitions } from '../../src/protocol/37-create-partitions.ts'
import { incrementalAlterConfigs } from '../../src/protocol/44-incremental-alter-configs.ts'
import { describeCluster } from '../../src/protocol/60-describe-cluster.ts'
import { describeProducers } from '../../src/protocol/61-describe-producers.ts'
import { listConfigResources } from '../../src/protocol/74-list-config-resources.ts'
import { describeTopicPartitions } from '../../src/protocol/75-describe-topic-partitions.ts'
import type { Api, ResponseOf } from '../../src/protocol/api.ts'
import { buildBatch } from '../../src/record/builder.ts'
import type { Asking } from './fake-client.ts'
import { Harness, type HarnessOptions } from './harness.ts'
import { bigBatch, fetched, partitionsOf, produced, sendFetch, sendProduce } from './requests.ts'

const TOPIC = 2
const BROKER = 4
const GROUP = 32

function start(options: HarnessOptions = {}) {
  const world = new Harness(options)
  const client = world.connect()
  const call = <A extends Api>(api: A, version: number, request: Asking<A>): ResponseOf<A> => {
    const correlation = client.send(api, version, request)
    world.run()
    const response = client.answer(api, correlation)
    if (response === undefined) throw new Error(`${api.name} v${version}: no answer`)
    return response
  }
  const produce = (topic: string, batch: Uint8Array, index = 0) => {
    const sent = sendProduce(client, topic, batch, { index })
    world.run()
    return produced(client, sent)
  }
  /** Topic records of a time that retention lets live. */
  const recent = (...texts: string[]) =>
    buildBatch(
      texts.map((text) => ({
        timestampMs: world.clock.wallMs(),
        key: null,
        value: Buffer.from(text),
      })),
    )
  const set = (type: number, name: string, configs: Record<string, string | null>) =>
    call(incrementalAlterConfigs, 1, {
      resources: [
        {
          resourceType: type,
          resourceName: name,
          configs: Object.entries(configs).map(([key, value]) => ({
            name: key,
            configOperation: value === null ? 1 : 0,
            value,
          })),
        },
      ],
    }).responses[0]!
  const configOf = (type: number, name: string, config: string) =>
    call(describeConfigs, 4, {
      resources: [{ resourceType: type, resourceName: name, configurationKeys: [config] }],
      includeSynonyms: true,
    }).results[0]!.configs[0]
  const remove = (topic: string, offset: number, partitionIndex = 0, version = 2) =>
    call(deleteRecords, version, {
      topics: [{ name: topic, partitions: [{ partitionIndex, offset }] }],
      timeoutMs: 1000,
    }).topics[0]!.partitions[0]!
  return { world, client, call, produce, recent, set, configOf, remove }
}

describe('configs', () => {
  test('of a topic hold at once on its open log, and can be taken back', () => {
    const { world, produce, set, configOf } = start()
    world.createTopic('t')
    expect(produce('t', bigBatch('x', 5000))).toMatchObject({ errorCode: 0 })
    expect(set(TOPIC, 't', { 'max.message.bytes': '1000' })).toMatchObject({ errorCode: 0 })
    expect(produce('t', bigBatch('x', 5000))).toMatchObject({ errorCode: 10 })
    expect(configOf(TOPIC, 't', 'max.message.bytes')).toMatchObject({
      value: '1000',
      configSource: 1,
      synonyms: [
        { name: 'max.message.bytes', value: '1000', source: 1 },
        { name: 'message.max.bytes', value: '1048588', source: 5 },
      ],
    })
    set(TOPIC, 't', { 'max.message.bytes': null })
    expect(produce('t', bigBatch('x', 5000))).toMatchObject({ errorCode: 0 })
    expect(configOf(TOPIC, 't', 'max.message.bytes')).toMatchObject({ configSource: 5 })
  })

  test('flush.messages=1, set later, makes the next produce wait for its flush', () => {
    const { world, client, produce, recent, set } = start()
    world.createTopic('t')
    produce('t', recent('a'))
    const before = world.disk.operations
    set(TOPIC, 't', { 'flush.messages': '1' })
    const path = `${world.directoryOf('t')}/00000000000000000000.log`
    let flushes = 0
    world.disk.onOperation = (one) => {
      if (one.operation === 'flush' && one.path === path) flushes++
      return null
    }
    expect(world.disk.operations).toBeGreaterThan(before)
    const sent = sendProduce(client, 't', recent('b'))
    world.run()
    expect([produced(client, sent)?.errorCode, flushes]).toEqual([0, 1])
  })

  test('retention.ms, made shorter, is applied without waiting for the next check', () => {
    const { world, produce, recent, set, call } = start()
    world.createTopic('t', 1, { 'internal.segment.bytes': '200' })
    for (const text of ['a', 'b', 'c', 'd']) produce('t', recent(text.repeat(100)))
    world.pass(5000, 1000)
    set(TOPIC, 't', { 'retention.ms': '1000' })
    world.pass(10)
    const { topics } = call(listOffsets, 7, {
      topics: [{ name: 't', partitions: [{ partitionIndex: 0, timestamp: -2 }] }],
    })
    expect(topics[0]!.partitions[0]!.offset).toBe(4)
  })

  test('of all brokers and of one are topics’ defaults, and described with their sources', () => {
    const { world, produce, set, configOf } = start({ brokers: 1 })
    world.createTopic('t')
    expect(set(BROKER, '', { 'message.max.bytes': '1000' })).toMatchObject({ errorCode: 0 })
    expect(produce('t', bigBatch('x', 5000))).toMatchObject({ errorCode: 10 })
    expect(configOf(TOPIC, 't', 'max.message.bytes')).toMatchObject({
      value: '1000',
      configSource: 3,
    })
    expect(set(BROKER, '1', { 'message.max.bytes': '9000' })).toMatchObject({ errorCode: 0 })
    expect(produce('t', bigBatch('x', 5000))).toMatchObject({ errorCode: 0 })
    expect(configOf(TOPIC, 't', 'max.message.bytes')).toMatchObject({
      value: '9000',
      configSource: 2,
      synonyms: [{ source: 2 }, { source: 3 }, { source: 5 }],
    })
    expect(configOf(BROKER, '1', 'message.max.bytes')).toMatchObject({
      value: '9000',
      configSource: 2,
    })
    expect(configOf(BROKER, '', 'message.max.bytes')).toMatchObject({
      value: '1000',
      configSource: 3,
      synonyms: [{ source: 3 }],
    })
    expect(set(BROKER, '2', { 'message.max.bytes': '9000' })).toMatchObject({
      errorCode: 42,
      errorMessage: 'Unexpected broker id, expected 1, but received 2',
    })
  })

  test('of groups are kept for any id, described, and listed', () => {
    const { world, call, set, configOf } = start({ brokers: 2 })
    world.createTopic('t')
    expect(configOf(GROUP, 'g', 'consumer.session.timeout.ms')).toMatchObject({
      value: '45000',
      configSource: 5,
    })
    expect(set(GROUP, 'g', { 'consumer.session.timeout.ms': '50000' })).toMatchObject({
      errorCode: 0,
    })
    expect(configOf(GROUP, 'g', 'consumer.session.timeout.ms')).toMatchObject({
      value: '50000',
      configSource: 8,
      synonyms: [{ source: 8 }, { name: 'group.consumer.session.timeout.ms', source: 5 }],
    })
    const listed = (version: number, resourceTypes: number[] = []) => {
      const told = call(listConfigResources, version, version === 0 ? {} : { resourceTypes })
      const names = told.configResources.map((one) => `${one.resourceType}/${one.resourceName}`)
      return [told.errorCode, ...names]
    }
    expect(listed(0)).toEqual([0])
    expect(listed(1)).toEqual([0, '2/t', '4/1', '4/2', '8/1', '8/2', '32/g'])
    expect(listed(1, [GROUP])).toEqual([0, '32/g'])
    expect(listed(1, [3])).toEqual([35])
    set(GROUP, 'g', { 'consumer.session.timeout.ms': null })
    expect(listed(1, [GROUP])).toEqual([0])
  })

  test('are replaced by AlterConfigs, all of them', () => {
    const { world, call, set, configOf } = start()
    world.createTopic('t', 1, { 'retention.ms': '1000' })
    set(TOPIC, 't', { 'segment.ms': '5000' })
    const { responses } = call(alterConfigs, 2, {
      resources: [
        { resourceType: 2, resourceName: 't', configs: [{ name: 'flush.ms', value: '7' }] },
        { resourceType: 2, resourceName: 'nowhere', configs: [] },
      ],
    })
    expect(responses.map(({ errorCode }) => errorCode)).toEqual([0, 3])
    expect(configOf(TOPIC, 't', 'flush.ms')).toMatchObject({ value: '7', configSource: 1 })
    expect(configOf(TOPIC, 't', 'retention.ms')).toMatchObject({ configSource: 5 })
  })
})

test('DescribeConfigs bounds what one small request makes it say', () => {
  const { call } = start()
  const resources = Array.from({ length: 20_000 }, (_, i) => ({
    ...{ resourceType: GROUP, resourceName: `g${i}`, configurationKeys: null },
  }))
  const { results } = call(describeConfigs, 4, { resources })
  expect(results).toHaveLength(20_000)
  expect(results[0]).toMatchObject({ errorCode: 0 })
  expect(results.at(-1)).toMatchObject({ errorCode: 42, configs: [] })
  expect(results.at(-1)!.errorMessage).toContain('250000')
})

test('CreatePartitions: new partitions are told, written and read', () => {
  const { world, call, client, produce, recent } = start({ brokers: 2 })
  world.createTopic('t', 2)
  world.createTopic('other')
  const { results } = call(createPartitions, 3, {
    topics: [
      { name: 't', count: 4, assignments: null },
      { name: 'nowhere', count: 4, assignments: null },
    ],
    timeoutMs: 1000,
  })
  expect(results.map(({ name, errorCode }) => [name, errorCode])).toEqual([
    ['t', 0],
    ['nowhere', 3],
  ])
  const { topics } = call(metadata, 9, { topics: [{ name: 't' }] })
  expect(topics[0]!.partitions.map(({ partitionIndex }) => partitionIndex)).toEqual([0, 1, 2, 3])
  for (const index of [0, 1, 2, 3]) {
    expect(produce('t', recent(`to ${index}`), index)).toMatchObject({
      errorCode: 0,
      baseOffset: 0,
    })
  }
  const read = sendFetch(client, { t: { 0: 0, 1: 0, 2: 0, 3: 0 } }, { minBytes: 1 })
  world.run()
  const parts = Object.values(partitionsOf(fetched(client, read)))
  expect(parts.map(({ highWatermark }) => highWatermark)).toEqual([1, 1, 1, 1])
  // and go with their topic
  call(deleteTopics, 5, { topicNames: ['t'], timeoutMs: 1000 })
  expect(produce('t', recent('x'), 3)).toMatchObject({ errorCode: 3 })
})

describe('DeleteRecords', () => {
  test.each([0, 1, 2])('v%i moves the start; who reads below it is told', (version) => {
    const { world, client, call, produce, recent, remove } = start()
    world.createTopic('t')
    for (let i = 0; i < 5; i++) produce('t', recent('x'))
    expect(remove('t', 3, 0, version)).toEqual({ partitionIndex: 0, lowWatermark: 3, errorCode: 0 })
    const below = sendFetch(client, { t: { 0: 2 } })
    const above = sendFetch(client, { t: { 0: 3 } })
    world.run()
    expect(partitionsOf(fetched(client, below))['t/0']).toMatchObject({ errorCode: 1 })
    expect(partitionsOf(fetched(client, above))['t/0']).toMatchObject({
      errorCode: 0,
      logStartOffset: 3,
    })
    const { topics } = call(listOffsets, 7, {
      topics: [{ name: 't', partitions: [{ partitionIndex: 0, timestamp: -2 }] }],
    })
    expect(topics[0]!.partitions[0]).toMatchObject({ offset: 3, leaderEpoch: 0 })
  })

  test('wakes a fetch that waits below the new start', () => {
    const { world, client, produce, recent, remove } = start()
    world.createTopic('t')
    produce('t', recent('x'))
    produce('t', recent('y'))
    const waiting = sendFetch(client, { t: { 0: 1 } }, { minBytes: 1e6, maxWaitMs: 1e6 })
    world.run()
    expect(fetched(client, waiting)).toBeUndefined()
    const other = world.connect()
    const atEnd = sendFetch(other, { t: { 0: 2 } }, { maxWaitMs: 1e6 })
    // the client's answers come in the order of its requests
    const admin = world.connect()
    const asked = admin.send(deleteRecords, 2, {
      topics: [{ name: 't', partitions: [{ partitionIndex: 0, offset: -1 }] }],
      timeoutMs: 1000,
    })
    world.run()
    expect(admin.answer(deleteRecords, asked)?.topics[0]?.partitions[0]).toMatchObject({
      lowWatermark: 2,
    })
    expect(partitionsOf(fetched(client, waiting))['t/0']).toMatchObject({ errorCode: 1 })
    expect(fetched(other, atEnd)).toBeUndefined()
    expect(remove('t', 2)).toMatchObject({ lowWatermark: 2 })
    sendProduce(admin, 't', recent('z'))
    world.run()
    expect(partitionsOf(fetched(other, atEnd))['t/0']).toMatchObject({ errorCode: 0 })
  })

  test('tells each partition its own error', () => {
    const { world, produce, recent, remove } = start()
    world.createTopic('t')
    world.createTopic('compacted', 1, { 'cleanup.policy': 'compact' })
    produce('t', recent('x'))
    expect(remove('t', 2)).toMatchObject({ errorCode: 1, lowWatermark: -1 })
    expect(remove('t', -2)).toMatchObject({ errorCode: 1 })
    expect(remove('compacted', 0)).toMatchObject({ errorCode: 44 })
    expect(remove('t', 0, 9)).toMatchObject({ errorCode: 3 })
    expect(remove('nowhere', 0)).toMatchObject({ errorCode: 3 })
  })

  test('of a broker that has died fails at once', () => {
    const { world, produce, recent, remove } = start({ brokers: 2 })
    world.createTopic('t', 2)
    produce('t', recent('x'))
    const tenantId = world.image.defaultTenant!.tenantId
    const topic = world.image.topicByName(tenantId, 't')!
    const led = [0, 1].find((i) => world.image.leaderOf(topic.numberOf(i as never)) === 2)!
    world.tellGone(2)
    world.run()
    expect(remove('t', 0, led)).toMatchObject({ errorCode: 6 })
  })
})

test('OffsetForLeaderEpoch knows where epochs end, and fences', () => {
  const { world, call, produce, recent } = start()
  world.createTopic('t')
  const ask = (topic: string, leaderEpoch: number, currentLeaderEpoch = -1, version = 4) => {
    const { topics } = call(offsetForLeaderEpoch, version, {
      topics: [{ topic, partitions: [{ partition: 0, leaderEpoch, currentLeaderEpoch }] }],
    })
    const { errorCode, leaderEpoch: epoch, endOffset } = topics[0]!.partitions[0]!
    return [errorCode, epoch, endOffset]
  }
  expect(ask('t', 0)).toEqual([0, 0, 0])
  produce('t', recent('a', 'b'))
  for (const version of [2, 3, 4]) expect(ask('t', 0, 0, version)).toEqual([0, 0, 2])
  expect(ask('t', 1)).toEqual([0, -1, -1])
  expect(ask('t', -1)).toEqual([0, -1, -1])
  expect(ask('t', 0, 7)).toEqual([75, -1, -1])
  expect(ask('nowhere', 0)).toEqual([3, -1, -1])
})

test('DescribeProducers lists who writes', () => {
  const { world, call, produce, recent } = start()
  world.createTopic('t')
  produce('t', recent('no producer'))
  const records = ['a', 'b'].map((text, i) => ({
    timestampMs: 5000 + i,
    key: null,
    value: Buffer.from(text),
  }))
  produce('t', buildBatch(records, { producerId: 77, producerEpoch: 3, baseSequence: 9 }))
  const { topics } = call(describeProducers, 0, {
    topics: [
      { name: 't', partitionIndexes: [0, 5] },
      { name: 'nowhere', partitionIndexes: [0] },
      { name: 'a b', partitionIndexes: [0] },
    ],
  })
  expect(topics[0]!.partitions).toEqual([
    {
      ...{ partitionIndex: 0, errorCode: 0, errorMessage: null },
      activeProducers: [
        {
          ...{ producerId: 77, producerEpoch: 3, lastSequence: 10, lastTimestamp: 5001 },
          ...{ coordinatorEpoch: -1, currentTxnStartOffset: -1 },
        },
      ],
    },
    { partitionIndex: 5, errorCode: 3, errorMessage: null, activeProducers: [] },
  ])
  expect(topics.slice(1).map(({ partitions }) => partitions[0]!.errorCode)).toEqual([3, 17])
})

describe('what was served before, in all versions', () => {
  test('Metadata refuses ids before version 12 with an answer, and tells operations when asked', () => {
    const { world, call } = start()
    world.createTopic('t')
    const topicId = 'ab'.repeat(16) as never
    const refused = call(metadata, 10, { topics: [{ name: null, topicId }] })
    expect(refused.topics).toMatchObject([{ errorCode: 42, name: '' }])
    const told = call(metadata, 9, {
      topics: [{ name: 't' }, { name: 'a b' }],
      allowAutoTopicCreation: false,
      includeTopicAuthorizedOperations: true,
      includeClusterAuthorizedOperations: true,
    })
    expect(told.clusterAuthorizedOperations).toBe(8096)
    expect(told.topics.map((one) => [one.errorCode, one.topicAuthorizedOperations])).toEqual([
      [0, 3576],
      [17, 3576],
    ])
  })

  test('DescribeCluster leaves out a broker that has died, unless it is asked for', () => {
    const { world, call } = start({ brokers: 2 })
    world.tellGone(2)
    world.run()
    const ask = (includeFencedBrokers: boolean) =>
      call(describeCluster, 2, { includeFencedBrokers }).brokers.map((one) => [
        one.brokerId,
        one.isFenced,
      ])
    expect(ask(false)).toEqual([[1, false]])
    expect(ask(true)).toEqual([
      [1, false],
      [2, true],
    ])
  })

  test('DescribeTopicPartitions refuses a cursor that cannot be', () => {
    const { world, call } = start()
    world.createTopic('t', 3)
    const ask = (names: string[], topicName: string, partitionIndex: number) =>
      call(describeTopicPartitions, 0, {
        topics: names.map((name) => ({ name })),
        responsePartitionLimit: 2,
        cursor: { topicName, partitionIndex },
      }).topics.map(({ errorCode, partitions }) => [errorCode, partitions.length])
    expect(ask(['t'], 't', 1)).toEqual([[0, 2]])
    expect(ask(['t'], 't', -1)).toEqual([[42, 0]])
    expect(ask(['t'], 'elsewhere', 0)).toEqual([[42, 0]])
    expect(ask([], 'elsewhere', 0)).toEqual([[0, 2]])
  })

  test('DeleteTopics wants either a name or an id', () => {
    const { world, call } = start()
    world.createTopic('t')
    const { topicId } = world.image.topicByName(world.image.defaultTenant!.tenantId, 't')!
    const zero = '0'.repeat(32) as typeof topicId
    const ask = (...topics: { name: string | null; topicId: typeof topicId }[]) =>
      call(deleteTopics, 6, { topics, timeoutMs: 1000 }).responses.map(
        ({ name, errorCode, errorMessage }) => [name, errorCode, errorMessage],
      )
    expect(ask({ name: null, topicId: zero })).toEqual([
      [null, 42, 'Neither topic name nor id were specified.'],
    ])
    expect(ask({ name: 't', topicId })).toEqual([
      ['t', 42, 'You may not specify both topic name and topic id.'],
    ])
    const reason = 'The provided topic name maps to an ID that was already supplied.'
    expect(ask({ name: 't', topicId: zero }, { name: null, topicId })).toEqual([['t', 42, reason]])
    expect(ask({ name: null, topicId })).toEqual([['t', 0, null]])
  })

  test('ListOffsets takes −6 from version 11 on', () => {
    const { world, call } = start()
    world.createTopic('t')
    const ask = (version: number) =>
      call(listOffsets, version, {
        topics: [{ name: 't', partitions: [{ partitionIndex: 0, timestamp: -6 }] }],
      }).topics[0]!.partitions[0]!
    expect(ask(11)).toMatchObject({ errorCode: 0, offset: -1 })
    expect(ask(10)).toMatchObject({ errorCode: 35, offset: -1 })
  })
})

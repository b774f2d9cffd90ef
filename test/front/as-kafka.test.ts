/** Answers that the comparison with Apache Kafka (test/conformance) has shown to differ, mended. */
import { describe, expect, test } from 'vitest'
import { ZERO_TOPIC_ID } from '../../src/base/ids.ts'
import { unsupportedVersionBody } from '../../src/front/18-api-versions.ts'
import { produce } from '../../src/protocol/00-produce.ts'
import { listOffsets } from '../../src/protocol/02-list-offsets.ts'
import { metadata } from '../../src/protocol/03-metadata.ts'
import { deleteTopics } from '../../src/protocol/20-delete-topics.ts'
import { initProducerId } from '../../src/protocol/22-init-producer-id.ts'
import { describeTopicPartitions } from '../../src/protocol/75-describe-topic-partitions.ts'
import { buildBatch } from '../../src/record/builder.ts'
import { call } from './call.ts'
import { Harness } from './harness.ts'

describe('what a real Kafka answers', () => {
  const idOf = (world: Harness, name: string) =>
    call(world, world.connect(), metadata, 12, { topics: [byName(name)] }).topics[0]!.topicId
  const byName = (name: string) => ({ name, topicId: ZERO_TOPIC_ID })

  test('bad names in Metadata, each topic once, all operations for who asks', () => {
    const world = new Harness()
    world.createTopic('t', 1)
    const names = ['t', 't', 'a bad/name', '', 'unknown']
    const told = call(world, world.connect(), metadata, 8, {
      topics: names.map(byName),
      allowAutoTopicCreation: false,
      includeTopicAuthorizedOperations: true,
      includeClusterAuthorizedOperations: true,
    })
    expect(told.topics.map(({ name, errorCode }) => [name, errorCode])).toEqual([
      ['t', 0],
      ['a bad/name', 17],
      ['', 17],
      ['unknown', 3],
    ])
    expect(told.topics[0]!.topicAuthorizedOperations).toBe(3576)
    expect(told.clusterAuthorizedOperations).toBe(8096)
  })

  test('ids in a version of Metadata that takes none', () => {
    const world = new Harness()
    world.createTopic('t', 1)
    const topicId = idOf(world, 't')
    const told = call(world, world.connect(), metadata, 10, {
      topics: [{ name: 't', topicId }],
      allowAutoTopicCreation: false,
    })
    expect(told.topics.map(({ name, errorCode }) => [name, errorCode])).toEqual([['t', 42]])
    expect(told.brokers).toEqual([])
  })

  test('a cursor that is not in the list', () => {
    const world = new Harness()
    world.createTopic('t', 1)
    const told = call(world, world.connect(), describeTopicPartitions, 0, {
      topics: [{ name: 't' }],
      cursor: { topicName: 's', partitionIndex: 0 },
    })
    expect(told.topics.map(({ errorCode }) => errorCode)).toEqual([42])
  })

  test('topics to delete that are named twice, by nothing, or by too much', () => {
    const world = new Harness()
    world.createTopic('t', 1)
    const topicId = idOf(world, 't')
    const other = 'e'.repeat(32) as typeof topicId
    const told = call(world, world.connect(), deleteTopics, 6, {
      topicNames: [],
      topics: [
        ...[byName('a'), byName('a'), { name: null, topicId: ZERO_TOPIC_ID }],
        ...[{ name: 't', topicId: other }, byName('t'), { name: null, topicId }],
        ...[
          { name: null, topicId: other },
          { name: null, topicId: other },
        ],
      ],
      timeoutMs: 1000,
    })
    expect(told.responses.every(({ errorCode }) => errorCode === 42)).toBe(true)
    expect(told.responses.map(({ errorMessage }) => errorMessage).sort()).toEqual([
      'Duplicate topic id.',
      'Duplicate topic name.',
      'Neither topic name nor id were specified.',
      'The provided topic name maps to an ID that was already supplied.',
      'You may not specify both topic name and topic id.',
    ])
  })

  test('half a producer', () => {
    const world = new Harness()
    const half = { transactionalId: null, transactionTimeoutMs: 1000, producerId: 5 }
    const told = call(world, world.connect(), initProducerId, 4, half)
    expect(told).toMatchObject({ errorCode: 42, producerId: -1, producerEpoch: -1 })
  })

  test('the end of an empty partition has the leader epoch, and nothing waits for upload', () => {
    const world = new Harness()
    world.createTopic('t', 1)
    const client = world.connect()
    const at = (timestamp: number, currentLeaderEpoch = -1) =>
      call(world, client, listOffsets, 11, {
        replicaId: -1,
        topics: [{ name: 't', partitions: [{ partitionIndex: 0, timestamp, currentLeaderEpoch }] }],
      }).topics[0]!.partitions[0]!
    expect(at(-1)).toMatchObject({ errorCode: 0, offset: 0, leaderEpoch: 0 })
    expect(at(-6)).toMatchObject({ errorCode: 0, offset: -1 })
    expect(at(-1, -2)).toMatchObject({ errorCode: 74 })
  })

  test('zstd in a version that has none, and a topic without partitions', () => {
    const world = new Harness()
    world.createTopic('t', 1)
    const batch = buildBatch([{ timestampMs: 1, key: null, value: null }])
    batch[22] = 4
    const told = call(world, world.connect(), produce, 6, {
      ...{ acks: -1, timeoutMs: 1000 },
      topicData: [
        { name: 't', partitionData: [{ index: 0, records: batch }] },
        { name: 'other', partitionData: [] },
      ],
    })
    const codes = told.responses.map(({ partitionResponses }) => partitionResponses[0]?.errorCode)
    expect(codes).toEqual([76])
  })

  test('a produce that does not want to wait is appended all the same', () => {
    const world = new Harness()
    world.createTopic('t', 1)
    const client = world.connect()
    const records = buildBatch([{ timestampMs: 1, key: null, value: null }])
    const correlation = client.send(produce, 9, {
      ...{ acks: -1, timeoutMs: -1 },
      topicData: [{ name: 't', partitionData: [{ index: 0, records }] }],
    })
    world.hung.add(1)
    world.pass(500)
    world.hung.delete(1)
    world.run()
    const told = client.answer(produce, correlation)!
    expect(told.responses[0]!.partitionResponses[0]).toMatchObject({ errorCode: 0, baseOffset: 0 })
  })

  test('an ApiVersions of the future: which versions there are, and nothing else', () => {
    expect(unsupportedVersionBody().apiKeys).toEqual([{ apiKey: 18, minVersion: 0, maxVersion: 4 }])
  })
})

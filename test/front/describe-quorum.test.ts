/** DescribeQuorum: how far each broker has the metadata log. */
import { describe, expect, test, vi } from 'vitest'
import { asBrokerId, asCellId, asPartitionNumber, asTenantId } from '../../src/base/ids.ts'
import { describeQuorum } from '../../src/protocol/55-describe-quorum.ts'
import { NOBODY, Sessions } from '../../src/tenant/session.ts'
import { call } from './call.ts'
import { Harness } from './harness.ts'

const asked = (topicName = '__cluster_metadata', partitionIndex = 0) => ({
  topics: [{ topicName, partitions: [{ partitionIndex }] }],
})

const told = (world: Harness, version = 2) =>
  call(world, world.connect(), describeQuorum, version, asked()).topics[0]!.partitions[0]!

test('broker 1 keeps the log, and the others have all of it', () => {
  const world = new Harness({ brokers: 3 })
  world.createTopic('t', 3)
  const { offset } = world.image
  expect(offset).toBeGreaterThan(0)
  const directoryId = 'a'.repeat(32)
  world.image.directories.add({
    kind: 'broker-directory',
    ...{ cellId: asCellId(1), brokerId: asBrokerId(2), directoryId, life: 0, rack: null },
    firstPartition: asPartitionNumber(1),
  })
  const nowMs = world.clock.wallMs()
  for (const version of [0, 1, 2]) {
    const answer = call(world, world.connect(), describeQuorum, version, asked())
    expect(answer).toMatchObject({ errorCode: 0, errorMessage: '' })
    const partition = answer.topics[0]!.partitions[0]!
    expect(partition).toMatchObject({ errorCode: 0, leaderId: 1, highWatermark: offset })
    expect(partition.leaderEpoch).toBe(1)
    const state = (replicaId: number) => ({
      ...{ replicaId, logEndOffset: offset },
      replicaDirectoryId: version < 2 || replicaId !== 2 ? '0'.repeat(32) : directoryId,
      lastFetchTimestamp: version < 1 ? -1 : nowMs,
      lastCaughtUpTimestamp: version < 1 ? -1 : nowMs,
    })
    expect(partition.currentVoters).toEqual([state(1)])
    expect(partition.observers).toEqual([state(2), state(3)])
    expect(answer.nodes.map(({ nodeId, listeners }) => [nodeId, listeners[0]!.port])).toEqual(
      version < 2 ? [] : [[1, 9092]],
    )
  }
})

test('a broker that hangs: how far it is, is not known', () => {
  const world = new Harness({ brokers: 3 })
  world.hung.add(3)
  world.createTopic('t')
  const client = world.connect()
  const correlation = client.send(describeQuorum, 2, asked())
  world.pass(1_000, 50)
  const partition = client.answer(describeQuorum, correlation)!.topics[0]!.partitions[0]!
  const { offset } = world.image
  expect(partition).toMatchObject({ leaderId: 1, highWatermark: offset })
  expect(partition.observers).toMatchObject([
    { replicaId: 2, logEndOffset: offset },
    { replicaId: 3, logEndOffset: -1, lastFetchTimestamp: -1, lastCaughtUpTimestamp: -1 },
  ])
})

test('a broker that has not read what the others have is behind', () => {
  const world = new Harness({ brokers: 3 })
  const before = world.image.offset
  world.hung.add(3)
  world.createTopic('t')
  const client = world.connect()
  const correlation = client.send(describeQuorum, 2, asked())
  world.run()
  // in the place of the broker, which has not taken a turn since
  for (;;) {
    const envelope = world.portOf(3).poll()!
    if (envelope.message.kind !== 'describe-metadata') continue
    const { correlation: token } = envelope.message
    const answer = {
      kind: 'quorum' as const,
      correlation: token,
      quorum: { endOffset: before, highWatermark: before, term: 1, leader: 0, voters: [] },
    }
    world.portOf(3).post(envelope.from, answer)
    break
  }
  world.run()
  const partition = client.answer(describeQuorum, correlation)!.topics[0]!.partitions[0]!
  expect(partition.observers[1]).toMatchObject({ logEndOffset: before, lastCaughtUpTimestamp: -1 })
  expect(partition.observers[1]!.lastFetchTimestamp).toBe(world.clock.wallMs())
  expect(partition.highWatermark).toBeGreaterThan(before)
})

test('nobody leads while broker 1 is gone', () => {
  const world = new Harness({ brokers: 3 })
  world.tellGone(1)
  world.run()
  expect(told(world)).toMatchObject({
    ...{ errorCode: 0, leaderId: -1, highWatermark: world.image.offset },
    currentVoters: [1, 2, 3].map((replicaId) => ({ replicaId })),
  })
})

test('of anything else there is no quorum', () => {
  const world = new Harness()
  for (const [topic, index] of [
    ['__cluster_metadata', 1],
    ['t', 0],
  ] as const) {
    const answer = call(world, world.connect(), describeQuorum, 2, asked(topic, index))
    expect(answer.topics[0]!.partitions[0]).toMatchObject({ partitionIndex: index, errorCode: 3 })
  }
})

test('nor of itself beside anything else: Kafka answers one question at a time', () => {
  const world = new Harness()
  const twice = { topics: [...asked().topics, ...asked().topics] }
  const answer = call(world, world.connect(), describeQuorum, 2, twice)
  const errors = answer.topics.flatMap(({ partitions }) => partitions.map((one) => one.errorCode))
  expect(errors).toEqual([3, 3])
})

describe('beside another tenant', () => {
  function makeWorld() {
    const world = new Harness()
    const tenantId = asTenantId('another')
    world.image.apply({
      kind: 'tenant-created',
      ...{ tenantId, name: 'another', clusterId: 'c', cellId: 1 as never },
    })
    return { world, tenantId }
  }

  test('whoever runs the engine is told the same as before', () => {
    const { world } = makeWorld()
    expect(told(world)).toMatchObject({ errorCode: 0, leaderId: 1 })
  })

  test('the other is refused, as one who may not describe the cluster, and not told why', () => {
    const { world, tenantId } = makeWorld()
    // authentication will do this
    vi.spyOn(Sessions.prototype, 'anonymous').mockReturnValue({
      ...NOBODY,
      tenantId,
      principal: 'User:x',
    })
    try {
      const answer = call(world, world.connect(), describeQuorum, 2, asked())
      expect(answer).toMatchObject({ errorCode: 31, topics: [], nodes: [] })
      expect(answer.errorMessage).not.toMatch(/tenant/i)
    } finally {
      vi.restoreAllMocks()
    }
  })
})

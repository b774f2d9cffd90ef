/** Leader epochs as clients are told of them, and by which they are judged, before anybody has said who leads. */
import { describe, expect, test } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import { fetch } from '../../src/protocol/01-fetch.ts'
import { metadata } from '../../src/protocol/03-metadata.ts'
import { describeTopicPartitions } from '../../src/protocol/75-describe-topic-partitions.ts'
import { call } from './call.ts'
import type { Harness } from './harness.ts'
import { replicatedWorld } from './replicated-world.ts'

/** As Metadata and DescribeTopicPartitions tell it. */
function epochsOf(world: Harness, name: string): number[] {
  const topics = [{ name }]
  const told = call(world, world.connect(), metadata, 9, { topics })
  const described = call(world, world.connect(), describeTopicPartitions, 0, {
    ...{ topics, responsePartitionLimit: 10, cursor: null },
  })
  return [told, described].map((answer) => answer.topics[0]!.partitions[0]!.leaderEpoch)
}

describe('the leader epoch that clients are told', () => {
  test('is unknown, −1, until somebody has said who leads one of several replicas', () => {
    const world = replicatedWorld()
    expect(epochsOf(world, 'triple')).toEqual([-1, -1])
    world.tellLeader('triple', 0, 2, 5)
    expect(epochsOf(world, 'triple')).toEqual([5, 5])
    world.tellLeader('triple', 0, 0, 5)
    expect(epochsOf(world, 'triple')).toEqual([5, 5])
  })

  test('is 0 from the beginning where there is one replica', () => {
    expect(epochsOf(replicatedWorld(), 'single')).toEqual([0, 0])
  })
})

test('a fetch by one who has seen a later epoch asks a broker, before anybody has said who leads', () => {
  const world = replicatedWorld()
  const topicId = world.image.topicByName(world.image.defaultTenant!.tenantId, 'triple')!.topicId
  const client = world.connect()
  const partition = { partition: 0, currentLeaderEpoch: 5, fetchOffset: 0 }
  const correlation = client.send(fetch, 16, {
    ...{ maxWaitMs: 0, minBytes: 1, sessionEpoch: -1, forgottenTopicsData: [] },
    topics: [{ topicId, partitions: [{ ...partition, partitionMaxBytes: 1 << 20 }] }],
  })
  world.pass(1_000, 20)
  const answered = client.answer(fetch, correlation)!.responses[0]!.partitions[0]!
  // none of these brokers ever leads; UNKNOWN_LEADER_EPOCH would be said without asking any, for ever
  expect(answered.errorCode).toBe(ErrorCode.NOT_LEADER_OR_FOLLOWER)
  // a guess at who leads is no answer
  expect(answered.currentLeader).toEqual({ leaderId: -1, leaderEpoch: -1 })
})

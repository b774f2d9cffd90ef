/** Refusals for want of leadership say who leads, and where that node is (KIP-951). */
import { expect, test } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import { produce } from '../../src/protocol/00-produce.ts'
import { fetch } from '../../src/protocol/01-fetch.ts'
import { createTopics } from '../../src/protocol/19-create-topics.ts'
import { Harness } from './harness.ts'
import { batchOf, produceRequest } from './requests.ts'

/** Topic `moved` has three replicas. */
function makeWorld(): Harness {
  const world = new Harness({ brokers: 3, isReplicated: true })
  const client = world.connect()
  client.send(createTopics, 7, {
    topics: [
      { name: 'moved', numPartitions: 1, replicationFactor: 3, assignments: [], configs: [] },
    ],
  })
  world.run()
  client.connection.close()
  return world
}

const nodeThree = { nodeId: 3, port: 9094, rack: null }

for (const version of [9, 10]) {
  test(`a produce of version ${version} whose leader died when another led`, () => {
    const world = makeWorld()
    world.tellLeader('moved', 0, 2, 5)
    world.hung.add(2)
    const client = world.connect()
    // without a producer id: whoever has it alone knows what became of it
    const correlation = client.send(produce, version, produceRequest('moved', batchOf('a')))
    world.run()
    world.tellLeader('moved', 0, 3, 6)
    expect(client.answer(produce, correlation)).toBeUndefined()
    world.tellGone(2)
    world.run()
    const { responses, nodeEndpoints } = client.answer(produce, correlation)!
    const answered = responses[0]!.partitionResponses[0]!
    expect(answered.errorCode).toBe(ErrorCode.NOT_LEADER_OR_FOLLOWER)
    const isTold = version >= 10
    const nobody = { leaderId: -1, leaderEpoch: -1 }
    expect(answered.currentLeader).toEqual(isTold ? { leaderId: 3, leaderEpoch: 6 } : nobody)
    expect(nodeEndpoints).toMatchObject(isTold ? [nodeThree] : [])
    expect(nodeEndpoints).toHaveLength(isTold ? 1 : 0)
  })
}

for (const version of [15, 16]) {
  test(`a fetch of version ${version} by one who believes in an earlier leader`, () => {
    const world = makeWorld()
    world.tellLeader('moved', 0, 3, 6)
    const { topicId } = world.image.topicByName(world.image.defaultTenant!.tenantId, 'moved')!
    const partition = { partition: 0, currentLeaderEpoch: 5, fetchOffset: 0 }
    const client = world.connect()
    const correlation = client.send(fetch, version, {
      ...{ maxWaitMs: 0, minBytes: 1, sessionEpoch: -1, forgottenTopicsData: [] },
      topics: [{ topicId, partitions: [{ ...partition, partitionMaxBytes: 1 << 20 }] }],
    })
    world.run()
    const { responses, nodeEndpoints } = client.answer(fetch, correlation)!
    expect(responses[0]!.partitions[0]).toMatchObject({
      errorCode: ErrorCode.FENCED_LEADER_EPOCH,
      currentLeader: { leaderId: 3, leaderEpoch: 6 },
    })
    expect(nodeEndpoints).toMatchObject(version >= 16 ? [nodeThree] : [])
    expect(nodeEndpoints).toHaveLength(version >= 16 ? 1 : 0)
  })
}

test('nobody is named while nobody is known to lead', () => {
  const world = makeWorld()
  world.tellLeader('moved', 0, 2, 5)
  world.hung.add(2)
  const client = world.connect()
  const correlation = client.send(produce, 10, produceRequest('moved', batchOf('a')))
  world.run()
  world.tellGone(2)
  world.run()
  const { responses, nodeEndpoints } = client.answer(produce, correlation)!
  expect(responses[0]!.partitionResponses[0]).toMatchObject({
    errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER,
    currentLeader: { leaderId: -1, leaderEpoch: -1 },
  })
  expect(nodeEndpoints).toEqual([])
})

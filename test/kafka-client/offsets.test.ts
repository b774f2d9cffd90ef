/** Offsets of partitions of which some have no leader, or one that is none. */
import { afterEach, describe, expect, test } from 'vitest'
import { ZERO_TOPIC_ID } from '../../src/base/ids.ts'
import { KafkaClient } from '../../src/kafka-client/client.ts'
import { findOffsets, findOffsetsOfLed, OffsetAt } from '../../src/kafka-client/offsets.ts'
import { FakeBroker, versionsUpTo } from './fake-broker.ts'

const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

const LIST_OFFSETS = 2
const METADATA = 3
const API_VERSIONS = 18
const NOT_LEADER = 6
const LEADER_NOT_AVAILABLE = 5

/** Partition 0 is led, 1 by one that says that it does not lead, 2 by nobody, 3 is led. */
async function start() {
  const broker = await FakeBroker.start()
  closers.push(() => broker.close())
  broker.onRequest = ({ api, request, answer }) => {
    if (api.key === API_VERSIONS) answer(versionsUpTo({ [LIST_OFFSETS]: 5, [METADATA]: 12 }))
    else if (api.key === METADATA) {
      const partitions = [0, 1, 2, 3].map((partitionIndex) => ({
        ...{ partitionIndex, leaderEpoch: 0, replicaNodes: [1], isrNodes: [1] },
        errorCode: partitionIndex === 2 ? LEADER_NOT_AVAILABLE : 0,
        ...{ leaderId: partitionIndex === 2 ? -1 : 1, offlineReplicas: [] },
      }))
      const topic = { errorCode: 0, name: 't', topicId: ZERO_TOPIC_ID, isInternal: false }
      answer({
        ...{ throttleTimeMs: 0, clusterId: 'c', controllerId: 1 },
        brokers: [{ nodeId: 1, ...broker.address, rack: null }],
        topics: [{ ...topic, partitions }],
      })
    } else {
      const { topics } = request as { topics: { partitions: { partitionIndex: number }[] }[] }
      const partitions = topics[0]!.partitions.map(({ partitionIndex }) => ({
        ...{ partitionIndex, errorCode: partitionIndex === 1 ? NOT_LEADER : 0 },
        ...{ timestamp: -1, offset: partitionIndex * 10, leaderEpoch: 0 },
      }))
      answer({ throttleTimeMs: 0, topics: [{ name: 't', partitions }] })
    }
  }
  const client = new KafkaClient({ bootstrap: [broker.address], retryTimeoutMs: 300 })
  closers.push(() => client.close())
  return client
}

const queries = (...partitions: number[]) =>
  partitions.map((partition) => ({ topic: 't', partition, timestampMs: OffsetAt.LATEST }))

describe('offsets', () => {
  test('of all are wanted: one that nobody leads is an error', async () => {
    const client = await start()
    for (const partition of [1, 2]) {
      await expect(findOffsets(client, queries(0, partition, 3))).rejects.toThrow(
        /partition \d of topic "t": (NOT_LEADER_OR_FOLLOWER|LEADER_NOT_AVAILABLE)/,
      )
    }
    expect(await findOffsets(client, queries(3, 0))).toMatchObject([{ offset: 30 }, { offset: 0 }])
  })

  test('of those that are led are found, whatever the others are', async () => {
    const found = await findOffsetsOfLed(await start(), queries(2, 3, 1, 0))
    expect(found.map(({ partition, offset }) => [partition, offset])).toEqual([
      [3, 30],
      [0, 0],
    ])
  })
})

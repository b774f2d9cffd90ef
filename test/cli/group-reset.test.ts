/** `griot group reset-offsets` where a cluster commits only some of what it is sent: a broker of a few answers. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ZERO_TOPIC_ID } from '../../src/base/ids.ts'
import { type Asked, FakeBroker } from '../kafka-client/fake-broker.ts'
import { runGriot } from './run-griot.ts'

const METADATA = 3
const TOPIC_AUTHORIZATION_FAILED = 29
const INVALID_COMMIT_OFFSET_SIZE = 28

let broker: FakeBroker
beforeEach(async () => {
  broker = await FakeBroker.start()
})
afterEach(() => broker.close())

/** The answer's list of topics: one of three partitions. */
const topicsOf = (one: (partitionIndex: number) => object, more: object = {}) => [
  {
    name: 't',
    ...more,
    partitions: [0, 1, 2].map((index) => ({ partitionIndex: index, ...one(index) })),
  },
]

/** By API key: the newest version that is spoken, and the answer. */
function answers(errorOf: (partition: number) => number): Record<number, [number, object]> {
  const node = { nodeId: 1, ...broker.address }
  const ok = { throttleTimeMs: 0, errorCode: 0 }
  const place = { leaderId: 1, leaderEpoch: 0, replicaNodes: [1], isrNodes: [1] }
  const leader = () => ({ errorCode: 0, ...place, offlineReplicas: [] })
  const offset = () => ({ errorCode: 0, timestamp: -1, offset: 0, leaderEpoch: 0 })
  const committed = () => ({
    ...{ committedOffset: 7, committedLeaderEpoch: -1, metadata: '', errorCode: 0 },
  })
  const topic = { errorCode: 0, topicId: ZERO_TOPIC_ID, isInternal: false }
  const cluster = { throttleTimeMs: 0, clusterId: 'c', controllerId: 1 }
  const group = { errorCode: 0, groupId: 'g', groupState: 'Empty', protocolType: 'consumer' }
  return {
    2: [5, { ...ok, topics: topicsOf(offset) }],
    [METADATA]: [
      12,
      { ...cluster, brokers: [{ ...node, rack: null }], topics: topicsOf(leader, topic) },
    ],
    8: [7, { ...ok, topics: topicsOf((partition) => ({ errorCode: errorOf(partition) })) }],
    9: [7, { ...ok, groups: [], topics: topicsOf(committed) }],
    10: [3, { ...ok, errorMessage: null, ...node, coordinators: [] }],
    15: [4, { ...ok, groups: [{ ...group, protocolData: '', members: [] }] }],
  }
}

function serve(errorOf: (partition: number) => number): void {
  const known = answers(errorOf)
  broker.onRequest = ({ api, answer }: Asked) => {
    const apiKeys = Object.entries(known).map(([key, [maxVersion]]) => ({
      ...{ apiKey: Number(key), minVersion: 0, maxVersion },
    }))
    const versions = { errorCode: 0, apiKeys, throttleTimeMs: 0 }
    if (api.key === 18) answer({ ...versions, supportedFeatures: [], finalizedFeatures: [] })
    else answer(known[api.key]![1])
  }
}

const reset = async (...more: string[]) => {
  const { host, port } = broker.address
  const args = ['group', 'reset-offsets', 'g', '--to', 'start', '-b', `${host}:${port}`]
  return await runGriot([...args, ...more])
}

test('says which partitions were reset, which were not, and why', async () => {
  const errors = [0, TOPIC_AUTHORIZATION_FAILED, INVALID_COMMIT_OFFSET_SIZE]
  serve((partition) => errors[partition]!)
  const { code, stdout, stderr } = await reset()
  expect(code).toBe(1)
  const rows = stdout
    .trim()
    .split('\n')
    .map((line) => line.split(/\s{2,}/))
  expect(rows.slice(1)).toEqual([
    ['t', '0', '7', '0'],
    ['t', '1', '7', '7', 'not reset: TOPIC_AUTHORIZATION_FAILED'],
    ['t', '2', '7', '7', 'not reset: INVALID_COMMIT_OFFSET_SIZE'],
  ])
  expect(stderr).toContain('group "g": 1 of 3 partitions reset, the others are where they were')
  expect(stderr).toMatch(/group "g" in t\/1: TOPIC_AUTHORIZATION_FAILED; .*does not let you/)
  expect(stderr).toMatch(/group "g" in t\/2: INVALID_COMMIT_OFFSET_SIZE/)
  const json = await reset('--json')
  expect(json.code).toBe(1)
  expect(JSON.parse(json.stdout).offsets).toMatchObject([
    { partition: 0, before: 7, after: 0, error: null },
    { partition: 1, before: 7, after: 7, error: { code: 29, name: 'TOPIC_AUTHORIZATION_FAILED' } },
    { partition: 2, before: 7, after: 7, error: { code: 28 } },
  ])
})

test('says so where none was, and nothing more where all were', async () => {
  serve(() => TOPIC_AUTHORIZATION_FAILED)
  const none = await reset()
  expect([none.code, none.stderr]).toEqual([1, expect.stringContaining('0 of 3 partitions')])
  serve(() => 0)
  expect(await reset()).toMatchObject({ code: 0, stderr: '' })
})

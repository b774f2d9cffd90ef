/** Directories of brokers are emptied between two runs, and nobody uses the partitions: they are filled anew all the same, and clients and operators are told how it stands. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ZERO_TOPIC_ID } from '../../src/base/ids.ts'
import { produce } from '../../src/protocol/00-produce.ts'
import { metadata } from '../../src/protocol/03-metadata.ts'
import { deleteTopics } from '../../src/protocol/20-delete-topics.ts'
import { alterPartitionReassignments } from '../../src/protocol/45-alter-partition-reassignments.ts'
import { idempotentBatch } from '../broker/batches.ts'
import { ChaosEngine } from './chaos-engine.ts'
import { isWhole } from './quorum.ts'

let dataDir: string
let engine: ChaosEngine
beforeEach(() => {
  dataDir = mkdtempSync(path.join(os.tmpdir(), 'griot-emptied-'))
})
afterEach(async () => {
  await engine.close()
  rmSync(dataDir, { recursive: true, force: true })
})

const start = async (brokers: number) => {
  engine = await ChaosEngine.start(brokers, { dataDir })
}

const empty = (broker: number) =>
  rmSync(path.join(dataDir, `broker-${broker}`), { recursive: true })

/** Replicas that there are in a broker's directory, as `topic id-partition`. */
function replicasIn(broker: number): string[] {
  const root = path.join(dataDir, `broker-${broker}`)
  if (!existsSync(root)) return []
  const tenants = readdirSync(root).filter((name) => /^[0-9a-f]{16}$/.test(name))
  return tenants.flatMap((tenant) => readdirSync(path.join(root, tenant))).sort()
}

const makeTopic = (topic: string, numPartitions: number) =>
  engine.withAdmin((admin) =>
    admin.createTopics({ topics: [{ topic, numPartitions, replicationFactor: 3 }] }),
  )

const partitionsOf = (topic: string) =>
  engine.withAdmin(async (admin) => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    return topics[0]!.partitions
  })

async function writeToEach(topic: string, partitions: number, value: string): Promise<void> {
  const producer = await engine.producer()
  const messages = Array.from({ length: partitions }, (_, partition) => ({ partition, value }))
  await producer.send({ topic, messages })
}

/** What there is in the topic, by partition. */
async function readAll(topic: string, count: number): Promise<string[]> {
  const consumer = engine.client().consumer({ groupId: `g${Math.random()}` })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const read: string[] = []
  await consumer.run({
    eachMessage: async ({ partition, message: { value } }) =>
      void read.push(`${partition} ${value}`),
  })
  await expect.poll(() => read.length, { timeout: 20_000 }).toBeGreaterThanOrEqual(count)
  await consumer.disconnect()
  return read.sort()
}

test('a broker’s directory is filled anew though nobody uses the partitions, and then the next may go', async () => {
  const written = 60
  const quiet = 20
  let looked = 0
  await start(3)
  await makeTopic('written', written)
  await makeTopic('quiet', quiet)
  await writeToEach('written', written, 'a')
  // copies without a vote are those of a group that was broker 1 alone
  await isWhole(engine.griot.brokers)
  const replicas = [1, 2, 3].map(replicasIn)
  expect(replicas[0]!.length).toBeGreaterThanOrEqual(written)
  for (const broker of [1, 2, 3]) {
    await engine.close()
    empty(broker)
    await start(3)
    const told = await partitionsOf('written')
    // those of which there is nothing yet had nothing then
    const filled = new Set(replicasIn(broker).map((name) => name.split('-')[1]))
    for (const { leader, isr, partitionId } of told) {
      if (filled.has(`${partitionId}`)) continue
      expect(leader, `partition ${partitionId}`).not.toBe(broker)
      expect(isr, `partition ${partitionId}`).not.toContain(broker)
      looked++
    }
    await engine.healthIs(`broker ${broker} has another directory than before`, 2_000)
    await engine.healthIs('serving', 30_000)
    const there = replicasIn(broker)
    for (const replica of replicas[broker - 1]!) expect(there).toContain(replica)
    for (const { isr } of await partitionsOf('written')) expect(isr.toSorted()).toEqual([1, 2, 3])
  }
  expect(looked, 'partitions that were not filled yet').toBeGreaterThan(0)
  expect(await readAll('written', written)).toEqual(
    Array.from({ length: written }, (_, i) => `${i} a`).sort(),
  )
}, 60_000)

describe('more directories are emptied than a partition can lose', () => {
  test('it has no leader, and everybody is told so; the others are served', async () => {
    await start(5)
    const topics = [
      { topic: 'lost', replicaAssignment: [{ partition: 0, replicas: [4, 5, 1] }] },
      { topic: 'kept', replicaAssignment: [{ partition: 0, replicas: [5, 1, 2] }] },
    ]
    await engine.withAdmin((admin) => admin.createTopics({ topics }))
    for (const { topic } of topics) await writeToEach(topic, 1, 'a')
    await engine.close()
    empty(4)
    empty(5)
    await start(5)
    const wire = await engine.wire()
    const rowOf = async (name: string) => {
      const { topics } = await wire.request(metadata, 9, {
        topics: [{ name, topicId: ZERO_TOPIC_ID }],
        includeClusterAuthorizedOperations: false,
        includeTopicAuthorizedOperations: false,
      })
      return topics[0]!.partitions[0]!
    }
    // the front hears of both directories a moment after the brokers do
    const lost = { errorCode: 5, leaderId: -1, isrNodes: [1] }
    await expect.poll(() => rowOf('lost'), { timeout: 2_000 }).toMatchObject(lost)
    // kafkajs asks for all topics first, and gives up where one of them has no leader
    const produced = await wire.request(produce, 9, {
      ...{ acks: -1, timeoutMs: 10_000 },
      topicData: [
        {
          ...{ name: 'kept', topicId: ZERO_TOPIC_ID },
          // with a producer id: while its leader changes the front sends it again
          partitionData: [{ index: 0, records: idempotentBatch(7_000, 0) }],
        },
      ],
    })
    expect(produced.responses[0]!.partitionResponses[0]).toMatchObject({ errorCode: 0 })
    expect(await engine.endsOf('kept')).toEqual(['2'])
    await engine.healthIs('of 1 partition too few replicas are left', 20_000)
    expect(await rowOf('lost')).toMatchObject(lost)
    expect((await rowOf('kept')).isrNodes.toSorted()).toEqual([1, 2, 5])
    const partitions = [{ partitionIndex: 0, replicas: [1, 2, 3] }]
    const moved = await wire.request(alterPartitionReassignments, 1, {
      ...{ timeoutMs: 10_000, allowReplicationFactorChange: true },
      topics: ['lost', 'kept'].map((name) => ({ name, partitions })),
    })
    const [ofLost, ofKept] = moved.responses.map((response) => response.partitions[0]!)
    expect(ofLost).toMatchObject({ errorCode: 83 })
    expect(ofLost!.errorMessage).toMatch(/^Nobody can lead lost-0, .* \(on broker 1\)/)
    expect(ofKept).toMatchObject({ errorCode: 0 })
    // nothing else can be done about it
    const request = { topics: [], topicNames: ['lost'], timeoutMs: 10_000 }
    const deleted = await wire.request(deleteTopics, 5, request)
    expect(deleted.responses).toMatchObject([{ errorCode: 0 }])
    await engine.healthIs('serving', 10_000)
  }, 60_000)
})

test('what had one replica in a directory that was emptied is told to be lost until the next start', async () => {
  await start(3)
  const replicaAssignment = [{ partition: 0, replicas: [3] }]
  await engine.withAdmin((admin) =>
    admin.createTopics({ topics: [{ topic: 'single', replicaAssignment }] }),
  )
  await writeToEach('single', 1, 'a')
  await isWhole(engine.griot.brokers)
  await engine.close()
  empty(3)
  await start(3)
  const lost = 'of 1 partition it had the only replica, and what that had is lost'
  await engine.healthIs(lost, 5_000)
  // all else is filled by then
  await engine.healthIs(`another directory than before: ${lost}`, 20_000)
  expect(await engine.endsOf('single')).toEqual(['0'])
  await engine.close()
  await start(3)
  await engine.healthIs('serving')
}, 60_000)

test('a directory that is emptied under a running engine is filled anew, too', async () => {
  await start(3)
  await makeTopic('written', 20)
  await writeToEach('written', 20, 'a')
  await isWhole(engine.griot.brokers)
  const before = replicasIn(2)
  empty(2)
  await engine.chaos.killBroker(2)
  await engine.healthIs('broker 2 has another directory than before', 20_000)
  await engine.healthIs('serving', 20_000)
  expect(replicasIn(2)).toEqual(before)
  for (const { isr } of await partitionsOf('written')) expect(isr.toSorted()).toEqual([1, 2, 3])
}, 60_000)

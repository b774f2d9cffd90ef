/** Consumer groups by kafkajs against `griot start`: reading, resuming, sharing, administration, and commits that outlive kill -9. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Admin, type Consumer, Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ZERO_TOPIC_ID } from '../../src/base/ids.ts'
import { offsetCommit } from '../../src/protocol/08-offset-commit.ts'
import { EngineProcess } from './engine-process.ts'
import { count } from './requirements.ts'
import { Wire } from './wire.ts'

const rounds = count(3, 20)

const simpleCommit = (groupId: string, partitionIndex: number, committedOffset: number) => ({
  ...{ groupId, generationIdOrMemberEpoch: -1, memberId: '', groupInstanceId: null },
  retentionTimeMs: -1,
  topics: [
    {
      ...{ name: 'killed', topicId: ZERO_TOPIC_ID },
      partitions: [
        { partitionIndex, committedOffset, committedLeaderEpoch: -1, committedMetadata: '' },
      ],
    },
  ],
})

describe('a kafkajs consumer group', () => {
  let directory: string
  let engine: EngineProcess
  let kafka: Kafka
  let admin: Admin

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'griot-groups-'))
    engine = await EngineProcess.create(join(directory, 'data'), 3, [
      '--broker-config',
      'group.initial.rebalance.delay.ms=0',
    ])
    await engine.start()
    kafka = new Kafka({
      brokers: [engine.bootstrap],
      logLevel: logLevel.NOTHING,
      retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 100 },
    })
    admin = kafka.admin()
    await admin.connect()
  })

  afterAll(async () => {
    await admin?.disconnect()
    await engine?.end('SIGTERM')
    await rm(directory, { recursive: true, force: true })
  })

  async function produce(topic: string, values: readonly string[], partitions = 1) {
    const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
    await producer.connect()
    await producer.send({
      topic,
      messages: values.map((value, i) => ({ value, partition: i % partitions })),
    })
    await producer.disconnect()
  }

  /** Reads as a member of `groupId` until `wanted` records have come, commits them, and leaves. */
  async function consume(topic: string, groupId: string, wanted: number): Promise<string[]> {
    const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 100 })
    const values: string[] = []
    await consumer.connect()
    await consumer.subscribe({ topic, fromBeginning: true })
    await new Promise<void>((resolve, reject) => {
      consumer.on('consumer.crash', ({ payload }) => reject(payload.error))
      void consumer.run({
        eachMessage: async ({ message }) => {
          values.push(message.value!.toString())
          if (values.length === wanted) resolve()
        },
      })
    })
    await consumer.disconnect()
    return values
  }

  it('reads a topic to its end, and goes on there the next time', async () => {
    await admin.createTopics({ topics: [{ topic: 'read', numPartitions: 3 }] })
    const first = Array.from({ length: 300 }, (_, i) => `first ${i}`)
    const second = Array.from({ length: 30 }, (_, i) => `second ${i}`)
    await produce('read', first, 3)
    expect((await consume('read', 'reader', 300)).sort()).toEqual([...first].sort())
    await produce('read', second, 3)
    expect((await consume('read', 'reader', 30)).sort()).toEqual([...second].sort())
  })

  it('shares partitions between members, and takes over those of one that leaves', async () => {
    await admin.createTopics({ topics: [{ topic: 'shared', numPartitions: 4 }] })
    const partitionsOf = new Map<Consumer, number[]>()
    const member = async () => {
      const consumer = kafka.consumer({
        groupId: 'sharing',
        heartbeatInterval: 200,
        maxWaitTimeInMs: 100,
      })
      consumer.on('consumer.group_join', ({ payload }) =>
        partitionsOf.set(consumer, payload.memberAssignment.shared ?? []),
      )
      await consumer.connect()
      await consumer.subscribe({ topic: 'shared' })
      await consumer.run({ eachMessage: async () => {} })
      return consumer
    }
    const all = () => [...partitionsOf.values()].flat().sort()
    const settled = (sizes: readonly number[]) =>
      expect
        .poll(
          () => ({
            all: all(),
            sizes: [...partitionsOf.values()].map((some) => some.length).sort(),
          }),
          { timeout: 15_000 },
        )
        .toEqual({ all: [0, 1, 2, 3], sizes })
    const one = await member()
    await settled([4])
    const two = await member()
    await settled([2, 2])
    await one.disconnect()
    partitionsOf.delete(one)
    await settled([4])
    await two.disconnect()
  }, 60_000)

  it('is described, listed, moved and deleted', async () => {
    await admin.createTopics({ topics: [{ topic: 'managed', numPartitions: 2 }] })
    await produce('managed', ['a', 'b', 'c', 'd'], 2)
    await consume('managed', 'managed-group', 4)
    const { groups } = await admin.listGroups()
    expect(groups.map(({ groupId }) => groupId)).toContain('managed-group')
    const described = await admin.describeGroups(['managed-group'])
    expect(described.groups).toMatchObject([{ state: 'Empty', members: [] }])
    const offsets = async () => {
      const [fetched] = await admin.fetchOffsets({ groupId: 'managed-group', topics: ['managed'] })
      return fetched!.partitions
        .toSorted((a, b) => a.partition - b.partition)
        .map(({ offset }) => offset)
    }
    expect(await offsets()).toEqual(['2', '2'])
    await admin.setOffsets({
      groupId: 'managed-group',
      topic: 'managed',
      partitions: [{ partition: 1, offset: '1' }],
    })
    expect(await offsets()).toEqual(['2', '1'])
    expect(await consume('managed', 'managed-group', 1)).toEqual(['d'])
    await admin.resetOffsets({ groupId: 'managed-group', topic: 'managed', earliest: true })
    expect((await consume('managed', 'managed-group', 4)).sort()).toEqual(['a', 'b', 'c', 'd'])
    await admin.deleteGroups(['managed-group'])
    expect(await offsets()).toEqual(['-1', '-1'])
  }, 60_000)

  it(
    `keeps what it has committed over ${rounds} kills -9`,
    async () => {
      await admin.createTopics({ topics: [{ topic: 'killed', numPartitions: 12 }] })
      const groupIds = Array.from({ length: 5 }, (_, i) => `killed-${i}`)
      const acknowledged = new Map<string, number>()
      let commits = 0
      /** Commits until its connection goes: what was answered is noted. */
      const commitUntilKilled = async (groupId: string) => {
        const wire = await Wire.open(engine.bootstrap)
        for (;;) {
          const offset = ++commits
          const partition = offset % 12
          const answer = await wire.request(
            offsetCommit,
            8,
            simpleCommit(groupId, partition, offset),
          )
          const { errorCode } = answer.topics[0]!.partitions[0]!
          if (errorCode === 0) acknowledged.set(`${groupId} ${partition}`, offset)
          // being loaded
          else await new Promise((resolve) => setTimeout(resolve, 5))
        }
      }
      for (let round = 0; round < rounds; round++) {
        const committing = groupIds.map((groupId) => commitUntilKilled(groupId).catch(() => {}))
        await new Promise((resolve) => setTimeout(resolve, 700))
        await engine.end('SIGKILL')
        await Promise.all(committing)
        await engine.start()
        for (const groupId of groupIds) {
          const [fetched] = await admin.fetchOffsets({ groupId, topics: ['killed'] })
          for (const { partition, offset: stored } of fetched!.partitions) {
            const known = acknowledged.get(`${groupId} ${partition}`)
            // one that was not acknowledged any more may be there, an older one must not
            if (known !== undefined) expect(Number(stored)).toBeGreaterThanOrEqual(known)
          }
        }
      }
      console.log(`${commits} commits, ${rounds} kills, none lost`)
      expect(acknowledged.size).toBe(groupIds.length * 12)
    },
    rounds * 8_000 + 30_000,
  )
})

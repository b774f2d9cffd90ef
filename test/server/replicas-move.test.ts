/** Replicas move between real threads while a real client writes and another reads. */
import { Kafka, logLevel } from 'kafkajs'
import { afterEach, expect, test, vi } from 'vitest'
import { Griot } from '../../dist/index.js'

let griot: Griot
const ends: (() => Promise<void>)[] = []
afterEach(async () => {
  await Promise.all(ends.splice(0).map((end) => end()))
  await griot.close()
})

test('one replica becomes three, these move, and clients read and write on', async () => {
  griot = await Griot.start({ brokers: 5, httpListen: '127.0.0.1:0', logLevel: 'silent' })
  const kafka = new Kafka({ brokers: [...griot.brokers], logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  const producer = kafka.producer({ idempotent: true })
  const consumer = kafka.consumer({ groupId: 'readers' })
  ends.push(...[admin, producer, consumer].map((client) => () => client.disconnect()))
  await Promise.all([admin.connect(), producer.connect(), consumer.connect()])
  const topic = 'moved'
  await admin.createTopics({
    topics: [{ topic, replicaAssignment: [{ partition: 0, replicas: [2] }] }],
  })
  const read: string[] = []
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({ eachMessage: async ({ message }) => void read.push(`${message.value}`) })

  let sent = 0
  let isDone = false
  const writing = (async () => {
    while (!isDone) {
      const messages = Array.from({ length: 5 }, () => ({ key: 'k', value: `${sent++}` }))
      await producer.send({ topic, messages })
    }
  })()
  const replicas = async () => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    const { replicas, isr, leader } = topics[0]!.partitions[0]!
    return { replicas, isr: [...isr].sort(), leader }
  }
  const move = async (to: number[]) => {
    const partitionAssignment = [{ partition: 0, replicas: to }]
    await admin.alterPartitionReassignments({ topics: [{ topic, partitionAssignment }] })
    const isMoved = async () => {
      const now = { replicas: to, isr: [...to].sort(), leader: to[0] }
      expect(await replicas()).toEqual(now)
      expect((await admin.listPartitionReassignments({})).topics).toEqual([])
    }
    await vi.waitFor(isMoved, { timeout: 20_000, interval: 50 })
  }
  await vi.waitFor(() => expect(read.length).toBeGreaterThan(50), { timeout: 20_000 })
  await move([2, 1, 3])
  await move([4, 5])
  await move([1])
  isDone = true
  await writing
  const wanted = Array.from({ length: sent }, (_, i) => `${i}`)
  await vi.waitFor(() => expect(read.length).toBeGreaterThanOrEqual(sent), { timeout: 20_000 })
  expect(read).toEqual(wanted)
  const [offsets] = await admin.fetchTopicOffsets(topic)
  expect(offsets!.high).toBe(`${sent}`)
}, 60_000)

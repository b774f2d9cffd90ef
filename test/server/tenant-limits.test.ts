/** Limits of a tenant over sockets, by a real client, with three brokers and the admin API beside it. */
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Griot } from '../../dist/index.js'

let griot: Griot
let tenant: Awaited<ReturnType<Griot['createTenant']>>
let kafka: Kafka
beforeAll(async () => {
  griot = await Griot.start({ brokers: 3, logLevel: 'silent' })
  const limits = { storageBytes: 1_000_000, groups: 1, messageBytes: 300_000 }
  tenant = await griot.createTenant({ name: 'acme', limits })
  kafka = new Kafka({
    ...{ brokers: [...tenant.brokers], logLevel: logLevel.NOTHING },
    retry: { retries: 2, initialRetryTime: 50 },
  })
}, 30_000)
afterAll(() => griot.close())

const value = (bytes: number) => 'x'.repeat(bytes)

test('what is stored is bounded, over all brokers, and recovers when records are deleted', async () => {
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic: 't', numPartitions: 6, replicationFactor: 3 }] })
  const producer = kafka.producer()
  await producer.connect()
  const send = (partition: number, bytes = 100_000) =>
    producer.send({ topic: 't', messages: [{ partition, value: value(bytes) }] })
  await expect(send(0, 400_000)).rejects.toMatchObject({ type: 'MESSAGE_TOO_LARGE' })
  let taken = 0
  const fill = async () => {
    for (; taken < 40; taken++) await send(taken % 6)
  }
  await expect(fill()).rejects.toMatchObject({ type: 'POLICY_VIOLATION', retriable: false })
  // three brokers tell each other after a tenth of a second
  expect(taken).toBeGreaterThanOrEqual(9)
  expect(taken).toBeLessThan(40)
  const offsets = await admin.fetchTopicOffsets('t')
  expect(offsets.reduce((sum, { high }) => sum + Number(high), 0)).toBe(taken)
  await admin.deleteTopicRecords({
    topic: 't',
    partitions: offsets.map(({ partition }) => ({ partition, offset: '-1' })),
  })
  await expect
    .poll(
      () =>
        send(0).then(
          () => true,
          () => false,
        ),
      { timeout: 10_000 },
    )
    .toBe(true)
  await producer.disconnect()
  await admin.disconnect()
}, 60_000)

test('a topic too many is not made at its first use, and its producer goes on with another', async () => {
  const limited = await griot.createTenant({ name: 'emca', limits: { topics: 1 } })
  const client = new Kafka({
    ...{ brokers: [...limited.brokers], logLevel: logLevel.NOTHING },
    retry: { retries: 2, initialRetryTime: 50 },
  })
  // each send asks for metadata anew, of every topic that the producer has not given up
  const producer = client.producer({ metadataMaxAge: 1 })
  await producer.connect()
  const send = (topic: string) => producer.send({ topic, messages: [{ value: 'x' }] })
  await send('one')
  await expect(send('two')).rejects.toMatchObject({
    cause: { type: 'UNKNOWN_TOPIC_OR_PARTITION' },
  })
  for (let i = 0; i < 3; i++) expect(await send('one')).toMatchObject([{ errorCode: 0 }])
  await producer.disconnect()
}, 60_000)

test('a client that logs in while there are as many connections as may be tries again, and is let in when one has gone', async () => {
  const limited = await griot.createTenant({ name: 'umbra', limits: { connections: 1 } })
  const { key, secret } = await limited.createKey()
  const admin = () =>
    new Kafka({
      ...{ brokers: [limited.brokers[0]!], logLevel: logLevel.NOTHING },
      sasl: { mechanism: 'plain', username: key, password: secret },
      retry: { retries: 20, initialRetryTime: 50, maxRetryTime: 200 },
    }).admin()
  const [first, second] = [admin(), admin()]
  await first.connect()
  // another error, and kafkajs would never try again
  await second.connect()
  await expect(second.listTopics()).rejects.toMatchObject({ retriable: true })
  await first.disconnect()
  await expect.poll(() => second.listTopics().catch(() => null), { timeout: 10_000 }).toEqual([])
  await second.disconnect()
}, 30_000)

test('a group too many is refused for good, and is none', async () => {
  const admin = kafka.admin()
  await admin.connect()
  const join = async (groupId: string) => {
    const consumer = kafka.consumer({ groupId })
    await consumer.connect()
    await consumer.subscribe({ topic: 't' })
    const outcome = new Promise<unknown>((resolve) => {
      consumer.on('consumer.group_join', () => resolve('joined'))
      consumer.on('consumer.crash', ({ payload }) => resolve(payload))
    })
    await consumer.run({ eachMessage: async () => {} }).catch(() => {})
    const became = await outcome
    await consumer.disconnect()
    return became
  }
  expect(await join('one')).toBe('joined')
  expect(await join('two')).toMatchObject({
    ...{ error: { type: 'POLICY_VIOLATION' }, restart: false },
  })
  expect((await admin.listGroups()).groups.map(({ groupId }) => groupId)).toEqual(['one'])
  await admin.disconnect()
}, 60_000)

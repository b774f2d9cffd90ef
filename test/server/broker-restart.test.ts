/** A broker's thread dies, and its successor takes its place: real threads and a real client, while the process goes on. */
import { syncBuiltinESMExports } from 'node:module'
import workerThreads, { type Worker } from 'node:worker_threads'
import { type Consumer, Kafka, logLevel, type Producer } from 'kafkajs'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { Griot } from '../../dist/index.js'
import { SeededRandom } from '../../src/base/random.ts'

const LONG = process.env.GRIOT_TEST_LONG === '1'
const workers: { name: string; worker: Worker }[] = []
const RealWorker = workerThreads.Worker

beforeAll(() => {
  workerThreads.Worker = class extends RealWorker {
    constructor(...args: ConstructorParameters<typeof RealWorker>) {
      super(...args)
      workers.push({ name: args[1]?.name ?? '', worker: this })
    }
  }
  syncBuiltinESMExports()
})
afterAll(() => {
  workerThreads.Worker = RealWorker
  syncBuiltinESMExports()
})

let griot: Griot
const clients: (Producer | Consumer)[] = []
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.disconnect()))
  await griot.close()
  workers.length = 0
})

async function start(brokers: number): Promise<Kafka> {
  griot = await Griot.start({ brokers, httpListen: '127.0.0.1:0', logLevel: 'silent' })
  return new Kafka({
    brokers: [...griot.brokers],
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 100, maxRetryTime: 500, retries: 60 },
  })
}

/** The newest thread of that broker dies. */
const kill = (broker: number) =>
  workers.findLast(({ name }) => name === `griot broker-1-${broker}`)!.worker.terminate()

async function health(): Promise<string> {
  const response = await fetch(`${griot.url}/health`)
  const { status, reasons } = (await response.json()) as { status: string; reasons: string[] }
  return [status, ...reasons].join(': ')
}

const serving = () =>
  vi.waitFor(async () => expect(await health()).toBe('serving'), { timeout: 10_000, interval: 20 })

/** Kills a broker and waits for its successor. */
async function replace(broker: number): Promise<void> {
  await kill(broker)
  await vi.waitFor(async () => expect(await health()).toContain(`broker ${broker} died`), {
    timeout: 5_000,
    interval: 5,
  })
  await serving()
}

async function makeTopic(kafka: Kafka, topic: string, numPartitions: number): Promise<void> {
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic, numPartitions }] })
  await admin.disconnect()
}

async function producerOf(kafka: Kafka): Promise<Producer> {
  const producer = kafka.producer({ idempotent: true })
  clients.push(producer)
  await producer.connect()
  return producer
}

/** A member of a group reads from the beginning on; values by partition. */
async function startReading(kafka: Kafka, topic: string, groupId: string) {
  const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 500 })
  clients.push(consumer)
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const got = new Map<number, string[]>()
  await consumer.run({
    eachMessage: async ({ partition, message }) => {
      const values = got.get(partition) ?? []
      got.set(partition, values)
      values.push(message.value!.toString())
    },
  })
  return got
}

/** Reads until `count` records have come. */
async function readAll(kafka: Kafka, topic: string, groupId: string, count: number) {
  const got = await startReading(kafka, topic, groupId)
  await vi.waitFor(() => expect([...got.values()].flat().length).toBeGreaterThanOrEqual(count), {
    timeout: 20_000,
  })
  return got
}

const byPartition = (values: ReadonlyMap<number, readonly string[]>) =>
  [...values].sort(([a], [b]) => a - b)

/** Sends to every partition of `orders`, one record after the other, until it is stopped; what was acknowledged. */
function produceAll(producer: Producer) {
  const sent = new Map<number, string[]>()
  let isOver = false
  const producing = Array.from({ length: 6 }, async (_, partition) => {
    const values: string[] = []
    sent.set(partition, values)
    for (let i = 0; !isOver; i++) {
      // some lie in the front's own memory while the broker reads them
      const value = `${partition}-${i}${partition === 5 ? 'x'.repeat(30_000) : ''}`
      await producer.send({ topic: 'orders', acks: -1, messages: [{ partition, value }] })
      values.push(value)
    }
  })
  const stop = async () => {
    isOver = true
    await Promise.all(producing)
  }
  return { sent, stop }
}

test('what it has acknowledged is there, and it takes more: produced and read while brokers die, by one client without a restart', async () => {
  const kafka = await start(3)
  await makeTopic(kafka, 'orders', 6)
  const producer = await producerOf(kafka)
  const live = await startReading(kafka, 'orders', 'live')
  const { sent, stop } = produceAll(producer)
  for (const broker of [2, 3, 1, 2]) await replace(broker)
  await stop()
  const total = [...sent.values()].reduce((sum, values) => sum + values.length, 0)
  expect(total).toBeGreaterThan(100)
  // who has read all the time has missed nothing; some of it came twice, where commits failed
  await vi.waitFor(
    () => {
      const distinct = [...live].map(([at, values]) => [at, [...new Set(values)]] as const)
      expect(byPartition(new Map(distinct))).toEqual(byPartition(sent))
    },
    { timeout: 10_000, interval: 200 },
  )
  // in order, each once
  expect(byPartition(await readAll(kafka, 'orders', 'readers', total))).toEqual(byPartition(sent))
}, 50_000)

test('the image, topics made while it was away and after, and what groups have committed: all as before', async () => {
  const kafka = await start(2)
  await makeTopic(kafka, 'before', 2)
  const producer = await producerOf(kafka)
  const send = (topic: string, value: string) =>
    producer.sendBatch({
      topicMessages: [
        {
          topic,
          messages: [0, 1].map((partition) => ({ partition, value: `${value}${partition}` })),
        },
      ],
    })
  await send('before', 'a')
  const waiting = await readAll(kafka, 'before', 'group', 2)
  await kill(2)
  // the controller lives
  await makeTopic(kafka, 'meanwhile', 2)
  await serving()
  await send('meanwhile', 'b')
  await replace(1)
  // the controller is another, and so is its image of everybody
  await makeTopic(kafka, 'after', 2)
  for (const topic of ['before', 'meanwhile', 'after']) await send(topic, 'c')
  const got = await readAll(kafka, 'after', 'others', 2)
  expect([...got].sort()).toEqual([
    [0, ['c0']],
    [1, ['c1']],
  ])
  // who waits at the end of a log that a dead broker kept in memory gets what comes after
  await vi.waitFor(
    () => {
      const distinct = [...waiting].map(([at, values]) => [at, [...new Set(values)]] as const)
      expect(byPartition(new Map(distinct))).toEqual([
        [0, ['a0', 'c0']],
        [1, ['a1', 'c1']],
      ])
    },
    { timeout: 10_000, interval: 50 },
  )
  const admin = kafka.admin()
  await admin.connect()
  await vi.waitFor(async () => {
    const [offsets] = await admin.fetchOffsets({ groupId: 'group', topics: ['before'] })
    const committed = offsets!.partitions.map(({ offset }) => Number(offset))
    for (const offset of committed) expect(offset).toBeGreaterThanOrEqual(1)
  })
  expect(await admin.fetchTopicOffsets('before')).toMatchObject([
    ...[{ offset: '2' }, { offset: '2' }],
  ])
  await admin.disconnect()
}, 50_000)

test('brokers die at random, also while they start, as long as one lives', async () => {
  const kafka = await start(3)
  await makeTopic(kafka, 'orders', 6)
  const producer = await producerOf(kafka)
  const { sent, stop } = produceAll(producer)
  const seed = Date.now() >>> 0
  const random = new SeededRandom(seed)
  const isDead = async (broker: number) => (await health()).includes(`broker ${broker} died`)
  for (let killed = 0; killed < (LONG ? 15 : 9); ) {
    const broker = 1 + random.below(3)
    const others = [1, 2, 3].filter((other) => other !== broker)
    if (!(await Promise.all(others.map(isDead))).includes(true)) {
      await kill(broker)
      killed++
    }
    await new Promise((done) => setTimeout(done, random.below(500)))
  }
  await vi.waitFor(async () => expect(await health()).toBe('serving'), { timeout: 40_000 })
  await stop()
  const total = [...sent.values()].reduce((sum, values) => sum + values.length, 0)
  const got = await readAll(kafka, 'orders', 'readers', total)
  expect(byPartition(got), `seed ${seed}`).toEqual(byPartition(sent))
}, 200_000)

test('an engine that stops while a broker is away stops at once', async () => {
  await start(2)
  await kill(2)
  await vi.waitFor(async () => expect(await health()).toContain('broker 2 died'), { interval: 5 })
  const before = performance.now()
  await griot.close()
  expect(performance.now() - before).toBeLessThan(10_000)
  const started = workers.filter(({ name }) => name === 'griot broker-1-2').length
  expect(started).toBeLessThanOrEqual(2)
})

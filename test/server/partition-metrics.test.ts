/** What `/metrics` tells of partitions with one replica and with three, while brokers fail. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ChaosEngine } from './chaos-engine.ts'
import { parseMetrics } from './prometheus-text.ts'

let engine: ChaosEngine
beforeEach(async () => {
  engine = await ChaosEngine.start(3)
  await engine.withAdmin(async (admin) => {
    const topics = [
      { topic: 'single', numPartitions: 3, replicationFactor: 1 },
      { topic: 'triple', numPartitions: 6, replicationFactor: 3 },
    ]
    await admin.createTopics({ topics })
  })
})
afterEach(() => engine.close())

const OF_BROKERS = 'kafka_server_replicamanager_'
const OFFLINE = 'kafka_controller_kafkacontroller_offlinepartitionscount'

/** By broker; or one number where there are no brokers. */
async function read(name: string): Promise<number[]> {
  const text = await (await fetch(`${engine.griot.url}/metrics`)).text()
  return parseMetrics(text)
    .filter((sample) => sample.name === name)
    .map(({ value }) => value)
}

const sum = (values: readonly number[]): number => values.reduce((all, one) => all + one, 0)

/** Counted at most once a second, and once the front's thread has been told. */
const eventually = (name: string, of: (values: number[]) => unknown = (values) => values) =>
  expect.poll(async () => of(await read(name)), { timeout: 15_000, interval: 100 })

test('all are led and held by somebody, with or without a client that has asked for them', async () => {
  await eventually(`${OF_BROKERS}leadercount`).toEqual([3, 3, 3])
  await eventually(`${OF_BROKERS}partitioncount`).toEqual([7, 7, 7])
  const producer = await engine.producer()
  const messages = [0, 1, 2, 3, 4, 5].map((partition) => ({ partition, value: 'a' }))
  await producer.send({ topic: 'triple', messages })
  await eventually(`${OF_BROKERS}leadercount`, sum).toBe(9)
  await eventually(`${OF_BROKERS}underreplicatedpartitions`).toEqual([0, 0, 0])
  await eventually(`${OF_BROKERS}underminisrpartitioncount`).toEqual([0, 0, 0])
  await eventually(OFFLINE).toEqual([0])
}, 30_000)

test('replicas that do not keep up show, until they do', async () => {
  await engine.withAdmin(async (admin) => {
    const configEntries = [{ name: 'min.insync.replicas', value: '3' }]
    const resources = [{ type: 2, name: 'triple', configEntries }]
    await admin.alterConfigs({ validateOnly: false, resources })
  })
  const producer = await engine.producer()
  const messages = [0, 1, 2, 3, 4, 5].map((partition) => ({ partition, value: 'a' }))
  await producer.send({ topic: 'triple', messages })
  await engine.chaos.partition(2, 3)
  // of those that 2 leads 3 knows nothing, and the other way round, unless 1 leads them
  await eventually(`${OF_BROKERS}underreplicatedpartitions`, sum).toBeGreaterThan(0)
  await eventually(`${OF_BROKERS}underminisrpartitioncount`, sum).toBeGreaterThan(0)
  await engine.chaos.heal()
  await eventually(`${OF_BROKERS}underreplicatedpartitions`).toEqual([0, 0, 0])
  await eventually(`${OF_BROKERS}underminisrpartitioncount`).toEqual([0, 0, 0])
  await eventually(OFFLINE).toEqual([0])
}, 60_000)

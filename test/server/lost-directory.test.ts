/** A broker's directory is gone between two runs: what the others hold is filled in again, or left alone, and never removed as nobody's. */
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Griot } from '../../dist/index.js'

let dataDir: string
let griot: Griot | null = null
beforeEach(() => {
  dataDir = mkdtempSync(path.join(os.tmpdir(), 'griot-lost-'))
})
afterEach(async () => {
  await griot?.close()
  griot = null
  rmSync(dataDir, { recursive: true, force: true })
})

async function start(): Promise<Kafka> {
  griot = await Griot.start({ dataDir, brokers: 3, logLevel: 'silent' })
  return new Kafka({ brokers: [...griot.brokers], logLevel: logLevel.NOTHING })
}

async function produce(kafka: Kafka, values: readonly string[]): Promise<void> {
  const producer = kafka.producer({ idempotent: true })
  await producer.connect()
  for (const value of values) {
    await producer.send({ topic: 't', messages: [{ partition: 0, value }] })
  }
  await producer.disconnect()
}

async function stop(): Promise<void> {
  await griot?.close()
  griot = null
}

/** Bytes are not looked at: that there are replicas of the topic in a broker's directory. */
function replicasIn(broker: number): string[] {
  const root = path.join(dataDir, `broker-${broker}`)
  if (!existsSync(root)) return []
  const tenants = readdirSync(root).filter((name) => /^[0-9a-f]{16}$/.test(name))
  return tenants.flatMap((tenant) => readdirSync(path.join(root, tenant)))
}

/** Its copy of the metadata has entries. */
function hasMetadata(broker: number): boolean {
  const file = path.join(dataDir, `broker-${broker}`, 'metadata', '00000000000000000000.log')
  return existsSync(file) && statSync(file).size > 0
}

describe('a broker’s directory that is lost', () => {
  test('is filled again from the others', async () => {
    const first = ['a', 'b', 'c']
    let kafka = await start()
    const admin = kafka.admin()
    await admin.connect()
    await admin.createTopics({ topics: [{ topic: 't', numPartitions: 1, replicationFactor: 3 }] })
    await admin.disconnect()
    await produce(kafka, first)
    await stop()
    rmSync(path.join(dataDir, 'broker-2'), { recursive: true })
    kafka = await start()
    await produce(kafka, ['d'])
    await expect.poll(() => replicasIn(2).length, { timeout: 15_000 }).toBeGreaterThan(0)
    const again = kafka.admin()
    await again.connect()
    const inSync = async () => {
      const { topics } = await again.fetchTopicMetadata({ topics: ['t'] })
      return [...topics[0]!.partitions[0]!.isr].sort()
    }
    await expect.poll(inSync, { timeout: 15_000 }).toEqual([1, 2, 3])
    await again.disconnect()
    // with what it has been given it is as good as any: the two others may go
    const consumer = kafka.consumer({ groupId: 'g' })
    await consumer.connect()
    await consumer.subscribe({ topic: 't', fromBeginning: true })
    const values: string[] = []
    await consumer.run({ eachMessage: async ({ message }) => void values.push(`${message.value}`) })
    await expect.poll(() => values, { timeout: 15_000 }).toEqual([...first, 'd'])
    await consumer.disconnect()
  }, 60_000)

  test('with the metadata in it is no loss: the others have it, and it is filled again', async () => {
    let kafka = await start()
    const admin = kafka.admin()
    await admin.connect()
    await admin.createTopics({ topics: [{ topic: 't', numPartitions: 1, replicationFactor: 3 }] })
    await admin.disconnect()
    await produce(kafka, ['a'])
    await expect.poll(() => [2, 3].every(hasMetadata), { timeout: 15_000 }).toBe(true)
    await stop()
    rmSync(path.join(dataDir, 'broker-1'), { recursive: true })
    kafka = await start()
    await produce(kafka, ['b'])
    await expect.poll(() => hasMetadata(1), { timeout: 15_000 }).toBe(true)
    await expect.poll(() => replicasIn(1).length, { timeout: 15_000 }).toBeGreaterThan(0)
  }, 60_000)

  test('with the last copy of the metadata stops the start, and replicas stay', async () => {
    const kafka = await start()
    const admin = kafka.admin()
    await admin.connect()
    await admin.createTopics({ topics: [{ topic: 't', numPartitions: 1, replicationFactor: 3 }] })
    await admin.disconnect()
    await produce(kafka, ['a'])
    await stop()
    const before = [2, 3].map(replicasIn)
    expect(before.every((names) => names.length > 0)).toBe(true)
    rmSync(path.join(dataDir, 'broker-1'), { recursive: true })
    for (const broker of [2, 3]) {
      rmSync(path.join(dataDir, `broker-${broker}`, 'metadata'), { recursive: true, force: true })
    }
    await expect(start()).rejects.toThrow(
      /no metadata in .*broker-1 and .*broker-2.* holds replicas/,
    )
    expect([2, 3].map(replicasIn)).toEqual(before)
  }, 60_000)
})

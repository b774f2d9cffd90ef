/** A broker's directory is gone between two runs: what the others hold is filled in again, or left alone, and never removed as nobody's. */
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Griot } from '../../dist/index.js'
import { quorumOf } from './quorum.ts'

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

async function start(brokers = 3): Promise<Kafka> {
  griot = await Griot.start({ dataDir, brokers, chaos: true, logLevel: 'silent' })
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

const threeVote = () =>
  expect
    .poll(async () => (await quorumOf(griot!.brokers)).voters, { timeout: 15_000 })
    .toEqual([1, 2, 3])

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
    // one of two copies with a vote would be no majority
    await threeVote()
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
    // copies without a vote are those of a group that was broker 1 alone
    await threeVote()
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

const rootOf = (broker: number) => path.join(dataDir, `broker-${broker}`)

function exchange(one: number, other: number): void {
  const aside = path.join(dataDir, 'aside')
  renameSync(rootOf(one), aside)
  renameSync(rootOf(other), rootOf(one))
  renameSync(aside, rootOf(other))
}

describe('directories of brokers', () => {
  test('that were exchanged or copied end the start, which names them; put back, all is well', async () => {
    await start(5)
    await threeVote()
    await stop()
    // two that keep the metadata; one that does and one that does not; and two that do not
    for (const [one, other] of [
      [2, 3],
      [1, 4],
      [4, 5],
    ] as const) {
      exchange(one, other)
      await expect(start(5), `${one} and ${other}`).rejects.toThrow(
        new RegExp(
          `broker-(${one} holds what is broker ${other}'s|${other} holds what is broker ${one}'s), which belongs in .*broker-(${one}|${other}): .*must not be copied or exchanged`,
        ),
      )
      await stop()
      exchange(one, other)
    }
    for (const [from, to] of [
      [2, 3],
      [4, 5],
    ] as const) {
      const aside = path.join(dataDir, 'aside')
      renameSync(rootOf(to), aside)
      cpSync(rootOf(from), rootOf(to), { recursive: true })
      await expect(start(5), `${from} as ${to}`).rejects.toThrow(
        new RegExp(
          `broker-${to} holds what is broker ${from}'s, which belongs in .*broker-${from}`,
        ),
      )
      await stop()
      rmSync(rootOf(to), { recursive: true })
      renameSync(aside, rootOf(to))
    }
    const kafka = await start(5)
    const admin = kafka.admin()
    await admin.connect()
    expect(
      await admin.createTopics({
        topics: [{ topic: 'u', numPartitions: 5, replicationFactor: 3 }],
      }),
    ).toBe(true)
    await admin.disconnect()
  }, 120_000)

  test('of others that cannot be read keep nobody from coming back', async () => {
    const kafka = await start()
    await threeVote()
    const metadata = path.join(rootOf(2), 'metadata')
    renameSync(metadata, `${metadata}-aside`)
    writeFileSync(metadata, '')
    await griot!.chaos.killBroker(1)
    const admin = kafka.admin()
    await admin.connect()
    const brokers = async () => {
      const { brokers: all } = await admin.describeCluster()
      return all.map(({ nodeId }) => nodeId).sort()
    }
    await expect.poll(brokers, { timeout: 20_000 }).toEqual([1, 2, 3])
    await expect
      .poll(async () => (await quorumOf(griot!.brokers)).leader, { timeout: 20_000 })
      .toBe(1)
    await admin.disconnect()
    rmSync(metadata)
    renameSync(`${metadata}-aside`, metadata)
  }, 60_000)
})

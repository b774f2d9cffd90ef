/** The metadata log of an engine is cut short while topics come and go, and what it said is there after a restart. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { type Admin, Kafka, logLevel } from 'kafkajs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Griot } from '../../dist/index.js'
import { KafkaClient } from '../../src/kafka-client/client.ts'
import { initProducerId } from '../../src/protocol/22-init-producer-id.ts'
import { quorumOf } from './quorum.ts'

/** The segments of such a log are the smallest that there are: 64 KiB. */
const BETWEEN_SNAPSHOTS = 20_000
/** Makes entries that are large enough for a few hundred requests to fill segments. */
const PARTITIONS = 300

const WAIT = { timeout: 20_000 }

let dataDir: string
let griot: Griot | null = null
beforeEach(() => {
  dataDir = mkdtempSync(path.join(os.tmpdir(), 'griot-snapshots-'))
})
afterEach(async () => {
  await griot?.close()
  griot = null
  rmSync(dataDir, { recursive: true, force: true })
})

async function start(brokers: number): Promise<Admin> {
  const brokerConfig = { 'metadata.log.max.record.bytes.between.snapshots': `${BETWEEN_SNAPSHOTS}` }
  griot = await Griot.start({ dataDir, brokers, brokerConfig, logLevel: 'silent' })
  const admin = new Kafka({ brokers: [...griot.brokers], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  return admin
}

async function stop(admin: Admin): Promise<void> {
  await admin.disconnect()
  await griot?.close()
  griot = null
}

const directory = (broker: number) => path.join(dataDir, `broker-${broker}/metadata`)
const filesOf = (broker: number, suffix: string) =>
  readdirSync(directory(broker)).filter((name) => name.endsWith(suffix))
/** Where the first segment begins that is left. */
const startOf = (broker: number) =>
  Math.min(...filesOf(broker, '.log').map((name) => Number(name.slice(0, 20))))

/** Topics come and go until the log of each of `brokers` begins beyond `offset`; returns those that stay. */
async function churn(admin: Admin, brokers: readonly number[], offset: number): Promise<string[]> {
  const stays = `stays-${offset}`
  await admin.createTopics({
    topics: [
      { topic: stays, numPartitions: 1, configEntries: [{ name: 'retention.ms', value: '12345' }] },
    ],
  })
  for (let round = 0; round < 400; round++) {
    const topic = `goes-${offset}-${round}`
    await admin.createTopics({ topics: [{ topic, numPartitions: PARTITIONS }] })
    await admin.deleteTopics({ topics: [topic] })
    if (brokers.every((broker) => startOf(broker) > offset)) return [stays]
  }
  throw new Error(`the log begins at ${brokers.map(startOf)}`)
}

/** All topics and how many partitions they have. */
const described = async (admin: Admin) => {
  const { topics } = await admin.fetchTopicMetadata()
  return topics.map(({ name, partitions }) => `${name} ${partitions.length}`).sort()
}

/** The first of those that a client is given next. */
async function newProducerId(): Promise<number> {
  const bootstrap = griot!.brokers.map((one) => {
    const [host, port] = one.split(':')
    return { host: host!, port: Number(port) }
  })
  const client = new KafkaClient({ bootstrap })
  try {
    const request = { transactionalId: null, transactionTimeoutMs: 60_000 }
    const answer = await client.requestAny(initProducerId, request)
    return Number(answer.producerId)
  } finally {
    client.close()
  }
}

describe('the metadata log of an engine', () => {
  test('begins with a snapshot, and the next start knows all that was said', async () => {
    let admin = await start(1)
    const names = await churn(admin, [1], 0)
    await stop(admin)
    expect(filesOf(1, '.checkpoint').length).toBeGreaterThanOrEqual(2)
    const first = startOf(1)
    admin = await start(1)
    expect(await described(admin)).toEqual(names.map((name) => `${name} 1`))
    names.push(...(await churn(admin, [1], first)))
    await stop(admin)
    admin = await start(1)
    expect(await described(admin)).toEqual(names.map((name) => `${name} 1`).sort())
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: 2, name: names[0]!, configNames: ['retention.ms'] }],
    })
    expect(resources[0]!.configEntries[0]!.configValue).toBe('12345')
    await stop(admin)
  }, 60_000)

  test('is cut short in all its copies, and those who lose theirs are given a snapshot', async () => {
    const all = [1, 2, 3]
    let admin = await start(3)
    const names = await churn(admin, all, 0)
    let id = await newProducerId()
    for (const lost of [3, 1]) {
      await stop(admin)
      const begun = Math.min(...all.map(startOf))
      expect(begun).toBeGreaterThan(0)
      rmSync(path.join(dataDir, `broker-${lost}`), { recursive: true })
      admin = await start(3)
      await expect
        .poll(() => existsSync(directory(lost)) && startOf(lost), WAIT)
        .toBeGreaterThanOrEqual(begun)
      await expect.poll(() => filesOf(lost, '.checkpoint').length, WAIT).toBeGreaterThan(0)
      const quorum = async () => {
        const { voters, lagging } = await quorumOf(griot!.brokers)
        return { voters: voters.toSorted(), lagging }
      }
      await expect.poll(quorum, WAIT).toEqual({ voters: all, lagging: [] })
      expect(await described(admin)).toEqual(names.map((name) => `${name} 1`).sort())
      const next = await newProducerId()
      expect(next).toBeGreaterThan(id)
      id = next
      // with all three again: what was copied is as good as what was there
      names.push(...(await churn(admin, all, Math.max(...all.map(startOf)))))
    }
    await stop(admin)
    admin = await start(3)
    expect(await described(admin)).toEqual(names.map((name) => `${name} 1`).sort())
    await stop(admin)
  }, 60_000)
})

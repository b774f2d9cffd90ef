import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ConfigResourceTypes, Kafka, logLevel, type SASLOptions } from 'kafkajs'
import { describe, expect, it } from 'vitest'
import { EngineProcess } from './engine-process.ts'
import { fetchAll } from './kafkajs-fetch.ts'

const fixtures = join(import.meta.dirname, '../fixtures/data')
const versions = readdirSync(fixtures, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name)

describe('a data directory of an earlier build', () => {
  it('is there for every resolved issue', () => {
    expect(versions.length).toBeGreaterThan(0)
  })

  for (const version of versions) {
    it(`${version} is opened, read and appended to`, async () => {
      const directory = mkdtempSync(join(tmpdir(), 'griot-data-'))
      const dataDir = join(directory, 'data')
      cpSync(join(fixtures, version), dataDir, { recursive: true })
      const engine = await EngineProcess.create(dataDir)
      try {
        for (let start = 0; start < 2; start++) {
          await engine.start()
          await check(engine.bootstrap, start, version)
          if (version !== '0.1.0') await checkGroups(engine.bootstrap, start)
          const keysFile = join(fixtures, `${version}.keys.json`)
          if (existsSync(keysFile)) await checkTenants(engine, start, keysFile)
          // the second start finds what the first has appended, after a kill
          await engine.end('SIGKILL')
        }
      } finally {
        await engine.end('SIGKILL')
        rmSync(directory, { recursive: true, force: true })
      }
    }, 40_000)
  }

  async function check(bootstrap: string, start: number, version: string): Promise<void> {
    const kafka = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING })
    const admin = kafka.admin()
    await admin.connect()
    const later = version === '0.1.0' ? [] : ['__consumer_offsets', 'trimmed']
    expect((await admin.listTopics()).sort()).toEqual(
      [...later, 'append-time', 'durable', 'plain'].sort(),
    )
    await admin.disconnect()
    const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
    await producer.connect()
    for (const topic of ['plain', 'durable', 'append-time']) {
      const expected = Array.from({ length: 50 }, (_, i) => `${topic} ${i}`)
      for (let i = 0; i < start; i++) expected.push(`${topic} appended`)
      const found: string[] = []
      for await (const message of fetchAll(kafka, topic, 0)) found.push(String(message.value))
      expect(found).toEqual(expected)
      const messages = [{ value: `${topic} appended`, partition: 0 }]
      const [answer] = await producer.send({ topic, acks: -1, messages })
      expect(Number(answer!.baseOffset)).toBe(expected.length)
    }
    await producer.disconnect()
  }
})

interface Key {
  readonly key: string
  readonly secret: string
}

/** What builds from 0.3.0 on have: tenants with a plan, keys, users, ACLs, limits, groups of the same names; one that is suspended, one that was deleted. */
async function checkTenants(
  { bootstrap, url, dataDir }: EngineProcess,
  start: number,
  keysFile: string,
): Promise<void> {
  const keys = JSON.parse(readFileSync(keysFile, 'utf8')) as Record<string, Key>
  const clientOf = (name: string, mechanism: 'plain' | 'scram-sha-256') => {
    const { key, secret: password } = keys[name]!
    const username = name === 'scram' ? `acme/${key}` : key
    const sasl = { mechanism, username, password } as SASLOptions
    return new Kafka({
      brokers: [bootstrap],
      sasl,
      logLevel: logLevel.NOTHING,
      retry: { retries: 1 },
    })
  }
  const owner = clientOf('admin', 'plain')
  const admin = owner.admin()
  await admin.connect()
  expect((await admin.listTopics()).sort()).toEqual(['__consumer_offsets', 'plain'])
  const [group] = await admin.fetchOffsets({ groupId: 'kept', topics: ['plain'] })
  expect(group!.partitions.find(({ partition }) => partition === 0)!.offset).toBe('13')
  // a limit of its own, which leaves five
  const wide = admin.createTopics({ topics: [{ topic: 'wide', numPartitions: 6 }] })
  await expect(wide).rejects.toMatchObject({ errors: [{ type: 'POLICY_VIOLATION' }] })
  const { resources } = await admin.describeAcls({
    ...{ resourceType: 1, operation: 1, permissionType: 1, resourcePatternType: 1 },
  } as never)
  expect(resources.flatMap(({ acls }) => acls).length).toBe(4)
  await admin.disconnect()
  const expected = Array.from({ length: 20 }, (_, i) => `acme ${i}`)
  for (let i = 0; i < start; i++) expected.push('appended')
  for (const [name, mechanism] of [
    ['admin', 'scram-sha-256'],
    ['reader', 'plain'],
    ['scram', 'scram-sha-256'],
  ] as const) {
    const client = clientOf(name, mechanism)
    const found: string[] = []
    for await (const message of fetchAll(client, 'plain', 0)) found.push(String(message.value))
    expect(found, name).toEqual(expected)
    const producer = client.producer()
    await producer.connect()
    const sent = producer.send({ topic: 'plain', messages: [{ value: 'appended', partition: 0 }] })
    if (name === 'admin') await sent
    else await expect(sent).rejects.toThrow(/[Nn]ot authorized/)
    await producer.disconnect()
    if (name === 'admin') expected.push('appended')
  }
  await expect(clientOf('revoked', 'plain').admin().connect()).rejects.toThrow()
  const token = readFileSync(join(dataDir, 'operator-token'), 'utf8').trim()
  const headers = { authorization: `Bearer ${token}` }
  const acme = await fetch(`${url}/admin/v1/tenants/acme`, { headers })
  expect(await acme.json()).toMatchObject({ limits: { partitions: 7, topics: 2, connections: 50 } })
  const page = await fetch(`${url}/admin/v1/tenants`, { headers }).then((answer) => answer.json())
  const { tenants } = page as { tenants: { name: string; state: string; plan: string | null }[] }
  expect(tenants.map(({ name, state, plan }) => [name, state, plan])).toEqual([
    ['acme', 'active', 'small'],
    ['default', 'active', null],
    ['paused', 'suspended', null],
  ])
}

/** What builds from 0.2.0 on have: groups, deleted records, configs that were altered, partitions that were added. */
async function checkGroups(bootstrap: string, start: number): Promise<void> {
  const kafka = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()
  const fetched = await admin.fetchOffsets({ groupId: 'kept', topics: ['plain'] })
  const { offset, metadata } = fetched[0]!.partitions.find(({ partition }) => partition === 0)!
  expect([offset, metadata]).toEqual(['42', 'last'])
  const added = await admin.fetchOffsets({ groupId: 'later', topics: ['plain'] })
  expect(added[0]!.partitions[0]!.offset).toBe(start === 0 ? '-1' : '7')
  const partitions = [{ partition: 0, offset: '7' }]
  await admin.setOffsets({ groupId: 'later', topic: 'plain', partitions })
  const [trimmed] = await admin.fetchTopicOffsets('trimmed')
  expect([trimmed!.low, trimmed!.high]).toEqual(['20', '50'])
  expect((await admin.fetchTopicOffsets('durable')).length).toBe(2)
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [
      { type: ConfigResourceTypes.TOPIC, name: 'plain', configNames: ['retention.bytes'] },
    ],
  })
  expect(resources[0]!.configEntries[0]!.configValue).toBe('123456789')
  await admin.disconnect()
}

it('nothing of a fixture is ignored by git', () => {
  for (const version of versions)
    expect(existsSync(join(fixtures, version, 'griot.json'))).toBe(true)
})

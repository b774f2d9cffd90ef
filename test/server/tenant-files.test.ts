/** What whole engines leave of a tenant that is deleted: its name in the metadata log, until that is cut short, and nothing else. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
// the compiled engine: its workers do not run from sources
import { Griot } from '../../dist/index.js'
import { Wire } from '../clients/wire.ts'
import { commitOffset } from './commit-offset.ts'

const TOKEN = 'a-token-of-ours-0123'

let dataDir: string
let griot: Griot
beforeEach(async () => {
  dataDir = mkdtempSync(path.join(os.tmpdir(), 'griot-tenant-files-'))
  await start()
})
afterEach(async () => {
  await griot.close()
  rmSync(dataDir, { recursive: true, force: true })
})

async function start(): Promise<void> {
  const httpListen = '127.0.0.1:0'
  griot = await Griot.start({ dataDir, brokers: 3, httpListen, token: TOKEN, logLevel: 'silent' })
}

async function api(method: string, target: string) {
  const headers = { authorization: `Bearer ${TOKEN}` }
  const response = await fetch(`${griot.adminUrl}/admin/v1${target}`, { method, headers })
  return { status: response.status, body: JSON.parse(await response.text()) }
}

const clientOf = (brokers: readonly string[]) =>
  new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING })

/** Topics with records, replicated and not, and a group that has committed. Returns the tenant's id. */
async function fill(name: string): Promise<string> {
  const { brokers } = await griot.createTenant({ name })
  const kafka = clientOf(brokers)
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({
    topics: [
      { topic: 'orders', numPartitions: 3 },
      { topic: 'single', numPartitions: 3, replicationFactor: 1 },
    ],
  })
  const producer = kafka.producer({ idempotent: true })
  await producer.connect()
  const messages = Array.from({ length: 60 }, (_, at) => ({ key: `${at}`, value: `value-${at}` }))
  for (const topic of ['orders', 'single']) await producer.send({ topic, messages })
  await producer.disconnect()
  const wire = await Wire.open(brokers[0]!)
  await commitOffset(wire, 'billing', 'orders', 1)
  wire.close()
  expect(await admin.listTopics()).toContain('__consumer_offsets')
  await admin.disconnect()
  return (await api('GET', `/tenants/${name}`)).body.tenantId
}

/** Files and directories, under the data directory, whose path or bytes hold `text`. */
function thatHold(text: string): string[] {
  const found: string[] = []
  const names = readdirSync(dataDir, { recursive: true, withFileTypes: true })
  for (const entry of names) {
    const file = path.join(entry.parentPath, entry.name)
    const name = path.relative(dataDir, file)
    if (name.includes(text) || (entry.isFile() && bytesOf(file).includes(text))) found.push(name)
  }
  return found
}

/** None where it has gone meanwhile: the engine runs. */
function bytesOf(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0)
    throw error
  }
}

const outsideMetadata = (text: string): string[] =>
  thatHold(text).filter((name) => !/^broker-\d\/metadata\//.test(name))

test.each(['and the engine goes on', 'and the engine ends at once'])(
  'of its files nothing is left: it is deleted %s',
  async (how) => {
    const acme = await fill('acme')
    const emca = await fill('emca')
    for (const broker of [1, 2, 3])
      expect(outsideMetadata(acme)).toContain(`broker-${broker}/${acme}`)
    const before = outsideMetadata(emca)
    expect((await api('DELETE', '/tenants/acme')).status).toBe(202)
    if (how === 'and the engine ends at once') {
      await griot.close()
      await start()
    }
    const options = { timeout: 10_000, interval: 50 }
    await vi.waitFor(() => expect(outsideMetadata(acme)).toEqual([]), options)
    expect((await api('GET', '/tenants/acme')).status).toBe(404)
    expect(thatHold(acme).length).toBeGreaterThan(0)
    if (how === 'and the engine goes on') expect(outsideMetadata(emca)).toEqual(before)
    await griot.close()
    await start()
    expect(outsideMetadata(acme)).toEqual([])
    expect(existsSync(path.join(dataDir, 'broker-1', emca))).toBe(true)
    const admin = clientOf((await griot.tenant('emca')).brokers).admin()
    await admin.connect()
    const highs = (await admin.fetchTopicOffsets('orders')).map(({ high }) => Number(high))
    expect(highs.reduce((sum, high) => sum + high, 0)).toBe(60)
    await admin.disconnect()
  },
  60_000,
)

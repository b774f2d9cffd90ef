/** The admin API of whole engines, and Kafka clients that come in with what it makes. */
import { Kafka, logLevel } from 'kafkajs'
import { afterEach, expect, test } from 'vitest'
// the compiled engine: its workers do not run from sources
import { Griot, type GriotOptions } from '../../dist/index.js'
import { OpenApiChecks } from '../admin/openapi-checks.ts'

const TOKEN = 'a-token-of-ours-0123'
const engines: Griot[] = []
afterEach(async () => {
  await Promise.all(engines.splice(0).map((griot) => griot.close()))
})

async function start(options: GriotOptions = {}): Promise<Griot> {
  const common = { logLevel: 'silent', httpListen: '127.0.0.1:0', token: TOKEN } as const
  const griot = await Griot.start({ ...common, ...options })
  engines.push(griot)
  return griot
}

async function call(url: string, method: string, path: string, body?: unknown) {
  const response = await fetch(`${url}/admin/v1${path}`, {
    ...{ method, headers: { authorization: `Bearer ${TOKEN}` } },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const contentType = response.headers.get('content-type') ?? ''
  return { status: response.status, contentType, body: JSON.parse(await response.text()) }
}

test('makes a tenant whose clients come in with a key, until that is revoked', async () => {
  const griot = await start()
  const url = griot.adminUrl!
  const checks = new OpenApiChecks((await call(url, 'GET', '/openapi.json')).body)
  const ask = async (method: string, path: string, body?: unknown) => {
    const answer = await call(url, method, path, body)
    checks.check(method, `/admin/v1${path}`, answer)
    return answer
  }
  const made = await ask('POST', '/tenants', { name: 'acme', limits: { topics: 1 } })
  expect(made.status).toBe(201)
  const { key, secret } = (await ask('POST', '/tenants/acme/keys')).body
  expect(secret).toMatch(/^griot_[\w-]{49}$/)
  const kafka = new Kafka({
    ...{ brokers: [...griot.brokers], logLevel: logLevel.NOTHING },
    sasl: { mechanism: 'plain', username: key, password: secret },
    retry: { retries: 0 },
  })
  const admin = kafka.admin()
  await admin.connect()
  expect((await admin.describeCluster()).clusterId).toBe(made.body.clusterId)
  const topics = [{ topic: 'orders', numPartitions: 3 }]
  await admin.createTopics({ topics })
  await expect(admin.createTopics({ topics: [{ topic: 'second' }] })).rejects.toThrow()
  await admin.disconnect()
  const used = { topics: 1, partitions: 3, keys: 1, users: 0 }
  expect((await ask('GET', '/tenants/acme')).body.used).toMatchObject(used)
  expect((await ask('GET', '/tenants/default')).body.used.topics).toBe(0)
  expect(await ask('DELETE', `/tenants/acme/keys/${key}`)).toMatchObject({ status: 200 })
  expect((await ask('GET', '/tenants/acme/keys')).body.keys).toEqual([])
  const late = kafka.admin()
  await expect(late.connect()).rejects.toThrow('SASL')
  await late.disconnect()
}, 30_000)

test('is at the admin address alone, and wants the token on loopback too', async () => {
  const { url, adminUrl } = await start({ adminListen: '127.0.0.1:0' })
  expect((await call(url!, 'GET', '/tenants')).status).toBe(404)
  expect(await call(adminUrl!, 'GET', '/tenants')).toMatchObject({
    ...{ status: 200, body: { tenants: [{ name: 'default' }], next: null } },
  })
  const bare = await fetch(`${adminUrl}/admin/v1/tenants`)
  expect([bare.status, bare.headers.get('cache-control')]).toEqual([401, 'no-store'])
})

test('goes on when the controller dies in between', async () => {
  const griot = await start({ brokers: 3, chaos: true })
  const url = griot.adminUrl!
  // it leads the metadata where it can
  const killed = griot.chaos.killBroker(1)
  const names = Array.from({ length: 5 }, (_, at) => `tenant-${at}`)
  const made = await Promise.all(names.map((name) => call(url, 'POST', '/tenants', { name })))
  await killed
  expect(made.map(({ status }) => status)).toEqual(names.map(() => 201))
  const { tenants } = (await call(url, 'GET', '/tenants')).body
  expect(tenants.map(({ name }: { name: string }) => name)).toEqual(['default', ...names])
}, 30_000)

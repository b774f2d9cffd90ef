/** Tenants of an embedded engine: real threads, real sockets, kafkajs. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path, { join } from 'node:path'
import { Kafka, logLevel, type SASLOptions } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Griot } from '../../dist/index.js'
import type { GriotTenant, TenantKey } from '../../src/server/engine-tenants.ts'

const open = (brokers: readonly string[], sasl?: SASLOptions) =>
  new Kafka({
    ...{
      brokers: [...brokers],
      logLevel: logLevel.NOTHING,
      ...(sasl === undefined ? {} : { sasl }),
    },
    retry: { initialRetryTime: 50, maxRetryTime: 200, retries: 5 },
  })

async function topicsOf(kafka: Kafka): Promise<string[]> {
  const admin = kafka.admin()
  await admin.connect()
  const topics = await admin.listTopics()
  await admin.disconnect()
  return topics.filter((name) => !name.startsWith('__')).sort()
}

async function make(kafka: Kafka, topic: string): Promise<void> {
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: 1 }] })
  await admin.disconnect()
}

async function produce(kafka: Kafka, value: string): Promise<void> {
  const producer = kafka.producer({ idempotent: true })
  await producer.connect()
  await producer.send({ topic: 'orders', messages: [{ key: 'k', value }] })
  await producer.disconnect()
}

async function consume(kafka: Kafka, count: number): Promise<string[]> {
  const consumer = kafka.consumer({ groupId: 'readers' })
  await consumer.connect()
  await consumer.subscribe({ topic: 'orders', fromBeginning: true })
  const values: string[] = []
  await new Promise<void>((resolve) => {
    void consumer.run({
      eachMessage: async ({ message }) => {
        values.push(message.value!.toString())
        if (values.length === count) resolve()
      },
    })
  })
  // what more there is would come now
  await new Promise((resolve) => setTimeout(resolve, 200))
  await consumer.disconnect()
  return values
}

const saslOf = ({ key, secret }: TenantKey, mechanism: SASLOptions['mechanism']): SASLOptions =>
  ({ mechanism, username: key, password: secret }) as SASLOptions

describe('tenants of one engine', () => {
  let griot: Griot
  const tenants: GriotTenant[] = []

  beforeAll(async () => {
    griot = await Griot.start({ brokers: 3, logLevel: 'silent' })
    for (const name of ['acme', 'emca', undefined]) {
      tenants.push(await griot.createTenant(name === undefined ? {} : { name }))
    }
  })
  afterAll(() => griot.close())

  it('use the same names at the same time, each at its own address, and see their own alone', async () => {
    const clusters = [open(griot.brokers), ...tenants.map(({ brokers }) => open(brokers))]
    for (const { brokers } of tenants) expect(brokers).toHaveLength(3)
    await Promise.all(clusters.map((kafka) => make(kafka, 'orders')))
    await Promise.all(clusters.map((kafka, at) => produce(kafka, `of ${at}`)))
    const read = await Promise.all(clusters.map((kafka) => consume(kafka, 1)))
    expect(read).toEqual([['of 0'], ['of 1'], ['of 2'], ['of 3']])
    await make(clusters[1]!, 'more')
    const seen = await Promise.all(clusters.map(topicsOf))
    expect(seen).toEqual([['orders'], ['more', 'orders'], ['orders'], ['orders']])
    const groups = await Promise.all(
      clusters.map(async (kafka) => {
        const admin = kafka.admin()
        await admin.connect()
        const { groups } = await admin.listGroups()
        const offsets = await admin.fetchOffsets({ groupId: 'readers', topics: ['orders'] })
        const { clusterId } = await admin.describeCluster()
        await admin.disconnect()
        return { groups: groups.length, offsets: offsets[0]!.partitions[0]!.offset, clusterId }
      }),
    )
    expect(groups.map(({ offsets }) => offsets)).toEqual(['1', '1', '1', '1'])
    expect(new Set(groups.map(({ clusterId }) => clusterId)).size).toBe(4)
    expect(groups[1]!.clusterId).toBe(tenants[0]!.clusterId)
  })

  it.each(['plain', 'scram-sha-256', 'scram-sha-512'] as const)(
    'are told by their keys at the common address, with %s',
    async (mechanism) => {
      const key = await tenants[0]!.createKey()
      const kafka = open(griot.brokers, saslOf(key, mechanism))
      expect(await topicsOf(kafka)).toEqual(['more', 'orders'])
      const wrong = open(griot.brokers, saslOf({ ...key, secret: `${key.secret}x` }, mechanism))
      await expect(topicsOf(wrong)).rejects.toThrow(/[Aa]uthentication failed/)
      await tenants[0]!.revokeKey(key.key)
      await expect(topicsOf(kafka)).rejects.toThrow(/[Aa]uthentication failed/)
    },
  )

  it('that were made over HTTP are as open at their own addresses, and no more elsewhere', async () => {
    const other = await Griot.start({ logLevel: 'silent', httpListen: '127.0.0.1:0' })
    try {
      const token = readFileSync(join(other.dataDir, 'operator-token'), 'utf8').trim()
      const made = await fetch(`${other.url}/admin/v1/tenants`, {
        ...{ method: 'POST', body: '{"name": "acme"}' },
        headers: { authorization: `Bearer ${token}` },
      })
      expect(made.status).toBe(201)
      // the Kafka front hears of it a moment later
      await expect
        .poll(() =>
          other.tenant('acme').then(
            () => true,
            () => false,
          ),
        )
        .toBe(true)
      const acme = await other.tenant('acme')
      await make(open(acme.brokers), 'orders')
      await produce(open(acme.brokers), 'one')
      expect(await consume(open(acme.brokers), 1)).toEqual(['one'])
      const bob = await acme.createKey({ user: 'bob' })
      for (const brokers of [acme.brokers, other.brokers]) {
        expect(await topicsOf(open(brokers, saslOf(bob, 'plain')))).toEqual([])
      }
      const admin = await acme.createKey()
      expect(await topicsOf(open(other.brokers, saslOf(admin, 'plain')))).toEqual(['orders'])
    } finally {
      await other.close()
    }
  })

  it('are refused by name what cannot be', async () => {
    await expect(griot.createTenant({ name: 'acme' })).rejects.toMatchObject({
      ...{ name: 'TenantError', code: 'DUPLICATE_RESOURCE' },
      message: "a tenant 'acme' exists already",
    })
    await expect(griot.createTenant({ name: 'A' })).rejects.toThrow(
      "the tenant name 'A' is refused",
    )
    await expect(griot.createTenant({ limits: { x: 1 } })).rejects.toThrow("no limit 'x'")
    await expect(griot.createTenant({ plan: 'x' })).rejects.toThrow("no plan 'x'")
    await expect(griot.tenant('nobody')).rejects.toThrow("there is no tenant 'nobody'")
    await expect(tenants[0]!.revokeKey('x')).rejects.toThrow('the tenant has no such key')
  })

  it.each([
    [{ nmae: 'x' }, 'createTenant: unknown option nmae (did you mean name?)'],
    [{ lmits: {} }, 'createTenant: unknown option lmits (did you mean limits?)'],
    ['x', 'createTenant: "x" is refused, it wants an object, as { name: … }'],
    [null, 'createTenant: null is refused, it wants an object'],
    [{ name: 5 }, 'createTenant: option name: 5 is refused, it wants a string'],
    [{ limits: { topics: '5' } }, 'createTenant: option limits: {"topics":"5"} is refused'],
    [{ limits: [5] }, 'createTenant: option limits: [5] is refused'],
  ])('are not made of what is not meant: %j', async (options, message) => {
    await expect(griot.createTenant(options as object)).rejects.toThrow(message)
  })

  it.each([
    [{ usr: 'bob' }, 'createKey: unknown option usr (did you mean user?)'],
    [{ color: 'red' }, 'createKey: unknown option color (there is user)'],
    ['bob', 'createKey: "bob" is refused, it wants an object, as { user: … }'],
    [{ user: null }, 'createKey: option user: null is refused, it wants a string'],
    [{ user: 'User:bob' }, "the user 'User:bob' is refused: leave out 'User:'"],
  ])('give no key for what is not meant: %j', async (options, message) => {
    await expect(tenants[0]!.createKey(options as object)).rejects.toThrow(message)
  })

  it('are not looked for by what is no text', async () => {
    await expect(griot.tenant(5 as never)).rejects.toThrow('tenant: name 5 is refused')
    const key = tenants[0]!.revokeKey(undefined as never)
    await expect(key).rejects.toThrow('revokeKey: key undefined is refused, it wants a string')
  })

  it('go with all that they have, and leave the others theirs', async () => {
    const emca = tenants[1]!
    const key = await emca.createKey()
    await emca.delete()
    await expect(topicsOf(open(griot.brokers, saslOf(key, 'plain')))).rejects.toThrow(/failed/)
    await expect
      .poll(() => griot.tenant('emca').catch(({ message }) => message), { timeout: 10_000 })
      .toBe("there is no tenant 'emca'")
    await expect(topicsOf(open(emca.brokers))).rejects.toThrow(/connect/i)
    expect(await topicsOf(open(tenants[0]!.brokers))).toEqual(['more', 'orders'])
    const again = await griot.createTenant({ name: 'emca' })
    expect(await topicsOf(open(again.brokers))).toEqual([])
    expect(again.clusterId).not.toBe(emca.clusterId)
  })
})

it('a tenant is there again after a restart, with its keys', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'griot-tenants-'))
  let griot = await Griot.start({ dataDir, logLevel: 'silent' })
  const acme = await griot.createTenant({ name: 'acme', limits: { topics: 1 } })
  const key = await acme.createKey()
  await make(open(acme.brokers), 'orders')
  await produce(open(acme.brokers), 'kept')
  await griot.close()
  griot = await Griot.start({ dataDir, logLevel: 'silent' })
  try {
    const kafka = open(griot.brokers, saslOf(key, 'scram-sha-512'))
    expect(await consume(kafka, 1)).toEqual(['kept'])
    await expect(make(kafka, 'more')).rejects.toThrow()
    const { clusterId, brokers } = await griot.tenant('acme')
    expect(clusterId).toBe(acme.clusterId)
    expect(await topicsOf(open(brokers))).toEqual(['orders'])
  } finally {
    await griot.close()
    rmSync(dataDir, { recursive: true, force: true })
  }
})

it('are made, given keys and deleted by a process that has nothing else to do', () => {
  const script = path.join(import.meta.dirname, 'tenant-child.mjs')
  expect(execFileSync(process.execPath, [script], { encoding: 'utf8' })).toBe('closed\n')
})

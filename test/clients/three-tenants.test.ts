/** Three tenants of one engine use the same names of topic and group at the same time, through clients of every kind; each sees its own records alone. */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Griot } from '../../dist/index.js'
import type { GriotTenant } from '../../src/server/engine-tenants.ts'
import { KafkaTools, kafkajsOf, kcatLogin, type Login } from './login.ts'
import { missing } from './requirements.ts'
import { run } from './run.ts'

const TOPIC = 'orders'
const GROUP = 'readers'
const COUNT = 50

interface Tenant {
  readonly tenant: GriotTenant
  /** At the engine's common address. */
  readonly login: Login
}

const valuesOf = ({ tenant: { name } }: Tenant, client: string): string[] =>
  Array.from({ length: COUNT }, (_, n) => `${name} ${client} ${n}`)

describe('three tenants with the same names', () => {
  const tools = new KafkaTools()
  const tenants: Tenant[] = []
  let griot: Griot

  beforeAll(async () => {
    griot = await Griot.start({ brokers: 3, logLevel: 'silent' })
    for (const name of ['one', 'two', 'three']) {
      const tenant = await griot.createTenant({ name })
      const { key, secret } = await tenant.createKey()
      tenants.push({ tenant, login: { mechanism: 'PLAIN', username: key, password: secret } })
      const admin = kafkajsOf(tenant.brokers).admin()
      await admin.connect()
      await admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: 1 }] })
      await admin.disconnect()
    }
  }, 60_000)

  afterAll(async () => {
    tools.close()
    await griot?.close()
  })

  /** At the same time, each with the three of them. */
  const each = <T>(what: (one: Tenant) => Promise<T>): Promise<T[]> =>
    Promise.all(tenants.map(what))

  /** All of the topic, by whoever wrote it. */
  async function expectOwn(client: string): Promise<void> {
    for (const one of tenants) {
      const kafka = kafkajsOf(one.tenant.brokers)
      const consumer = kafka.consumer({ groupId: `check-${client}` })
      await consumer.connect()
      await consumer.subscribe({ topic: TOPIC, fromBeginning: true })
      const seen: string[] = []
      await new Promise<void>((resolve) => {
        void consumer.run({
          eachMessage: async ({ message }) => {
            const value = message.value!.toString()
            if (value.includes(` ${client} `)) seen.push(value)
            expect(value.startsWith(`${one.tenant.name} `)).toBe(true)
            if (seen.length === COUNT) resolve()
          },
        })
      })
      await consumer.disconnect()
      expect(seen).toEqual(valuesOf(one, client))
    }
  }

  it('through kafkajs', async () => {
    const seen = await each(async (one) => {
      const kafka = kafkajsOf(griot.brokers, { ...one.login, mechanism: 'SCRAM-SHA-256' })
      const producer = kafka.producer({ idempotent: true })
      await producer.connect()
      const messages = valuesOf(one, 'kafkajs').map((value) => ({ value }))
      await producer.send({ topic: TOPIC, messages })
      await producer.disconnect()
      const consumer = kafka.consumer({ groupId: GROUP })
      await consumer.connect()
      await consumer.subscribe({ topic: TOPIC, fromBeginning: true })
      const values: string[] = []
      await new Promise<void>((resolve) => {
        void consumer.run({
          eachMessage: async ({ message }) => {
            values.push(message.value!.toString())
            if (values.length === COUNT) resolve()
          },
        })
      })
      await consumer.disconnect()
      return values
    })
    expect(seen).toEqual(tenants.map((one) => valuesOf(one, 'kafkajs')))
  }, 60_000)

  it.skipIf(missing('kcat'))(
    'through kcat',
    async () => {
      await each(async (one) => {
        const at = ['-b', griot.brokers.join(','), ...kcatLogin(one.login)]
        const lines = valuesOf(one, 'kcat').join('\n')
        const produced = await run('kcat', [...at, '-P', '-t', TOPIC], { input: `${lines}\n` })
        expect(produced).toMatchObject({ code: 0 })
      })
      const seen = await each(async (one) => {
        const at = ['-b', griot.brokers.join(','), ...kcatLogin(one.login), '-q', '-e']
        const { stdout } = await run('kcat', [
          ...[...at, '-X', 'auto.offset.reset=earliest', '-G', `${GROUP}-kcat`, TOPIC],
        ])
        return stdout.trim().split('\n')
      })
      for (const [n, one] of tenants.entries()) {
        const own = seen[n]!.filter((line) => line.includes(' kcat '))
        expect(own).toEqual(valuesOf(one, 'kcat'))
        expect(seen[n]!.every((line) => line.startsWith(`${one.tenant.name} `))).toBe(true)
      }
    },
    120_000,
  )

  it.skipIf(missing('librdkafka'))(
    'through librdkafka',
    async () => {
      const program = join(import.meta.dirname, 'librdkafka', 'tenant-round-trip.mjs')
      const seen = await each(async (one) => {
        const { username, password } = one.login
        const args = [program, griot.brokers.join(','), TOPIC, `${GROUP}-librdkafka`]
        const lines = valuesOf(one, 'librdkafka').join('\n')
        const ran = await run('node', [...args, username, password], { input: lines })
        expect(ran, ran.stderr).toMatchObject({ code: 0 })
        return ran.stdout.trim().split('\n')
      })
      for (const [n, one] of tenants.entries()) {
        const own = seen[n]!.filter((line) => line.includes(' librdkafka '))
        expect(own).toEqual(valuesOf(one, 'librdkafka'))
        expect(seen[n]!.every((line) => line.startsWith(`${one.tenant.name} `))).toBe(true)
      }
      await expectOwn('librdkafka')
    },
    120_000,
  )

  it.skipIf(missing('java'))(
    "through Java's clients",
    async () => {
      const seen = await each(async (one) => {
        const config = tools.config({ ...one.login, mechanism: 'SCRAM-SHA-512' })
        const common = ['--bootstrap-server', griot.brokers.join(','), '--command-config', config]
        const produced = await tools.run(
          'org.apache.kafka.tools.ConsoleProducer',
          [...common, '--topic', TOPIC],
          { input: `${valuesOf(one, 'java').join('\n')}\n` },
        )
        expect(produced, produced.stdout).toMatchObject({ code: 0 })
        const consumed = await tools.run('org.apache.kafka.tools.consumer.ConsoleConsumer', [
          ...[...common, '--topic', TOPIC, '--group', `${GROUP}-java`],
          ...['--from-beginning', '--timeout-ms', '6000'],
        ])
        return consumed.stdout.split('\n').filter((line) => line.includes(' java '))
      })
      expect(seen).toEqual(tenants.map((one) => valuesOf(one, 'java')))
      await expectOwn('java')
    },
    120_000,
  )
})

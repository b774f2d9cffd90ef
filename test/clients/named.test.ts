/**
 * The clients that run everywhere (kafkajs, librdkafka, kcat): each produces, consumes, joins groups and uses the admin calls that it has,
 * directly and through a TCP relay on other ports of 127.0.0.2. The others have a script each, in `others`.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Admin, ConfigResourceTypes, Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { EngineProcess, freePorts } from './engine-process.ts'
import { RelayProcess } from './relay-process.ts'
import { missing } from './requirements.ts'
import { run } from './run.ts'

const BROKERS = 3
const ways = ['directly', 'through a relay'] as const
const lines = Array.from({ length: 600 }, (_, i) => `line ${i}`)

describe.concurrent('each client of every test run', () => {
  let directory: string
  let engine: EngineProcess
  let relay: RelayProcess
  const bootstrapOf = new Map<string, string>()
  const children: ChildProcess[] = []

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'griot-named-'))
    const [listener, relayed] = [await freePorts(BROKERS), await freePorts(BROKERS)]
    // a second listener of the same engine, whose clients are told the relay
    engine = await EngineProcess.create(join(directory, 'data'), BROKERS, [
      ...['--kafka-listen', `127.0.0.1:${listener}=127.0.0.2:${relayed}`],
    ])
    bootstrapOf.set('directly', engine.bootstrap).set('through a relay', `127.0.0.2:${relayed}`)
    relay = await RelayProcess.start(`127.0.0.2:${relayed}`, `127.0.0.1:${listener}`, BROKERS)
    await engine.start()
    await writeFile(join(directory, 'lines.txt'), `${lines.join('\n')}\n`)
  }, 60_000)

  afterAll(async () => {
    for (const child of children) child.kill('SIGKILL')
    const connections = await relay?.end()
    await engine?.end('SIGTERM')
    await rm(directory, { recursive: true, force: true })
    // clients go to the nodes that they are told
    expect(connections.every((count) => count > 0)).toBe(true)
  })

  describe.skipIf(missing('librdkafka'))('librdkafka', () => {
    for (const way of ways) {
      it(`in groups and with every admin call, ${way}`, async () => {
        const script = join(import.meta.dirname, 'librdkafka/group-and-admin.mjs')
        const prefix = `librdkafka-${ways.indexOf(way)}`
        const ended = await run(process.execPath, [script, bootstrapOf.get(way)!, prefix])
        expect(ended, ended.stdout + ended.stderr).toMatchObject({ code: 0, stderr: '' })
        expect(ended.stdout.trim().split('\n').length).toBe(12)
      }, 60_000)
    }
  })

  describe.skipIf(missing('kcat'))('kcat', () => {
    /** A member of `group` until it has read `wanted` lines; it leaves with its offsets committed. */
    async function member(bootstrap: string, group: string, topic: string, assignor: string) {
      const child = spawn('kcat', [
        ...['-b', bootstrap, '-G', group, '-q', '-u', '-X', 'auto.offset.reset=earliest'],
        ...['-X', `partition.assignment.strategy=${assignor}`, '-X', 'session.timeout.ms=6000'],
        ...['-X', 'heartbeat.interval.ms=300', topic],
      ])
      children.push(child)
      let text = ''
      child.stdout.on('data', (chunk) => (text += chunk))
      const read = () => text.split('\n').filter(Boolean)
      const end = async () => {
        const exited = once(child, 'exit')
        child.kill('SIGTERM')
        await exited
      }
      return { read, end }
    }

    for (const way of ways) {
      for (const assignor of ['range', 'cooperative-sticky']) {
        it(`shares a topic in a group (${assignor}), goes on there, and asks, ${way}`, async () => {
          const bootstrap = bootstrapOf.get(way)!
          const topic = `kcat-${assignor}-${ways.indexOf(way)}`
          const input = join(directory, 'lines.txt')
          const produce = ['-P', '-b', bootstrap, '-t', topic, '-X', 'enable.idempotence=true']
          // without a key the partitioner is sticky: one record a batch spreads them
          const spread = ['-X', 'sticky.partitioning.linger.ms=0', '-l', input]
          expect(await run('kcat', [...produce, ...spread])).toMatchObject({ code: 0 })
          const two = [
            await member(bootstrap, topic, topic, assignor),
            await member(bootstrap, topic, topic, assignor),
          ]
          const all = () => two.flatMap(({ read }) => read()).sort()
          await expect.poll(all, { timeout: 30_000 }).toEqual([...lines].sort())
          for (const { end } of two) await end()
          const more = join(directory, `${topic}.txt`)
          await writeFile(more, 'one more\n')
          expect(await run('kcat', [...produce, '-l', more])).toMatchObject({ code: 0 })
          const next = await run('kcat', [
            ...['-b', bootstrap, '-G', topic, '-q', '-c', '1', '-X', 'auto.offset.reset=earliest'],
            ...['-X', `partition.assignment.strategy=${assignor}`, topic],
          ])
          expect(next).toMatchObject({ code: 0, stdout: 'one more\n' })
          const ends = [0, 1, 2, 3].flatMap((partition) => ['-t', `${topic}:${partition}:-1`])
          const asked = await run('kcat', ['-Q', '-b', bootstrap, ...ends])
          const offsets = [...asked.stdout.matchAll(/offset (\d+)/g)].map((found) =>
            Number(found[1]),
          )
          expect(offsets.reduce((sum, offset) => sum + offset, 0)).toBe(lines.length + 1)
        }, 60_000)
      }
    }
  })

  describe('kafkajs', () => {
    for (const way of ways) {
      it(`in a group and with its admin calls, ${way}`, async () => {
        const kafka = new Kafka({ brokers: [bootstrapOf.get(way)!], logLevel: logLevel.NOTHING })
        const admin = kafka.admin()
        await admin.connect()
        const name = `js-${ways.indexOf(way)}`
        await changesATopic(admin, name)
        await producesAndConsumes(kafka, name)
        await managesAGroup(admin, name)
        await admin.deleteTopics({ topics: [name] })
        expect(await admin.listTopics()).not.toContain(name)
        await admin.disconnect()
      }, 60_000)
    }
  })
})

async function changesATopic(admin: Admin, topic: string): Promise<void> {
  const create = { waitForLeaders: true, topics: [{ topic, numPartitions: 2 }] }
  expect(await admin.createTopics(create)).toBe(true)
  // kafkajs answers false for a topic that is there
  expect(await admin.createTopics(create)).toBe(false)
  await admin.createPartitions({ topicPartitions: [{ topic, count: 4 }] })
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
  expect(topics[0]!.partitions).toHaveLength(4)
  const resource = { type: ConfigResourceTypes.TOPIC, name: topic }
  await admin.alterConfigs({
    validateOnly: false,
    resources: [{ ...resource, configEntries: [{ name: 'retention.ms', value: '86400000' }] }],
  })
  const described = await admin.describeConfigs({
    includeSynonyms: true,
    resources: [{ ...resource, configNames: ['retention.ms'] }],
  })
  expect(described.resources[0]!.configEntries).toMatchObject([
    { configName: 'retention.ms', configValue: '86400000', isDefault: false },
  ])
  const { brokers, controller } = await admin.describeCluster()
  expect(brokers.map(({ nodeId }) => nodeId)).toContain(controller)
}

async function producesAndConsumes(kafka: Kafka, topic: string): Promise<void> {
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  const headers = { from: 'kafkajs' }
  const messages = lines.map((value, i) => ({ key: `key ${i}`, value, headers }))
  await producer.send({ topic, acks: -1, messages })
  await producer.disconnect()
  const consumer = kafka.consumer({ groupId: topic, maxWaitTimeInMs: 50 })
  const read: string[] = []
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await new Promise<void>((resolve, reject) => {
    consumer.on('consumer.crash', ({ payload }) => reject(payload.error))
    const eachMessage = async ({ message }: { message: { value: Buffer | null } }) => {
      read.push(String(message.value))
      if (read.length === lines.length) resolve()
    }
    consumer.run({ eachMessage }).catch(reject)
  })
  await consumer.disconnect()
  expect(read.sort()).toEqual([...lines].sort())
}

async function managesAGroup(admin: Admin, name: string): Promise<void> {
  const offsets = async () => {
    const [fetched] = await admin.fetchOffsets({ groupId: name, topics: [name] })
    return new Map(fetched!.partitions.map(({ partition, offset }) => [partition, Number(offset)]))
  }
  const ends = new Map(
    (await admin.fetchTopicOffsets(name)).map(({ partition, high }) => [partition, Number(high)]),
  )
  expect(await offsets()).toEqual(ends)
  const { groups } = await admin.listGroups()
  expect(groups.map(({ groupId }) => groupId)).toContain(name)
  const described = await admin.describeGroups([name])
  expect(described.groups).toMatchObject([{ groupId: name, state: 'Empty', errorCode: 0 }])
  const partitions = [{ partition: 0, offset: '3' }]
  // kafkajs joins the group for it and waits out a fetch, as for resetOffsets: 8 s
  await admin.setOffsets({ groupId: name, topic: name, partitions })
  expect(await offsets()).toEqual(new Map([...ends, [0, 3]]))
  await admin.deleteTopicRecords({ topic: name, partitions })
  const [first] = (await admin.fetchTopicOffsets(name)).filter(({ partition }) => partition === 0)
  expect(first).toMatchObject({ low: '3', high: String(ends.get(0)) })
  const later = await admin.fetchTopicOffsetsByTimestamp(name, Date.now() + 3_600_000)
  expect(new Map(later.map(({ partition, offset }) => [partition, Number(offset)]))).toEqual(ends)
  expect(await admin.deleteGroups([name])).toMatchObject([{ groupId: name, errorCode: 0 }])
  expect((await admin.listGroups()).groups.map(({ groupId }) => groupId)).not.toContain(name)
}

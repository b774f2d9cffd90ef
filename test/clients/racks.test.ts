/** Consumers that tell their rack read from the replica there (KIP-392): by the front's own counters, with every record once and in order while its broker, and the leader's, are killed. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kafka, logLevel, type Producer } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { EngineProcess } from './engine-process.ts'
import { missing } from './requirements.ts'

/** Read from the follower alone. */
const QUIET = 300
/** Written, one after the other, while brokers die. */
const KILLED = 300
const TOTAL = QUIET + KILLED

let directory: string
let engine: EngineProcess
let producer: Producer

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'griot-racks-'))
  const options = ['--rack', '1=a,2=b,3=c', '--chaos']
  engine = await EngineProcess.create(join(directory, 'data'), 3, options)
  await engine.start()
  const retry = { initialRetryTime: 50, maxRetryTime: 300, retries: 60 }
  const kafka = new Kafka({ brokers: [engine.bootstrap], logLevel: logLevel.NOTHING, retry })
  producer = kafka.producer({ idempotent: true })
  await producer.connect()
  const admin = kafka.admin()
  await admin.connect()
  const replicaAssignment = [{ partition: 0, replicas: [1, 2, 3] }]
  const topics = ['kcat', 'librdkafka', 'java', 'franz-go'].map((name) => `near-${name}`)
  await admin.createTopics({ topics: topics.map((topic) => ({ topic, replicaAssignment })) })
  await admin.disconnect()
}, 60_000)

afterAll(async () => {
  await producer?.disconnect()
  await engine?.end('SIGTERM')
  await rm(directory, { recursive: true, force: true })
})

async function serving(): Promise<void> {
  const isServing = async () => {
    const { status } = (await (await fetch(`${engine.url}/health`)).json()) as { status: string }
    expect(status).toBe('serving')
  }
  await vi.waitFor(isServing, { timeout: 20_000, interval: 50 })
}

async function kill(broker: number): Promise<void> {
  const body = JSON.stringify({ action: 'kill-broker', broker })
  const token = (await readFile(join(engine.dataDir, 'operator-token'), 'utf8')).trim()
  const headers = { authorization: `Bearer ${token}` }
  const { status } = await fetch(`${engine.url}/admin/chaos`, { method: 'POST', headers, body })
  expect(status).toBe(200)
}

/** Bytes of answers that came from each broker's log. */
async function bytesOut(): Promise<number[]> {
  // scrapes in a row are told the same
  await new Promise((resolve) => setTimeout(resolve, 250))
  const text = await (await fetch(`${engine.url}/metrics`)).text()
  return [1, 2, 3].map((broker) => {
    const name = `kafka_server_brokertopicmetrics_bytesout_total{broker="${broker}"}`
    return Number(
      text
        .split('\n')
        .find((line) => line.startsWith(name))!
        .split(' ')[1],
    )
  })
}

async function write(topic: string, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) {
    await producer.send({ topic, messages: [{ partition: 0, value: `${i}` }] })
  }
}

/** Lines of a program's standard output, as they come. */
function start(command: string, args: readonly string[]) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  let errors = ''
  child.stdout.on('data', (chunk) => (text += chunk))
  child.stderr.on('data', (chunk) => (errors += chunk))
  const ended = once(child, 'exit')
  return {
    child,
    ended,
    lines: () => text.split('\n').slice(0, -1),
    errors: () => errors,
  }
}

async function check(name: string, command: string, args: (topic: string) => string[]) {
  const topic = `near-${name}`
  await serving()
  await producer.send({
    topic,
    messages: Array.from({ length: QUIET }, (_, i) => ({ partition: 0, value: `${i}` })),
  })
  const before = await bytesOut()
  const reader = start(command, args(topic))
  try {
    const has = (count: number) =>
      vi.waitFor(() => expect(reader.lines().length, reader.errors()).toBe(count), {
        timeout: 30_000,
        interval: 20,
      })
    await has(QUIET)
    const after = await bytesOut()
    const [one, two, three] = after.map((bytes, at) => bytes - before[at]!)
    expect(three).toBeGreaterThan(0)
    expect([one, two]).toEqual([0, 0])
    const half = QUIET + KILLED / 2
    await Promise.all([write(topic, QUIET, half), kill(3)])
    await serving()
    await Promise.all([write(topic, half, TOTAL), kill(1)])
    await serving()
    await has(TOTAL)
    const [code] = (await reader.ended) as [number | null]
    expect(code, reader.errors()).toBe(0)
    expect(reader.lines()).toEqual(Array.from({ length: TOTAL }, (_, i) => `${i}`))
  } finally {
    reader.child.kill('SIGKILL')
  }
}

describe('a consumer in the rack of a follower reads from there, and on when brokers die:', () => {
  it.skipIf(missing('kcat'))(
    'kcat',
    async () => {
      await check('kcat', 'kcat', (topic) => [
        ...['-C', '-q', '-u', '-b', engine.bootstrap, '-t', topic, '-p', '0', '-o', 'beginning'],
        ...['-X', 'client.rack=c', '-X', 'fetch.wait.max.ms=200', '-c', `${TOTAL}`],
      ])
    },
    60_000,
  )

  it.skipIf(missing('librdkafka'))(
    'librdkafka',
    async () => {
      const script = join(import.meta.dirname, 'librdkafka/rack-reader.mjs')
      const args = (topic: string) => [script, engine.bootstrap, topic, 'c', `${TOTAL}`]
      await check('librdkafka', process.execPath, args)
    },
    60_000,
  )

  it.skipIf(missing('java'))(
    'Java',
    async () => {
      await check('java', 'java', (topic) => [
        ...['-cp', `${process.env.GRIOT_KAFKA_LIBS}/*`, '-Xmx256m'],
        'org.apache.kafka.tools.consumer.ConsoleConsumer',
        ...['--bootstrap-server', engine.bootstrap, '--topic', topic, '--partition', '0'],
        ...['--offset', 'earliest', '--max-messages', `${TOTAL}`, '--timeout-ms', '30000'],
        ...['--command-property', 'client.rack=c'],
      ])
    },
    60_000,
  )

  it.skipIf(missing('franz-go'))(
    'franz-go',
    async () => {
      const args = (topic: string) => [engine.bootstrap, topic, 'c', `${TOTAL}`]
      await check('franz-go', process.env.FRANZ_GO!, args)
    },
    60_000,
  )
})

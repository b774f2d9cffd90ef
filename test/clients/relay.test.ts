/** Every kind of client through a TCP relay on other ports of another address, told so by --kafka-advertise. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { EngineProcess, freePorts } from './engine-process.ts'
import { fetchAll } from './kafkajs-fetch.ts'
import { RelayProcess } from './relay-process.ts'
import { missing } from './requirements.ts'
import { run } from './run.ts'

const BROKERS = 3
const lines = Array.from({ length: 2_000 }, (_, i) => `line ${i} ${'x'.repeat(i % 300)}`)

describe('through a relay on other ports of 127.0.0.2', () => {
  let directory: string
  let input: string
  let engine: EngineProcess
  let relay: RelayProcess
  let bootstrap: string
  /** What clients must be told, from node 1. */
  let nodes: string[]

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'griot-relay-'))
    input = join(directory, 'input.txt')
    await writeFile(input, `${lines.join('\n')}\n`)
    const first = await freePorts(BROKERS)
    bootstrap = `127.0.0.2:${first}`
    nodes = Array.from({ length: BROKERS }, (_, i) => `127.0.0.2:${first + i}`)
    const advertise = ['--kafka-advertise', bootstrap, '--default-partitions', '1']
    engine = await EngineProcess.create(join(directory, 'data'), BROKERS, advertise)
    relay = await RelayProcess.start(bootstrap, engine.bootstrap, BROKERS)
    await engine.start()
  }, 60_000)

  afterAll(async () => {
    await relay?.end()
    await engine?.end('SIGTERM')
    await rm(directory, { recursive: true, force: true })
  })

  it('kafkajs produces, consumes and asks', async () => {
    const kafka = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING })
    const admin = kafka.admin()
    await admin.connect()
    const { brokers } = await admin.describeCluster()
    expect(brokers.map(({ host, port }) => `${host}:${port}`)).toEqual(nodes)
    await admin.createTopics({ topics: [{ topic: 'js', numPartitions: BROKERS }] })
    const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
    await producer.connect()
    for (let partition = 0; partition < BROKERS; partition++) {
      const messages = lines.map((value) => ({ value, partition }))
      await producer.send({ topic: 'js', acks: -1, messages })
    }
    await producer.disconnect()
    for (let partition = 0; partition < BROKERS; partition++) {
      const read: string[] = []
      for await (const { value } of fetchAll(kafka, 'js', partition)) read.push(String(value))
      expect(read).toEqual(lines)
    }
    await admin.disconnect()
  }, 60_000)

  it('kafkajs shares a topic in a group, whose coordinator it is told of', async () => {
    const kafka = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING })
    const consumer = kafka.consumer({ groupId: 'relayed' })
    await consumer.connect()
    await consumer.subscribe({ topic: 'js', fromBeginning: true })
    let read = 0
    await new Promise<void>((resolve, reject) => {
      const eachMessage = async () => {
        if (++read === BROKERS * lines.length) resolve()
      }
      consumer.run({ eachMessage }).catch(reject)
    })
    await consumer.disconnect()
    const admin = kafka.admin()
    await admin.connect()
    const [committed] = await admin.fetchOffsets({ groupId: 'relayed', topics: ['js'] })
    expect(committed!.partitions.map(({ offset }) => Number(offset))).toEqual(
      Array(BROKERS).fill(lines.length),
    )
    await admin.disconnect()
  }, 60_000)

  it.skipIf(missing('kcat'))(
    'kcat produces, consumes and lists',
    async () => {
      const listed = await run('kcat', ['-L', '-J', '-b', bootstrap])
      const { brokers } = JSON.parse(listed.stdout) as { brokers: { name: string }[] }
      expect(brokers.map(({ name }) => name)).toEqual(nodes)
      // whoever comes in directly is told the relay as well
      const direct = await run('kcat', ['-L', '-J', '-b', engine.bootstrap])
      expect(JSON.parse(direct.stdout).brokers).toEqual(brokers)
      const produced = await run('kcat', [
        '-P',
        '-b',
        bootstrap,
        '-t',
        'kcat',
        '-p',
        '0',
        '-l',
        input,
      ])
      expect(produced).toMatchObject({ code: 0 })
      const args = ['-C', '-b', bootstrap, '-t', 'kcat', '-p', '0', '-o', 'beginning', '-e', '-q']
      expect((await run('kcat', args)).stdout).toBe(await readFile(input, 'utf8'))
      const inGroup = [
        '-b',
        bootstrap,
        '-G',
        'kcat',
        '-e',
        '-q',
        '-X',
        'auto.offset.reset=earliest',
      ]
      expect((await run('kcat', [...inGroup, 'kcat'])).stdout).toBe(await readFile(input, 'utf8'))
    },
    60_000,
  )

  it.skipIf(missing('librdkafka'))(
    'librdkafka produces, consumes and asks',
    async () => {
      const script = join(import.meta.dirname, 'librdkafka/round-trip.mjs')
      const ended = await run(process.execPath, [script, bootstrap, 'librdkafka', '5000'])
      expect(ended.stderr).toBe('')
      expect(JSON.parse(ended.stdout)).toEqual({ read: 5_000, nodes: [...nodes].sort() })
    },
    60_000,
  )

  it.skipIf(missing('java'))(
    "Java's console tools produce, consume and create",
    async () => {
      const tool = (name: string) => [
        ...[
          '-cp',
          `${process.env.GRIOT_KAFKA_LIBS}/*`,
          '-Xmx256m',
          `org.apache.kafka.tools.${name}`,
        ],
        ...['--bootstrap-server', bootstrap, '--topic', 'java'],
      ]
      const created = await run('java', [...tool('TopicCommand'), '--create', '--partitions', '1'])
      expect(created.code, created.stderr).toBe(0)
      const produced = await run('java', tool('ConsoleProducer'), { stdin: input })
      expect(produced.code, produced.stderr).toBe(0)
      const consumed = await run('java', [
        ...tool('consumer.ConsoleConsumer'),
        ...['--partition', '0', '--offset', 'earliest', '--timeout-ms', '20000'],
        ...['--max-messages', String(lines.length)],
      ])
      expect(consumed.code, consumed.stderr).toBe(0)
      expect(consumed.stdout).toBe(await readFile(input, 'utf8'))
    },
    110_000,
  )

  it('and not one of their connections went past it', async () => {
    const metrics = await (await fetch(`${engine.url}/metrics`)).text()
    const opened =
      /^kafka_server_socket_server_metrics_connection_creation_total\{[^}]*\} (\d+)$/m.exec(metrics)
    const connections = await relay.end()
    const relayed = connections.reduce((sum, count) => sum + count, 0)
    // clients go to the nodes that they are told, not to the first only
    expect(connections.every((count) => count > 0)).toBe(true)
    // the look that kcat took directly is the only one beside
    expect(Number(opened![1]) - relayed).toBe(missing('kcat') ? 0 : 1)
  })
})

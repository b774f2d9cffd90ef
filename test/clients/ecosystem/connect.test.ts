/**
 * Kafka Connect in distributed mode moves a file, line by line, through a topic into another file, while the engine dies of kill -9 under it
 * and while its worker is started anew.
 *
 * What must hold at the end: every line of the input is in the output, the lines are seen for the first time in the input's order, and
 * nothing is there that the input does not have. Connect promises at-least-once for these two connectors: a source's producer is not
 * idempotent unless told so, and repeats a batch whose answer died with the engine; a sink goes on at its last committed offset. So lines
 * may be there again after the kill, and only then: a worker that is stopped in order commits first, and repeats nothing.
 */
import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { EngineProcess, freePorts } from '../engine-process.ts'
import { count, missing } from '../requirements.ts'
import { eventually, JavaProcess } from './java-process.ts'

const linesPerPhase = count(5_000, 100_000)
const rounds = count(1, 5)

/** The worker's REST interface. */
class Connect {
  readonly #url: string
  readonly #properties: string
  process: JavaProcess | null = null

  constructor(port: number, properties: string) {
    this.#url = `http://127.0.0.1:${port}`
    this.#properties = properties
  }

  async start(): Promise<void> {
    const name = 'org.apache.kafka.connect.cli.ConnectDistributed'
    const worker = new JavaProcess(name, [this.#properties])
    this.process = worker
    await eventually(
      () => `Connect is ready: ${worker.stderr}`,
      () => {
        if (worker.hasEnded) throw new Error(`Connect ended: ${worker.stderr}`)
        return this.get('/connectors').then(Array.isArray, () => false)
      },
      90_000,
    )
  }

  async get(path: string): Promise<unknown> {
    const response = await fetch(`${this.#url}${path}`)
    if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${await response.text()}`)
    return response.json()
  }

  async configure(name: string, config: Record<string, string>): Promise<void> {
    const response = await fetch(`${this.#url}/connectors/${name}/config`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(config),
    })
    expect(response.status, await response.text()).toBe(201)
  }
}

interface Status {
  readonly connector: { readonly state: string }
  readonly tasks: readonly { readonly state: string; readonly trace?: string }[]
}

const lineOf = (index: number) => `${index} ${'the quick brown fox '.repeat(1 + (index % 5))}`

describe.skipIf(missing('java'))('Kafka Connect moves a file', () => {
  let directory: string
  let engine: EngineProcess
  let connect: Connect
  let input: string
  let output: string
  let written = 0

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'griot-connect-'))
    input = join(directory, 'input.txt')
    output = join(directory, 'output.txt')
    engine = await EngineProcess.create(join(directory, 'data'))
    await engine.start()
    const port = await freePorts(1)
    const properties = join(directory, 'worker.properties')
    await mkdir(join(directory, 'plugins'))
    await writeFile(properties, workerProperties(engine.bootstrap, port, directory))
    connect = new Connect(port, properties)
    await writeFile(input, '')
    await append(linesPerPhase)
    await connect.start()
  }, 120_000)

  afterAll(async () => {
    await connect?.process?.end('SIGKILL')
    await engine?.end('SIGTERM')
    await rm(directory, { recursive: true, force: true })
  })

  async function append(lines: number): Promise<void> {
    const text = Array.from({ length: lines }, (_, i) => lineOf(written + i))
    written += lines
    await appendFile(input, `${text.join('\n')}\n`)
  }

  /** How many lines the output has in the input's order, and how many are there again. Throws on a gap and on what was never written. */
  async function arrived(): Promise<{ lines: number; again: number }> {
    const text = await readFile(output, 'utf8').catch(() => '')
    const whole = text.slice(0, text.lastIndexOf('\n') + 1).split('\n')
    whole.pop()
    let lines = 0
    let again = 0
    for (const line of whole) {
      const index = Number(line.slice(0, line.indexOf(' ')))
      if (line !== lineOf(index)) throw new Error(`never written: ${line}`)
      if (index > lines) throw new Error(`line ${index} comes before line ${lines}`)
      if (index === lines) lines++
      else again++
    }
    return { lines, again }
  }

  async function allArrived(): Promise<number> {
    let last = { lines: 0, again: 0 }
    const what = () => `${written} lines in the output: ${JSON.stringify(last)} ${engine.stderr}`
    await eventually(what, async () => {
      last = await arrived()
      return last.lines === written
    })
    return last.again
  }

  async function running(name: string): Promise<void> {
    let status: unknown
    await eventually(
      () => `${name} runs: ${JSON.stringify(status)}`,
      async () => {
        const now = (await connect.get(`/connectors/${name}/status`).catch(() => null)) as Status
        status = now
        const states = [now?.connector, ...(now?.tasks ?? [])].map((part) => part?.state)
        return states.length > 1 && states.every((state) => state === 'RUNNING')
      },
    )
  }

  it('on three internal topics that are compacted, and nothing else', async () => {
    const kafka = new Kafka({ brokers: [engine.bootstrap], logLevel: logLevel.NOTHING })
    const admin = kafka.admin()
    await admin.connect()
    const { topics } = await admin.fetchTopicMetadata()
    const partitions = Object.fromEntries(topics.map((t) => [t.name, t.partitions.length]))
    expect(partitions).toMatchObject({ 'co-configs': 1, 'co-offsets': 5, 'co-status': 3 })
    const resources = ['co-configs', 'co-offsets', 'co-status'].map((name) => ({ type: 2, name }))
    const told = await admin.describeConfigs({ resources, includeSynonyms: false })
    for (const { configEntries } of told.resources) {
      const policy = configEntries.find(({ configName }) => configName === 'cleanup.policy')
      expect(policy?.configValue).toBe('compact')
    }
    // of one partition, so that the file's order is the topic's
    await admin.createTopics({ topics: [{ topic: 'lines', numPartitions: 1 }] })
    await admin.disconnect()
  })

  it('each line once while nothing happens', async () => {
    const source = { 'connector.class': 'FileStreamSource', file: input, topic: 'lines' }
    const sink = { 'connector.class': 'FileStreamSink', file: output, topics: 'lines' }
    await connect.configure('file-source', source)
    await connect.configure('file-sink', sink)
    expect(await allArrived()).toBe(0)
    await running('file-source')
    await running('file-sink')
  }, 90_000)

  for (let round = 1; round <= rounds; round++) {
    it(`without a loss over a kill -9 of the engine, round ${round}`, async () => {
      const before = (await arrived()).again
      await append(linesPerPhase)
      await eventually(
        () => 'the first new line arrives',
        async () => (await arrived()).lines > written - linesPerPhase,
      )
      await engine.end('SIGKILL')
      const onTheirWay = written - (await arrived()).lines
      await append(linesPerPhase)
      await engine.start()
      await append(linesPerPhase)
      const again = (await allArrived()) - before
      await running('file-source')
      await running('file-sink')
      console.log(
        `killed with ${onTheirWay} lines on their way; of ${written} lines ${again} again`,
      )
    }, 120_000)
  }

  it('where it was after a restart of the worker, each line once', async () => {
    const before = (await arrived()).again
    await connect.process!.end('SIGTERM')
    await append(linesPerPhase)
    await connect.start()
    await append(linesPerPhase)
    expect((await allArrived()) - before).toBe(0)
    await running('file-source')
    await running('file-sink')
  }, 150_000)
})

const workerProperties = (bootstrap: string, port: number, directory: string) => `
bootstrap.servers=${bootstrap}
group.id=connect-workers
listeners=http://127.0.0.1:${port}
plugin.path=${join(directory, 'plugins')}
plugin.discovery=service_load
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.storage.StringConverter
config.storage.topic=co-configs
config.storage.replication.factor=1
offset.storage.topic=co-offsets
offset.storage.replication.factor=1
offset.storage.partitions=5
offset.flush.interval.ms=1000
status.storage.topic=co-status
status.storage.replication.factor=1
status.storage.partitions=3
`

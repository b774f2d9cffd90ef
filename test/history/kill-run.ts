/**
 * Brokers of one engine are made to fail, one at a time at random, while kafkajs and librdkafka produce and read at full speed; prints how long producers had to wait
 * for each fault, and what the history checker says: `npm run kill-run -- --help`.
 */
import { createWriteStream, existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { SeededRandom } from '../../src/base/random.ts'
import { EngineProcess } from '../clients/engine-process.ts'
import { optionsOf, runCommand, UsageError, wholeNumber } from '../command-options.ts'
import { runUnderChaos } from './chaos-run.ts'
import { sleep } from './workload.ts'

const BROKERS = 3
/** Before the faults: what clients wait for anyway. */
const CALM_ROUNDS = 20
const TOPIC = 'kill-run'
const ORDERS = ['kill', 'pause', 'fail-disk', 'full-disk', 'slow-disk', 'partition'] as const
const FAULTS = [...ORDERS, 'process', 'directory'] as const
type Order = (typeof ORDERS)[number]

const USAGE = `npm run kill-run -- [options]: brokers of one engine are made to fail while kafkajs and librdkafka produce and read

  --seconds N       how long (300)
  --every N         milliseconds from one fault to the next (1000)
  --fault NAME      kill (a broker's thread dies), pause (it stands still for --every), fail-disk, full-disk, slow-disk (by 50 ms),
                    partition (two brokers; each for --every), process (kill -9 of the engine, which is started again), directory (the same, and
                    a broker's directory is gone then)
  --replicas N      replication factor of the topic (3)
  --partitions N    (3)
  --clients NAMES   kafkajs,librdkafka
  --seed N          which brokers
  --data-dir DIR    keeps data, histories and the engine's log there
  --config NAME=V   a config of the topic (more than once)

Ends with 0 when the checker finds nothing, and no client was given an error.`

const OPTIONS = {
  seconds: { type: 'string', default: '300' },
  every: { type: 'string', default: '1000' },
  fault: { type: 'string', default: 'kill' },
  replicas: { type: 'string', default: '3' },
  partitions: { type: 'string', default: '3' },
  clients: { type: 'string', default: 'kafkajs,librdkafka' },
  seed: { type: 'string' },
  'data-dir': { type: 'string' },
  config: { type: 'string', multiple: true, default: [] as string[] },
} as const

const CLIENTS = ['kafkajs', 'librdkafka']

/** Throws {@link UsageError}. */
function settingsOf(args: readonly string[]) {
  const options = optionsOf(args, OPTIONS)
  const fault = FAULTS.find((name) => name === options.fault)
  if (fault === undefined) throw new UsageError(`--fault wants one of ${FAULTS.join(', ')}`)
  const clients = options.clients.split(',')
  if (!clients.every((name) => CLIENTS.includes(name))) {
    throw new UsageError(`--clients wants ${CLIENTS.join(', ')}, or both`)
  }
  return {
    ...{ fault, clients, kept: options['data-dir'] },
    everyMs: wholeNumber('every', options.every, 1),
    seconds: wholeNumber('seconds', options.seconds, 1),
    partitions: wholeNumber('partitions', options.partitions, 1),
    replicas: wholeNumber('replicas', options.replicas, 1, BROKERS),
    seed: options.seed === undefined ? Date.now() >>> 0 : wholeNumber('seed', options.seed),
    configs: options.config.map((text) => {
      const at = text.indexOf('=')
      if (at < 1) throw new UsageError(`--config: "${text}" is refused, it wants NAME=VALUE`)
      return { name: text.slice(0, at), value: text.slice(at + 1) }
    }),
  }
}

type Settings = ReturnType<typeof settingsOf>

/** Asks an engine for faults as an operator does. */
class Operator {
  readonly #url: string
  readonly #token: string
  readonly #counts = new Map<string, number>()

  private constructor(url: string, token: string) {
    this.#url = url
    this.#token = token
  }

  static async of({ url, dataDir }: EngineProcess): Promise<Operator> {
    const token = await readFile(join(dataDir, 'operator-token'), 'utf8')
    return new Operator(url, token.trim())
  }

  /** False where that cannot be now: a dead broker, or the last one that lives. */
  async ask(order: Readonly<Record<string, unknown>>): Promise<boolean> {
    const response = await fetch(`${this.#url}/admin/chaos`, {
      method: 'POST',
      headers: { authorization: `Bearer ${this.#token}`, 'content-type': 'application/json' },
      body: JSON.stringify(order),
    })
    const { detail } = (await response.json()) as { detail?: string }
    if (response.status !== 200 && response.status !== 409) throw new Error(detail)
    const what = response.status === 200 ? `${order.action}` : `${order.action} refused`
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1)
    return response.status === 200
  }

  get summary(): string {
    return [...this.#counts].map(([what, count]) => `${count} × ${what}`).join(', ')
  }
}

function orderOf(fault: Order, broker: number, everyMs: number): Readonly<Record<string, unknown>> {
  switch (fault) {
    case 'kill':
      return { action: 'kill-broker', broker }
    case 'pause':
      return { action: 'pause-broker', broker, forMs: everyMs }
    case 'fail-disk':
      return { action: 'fail-disk', broker, forMs: everyMs }
    case 'full-disk':
      return { action: 'fail-disk', broker, code: 'ENOSPC', forMs: everyMs }
    case 'slow-disk':
      return { action: 'slow-disk', broker, byMs: 50, forMs: everyMs }
    case 'partition':
      return { action: 'partition', broker, other: 1 + (broker % BROKERS), forMs: everyMs }
    default:
      return fault satisfies never
  }
}

/** Ends the process where it stands, and starts it again. */
async function restart(engine: EngineProcess, lostBroker: number | null): Promise<void> {
  await engine.end('SIGKILL')
  if (lostBroker !== null) {
    await rm(join(engine.dataDir, `broker-${lostBroker}`), { recursive: true })
  }
  await engine.start()
}

async function makeTopic(
  bootstrap: string,
  { partitions, replicas, configs }: Settings,
): Promise<void> {
  const admin = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  const counts = { numPartitions: partitions, replicationFactor: replicas }
  await admin.createTopics({ topics: [{ topic: TOPIC, ...counts, configEntries: configs }] })
  await admin.disconnect()
}

function hasLibrdkafka(): boolean {
  const isThere = existsSync(join(import.meta.dirname, '../clients/librdkafka/node_modules'))
  if (!isThere) console.log('without librdkafka: test/clients/requirements.ts says how to get it')
  return isThere
}

async function run(directory: string, settings: Settings): Promise<number> {
  const { fault, clients, kept, everyMs, seconds, partitions, replicas, seed } = settings
  const random = new SeededRandom(seed)
  const rounds = Math.max(1, Math.round((seconds * 1_000) / everyMs))
  const engine = await EngineProcess.create(join(directory, 'data'), BROKERS, [
    ...['--chaos', '--log-level', kept === undefined ? 'error' : 'info'],
    ...['--broker-config', 'group.initial.rebalance.delay.ms=0'],
  ])
  if (kept !== undefined) {
    const log = createWriteStream(join(directory, 'engine.log'))
    engine.onStderr = (text) => log.write(text)
  }
  await engine.start()
  try {
    const operator = await Operator.of(engine)
    await makeTopic(engine.bootstrap, settings)
    const { report, errors, summary } = await runUnderChaos({
      ...{ bootstrap: engine.bootstrap, topic: TOPIC, partitions },
      ...{ directory, rounds, everyMs, calmRounds: Math.min(CALM_ROUNDS, rounds) },
      kafkajs: clients.includes('kafkajs'),
      librdkafka: clients.includes('librdkafka') && hasLibrdkafka(),
      event: async (mark) => {
        const broker = 1 + random.below(BROKERS)
        mark(`${fault} ${broker}`)
        if (fault === 'process') await restart(engine, null)
        else if (fault === 'directory') await restart(engine, broker)
        else await operator.ask(orderOf(fault, broker, everyMs))
      },
      heal: async () => {
        await operator.ask({ action: 'heal' })
        await sleep(2_000)
      },
    })
    const what = `${replicas} replicas asked for, ${rounds} rounds of ${everyMs} ms, seed ${seed}`
    console.log(`${what}\n${operator.summary}\n${summary}`)
    if (!engine.isRunning) console.log(`the engine has ended: ${engine.stderr}`)
    return Object.keys(report.found).length === 0 && errors.length === 0 ? 0 : 1
  } finally {
    await engine.end('SIGTERM')
  }
}

await runCommand(USAGE, async (args) => {
  const settings = settingsOf(args)
  const { kept } = settings
  const directory = kept ?? (await mkdtemp(join(tmpdir(), 'griot-kill-run-')))
  await mkdir(directory, { recursive: true })
  try {
    process.exitCode = await run(directory, settings)
  } finally {
    if (kept === undefined) await rm(directory, { recursive: true, force: true })
  }
})

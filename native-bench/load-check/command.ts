/** `npm run bench -- load-check`: the load harness beside Kafka's own tools, by turns, on one engine. */
import type { Command } from 'commander'
import { type OwnEngine, startEngine } from '../common/engine.ts'
import { circumstances, circumstancesLine } from '../common/machine.ts'
import { markdownTable } from '../common/markdown.ts'
import { positiveInteger } from '../common/options.ts'
import { median, spread } from '../common/statistics.ts'
import { cpuSeconds, endedChildrenCpuSeconds } from '../common/usage.ts'
import { topicNames } from '../load/plan.ts'
import { runWorkload } from '../load/run-workload.ts'
import { parseWorkload, type Workload } from '../load/workload.ts'
import { javaProgram } from '../peers/kafka-libs.ts'
import { assertTools, JavaTools } from './java-tools.ts'

interface Options {
  readonly libs: string
  readonly rounds: number
}

const RECORD_BYTES = 1024
const BATCH_RECORDS = 62
/** What 62 records take, and no room for another. */
const BATCH_BYTES = 65_000
const PRODUCED = 600_000
const READ_BYTES = 1e9
const END_TO_END = 20_000
const SECONDS = { warmupSeconds: 2, measureSeconds: 5 }

export function registerLoadCheck(program: Command): void {
  program
    .command('load-check')
    .description(
      'the load harness beside ProducerPerformance, ConsumerPerformance, EndToEndLatency',
    )
    .requiredOption('--libs <directory>', 'the jars of Apache Kafka 4.2 or newer')
    .option('--rounds <n>', 'by turns', positiveInteger, 3)
    .action(run)
}

interface Side {
  readonly values: number[]
  /** CPU seconds for each GB of values (10⁹ bytes), of the whole run with the start of its processes and its warm-up. */
  readonly clientCpu: number[]
  readonly brokerCpu: number[]
}

interface Row {
  readonly name: string
  readonly ours: Side
  readonly theirs: Side
}

const configs = { 'segment.bytes': 268_435_456 }

const workload = (json: object): Workload =>
  parseWorkload({ name: 'check', topics: { configs }, ...json }, 'load-check')

const produced = workload({
  produce: { recordBytes: RECORD_BYTES, recordsPerBatch: BATCH_RECORDS, idempotence: true },
})
const read = workload({
  topics: { configs, preloadBytes: READ_BYTES },
  produce: { recordBytes: RECORD_BYTES, recordsPerBatch: BATCH_RECORDS },
  consume: { from: 'beginning', rewind: true },
})
/** Without its producer, who said what the preload is made of. */
const readAgain: Workload = { ...read, produce: [] }
const endToEnd = workload({
  produce: { recordBytes: RECORD_BYTES, inFlight: 1 },
  consume: {},
  endToEnd: true,
})

async function run({ libs, rounds }: Options): Promise<void> {
  const java = javaProgram()
  assertTools(libs)
  const at = circumstances()
  const engine = await startEngine()
  try {
    const tools = new JavaTools(java, libs, engine.bootstrap, engine.sandbox)
    const checked = await new Check(engine, tools).rows(rounds)
    const head = ['what', 'by', 'found', 'client CPU s/GB', 'broker CPU s/GB', 'ours / theirs']
    const cells = checked.flatMap(({ name, ours, theirs }) => {
      const cellsOf = (side: Side) =>
        [side.values, side.clientCpu, side.brokerCpu].map((all) => spread(all))
      const ratio = (median(ours.values) / median(theirs.values)).toFixed(2)
      return [
        [name, 'griot-bench', ...cellsOf(ours), ratio],
        ['', 'Kafka’s tool', ...cellsOf(theirs), ''],
      ]
    })
    console.log(markdownTable(head, cells))
    console.log(`\n${circumstancesLine(at)}`)
  } finally {
    await engine.stop()
  }
}

const side = (): Side => ({ values: [], clientCpu: [], brokerCpu: [] })
const row = (name: string): Row => ({ name, ours: side(), theirs: side() })

class Check {
  readonly #engine: OwnEngine
  readonly #java: JavaTools
  readonly #produce = row('produce, 64 KB batches of 1 KiB records, MB/s')
  readonly #consume = row('read from the beginning, the same batches, MB/s')
  readonly #latency = row('end to end, one record of 1 KiB at a time, mean µs')

  constructor(engine: OwnEngine, java: JavaTools) {
    this.#engine = engine
    this.#java = java
  }

  async rows(rounds: number): Promise<Row[]> {
    const { bootstrap } = this.#engine
    const topics = [{ name: 'in', configs }, { name: 'e2e' }]
    const ofTools = workload({ topics, produce: { topic: 'in' } })
    // made by runs of ours, so that both sides' topics are the same
    const kept = { bootstrap, warmupSeconds: 0, measureSeconds: 0.1, keep: true }
    const tools = await runWorkload(ofTools, kept)
    const preloaded = await runWorkload({ ...read, consume: [] }, kept)
    const nameOf = (of: Workload, set: number, prefix: string) =>
      topicNames(prefix, of.topics[set]!)[0]!
    const toRead = nameOf(read, 0, preloaded.prefix)
    const into = nameOf(ofTools, 0, tools.prefix)
    const records = Math.floor(READ_BYTES / RECORD_BYTES)
    for (let round = 0; round < rounds; round++) {
      await this.#ours(this.#produce.ours, produced)
      await this.#theirs(this.#produce.theirs, PRODUCED, (java) =>
        java.produce(into, PRODUCED, RECORD_BYTES, BATCH_BYTES),
      )
      await this.#ours(this.#consume.ours, readAgain, preloaded.prefix)
      await this.#theirs(this.#consume.theirs, records, (java) =>
        java.consume(toRead, records, RECORD_BYTES),
      )
      await this.#ours(this.#latency.ours, endToEnd)
      await this.#theirs(this.#latency.theirs, END_TO_END, (java) =>
        java.endToEnd(nameOf(ofTools, 1, tools.prefix), END_TO_END, RECORD_BYTES),
      )
    }
    return [this.#produce, this.#consume, this.#latency]
  }

  async #ours(into: Side, what: Workload, prefix?: string): Promise<void> {
    const before = this.#cpu()
    const options = { bootstrap: this.#engine.bootstrap, ...SECONDS }
    const result = await runWorkload(what, prefix === undefined ? options : { ...options, prefix })
    const flow = (result.consumed ?? result.produced)!
    into.values.push(what === endToEnd ? flow.latencyUs!.mean : flow.bytesPerSecond / 1e6)
    this.#count(into, before, flow.total.bytes)
  }

  async #theirs(
    into: Side,
    records: number,
    run: (java: JavaTools) => Promise<number>,
  ): Promise<void> {
    const before = this.#cpu()
    into.values.push(await run(this.#java))
    this.#count(into, before, records * RECORD_BYTES)
  }

  /** Clients are processes that have ended by then, on either side. */
  #cpu() {
    return {
      client: endedChildrenCpuSeconds(process.pid) ?? Number.NaN,
      broker: cpuSeconds(this.#engine.pid) ?? Number.NaN,
    }
  }

  #count(into: Side, before: { readonly client: number; readonly broker: number }, bytes: number) {
    const { client, broker } = this.#cpu()
    into.clientCpu.push((client - before.client) / (bytes / 1e9))
    into.brokerCpu.push((broker - before.broker) / (bytes / 1e9))
  }
}

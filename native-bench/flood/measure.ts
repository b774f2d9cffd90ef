/** One tenant floods, another produces at its own pace: what that one sees, by turns without and with the other. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'
import { buildSync } from 'esbuild'
import type { Griot as GriotClass } from '../../src/index.ts'
import { deleteTopicsByName } from '../../src/kafka-client/admin.ts'
import { collectWithoutHelpers } from '../../src/server/collector-flags.ts'
import type { GriotTenant } from '../../src/server/engine-tenants.ts'
import { root } from '../common/root.ts'
import { topicNames } from '../load/plan.ts'
import { runWorkload } from '../load/run-workload.ts'
import { parseWorkload, type Workload } from '../load/workload.ts'
import { makeTopics, withClient } from '../peers/cluster.ts'
import type { FloodName, FloodOrder, FloodReport } from './floods.ts'

/** 1 MB a second: 250 requests of four records of 1,000 bytes. */
const QUIET = {
  ...{ name: 'quiet', topics: {} },
  produce: { rate: 1000, recordBytes: 1000, recordsPerBatch: 4, connections: 1, inFlight: 100 },
}
/** Of the tenant that floods: what its metadata requests are answered with. */
const TOPICS = 100
const PARTITIONS = 10
/** Filled with so much to be read. */
const FILL = {
  ...{ name: 'fill', topics: { preloadBytes: 64e6 } },
  produce: { rate: 1, recordBytes: 10_000, recordsPerBatch: 50 },
}

export interface QuietSeen {
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
  readonly bytesPerSecond: number
}

export interface FloodSeen {
  readonly flood: FloodName
  readonly before: QuietSeen
  readonly during: QuietSeen
  readonly report: FloodReport
}

export interface MeasureFloodsOptions {
  readonly floods: readonly FloodName[]
  readonly repeats: number
  readonly connections: number
  readonly seconds: number
  readonly warmupSeconds: number
  readonly brokers: number
  readonly memory: string
  /** Floods go to a process that does next to nothing, not to the engine: what the machine does to whoever runs on it. */
  readonly isElsewhere?: boolean
  readonly print: (line: string) => void
}

/** Each flood `repeats` times, by turns. Throws where the quiet tenant gets an error or loses its connection. */
export async function measureFloods(options: MeasureFloodsOptions): Promise<FloodSeen[]> {
  // as in a process of Griot's own
  collectWithoutHelpers()
  const { Griot } = (await import(pathToFileURL(join(root, 'dist/index.js')).href)) as {
    Griot: typeof GriotClass
  }
  const { brokers, memory } = options
  const griot = await Griot.start({ brokers, memory, logLevel: 'silent', stopTimeout: '2s' })
  try {
    const quiet = await griot.createTenant({ name: 'quiet' })
    const loud = await griot.createTenant({ name: 'loud' })
    const run = new Floods(options, quiet, loud, griot.brokers[0]!)
    const seen: FloodSeen[] = []
    try {
      await run.prepare()
      for (let i = 0; i < options.repeats; i++) {
        for (const flood of options.floods) seen.push(await run.measure(flood))
      }
    } finally {
      run.close()
    }
    return seen
  } finally {
    await griot.close()
  }
}

class Floods {
  readonly #options: MeasureFloodsOptions
  readonly #quiet: GriotTenant
  readonly #loud: GriotTenant
  readonly #common: string
  readonly #workload = parseWorkload(QUIET, 'quiet')
  readonly #program = bundleOf('flood-main')
  #elsewhere: HelperProcess | null = null
  /** Where floods go to, if not to the engine. */
  #elsewherePort = 0
  #topic = ''
  #prefix = ''
  #username = ''
  #sinks = 0

  constructor(
    options: MeasureFloodsOptions,
    quiet: GriotTenant,
    loud: GriotTenant,
    common: string,
  ) {
    this.#options = options
    this.#quiet = quiet
    this.#loud = loud
    this.#common = common
  }

  /** Topics of both, and what is there to be read. */
  async prepare(): Promise<void> {
    if (this.#options.isElsewhere === true) {
      this.#elsewhere = new HelperProcess(bundleOf('elsewhere-main'))
      this.#elsewherePort = Number(await this.#elsewhere.line())
    }
    this.#prefix = await prefixOf(this.#workload, this.#quiet)
    const fill = parseWorkload(FILL, 'fill')
    this.#topic = topicNames(await prefixOf(fill, this.#loud), fill.topics[0]!)[0]!
    this.#username = (await this.#loud.createKey()).key
    const wide = Array.from({ length: TOPICS }, (_, at) => `wide-${at}`)
    await withClient(this.#loud.bootstrapServers, (client) => makeTopics(client, wide, PARTITIONS))
  }

  async measure(flood: FloodName): Promise<FloodSeen> {
    const sink = `sink-${this.#sinks++}`
    const loud = this.#loud.bootstrapServers
    await withClient(loud, (client) => makeTopics(client, [sink], 1))
    const before = await this.#look()
    const process = await this.#start(flood, sink)
    try {
      const during = await this.#look()
      const report = await process.end()
      this.#options.print(lineOf({ flood, before, during, report }))
      return { flood, before, during, report }
    } finally {
      process.kill()
      await withClient(loud, (client) => deleteTopicsByName(client, [sink]))
      await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
    }
  }

  async #look(): Promise<QuietSeen> {
    const { seconds: measureSeconds, warmupSeconds } = this.#options
    const bootstrap = this.#quiet.bootstrapServers
    const { produced } = await runWorkload(this.#workload, {
      ...{ bootstrap, warmupSeconds, measureSeconds, prefix: this.#prefix },
    })
    const { p50, p99, max } = produced!.latencyUs!
    const { bytesPerSecond } = produced!
    return { p50Ms: p50 / 1000, p99Ms: p99 / 1000, maxMs: max / 1000, bytesPerSecond }
  }

  close(): void {
    this.#elsewhere?.kill()
  }

  #start(flood: FloodName, sink: string): Promise<FloodProcess> {
    const [host, own] = this.#loud.brokers[0]!.split(':') as [string, string]
    const port = this.#elsewherePort || Number(own)
    const loginPort = this.#elsewherePort || Number(this.#common.split(':')[1])
    const order: FloodOrder = {
      ...{ flood, host, port, loginPort },
      ...{ username: this.#username, topic: this.#topic, sink },
      connections: this.#options.connections,
    }
    return FloodProcess.start(this.#program, order)
  }
}

/** Connections that were cut are gone by then, and what they left is collected. */
const SETTLE_MS = 2_000

/** Makes the workload's topics, and has it run for a moment. */
async function prefixOf(workload: Workload, tenant: GriotTenant): Promise<string> {
  const { prefix } = await runWorkload(workload, {
    ...{ bootstrap: tenant.bootstrapServers, warmupSeconds: 0.2, measureSeconds: 0.5, keep: true },
  })
  return prefix
}

/** A process of this bench that says lines, and ends with its standard input. */
class HelperProcess {
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>

  constructor(program: string, ...args: readonly string[]) {
    this.#child = spawn(process.execPath, [program, ...args], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.#lines = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]()
  }

  async line(): Promise<string> {
    const { done, value } = await this.#lines.next()
    if (done === true) throw new Error('a process of the bench has ended')
    return value
  }

  end(): void {
    this.#child.stdin!.end()
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }
}

class FloodProcess {
  readonly #process: HelperProcess

  private constructor(process: HelperProcess) {
    this.#process = process
  }

  static async start(program: string, order: FloodOrder): Promise<FloodProcess> {
    const flood = new HelperProcess(program, JSON.stringify(order))
    await flood.line()
    return new FloodProcess(flood)
  }

  async end(): Promise<FloodReport> {
    this.#process.end()
    return JSON.parse(await this.#process.line()) as FloodReport
  }

  kill(): void {
    this.#process.kill()
  }
}

/** A file of this folder as one that plain Node runs, where it finds the packages. */
function bundleOf(name: string): string {
  const folder = join(root, 'node_modules/.cache/griot-flood')
  mkdirSync(folder, { recursive: true })
  const outfile = join(folder, `${name}.mjs`)
  buildSync({
    ...{ entryPoints: [join(root, `native-bench/flood/${name}.ts`)], outfile, bundle: true },
    ...{ format: 'esm', platform: 'node', target: 'node20', packages: 'external' },
    logLevel: 'warning',
  })
  return outfile
}

const lineOf = ({ flood, before, during, report }: FloodSeen): string => {
  const ratio = (during.p99Ms / before.p99Ms).toFixed(2)
  const of = ({ p50Ms, p99Ms, maxMs }: QuietSeen) =>
    [p50Ms, p99Ms, maxMs].map((ms) => ms.toFixed(1)).join('/')
  return `${flood.padEnd(10)} p50/p99/max ms ${of(before)} → ${of(during)}, ratio ${ratio}; ${report.connects} connects, ${(report.sentBytes / 1e6).toFixed(0)} MB sent, ${(report.receivedBytes / 1e6).toFixed(0)} MB received`
}

/** The engine under attack: its process, what it logs, what its metrics say, and a probe beside the attack. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildSync } from 'esbuild'
import { EngineProcess } from '../clients/engine-process.ts'
import { Wire } from '../clients/wire.ts'
import type { ProbeReport } from './probe-main.ts'

const root = join(import.meta.dirname, '../..')

/** Of metrics that have to come back to where they were. */
export interface Gauges {
  readonly connections: number
  readonly inFlightBytes: number
  readonly connectionsWaiting: number
  readonly pinnedBytes: number
  readonly fileBufferBytes: number
  readonly commandsParked: number
  readonly fetchesParked: number
  readonly producesPending: number
  readonly fetchSessions: number
  readonly rejected: number
  readonly files: number
  readonly lagMaxSeconds: number
}

export class Target {
  readonly engine: EngineProcess
  readonly #directory: string
  /** Whole lines of the engine's log so far. */
  readonly lines: string[] = []
  #rest = ''

  private constructor(engine: EngineProcess, directory: string) {
    this.engine = engine
    this.#directory = directory
    engine.onStderr = (text) => {
      const lines = (this.#rest + text).split('\n')
      this.#rest = lines.pop()!
      for (const line of lines) this.lines.push(line)
    }
  }

  static async start(extra: readonly string[] = ['--memory', '128M']): Promise<Target> {
    const directory = await mkdtemp(join(tmpdir(), 'griot-hostile-'))
    const engine = await EngineProcess.create(join(directory, 'data'), 3, extra)
    const target = new Target(engine, directory)
    await engine.start()
    const wire = await Wire.open(engine.bootstrap)
    await wire.createTopic('probe', 1)
    wire.close()
    return target
  }

  async stop(): Promise<void> {
    await this.engine.end('SIGTERM')
    await rm(this.#directory, { recursive: true, force: true })
  }

  get host(): string {
    return this.engine.bootstrap.split(':')[0]!
  }

  get port(): number {
    return Number(this.engine.bootstrap.split(':')[1])
  }

  get httpPort(): number {
    return Number(new URL(this.engine.url).port)
  }

  rssMb(): number {
    const status = readFileSync(`/proc/${this.engine.pid}/status`, 'utf8')
    // A process that has died and not been seen to has none.
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024
  }

  /** The highest that RSS gets to, until asked. */
  watchPeak(): { end(): number } {
    let peak = this.rssMb()
    const watch = setInterval(() => {
      if (this.engine.isRunning) peak = Math.max(peak, this.rssMb())
    }, 50).unref()
    return {
      end() {
        clearInterval(watch)
        return peak
      },
    }
  }

  /** The lowest of several looks: garbage is collected at times of the engine's own choosing. */
  async settledRssMb(ms = 3_000): Promise<number> {
    let least = Number.POSITIVE_INFINITY
    for (let waited = 0; waited < ms; waited += 250) {
      await sleep(250)
      least = Math.min(least, this.rssMb())
    }
    return least
  }

  async gauges(): Promise<Gauges> {
    const text = await (await fetch(`${this.engine.url}/metrics`)).text()
    const sum = (name: string, label = '') => {
      let total = 0
      for (const line of text.split('\n')) {
        if (line.startsWith(name) && '{ '.includes(line[name.length]!) && line.includes(label)) {
          total += Number(line.slice(line.lastIndexOf(' ')))
        }
      }
      return total
    }
    const purgatory = 'kafka_server_delayedoperationpurgatory_purgatorysize'
    return {
      connections: sum('kafka_server_socket_server_metrics_connection_count'),
      inFlightBytes: sum('griot_front_in_flight_bytes'),
      connectionsWaiting: sum('griot_front_connections_waiting'),
      pinnedBytes: sum('griot_front_pinned_bytes'),
      fileBufferBytes: sum('griot_front_file_buffer_bytes'),
      commandsParked: sum('griot_front_commands_parked'),
      fetchesParked: sum(purgatory, 'Fetch'),
      producesPending: sum(purgatory, 'Produce'),
      fetchSessions: sum('kafka_server_fetchsessioncache_numincrementalfetchsessions'),
      rejected: sum('griot_front_frames_rejected_total'),
      files: sum('process_open_fds'),
      lagMaxSeconds: sum('griot_event_loop_lag_max_seconds', 'front-0'),
    }
  }

  /** Waits until nothing is held any more, `beside` connections apart; what is still held after `timeoutMs` is returned. */
  async whenQuiet(beside: number, timeoutMs = 10_000): Promise<Gauges> {
    const until = Date.now() + timeoutMs
    for (;;) {
      const now = await this.gauges()
      const held =
        now.inFlightBytes +
        now.pinnedBytes +
        now.fileBufferBytes +
        now.commandsParked +
        now.fetchesParked +
        now.producesPending +
        now.connectionsWaiting
      if ((held === 0 && now.connections <= beside) || Date.now() > until) return now
      await sleep(200)
    }
  }

  /** Lines whose message is `message`, with those that the log says it has left out. */
  linesOf(message: string): number {
    return this.lines.filter((line) => line.includes(message)).length
  }

  /** Waits for a line with `text`; throws when none comes. */
  async logged(text: string): Promise<void> {
    for (let i = 0; i < 100; i++) {
      if (this.lines.some((line) => line.includes(text))) return
      await sleep(50)
    }
    throw new Error(`no line has ${text}: ${this.lines.slice(-5).join('\n')}`)
  }

  /** What the log says that it has left out. */
  get linesLeftOut(): number {
    let sum = 0
    for (const line of this.lines) {
      if (line.includes('further lines like these were left out')) sum += JSON.parse(line).left
    }
    return sum
  }

  /** Lines that only a bug writes. */
  get bugs(): string[] {
    return this.lines.filter((line) =>
      /"level":"(error|fatal)"|handler failed|at .*\.cjs/.test(line),
    )
  }

  probe(): Probe {
    return new Probe(this.engine)
  }
}

export const sleep = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ms))

/** The probe of `probe-main.ts`, as long as it runs. */
export class Probe {
  readonly #child
  #out = ''

  constructor(engine: EngineProcess) {
    const args = [bundled('probe-main'), engine.bootstrap, engine.url, 'probe']
    this.#child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#child.stdout.on('data', (chunk) => (this.#out += chunk))
  }

  async end(): Promise<ProbeReport> {
    const exited = once(this.#child, 'close')
    this.#child.stdin.end()
    await exited
    return JSON.parse(this.#out) as ProbeReport
  }
}

/** `name`.ts of this folder as one file that plain Node runs, where it finds the packages. */
export function bundled(name: string): string {
  const folder = join(root, 'node_modules/.cache/griot-hostile')
  mkdirSync(folder, { recursive: true })
  const outfile = join(folder, `${name}.mjs`)
  buildSync({
    ...{ entryPoints: [join(import.meta.dirname, `${name}.ts`)], outfile, bundle: true },
    ...{ format: 'esm', platform: 'node', target: 'node20', packages: 'external' },
    logLevel: 'warning',
  })
  return outfile
}

export const reportOf = (probe: ProbeReport): string =>
  `probe: ${probe.rounds} rounds, p50 ${probe.p50.toFixed(1)}, p99 ${probe.p99.toFixed(1)}, max ${probe.max.toFixed(0)} ms; ` +
  `health: ${probe.healthChecks} answers, slowest ${probe.healthMax.toFixed(0)} ms`

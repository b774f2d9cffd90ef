/**
 * `npm run bench` without a subcommand: produce and fetch of a running engine beside the loopback limit of this machine,
 * in one run. With `--bootstrap HOST:PORT` it measures that Kafka; without, it starts an engine of its own.
 */
import type { Command } from 'commander'
import { startEngine } from '../common/engine.ts'
import { circumstances, circumstancesLine } from '../common/machine.ts'
import { markdownTable } from '../common/markdown.ts'
import { positiveInteger, positiveNumber } from '../common/options.ts'
import { median, spread } from '../common/statistics.ts'
import { rssBytes } from '../common/usage.ts'
import { compiler } from '../limits/compile.ts'
import { type LimitLine, measureLimit } from '../limits/measure.ts'
import { type RowResult, rows, runRow } from './rows.ts'

interface Options {
  readonly bootstrap?: string
  readonly pid?: number
  readonly seconds: number
  readonly rounds: number
  readonly json: boolean
}

export function registerBaseline(program: Command): void {
  program
    .command('baseline', { isDefault: true })
    .description('produce and fetch of one partition beside the loopback limit')
    .option(
      '--bootstrap <HOST:PORT>',
      'a running Kafka of any kind instead of an engine of its own',
    )
    .option('--pid <PID>', 'its process, to tell its CPU and memory', positiveInteger)
    .option('--seconds <N>', 'how long each workload runs', positiveNumber, 5)
    .option('--rounds <N>', 'how often', positiveInteger, 3)
    .option('--json', 'print JSON instead of a table', false)
    .action(run)
}

interface Target {
  readonly bootstrap: string
  readonly pid: number | null
}

async function measure(target: Target, seconds: number, rounds: number) {
  const limits: LimitLine[] = []
  const trips: LimitLine[] = []
  const results = new Map<string, RowResult[]>()
  for (let round = 0; round < rounds; round++) {
    console.error(`round ${round + 1} of ${rounds}`)
    // slower without a compiler, and the table says so
    const limit = await measureLimit(compiler() === null ? 'loopback-1M-node' : 'loopback-1M')
    const trip = await measureLimit('round-trip-1')
    if (typeof limit !== 'string') limits.push(limit)
    if (typeof trip !== 'string') trips.push(trip)
    for (const row of rows) {
      const { name } = row
      const result = await runRow(row, target, seconds)
      results.set(name, [...(results.get(name) ?? []), result])
      console.error(`  ${name}: ${(result.bytes / result.seconds / 1e6).toFixed(0)} MB/s`)
    }
  }
  return { limits, trips, results }
}

const HEAD = [
  ...['workload', 'MB/s', 'of loopback', 'requests/s', 'p50 µs', 'p99 µs'],
  ...['broker CPU-s/GB', 'broker CPU µs/request'],
]

function table({ limits, trips, results }: Awaited<ReturnType<typeof measure>>): string {
  const limit = median(limits.map((l) => l.value))
  const program = compiler() === null ? 'Node’s sockets' : 'a C program'
  const lines = [...results].map(([name, runs]) => {
    const rates = runs.map((r) => r.bytes / r.seconds / 1e6)
    const cpu = runs.map((r) => r.brokerCpuSeconds ?? Number.NaN)
    return [
      name,
      spread(rates, 0),
      `${((median(rates) * 1e8) / limit).toFixed(0)} %`,
      spread(
        runs.map((r) => r.requests / r.seconds),
        0,
      ),
      spread(
        runs.map((r) => r.latencyUs.p50),
        0,
      ),
      spread(
        runs.map((r) => r.latencyUs.p99),
        0,
      ),
      median(runs.map((r, i) => (cpu[i]! / r.bytes) * 1e9)).toFixed(2),
      median(runs.map((r, i) => (cpu[i]! / r.requests) * 1e6)).toFixed(1),
    ]
  })
  const loopback = spread(
    limits.map((l) => l.value / 1e6),
    0,
  )
  const trip = trips.length === 0 ? '–' : spread(trips.map((line) => line.p50Us!))
  return `Loopback, ${program}, 1 MB chunks: ${loopback} MB/s; round trip p50 ${trip} µs\n\n${markdownTable(HEAD, lines)}`
}

async function run(options: Options): Promise<void> {
  const own = options.bootstrap === undefined ? await startEngine() : null
  const target = own ?? { bootstrap: options.bootstrap!, pid: options.pid ?? null }
  try {
    const idle = rssBytes(target.pid)
    const measured = await measure(target, options.seconds, options.rounds)
    const loaded = rssBytes(target.pid)
    if (options.json) {
      const { limits, trips, results } = measured
      console.log(JSON.stringify({ limits, trips, results: [...results], idle, loaded }))
      return
    }
    console.log(table(measured))
    if (idle !== null) {
      const [before, after] = [idle, loaded!].map((bytes) => (bytes / 1e6).toFixed(0))
      console.log(`\nRSS ${before} MB idle, ${after} MB after the load`)
    }
    console.log(circumstancesLine(circumstances()))
  } finally {
    await own?.stop()
  }
}

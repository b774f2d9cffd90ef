/** `npm run bench -- peers --row NAME`: Griot and Apache Kafka by turns. `npm run bench -- table`: RESULTS.md. */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join, relative } from 'node:path'
import { type Command, Option } from 'commander'
import { circumstances, circumstancesLine } from '../common/machine.ts'
import { markdownTable } from '../common/markdown.ts'
import { positiveInteger, positiveNumber } from '../common/options.ts'
import { root } from '../common/root.ts'
import type { Side } from './broker.ts'
import { startGriot } from './griot.ts'
import { startKafka } from './kafka.ts'
import { javaProgram, KAFKA_VERSION, kafkaLibs } from './kafka-libs.ts'
import { assertRoom, roomAt } from './preflight.ts'
import { keepResult, newestResults, type RowResult } from './results.ts'
import type { Row, Timing } from './row.ts'
import { rows } from './rows.ts'
import { type Measured, runRow, type Sides, verdict } from './run-row.ts'
import { Sandbox } from './sandbox.ts'
import { resultsPage, type TableRow } from './table.ts'

const RESULTS = join(root, 'native-bench/results')
const PAGE = join(root, 'native-bench/RESULTS.md')
/** What a run is kept for: the goals are about rounds and seconds of at least so much. */
const ROUNDS = 5
const SECONDS = 15
const WARMUP_SECONDS = 5
const JVM_WARMUP_SECONDS = 30

interface Options {
  readonly row: string
  readonly peer: 'kafka' | 'griot'
  readonly kafkaVersion: string
  readonly nodes: '1' | '3'
  readonly rounds: number
  readonly seconds: number
  readonly warmup?: number
  readonly dataDir?: string
  readonly json: boolean
}

export function registerPeers(program: Command): void {
  program
    .command('peers')
    .description('one row of the table: Griot and Apache Kafka by turns, on loopback')
    .requiredOption('--row <NAME>', `which: ${rows.map(({ name }) => name).join(', ')}`)
    .addOption(
      new Option('--peer <NAME>', 'griot holds Griot against itself: what a ratio of 1 looks like')
        .choices(['kafka', 'griot'])
        .default('kafka'),
    )
    .option('--kafka-version <V>', 'from Maven Central', KAFKA_VERSION)
    .addOption(new Option('--nodes <N>', 'of Kafka').choices(['1', '3']).default('1'))
    .option('--rounds <N>', 'pairs of runs', positiveInteger, ROUNDS)
    .option('--seconds <N>', 'measured, of a run', positiveNumber, SECONDS)
    .option('--warmup <N>', 'seconds before, of every run; 30 for a fresh JVM', positiveNumber)
    .option('--data-dir <DIR>', 'where temporary directories are made')
    .option('--json', 'print the result as JSON instead of the verdict', false)
    .action(orExplain(runPeers))
  program
    .command('table')
    .description('write native-bench/RESULTS.md from the newest run of each row')
    .action(orExplain(writeTable))
}

/** What went wrong is for whoever ran it, so without a stack; it ends with 1. */
function orExplain<T>(run: (options: T) => void | Promise<void>): (options: T) => Promise<void> {
  return async (options) => {
    try {
      await run(options)
    } catch (error) {
      const { message, cause } = error as Error
      const isNews = cause instanceof Error && !message.includes(cause.message)
      console.error(`error: ${message}${isNews ? ` (${cause.message})` : ''}`)
      process.exitCode = 1
    }
  }
}

function timingOf({ seconds, warmup }: Options): Timing {
  return {
    seconds,
    warmupSeconds: warmup ?? WARMUP_SECONDS,
    freshWarmupSeconds: { griot: warmup ?? WARMUP_SECONDS, kafka: warmup ?? JVM_WARMUP_SECONDS },
  }
}

function sidesOf(options: Options, sandbox: Sandbox): Sides & { java: () => string | null } {
  const griot: Side = {
    name: 'griot',
    label: 'Griot',
    start: (directory) => startGriot(sandbox, directory),
  }
  let java: string | null = null
  const kafka = (): Side => {
    const program = javaProgram()
    const libs = kafkaLibs(options.kafkaVersion)
    java = /version "([^"]+)"/.exec(
      spawnSync(program, ['-version'], { encoding: 'utf8' }).stderr,
    )![1]!
    const nodes = options.nodes === '3' ? 3 : 1
    return {
      name: 'kafka',
      label: `Apache Kafka ${options.kafkaVersion}${nodes === 3 ? ', three nodes' : ''}`,
      start: (directory) =>
        startKafka(sandbox, { java: program, libs, nodes, properties }, directory),
    }
  }
  const peer = options.peer === 'griot' ? () => ({ ...griot, label: 'Griot again' }) : kafka
  return { griot, peer, java: () => java }
}

/**
 * What is not Kafka's default: retention is looked at every second, not every five minutes, and files are deleted a second later,
 * not a minute, so that a log of 1 GB stays one. Griot does so at each new segment.
 */
const properties = {
  'log.retention.check.interval.ms': 1_000,
  'log.segment.delete.delay.ms': 1_000,
}

async function runPeers(options: Options): Promise<void> {
  const row = rows.find(({ name }) => name === options.row)
  if (row === undefined)
    throw new Error(`no row ${options.row}; there are ${rows.map(({ name }) => name).join(', ')}`)
  const loadBefore = loadavg()[0]!
  const sandbox = new Sandbox(options.dataDir)
  const print = (line: string) => console.error(line)
  try {
    assertRoom(row.name, row.needs, roomAt(sandbox.place), sandbox.place)
    const sides = sidesOf(options, sandbox)
    print(`${row.name}: ${row.title}`)
    const timing = timingOf(options)
    const measured = await runRow(row, sides, { rounds: options.rounds, timing, sandbox, print })
    report(row, options, measured, { loadBefore, java: sides.java() })
  } finally {
    await sandbox.close()
  }
}

/** A row of another peer than one node is one of its own in the table. */
const resultName = (row: Row, { nodes, peer }: Options): string =>
  `${row.name}${nodes === '3' ? '-three-nodes' : ''}${peer === 'griot' ? '-griot' : ''}`

function commandOf(options: Options): string {
  const words = ['npm run bench -- peers --row', options.row]
  if (options.peer !== 'kafka') words.push('--peer', options.peer)
  if (options.kafkaVersion !== KAFKA_VERSION) words.push('--kafka-version', options.kafkaVersion)
  if (options.nodes !== '1') words.push('--nodes', options.nodes)
  if (options.rounds !== ROUNDS) words.push('--rounds', String(options.rounds))
  if (options.seconds !== SECONDS) words.push('--seconds', String(options.seconds))
  if (options.warmup !== undefined) words.push('--warmup', String(options.warmup))
  return words.join(' ')
}

function report(
  row: Row,
  options: Options,
  measured: Measured,
  { loadBefore, java }: { loadBefore: number; java: string | null },
): void {
  const result: RowResult = {
    format: 1,
    row: resultName(row, options),
    title: row.title,
    peer: measured.peer,
    command: commandOf(options),
    at: circumstances(),
    java,
    loadBefore,
    seconds: options.seconds,
    measures: row.measures,
    rounds: measured.rounds,
    notes: measured.notes,
  }
  const isTrial =
    options.rounds < ROUNDS ||
    options.seconds < SECONDS ||
    options.warmup !== undefined ||
    options.peer === 'griot'
  const path = keepResult(isTrial ? join(RESULTS, 'trial') : RESULTS, result)
  if (options.json) {
    console.log(JSON.stringify(result))
    return
  }
  const head = ['measure', `Griot : ${measured.peer}`, 'goal', 'reached']
  console.log(markdownTable(head, verdict(row, measured)))
  for (const note of measured.notes) console.log(note)
  console.log(`${circumstancesLine(result.at)}, load before ${loadBefore.toFixed(2)}`)
  console.log(`kept in ${relative(root, path)}${isTrial ? ': a trial, not for the table' : ''}`)
}

function writeTable(): void {
  const results = newestResults(RESULTS)
  const known = new Set(rows.map(({ name }) => name))
  const others: TableRow[] = [...results.values()]
    .filter(({ row }) => !known.has(row))
    .map(({ row, title, measures }) => ({ name: row, title, measures }))
  writeFileSync(PAGE, resultsPage([...rows, ...others], results))
  console.log(`${relative(root, PAGE)}: ${results.size} rows of ${known.size + others.length}`)
}

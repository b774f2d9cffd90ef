/** `npm run bench -- peers --row NAME`: Griot and Apache Kafka by turns. `npm run bench -- table`: RESULTS.md. */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join, relative } from 'node:path'
import { type Command, Option } from 'commander'
import { builtHash } from '../common/built.ts'
import { circumstances, circumstancesLine } from '../common/machine.ts'
import { markdownTable } from '../common/markdown.ts'
import { positiveInteger, positiveNumber } from '../common/options.ts'
import { OthersWindow } from '../common/others.ts'
import { root } from '../common/root.ts'
import { Sandbox } from '../common/sandbox.ts'
import type { Side } from './broker.ts'
import { griotSide, hasChaos } from './griot.ts'
import { startKafka } from './kafka.ts'
import { javaProgram, KAFKA_VERSION, kafkaLibs } from './kafka-libs.ts'
import type { Round } from './measures.ts'
import { SETTLE_TIMEOUT_MS } from './page-cache.ts'
import { assertRoom, memoryPlace, roomAt } from './preflight.ts'
import { keepResult, newestResults, type RowResult } from './results.ts'
import type { Row, Timing } from './row.ts'
import { rowNamed, rows } from './rows.ts'
import { type Measured, runRow, type Sides, verdict } from './run-row.ts'
import { quietText, resultsPage, type TableRow } from './table.ts'
import { ROUNDS, SECONDS, whyTrial } from './trial.ts'
import { REPLICAS } from './variants.ts'

const RESULTS = join(root, 'native-bench/results')
const PAGE = join(root, 'native-bench/RESULTS.md')
const WARMUP_SECONDS = 5
const JVM_WARMUP_SECONDS = 30
const REST_MS = 3_000

interface Options {
  readonly row: string
  readonly peer: 'kafka' | 'griot'
  readonly kafkaVersion: string
  readonly nodes?: '1' | '3'
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
    .addOption(
      new Option('--nodes <N>', 'of Kafka; with 3, rows may go without their -rf3').choices([
        '1',
        '3',
      ]),
    )
    .option('--rounds <N>', 'pairs of runs', positiveInteger, ROUNDS)
    .option('--seconds <N>', 'measured, of a run', positiveNumber, SECONDS)
    .option('--warmup <N>', 'seconds before, of every run; 30 for a fresh JVM', positiveNumber)
    .option('--data-dir <DIR>', 'where temporary directories are made')
    .option('--json', 'print the result as JSON instead of the verdict', false)
    .action(runPeers)
  program
    .command('table')
    .description('write native-bench/RESULTS.md from the newest run of each row')
    .action(writeTable)
}

function timingOf({ seconds, warmup }: Options): Timing {
  return {
    seconds,
    warmupSeconds: warmup ?? WARMUP_SECONDS,
    freshWarmupSeconds: { griot: warmup ?? WARMUP_SECONDS, kafka: warmup ?? JVM_WARMUP_SECONDS },
    ...{ restMs: REST_MS, size: 1 },
  }
}

function sidesOf(
  row: Row,
  options: Options,
  sandbox: Sandbox,
): Sides & { java: () => string | null } {
  const griotOptions = { chaos: row.killsBrokers ?? false }
  const griot = griotSide(sandbox, 'Griot', griotOptions)
  let java: string | null = null
  const kafka = (): Side => {
    const program = javaProgram()
    const libs = kafkaLibs(options.kafkaVersion)
    java = /version "([^"]+)"/.exec(
      spawnSync(program, ['-version'], { encoding: 'utf8' }).stderr,
    )![1]!
    const nodes = row.nodes ?? 1
    const properties = row.keepsLogsSmall ? RETENTION_NOW : {}
    return {
      name: 'kafka',
      label: `Apache Kafka ${options.kafkaVersion}${nodes === 3 ? ', three nodes' : ''}`,
      start: (directory) =>
        startKafka(sandbox, { java: program, libs, nodes, properties }, directory),
    }
  }
  const peer =
    options.peer === 'griot' ? () => griotSide(sandbox, 'Griot again', griotOptions) : kafka
  return { griot, peer, java: () => java }
}

/**
 * What is not Kafka's default where logs are kept small: retention is looked at every second, not every five minutes, and files are
 * deleted a second later, not a minute, so that a log of 1 GB stays one. Griot does so at each new segment.
 */
const RETENTION_NOW = {
  'log.retention.check.interval.ms': 1_000,
  'log.segment.delete.delay.ms': 1_000,
}

async function runPeers(options: Options): Promise<void> {
  const row = rowNamed(options.row, nodesOf(options))
  if (row.killsBrokers && !hasChaos())
    throw new Error(`row ${row.name} needs brokers that can be killed: this griot has no --chaos`)
  // before anything: what is committed or built meanwhile is not what is measured
  const before = { at: circumstances(), load: loadavg()[0]!, built: builtHash() }
  const others = new OthersWindow()
  const memory = options.dataDir === undefined && row.isInMemory ? memoryPlace(row.needs) : null
  const sandbox = new Sandbox(memory ?? options.dataDir)
  const print = (line: string) => console.error(line)
  let measured: Measured
  let java: string | null
  try {
    assertRoom(row.name, row.needs, roomAt(sandbox.place), sandbox.place)
    const sides = sidesOf(row, options, sandbox)
    print(`${row.name}: ${row.title}`)
    const { rounds } = options
    const timing = timingOf(options)
    measured = await runRow(row, sides, {
      ...{ rounds, timing, sandbox, print, settleMs: SETTLE_TIMEOUT_MS },
    })
    java = sides.java()
  } finally {
    await sandbox.close()
  }
  const notes = [...measured.notes, ...placeNotes(row, memory), ...settingsNotes(row, java)]
  const result: RowResult = {
    format: 1,
    row: resultName(row, options),
    title: row.title,
    peer: measured.peer,
    command: commandOf(row, options),
    at: before.at,
    java,
    loadBefore: before.load,
    othersCores: others.end(),
    seconds: options.seconds,
    measures: row.measures,
    rounds: measured.rounds,
    notes,
  }
  report(row, options, result, before.built)
}

/** Where the directories were, of a row to which that matters. */
function placeNotes({ isInMemory = false }: Row, memory: string | null): string[] {
  if (!isInMemory) return []
  return [
    memory === null
      ? 'Directories were not in memory, so that a file system may be what was measured.'
      : `Directories were in memory (\`${memory}\`).`,
  ]
}

/** What Kafka was told beside its defaults. */
function settingsNotes({ keepsLogsSmall = false }: Row, java: string | null): string[] {
  if (java === null || !keepsLogsSmall) return []
  const set = Object.entries(RETENTION_NOW).map(([name, value]) => `${name}=${value}`)
  return [`Kafka with ${set.join(', ')}.`]
}

const nodesOf = ({ nodes }: Options): 1 | 3 | undefined =>
  nodes === undefined ? undefined : nodes === '3' ? 3 : 1

/** A row of another peer than Kafka is one of its own in the table. */
const resultName = (row: Row, { peer }: Options): string =>
  `${row.name}${peer === 'griot' ? '-griot' : ''}`

function commandOf(row: Row, options: Options): string {
  const words = ['npm run bench -- peers --row', row.name]
  if (options.peer !== 'kafka') words.push('--peer', options.peer)
  if (options.kafkaVersion !== KAFKA_VERSION) words.push('--kafka-version', options.kafkaVersion)
  if (options.rounds !== ROUNDS) words.push('--rounds', String(options.rounds))
  if (options.seconds !== SECONDS) words.push('--seconds', String(options.seconds))
  if (options.warmup !== undefined) words.push('--warmup', String(options.warmup))
  return words.join(' ')
}

const lacksReplicas = (rounds: readonly Round[]): boolean =>
  rounds.some((round) => Object.values(round).some(({ replicas }) => !(replicas! >= REPLICAS)))

function report(row: Row, options: Options, result: RowResult, builtBefore: string): void {
  const why = whyTrial({
    ...{ rounds: options.rounds, seconds: options.seconds, peer: options.peer },
    lacksReplicas: row.nodes === 3 && lacksReplicas(result.rounds),
    ...{ hasOwnWarmup: options.warmup !== undefined, commit: result.at.commit },
    ...{ builtBefore, builtAfter: builtHash() },
  })
  const path = keepResult(why.length > 0 ? join(RESULTS, 'trial') : RESULTS, result)
  if (options.json) {
    console.log(JSON.stringify(result))
    return
  }
  const head = ['measure', `Griot : ${result.peer}`, 'goal', 'reached']
  console.log(markdownTable(head, verdict(row, result)))
  for (const note of result.notes) console.log(note)
  console.log(`${circumstancesLine(result.at)}, ${quietText(result)}`)
  const trial = why.length === 0 ? '' : `: a trial, not for the table (${why.join(', ')})`
  console.log(`kept in ${relative(root, path)}${trial}`)
}

/** Whether nothing in `src` is different now from what it was at `commit`. */
function isCurrent(commit: string | null): boolean {
  if (commit === null || commit.endsWith('+')) return false
  const { status } = spawnSync('git', ['diff', '--quiet', commit, 'HEAD', '--', 'src'], {
    cwd: root,
  })
  return status === 0
}

function writeTable(): void {
  const results = newestResults(RESULTS)
  const known = new Set(rows.map(({ name }) => name))
  const others: TableRow[] = [...results.values()]
    .filter(({ row }) => !known.has(row))
    .map(({ row, title, measures }) => ({ name: row, title, measures }))
  writeFileSync(PAGE, resultsPage([...rows, ...others], results, isCurrent))
  console.log(`${relative(root, PAGE)}: ${results.size} rows of ${known.size + others.length}`)
}

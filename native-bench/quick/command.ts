/**
 * `npm run bench -- --quick`, the regression guard: under three minutes, no peer, and every figure a share of what the
 * machine can do in that very round, so that a slow hour or another machine hides less.
 */
import { writeFileSync } from 'node:fs'
import type { Command } from 'commander'
import { rows, runRow } from '../baseline/rows.ts'
import { type OwnEngine, startEngine } from '../common/engine.ts'
import { circumstances, circumstancesLine } from '../common/machine.ts'
import { markdownTable } from '../common/markdown.ts'
import { fileToWrite, positiveInteger, positiveNumber } from '../common/options.ts'
import { type Figure, figuresText } from '../common/report.ts'
import { format, median, spread } from '../common/statistics.ts'
import type { LimitLine } from '../limits/measure.ts'
import { measureLimit } from '../limits/measure.ts'
import type { LimitName } from '../limits/programs.ts'
import { measureMicro } from '../micro/command.ts'
import type { CaseResult } from '../micro/measure.ts'
import type { SubjectName } from '../micro/subjects.ts'
import { LIMITS_NEEDED, type Round, type RowKey, SHARES } from './shares.ts'

interface Options {
  readonly rounds: number
  readonly seconds: number
  readonly json?: string
}

const LIMIT_SECONDS = 0.3
const MICRO = {
  subjects: ['crc', 'batch', 'ring', 'ring-log', 'dispatch'],
  filter: '16 KB',
} as const
const MICRO_MS = 50

export function registerQuick(program: Command): void {
  program
    .command('quick')
    .description(
      'the regression guard: figures as shares of this machine’s own limits, in under three minutes',
    )
    .option('--rounds <N>', 'how often; compare needs 5', positiveInteger, 5)
    .option('--seconds <N>', 'how long each workload runs in each round', positiveNumber, 1.5)
    .option('--json <FILE>', 'also write the figures into a file, for compare', fileToWrite)
    .action(run)
}

interface WholeRound extends Round {
  readonly micro: readonly CaseResult[]
}

async function run(options: Options): Promise<void> {
  const rounds: WholeRound[] = []
  const skipped = new Map<LimitName, string>()
  for (let round = 0; round < options.rounds; round++) {
    console.error(`round ${round + 1} of ${options.rounds}`)
    rounds.push(await measureRound(options.seconds, skipped))
  }
  for (const [limit, why] of skipped) console.error(`${limit} is skipped: ${why}`)
  const { figures: shares, dropped, missing } = shareFigures(rounds)
  const figures = [...shares, ...allocationFigures(rounds)]
  console.log(quickTable(figures, rounds))
  for (const line of dropped) console.error(line)
  console.log(`\n${circumstancesLine(circumstances())}`)
  if (options.json !== undefined) {
    writeFileSync(options.json, figuresText('quick', figures, rounds))
  }
  if (missing.length > 0) {
    throw new Error(`not measured in any round, which is a fault: ${missing.join(', ')}`)
  }
}

async function measureRound(seconds: number, skipped: Map<LimitName, string>): Promise<WholeRound> {
  const limits: Partial<Record<LimitName, LimitLine>> = {}
  for (const name of LIMITS_NEEDED) {
    const line = await measureLimit(name, { seconds: LIMIT_SECONDS })
    if (typeof line === 'string') skipped.set(name, line)
    else limits[name] = line
  }
  const engine = await startEngine()
  try {
    const measured = await measureRows(engine, seconds)
    const subjects: readonly SubjectName[] = MICRO.subjects
    const found = await measureMicro(subjects, { filter: MICRO.filter, rounds: 1, ms: MICRO_MS })
    const micro = [...found.values()].flat()
    const microBytesPerSecond = Object.fromEntries(
      micro.map((one) => [one.name, one.operationsPerSecond * (one.bytes ?? Number.NaN)]),
    )
    return { limits, rows: measured, startMs: engine.readyMs, microBytesPerSecond, micro }
  } finally {
    await engine.stop()
  }
}

async function measureRows(engine: OwnEngine, seconds: number): Promise<Round['rows']> {
  const measured: Partial<Record<RowKey, Round['rows'][RowKey]>> = {}
  for (const row of rows) measured[row.key] = await runRow(row, engine, seconds)
  return measured as Round['rows']
}

export interface ShareFigures {
  /** Without those that this machine has no limit for. */
  readonly figures: readonly Figure[]
  /** Lines that say of which figures rounds were left out that could not be measured. */
  readonly dropped: readonly string[]
  /** Figures that no round could be measured of, though this machine has a limit for them. */
  readonly missing: readonly string[]
}

export function shareFigures(rounds: readonly Round[]): ShareFigures {
  const figures: Figure[] = []
  const dropped: string[] = []
  const missing: string[] = []
  for (const { name: what, of, better, value } of SHARES) {
    const name = `${what} ÷ ${of}`
    const found = rounds.flatMap((round) => value(round) ?? [])
    const values = found.filter(Number.isFinite)
    const lost = found.length - values.length
    if (lost > 0) dropped.push(`${name}: ${lost} of ${found.length} rounds could not be measured`)
    if (values.length > 0) figures.push({ name, unit: 'share', better, values })
    else if (found.length > 0) missing.push(name)
  }
  return { figures, dropped, missing }
}

/** What a request leaves for the collector, which no noise changes. */
function allocationFigures(rounds: readonly WholeRound[]): Figure[] {
  const name = 'front: produce 16 KB'
  const values = rounds.flatMap(
    ({ micro }) => micro.find((one) => one.name === name)?.heapBytes ?? [],
  )
  if (values.length === 0) return []
  return [{ name: `${name}: heap`, unit: 'B/op', better: 'lower', values }]
}

function quickTable(figures: readonly Figure[], rounds: readonly WholeRound[]): string {
  const of = (read: (round: WholeRound) => number) => format(median(rounds.map(read)))
  const megabytes = (key: RowKey) => of(({ rows: r }) => r[key].bytes / r[key].seconds / 1e6)
  const perSecond = (key: RowKey) => of(({ rows: r }) => r[key].requests / r[key].seconds)
  const head = ['figure', 'median (range)', 'unit', 'better']
  return [
    markdownTable(
      head,
      figures.map(({ name, unit, better, values }) => [name, spread(values), unit, better]),
    ),
    '',
    `Produce ${megabytes('produceLarge')} MB/s, fetch ${megabytes('fetchLarge')} MB/s, ${perSecond('produceSmall')} and ${perSecond('produceSmallDeep')} requests/s, ready after ${of((round) => round.startMs)} ms: these are the machine's as well as Griot's, the shares are Griot's.`,
  ].join('\n')
}

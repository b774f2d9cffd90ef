/** RESULTS.md, from the newest run of each row: ratios first, then the figures beside the peer's, then how each was had. */
import { circumstancesLine } from '../common/machine.ts'
import { markdownTable } from '../common/markdown.ts'
import { spread } from '../common/statistics.ts'
import { type Figures, goalText, type Measure, ratioLine, ratioOf } from './measures.ts'
import type { RowResult } from './results.ts'

/** A row as the table needs it: also of one that was never run. What it measures now is what the table has, also of older results. */
export interface TableRow {
  readonly name: string
  readonly title: string
  readonly measures: readonly Measure[]
  /** Of a cluster of three nodes, with as many replicas; else of one node. */
  readonly nodes?: 3
}

const NOT_RUN = 'not run'
/** More than this before the start, and the machine had other things to do; where nothing better is known. */
const QUIET_LOAD_MAX = 0.5
/** Cores that something else kept busy during the row. */
const QUIET_OTHERS_MAX = 0.2

const reachedText = (isReached: boolean | null): string =>
  isReached === null ? '–' : isReached ? 'yes' : '**no**'

/** The commit that was measured, marked where it is not what is there now. */
function commitText(result: RowResult | undefined, isCurrent: IsCurrent): string {
  if (result === undefined) return ''
  const { commit } = result.at
  return `${commit ?? 'unknown'}${isCurrent(commit) ? '' : ' †'}`
}

/** Whether the sources are now what they were at a commit. */
export type IsCurrent = (commit: string | null) => boolean

function ratioLines(
  row: TableRow,
  result: RowResult | undefined,
  isCurrent: IsCurrent,
): string[][] {
  return row.measures
    .filter(({ goal }) => goal !== null)
    .map((measure, at) => {
      const ratio = result === undefined ? null : ratioOf(result.rounds, measure)
      const first = at === 0 ? row.name : ''
      if (ratio === null) {
        const why = result === undefined ? NOT_RUN : 'not measured'
        return [first, measure.label, why, goalText(measure.goal), '–', '']
      }
      const reached = reachedText(ratio.isReached)
      const commit = at === 0 ? commitText(result, isCurrent) : ''
      return [first, measure.label, ratioLine(ratio), goalText(measure.goal), reached, commit]
    })
}

function figureLines(row: TableRow, result: RowResult): string[][] {
  return row.measures.map((measure, at) => {
    const of = (side: (round: RowResult['rounds'][number]) => Figures) => {
      const values = result.rounds
        .map((round) => side(round)[measure.key])
        .filter((value) => value !== undefined && Number.isFinite(value)) as number[]
      return values.length === 0 ? '–' : spread(values)
    }
    return [
      at === 0 ? row.name : '',
      measure.unit === '' ? measure.label : `${measure.label}, ${measure.unit}`,
      of((round) => round.griot),
      of((round) => round.peer),
      at === 0 ? result.peer : '',
    ]
  })
}

/** What else the machine did: cores that others kept busy, or the load before the row where that is all that is known. */
export function quietText({ loadBefore, othersCores }: RowResult): string {
  const known = othersCores ?? null
  const isBusy = known === null ? loadBefore > QUIET_LOAD_MAX : known > QUIET_OTHERS_MAX
  const load = `load before ${loadBefore.toFixed(2)}`
  const others = known === null ? '' : `, other processes took ${known.toFixed(2)} of a core`
  return `${load}${others}${isBusy ? ' (**not a quiet machine**)' : ''}`
}

function howLines(row: TableRow, result: RowResult): string {
  const { at } = result
  const java = result.java === null ? '' : `, Java ${result.java}`
  return [
    `- **${row.name}** (${row.title}): \`${result.command}\``,
    `  ${result.rounds.length} rounds of ${result.seconds} s; ${circumstancesLine(at)}${java}; ${quietText(result)}.`,
    ...result.notes.map((note) => `  ${note}`),
  ].join('\n')
}

function ratioTable(
  rows: readonly TableRow[],
  results: ReadonlyMap<string, RowResult>,
  isCurrent: IsCurrent,
): string {
  const head = ['row', 'measure', 'Griot : peer', 'goal', 'reached', 'commit']
  const lines = rows.flatMap((row) => ratioLines(row, results.get(row.name), isCurrent))
  return markdownTable(head, lines)
}

function figureTable(rows: readonly TableRow[], results: ReadonlyMap<string, RowResult>): string {
  const lines = rows.flatMap((row) => {
    const result = results.get(row.name)
    return result === undefined ? [] : figureLines(row, result)
  })
  if (lines.length === 0) return 'No row has been run.'
  return markdownTable(['row', 'measure', 'Griot', 'peer', 'which peer'], lines)
}

/** With goals of their own. */
const threeNodes = (
  rows: readonly TableRow[],
  results: ReadonlyMap<string, RowResult>,
  isCurrent: IsCurrent,
): string[] => [
  '## Three nodes, replication factor 3',
  '',
  'Three Kafka nodes beside Griot’s three brokers; three replicas of each partition, `min.insync.replicas=2`, acks=all, idempotent producers.',
  '',
  ratioTable(rows, results, isCurrent),
  '',
  figureTable(rows, results),
  '',
]

/** The whole of RESULTS.md. */
export function resultsPage(
  rows: readonly TableRow[],
  results: ReadonlyMap<string, RowResult>,
  isCurrent: IsCurrent,
): string {
  const run = rows.flatMap((row) => {
    const result = results.get(row.name)
    return result === undefined ? [] : [{ row, result }]
  })
  const one = rows.filter(({ nodes }) => nodes === undefined)
  const three = rows.filter(({ nodes }) => nodes === 3)
  const missing = rows.filter((row) => !results.has(row.name)).map(({ name }) => name)
  return [
    '# Results',
    'Written by `npm run bench -- table` from `results/`, the newest run of each row. Griot and its peer ran by turns, A B A B …, in',
    'one run of the row on one machine; a ratio is of the two runs of one round, told as median (min–max) of all rounds, and a goal is',
    'reached by the median. Absolute figures are of that machine on that day: compare ratios, never figures of different runs.',
    '',
    '## Ratios',
    '',
    ratioTable(one, results, isCurrent),
    '',
    '† `src` has changed since, or nobody can tell: run the row again.',
    '',
    '## Figures',
    '',
    figureTable(one, results),
    '',
    ...(three.length === 0 ? [] : threeNodes(three, results, isCurrent)),
    '## How each was had',
    '',
    ...run.map(({ row, result }) => howLines(row, result)),
    ...(missing.length === 0
      ? []
      : [`- Not run: ${missing.join(', ')}. Each by \`npm run bench -- peers --row NAME\`.`]),
    '',
  ].join('\n')
}

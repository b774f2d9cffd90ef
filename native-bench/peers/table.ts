/** RESULTS.md, from the newest run of each row: ratios first, then the figures beside the peer's, then how each was had. */
import { circumstancesLine } from '../common/machine.ts'
import { markdownTable } from '../common/markdown.ts'
import { spread } from '../common/statistics.ts'
import { type Figures, goalText, type Measure, ratioLine, ratioOf } from './measures.ts'
import type { RowResult } from './results.ts'

/** A row as the table needs it: also of one that was never run. */
export interface TableRow {
  readonly name: string
  readonly title: string
  readonly measures: readonly Measure[]
}

const NOT_RUN = 'not run'
/** More than this before the start, and the machine had other things to do. */
const QUIET_LOAD_MAX = 0.5

const reachedText = (isReached: boolean | null): string =>
  isReached === null ? '–' : isReached ? 'yes' : '**no**'

function ratioLines(row: TableRow, result: RowResult | undefined): string[][] {
  const measures = result?.measures ?? row.measures
  return measures
    .filter(({ goal }) => goal !== null)
    .map((measure, at) => {
      const ratio = result === undefined ? null : ratioOf(result.rounds, measure)
      const first = at === 0 ? row.name : ''
      if (ratio === null) {
        const why = result === undefined ? NOT_RUN : 'not measured'
        return [first, measure.label, why, goalText(measure.goal), '–']
      }
      const reached = reachedText(ratio.isReached)
      return [first, measure.label, ratioLine(ratio), goalText(measure.goal), reached]
    })
}

function figureLines(row: TableRow, result: RowResult): string[][] {
  return result.measures.map((measure, at) => {
    const of = (side: (round: RowResult['rounds'][number]) => Figures) => {
      const values = result.rounds
        .map((round) => side(round)[measure.key])
        .filter((value) => value !== undefined && Number.isFinite(value)) as number[]
      return values.length === 0 ? '–' : spread(values)
    }
    return [
      at === 0 ? row.name : '',
      `${measure.label}, ${measure.unit}`,
      of((round) => round.griot),
      of((round) => round.peer),
      at === 0 ? result.peer : '',
    ]
  })
}

function howLines(row: TableRow, result: RowResult): string {
  const { at, loadBefore } = result
  const load = `${loadBefore.toFixed(2)}${loadBefore > QUIET_LOAD_MAX ? ' (**not a quiet machine**)' : ''}`
  const java = result.java === null ? '' : `, Java ${result.java}`
  return [
    `- **${row.name}** (${row.title}): \`${result.command}\``,
    `  ${result.rounds.length} rounds of ${result.seconds} s; ${circumstancesLine(at)}${java}; load before ${load}.`,
    ...result.notes.map((note) => `  ${note}`),
  ].join('\n')
}

/** The whole of RESULTS.md. */
export function resultsPage(
  rows: readonly TableRow[],
  results: ReadonlyMap<string, RowResult>,
): string {
  const run = rows.flatMap((row) => {
    const result = results.get(row.name)
    return result === undefined ? [] : [{ row, result }]
  })
  const head = ['row', 'measure', 'Griot : peer', 'goal', 'reached']
  const figures = ['row', 'measure', 'Griot', 'peer', 'which peer']
  const missing = rows.filter((row) => !results.has(row.name)).map(({ name }) => name)
  return [
    '# Results',
    'Written by `npm run bench -- table` from `results/`, the newest run of each row. Griot and its peer ran by turns, A B A B …, in',
    'one run of the row on one machine; a ratio is of the two runs of one round, told as median (min–max) of all rounds, and a goal is',
    'reached by the median. Absolute figures are of that machine on that day: compare ratios, never figures of different runs.',
    '',
    '## Ratios',
    '',
    markdownTable(
      head,
      rows.flatMap((row) => ratioLines(row, results.get(row.name))),
    ),
    '',
    '## Figures',
    '',
    run.length === 0
      ? 'No row has been run.'
      : markdownTable(
          figures,
          run.flatMap(({ row, result }) => figureLines(row, result)),
        ),
    '',
    '## How each was had',
    '',
    ...run.map(({ row, result }) => howLines(row, result)),
    ...(missing.length === 0
      ? []
      : [`- Not run: ${missing.join(', ')}. Each by \`npm run bench -- peers --row NAME\`.`]),
    '',
  ].join('\n')
}

/** `npm run bench -- limits`: a table of what this machine can do. */
import { Argument, type Command } from 'commander'
import { circumstances, circumstancesLine } from '../common/machine.ts'
import { markdownTable } from '../common/markdown.ts'
import { positiveInteger, positiveNumber } from '../common/options.ts'
import { type Figure, figuresText } from '../common/report.ts'
import { spread } from '../common/statistics.ts'
import { type MeasuredLimit, measureLimits } from './measure.ts'
import { LIMITS, type LimitName, limitNames } from './programs.ts'

interface Options {
  readonly rounds: number
  readonly seconds: number
  readonly directory?: string
  readonly json: boolean
}

export function registerLimits(program: Command): void {
  program
    .command('limits')
    .description('what this machine can do, by small C programs compiled at first use')
    .addArgument(
      new Argument('[names...]', 'which ones; all of them unless given').choices(limitNames),
    )
    .option('--rounds <N>', 'how often', positiveInteger, 5)
    .option('--seconds <N>', 'how long each runs in each round', positiveNumber, 1)
    .option('--directory <DIR>', 'where files are written (default: the temporary directory)')
    .option('--json', 'print JSON instead of a table', false)
    .action(run)
}

async function run(names: readonly LimitName[], options: Options): Promise<void> {
  const { rounds, seconds, directory } = options
  const asked = names.length === 0 ? limitNames : names
  const measured = await measureLimits(asked, {
    ...{ rounds, seconds },
    ...(directory === undefined ? {} : { directory }),
  })
  if (options.json) console.log(figuresText('limits', measured.flatMap(figuresOf)))
  else {
    console.log(limitsTable(measured))
    console.log(`\n${circumstancesLine(circumstances())}`)
  }
}

/** What `compare` reads. */
export function figuresOf({ limit, unit, lines }: MeasuredLimit): Figure[] {
  const values = lines.map(({ value }) => value)
  const args = lines[0]!.args
  return [{ name: limit, unit, better: unit === 'ms' ? 'lower' : 'higher', values, args }]
}

/** Median and spread of the rounds, in the units that people speak of. */
export function limitsTable(measured: readonly MeasuredLimit[]): string {
  const rows = measured.map(({ limit, unit, lines }) => {
    const [scale, shown] = unit === 'B/s' ? [1e6, 'MB/s'] : [1, unit]
    const us = (of: 'p50Us' | 'p99Us') =>
      lines[0]![of] === undefined ? '' : spread(lines.map((line) => line[of]!))
    const value = spread(lines.map((line) => line.value / scale))
    return [limit, LIMITS[limit].what, `${value} ${shown}`, us('p50Us'), us('p99Us')]
  })
  return markdownTable(['limit', 'what', 'median (range)', 'p50 µs', 'p99 µs'], rows)
}

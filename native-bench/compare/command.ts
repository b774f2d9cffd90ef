/** `npm run bench -- compare BEFORE.json AFTER.json`: what changed, and what of it is beyond the noise. */
import type { Command } from 'commander'
import { circumstancesLine } from '../common/machine.ts'
import { markdownTable } from '../common/markdown.ts'
import { type Report, readReport } from '../common/report.ts'
import { format } from '../common/statistics.ts'
import {
  CHANCE_MAX,
  type Change,
  type Comparison,
  compare,
  SHARE_MIN,
  type Side,
} from './compare.ts'

interface Options {
  readonly all: boolean
  readonly json: boolean
  readonly fail: boolean
}

export function registerCompare(program: Command): void {
  program
    .command('compare')
    .description('what changed from one report (--json of limits, micro, quick) to another')
    .argument(
      '<before>',
      'a JSON file, or several with commas between: their rounds count together',
    )
    .argument('<after>', 'the same of the other commit')
    .option('--all', 'also what did not change beyond the noise', false)
    .option('--fail', 'exit with 1 when something became worse, or is no longer there', false)
    .option('--json', 'print JSON instead of a table', false)
    .action(run)
}

function run(before: string, after: string, options: Options): void {
  const [first, second] = [reports(before), reports(after)]
  const comparison = compare(first, second)
  if (options.json) console.log(JSON.stringify(comparison, null, 1))
  else {
    console.log(`before: ${circumstancesLine(first[0]!.circumstances)}`)
    console.log(`after:  ${circumstancesLine(second[0]!.circumstances)}\n`)
    console.log(comparisonText(comparison, options.all))
  }
  if (options.fail && isWorse(comparison)) process.exitCode = 1
}

/** Something became worse, or cannot be told any more. */
export const isWorse = ({ changes, onlyBefore }: Comparison): boolean =>
  onlyBefore.length > 0 || changes.some(({ verdict }) => verdict === 'worse')

const reports = (paths: string): Report[] => paths.split(',').map(readReport)

const sideText = ({ median, min, max }: Side): string =>
  `${format(median)} (${format(min)}–${format(max)})`

const rowOf = (change: Change): string[] => [
  change.name,
  change.unit,
  sideText(change.before),
  sideText(change.after),
  `${change.share > 0 ? '+' : ''}${(change.share * 100).toFixed(1)} %`,
  change.chance < 0.001 ? '<0.001' : change.chance.toFixed(3),
  change.verdict,
]

export function comparisonText(comparison: Comparison, showAll: boolean): string {
  const { changes, onlyBefore, onlyAfter } = comparison
  const shown = showAll ? changes : changes.filter(({ verdict }) => verdict !== 'noise')
  const count = (verdict: string) => changes.filter((change) => change.verdict === verdict).length
  const parts = [
    `${changes.length} figures: ${count('better')} better, ${count('worse')} worse, ${count('too few rounds')} with too few rounds to tell, ${count('noise')} within the noise.`,
    `Beyond the noise is a change of the median by ${SHARE_MIN * 100} % or more that chance alone brings about less than once in ${1 / CHANCE_MAX} times (rank sum of the rounds; 5 rounds on each side at least).`,
  ]
  const head = ['figure', 'unit', 'before', 'after', 'change', 'chance', 'verdict']
  if (shown.length > 0) parts.unshift(markdownTable(head, shown.map(rowOf)), '')
  if (onlyBefore.length > 0) parts.push(`Only before: ${onlyBefore.join(', ')}`)
  if (onlyAfter.length > 0) parts.push(`Only after: ${onlyAfter.join(', ')}`)
  return parts.join('\n')
}

/** What a quiet tenant saw beside each flood, as a table. */
import { markdownTable } from '../common/markdown.ts'
import { format, median, spread } from '../common/statistics.ts'
import type { FloodName } from './floods.ts'
import type { FloodSeen } from './measure.ts'

export const RATIO_GOAL = 3

/**
 * The median over all looks of one flood, by the median of the looks before all of them: these are the same whatever comes after, and one p99 of a few seconds
 * is three times the next on a machine of two cores.
 */
export function ratioOf(flood: FloodName, all: readonly FloodSeen[]): number {
  return median(duringOf(flood, all)) / median(all.map(({ before }) => before.p99Ms))
}

const duringOf = (flood: FloodName, all: readonly FloodSeen[]): readonly number[] =>
  all.filter((one) => one.flood === flood).map(({ during }) => during.p99Ms)

/** By the p99 beside a process that only spins: what any other process does on this machine, whatever it asks of whom. */
function ratioToSpin(flood: FloodName, all: readonly FloodSeen[]): string {
  const spin = duringOf('spin', all)
  return spin.length === 0 ? '–' : (median(duringOf(flood, all)) / median(spin)).toFixed(2)
}

export function floodText(all: readonly FloodSeen[]): string {
  const floods = [...new Set(all.map(({ flood }) => flood))]
  const rows = floods.map((flood) => {
    const seen = all.filter((one) => one.flood === flood)
    const ratio = ratioOf(flood, all)
    const of = (pick: (one: FloodSeen) => number) => spread(seen.map(pick))
    return [
      flood,
      of(({ before }) => before.p99Ms),
      of(({ during }) => during.p99Ms),
      of(({ during }) => during.maxMs),
      ratio < RATIO_GOAL ? ratio.toFixed(2) : `**${ratio.toFixed(2)}**`,
      ratioToSpin(flood, all),
      format(median(seen.map(({ during }) => during.bytesPerSecond / 1e6))),
      format(median(seen.map(({ report }) => report.sentBytes / 1e6))),
      format(median(seen.map(({ report }) => report.connects))),
    ]
  })
  const head = [
    ...['flood', 'p99 before, ms', 'p99 during, ms', 'longest during, ms', 'ratio of p99'],
    'to spin',
    ...['written during, MB/s', 'sent by the flood, MB', 'its connects'],
  ]
  return markdownTable(head, rows)
}

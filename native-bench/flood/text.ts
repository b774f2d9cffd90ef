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
  const during = all.filter((one) => one.flood === flood).map((one) => one.during.p99Ms)
  return median(during) / median(all.map(({ before }) => before.p99Ms))
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
      format(median(seen.map(({ during }) => during.bytesPerSecond / 1e6))),
      format(median(seen.map(({ report }) => report.sentBytes / 1e6))),
      format(median(seen.map(({ report }) => report.connects))),
    ]
  })
  const head = [
    ...['flood', 'p99 before, ms', 'p99 during, ms', 'longest during, ms', 'ratio of p99'],
    ...['written during, MB/s', 'sent by the flood, MB', 'its connects'],
  ]
  return markdownTable(head, rows)
}

/** What changed from one report to another, and whether that is more than the rounds differ among themselves. */
import type { Figure, Report } from '../common/report.ts'
import { median, rangeOf } from '../common/statistics.ts'
import { rankSumP, smallestP } from './rank-test.ts'

/** A change that came about by chance less often than this is taken for one. With dozens of figures, 5 % would be one or two a run. */
export const CHANCE_MAX = 0.01
/** Smaller changes are of no interest, however sure. */
export const SHARE_MIN = 0.02
/** Allocation is measured to within some bytes. */
const FLOORS: Readonly<Record<string, number>> = { 'B/op': 8 }

export type Verdict = 'better' | 'worse' | 'noise' | 'too few rounds'

export interface Change {
  readonly name: string
  readonly unit: string
  readonly before: Side
  readonly after: Side
  /** (after − before) / before, of the medians; 0 when both are 0. */
  readonly share: number
  /** How often chance alone splits the rounds so. */
  readonly chance: number
  readonly verdict: Verdict
}

export interface Side {
  readonly median: number
  readonly min: number
  readonly max: number
  readonly rounds: number
}

export interface Comparison {
  readonly changes: readonly Change[]
  /** Figures that only one side has. */
  readonly onlyBefore: readonly string[]
  readonly onlyAfter: readonly string[]
}

/** Several reports of one side count as one with all their rounds. Throws where a figure is not the same on both. */
export function compare(before: readonly Report[], after: readonly Report[]): Comparison {
  const [first, second] = [pooled(before), pooled(after)]
  const changes: Change[] = []
  for (const [name, figure] of first) {
    const other = second.get(name)
    if (other === undefined) continue
    if (other.unit !== figure.unit || other.better !== figure.better) {
      throw new Error(`${name} is in ${figure.unit} before and in ${other.unit} after`)
    }
    changes.push(changeOf(figure, other))
  }
  const missing = (of: Map<string, Figure>, than: Map<string, Figure>) =>
    [...of.keys()].filter((name) => !than.has(name))
  return { changes, onlyBefore: missing(first, second), onlyAfter: missing(second, first) }
}

function pooled(reports: readonly Report[]): Map<string, Figure> {
  const all = new Map<string, Figure>()
  for (const { figures } of reports) {
    for (const figure of figures) {
      const values = [...(all.get(figure.name)?.values ?? []), ...figure.values]
      all.set(figure.name, { ...figure, values })
    }
  }
  return all
}

export function changeOf(before: Figure, after: Figure): Change {
  const [from, to] = [sideOf(before), sideOf(after)]
  const difference = to.median - from.median
  const share = difference === 0 ? 0 : difference / Math.abs(from.median)
  const chance = rankSumP(before.values, after.values)
  const isSmall = Math.abs(share) < SHARE_MIN || Math.abs(difference) < (FLOORS[before.unit] ?? 0)
  const verdict = (): Verdict => {
    if (isSmall) return 'noise'
    if (smallestP(from.rounds, to.rounds) > CHANCE_MAX) return 'too few rounds'
    if (chance > CHANCE_MAX) return 'noise'
    return difference > 0 === (before.better === 'higher') ? 'better' : 'worse'
  }
  const { name, unit } = before
  return { name, unit, before: from, after: to, share, chance, verdict: verdict() }
}

const sideOf = ({ values }: Figure): Side => ({
  ...rangeOf(values),
  median: median(values),
  rounds: values.length,
})

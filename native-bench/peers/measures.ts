/** What a row measures, the ratio that it is after, and whether that was reached. */
import { median, rangeOf } from '../common/statistics.ts'

/** For the ratio Griot : peer, which must be at least, or at most, so much. */
export type Goal = { readonly atLeast: number } | { readonly atMost: number }

export interface Measure {
  /** Key of its figure in a {@link Figures}. */
  readonly key: string
  readonly label: string
  readonly unit: string
  /** Null: told for what it says, no goal. */
  readonly goal: Goal | null
}

/** What one run gave, by the keys of the row's measures. A key that is missing could not be measured here. */
export type Figures = Readonly<Record<string, number>>

/** What one run gave, and what a reader should know of it. */
export interface Outcome {
  readonly figures: Figures
  readonly notes: readonly string[]
}

export const outcome = (figures: Figures, notes: readonly string[] = []): Outcome => ({
  figures,
  notes,
})

/** What is told beside what a row is for. */
export const note = (key: string, label: string, unit: string): Measure => ({
  ...{ key, label, unit, goal: null },
})

export interface Round {
  readonly griot: Figures
  readonly peer: Figures
}

export interface Ratio {
  readonly median: number
  readonly min: number
  readonly max: number
  /** By the median; null where there is no goal. */
  readonly isReached: boolean | null
}

/** Of each pair of runs of one round, which had the same few minutes of the machine; NaN where one side has no figure. */
export function ratiosOf(rounds: readonly Round[], key: string): number[] {
  return rounds.map(({ griot, peer }) => (griot[key] ?? Number.NaN) / (peer[key] ?? Number.NaN))
}

/** Null where no round has both figures. */
export function ratioOf(rounds: readonly Round[], measure: Measure): Ratio | null {
  const ratios = ratiosOf(rounds, measure.key).filter(Number.isFinite)
  if (ratios.length === 0) return null
  const middle = median(ratios)
  return {
    median: middle,
    ...rangeOf(ratios),
    isReached: measure.goal === null ? null : reaches(middle, measure.goal),
  }
}

export function reaches(ratio: number, goal: Goal): boolean {
  return 'atLeast' in goal ? ratio >= goal.atLeast : ratio <= goal.atMost
}

/** `≥ 3 ×`, `≤ 1/4`. */
export function goalText(goal: Goal | null): string {
  if (goal === null) return '–'
  if ('atLeast' in goal) return `≥ ${goal.atLeast} ×`
  const parts = 1 / goal.atMost
  const whole = Math.round(parts)
  return whole > 1 && Math.abs(parts - whole) < 1e-9 ? `≤ 1/${whole}` : `≤ ${goal.atMost} ×`
}

/** Two digits that count and more from 1 on: 3.42, 0.27, 0.041. */
export function ratioText(ratio: number): string {
  if (!Number.isFinite(ratio)) return '–'
  if (ratio === 0) return '0'
  if (ratio >= 100) return ratio.toFixed(0)
  if (ratio >= 10) return ratio.toFixed(1)
  return ratio >= 0.1 ? ratio.toFixed(2) : ratio.toPrecision(2)
}

export function ratioLine({ median: middle, min, max }: Ratio): string {
  return `${ratioText(middle)} (${ratioText(min)}–${ratioText(max)})`
}

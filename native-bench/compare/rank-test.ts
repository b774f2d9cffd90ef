/** Whether two lots of values differ by more than chance, without a guess at how they are spread. */

/** More splits than this are not counted one by one. */
const SPLITS_MAX = 200_000

/**
 * Two-sided p of the rank sum (Wilcoxon, Mann and Whitney): how often so uneven a split of the ranks comes about when
 * the names of the lots mean nothing. Counted over all splits while there are few, else by the normal law; ties share
 * their rank.
 */
export function rankSumP(first: readonly number[], second: readonly number[]): number {
  const ranks = ranksOf([...first, ...second])
  const seen = sum(ranks.slice(0, first.length))
  const mean = (first.length * (ranks.length + 1)) / 2
  const distance = Math.abs(seen - mean)
  if (splits(ranks.length, first.length) > SPLITS_MAX) {
    return normalP(ranks, first.length, distance)
  }
  let all = 0
  let asUneven = 0
  forEachSum(ranks, first.length, (one) => {
    all++
    if (Math.abs(one - mean) >= distance - 1e-9) asUneven++
  })
  return asUneven / all
}

/** The smallest p that so many values can give: of lots that do not overlap at all. */
export const smallestP = (first: number, second: number): number =>
  Math.min(1, 2 / splits(first + second, first))

/** Rank from 1 on of each value; equal ones get the mean of theirs. */
function ranksOf(values: readonly number[]): number[] {
  const order = values.map((value, at) => ({ value, at })).sort((a, b) => a.value - b.value)
  const ranks = new Array<number>(values.length)
  for (let from = 0; from < order.length; ) {
    let to = from
    while (to < order.length && order[to]!.value === order[from]!.value) to++
    for (let i = from; i < to; i++) ranks[order[i]!.at] = (from + 1 + to) / 2
    from = to
  }
  return ranks
}

/** Calls back with the sum of each choice of `count` of `ranks`. */
function forEachSum(ranks: readonly number[], count: number, onSum: (sum: number) => void): void {
  const choose = (from: number, left: number, total: number): void => {
    if (left === 0) {
      onSum(total)
      return
    }
    for (let at = from; at <= ranks.length - left; at++)
      choose(at + 1, left - 1, total + ranks[at]!)
  }
  choose(0, count, 0)
}

/** Sums of a choice without replacement: their variance follows from that of the ranks, ties and all. */
function normalP(ranks: readonly number[], count: number, distance: number): number {
  const total = ranks.length
  const mean = (total + 1) / 2
  const variance = sum(ranks.map((rank) => (rank - mean) ** 2)) / total
  const deviation = Math.sqrt((count * (total - count) * variance) / (total - 1))
  if (deviation === 0) return 1
  // half a rank less, since sums come in steps
  return Math.min(1, erfc(Math.max(0, distance - 0.5) / deviation / Math.SQRT2))
}

/** Complementary error function for x from 0 on, to 1.2e-7 (Chebyshev fit of Numerical Recipes). */
function erfc(x: number): number {
  const t = 1 / (1 + x / 2)
  const coefficients = [
    ...[-1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806],
    ...[0.27886807, -1.13520398, 1.48851587, -0.82215223, 0.17087277],
  ]
  const series = coefficients.reduceRight((rest, coefficient) => coefficient + t * rest, 0)
  return t * Math.exp(-x * x + series)
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0)

/** In how many ways `count` of `total` can be chosen. */
function splits(total: number, count: number): number {
  let ways = 1
  for (let i = 1; i <= count; i++) ways = (ways * (total - count + i)) / i
  return Math.round(ways)
}

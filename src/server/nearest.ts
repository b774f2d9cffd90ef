/** "Did you mean": the nearest of the right names to a wrong one. */

/** The one of `names` with the smallest edit distance to `wrong`, or null when none is near enough to be meant. */
export function nearest(wrong: string, names: readonly string[]): string | null {
  const plain = (name: string) => name.replace(/[-_ ]/g, '').toLowerCase()
  const target = plain(wrong)
  let best: string | null = null
  let bestDistance = Number.POSITIVE_INFINITY
  for (const name of names) {
    const candidate = plain(name)
    const distance =
      candidate.startsWith(target) && target.length > 2 ? 1 : edits(target, candidate)
    if (distance < bestDistance) {
      best = name
      bestDistance = distance
    }
  }
  return bestDistance <= Math.max(2, Math.ceil(target.length * 0.4)) ? best : null
}

/** ` (did you mean …?)`, or nothing. */
export function didYouMean(wrong: string, names: readonly string[]): string {
  const name = nearest(wrong, names)
  return name === null ? '' : ` (did you mean ${name}?)`
}

/** Edit distance with neighbouring letters swapped counted as one (optimal string alignment). */
function edits(a: string, b: string): number {
  let before: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1
      let best = Math.min(previous[j]! + 1, row[j - 1]! + 1, previous[j - 1]! + same)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, before[j - 2]! + 1)
      }
      row.push(best)
    }
    before = previous
    previous = row
  }
  return previous[b.length]!
}

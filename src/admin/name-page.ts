/** A page of names in order, of ever so many that are in none. */

/**
 * The `count` smallest of `names` beyond `after`, in order (UTF-16 code units): one pass, which keeps no more than twice as many and sorts these alone, so that
 * 100,000 names take a few milliseconds, and a page does not depend on what it was made of.
 */
export function smallestAfter(names: Iterable<string>, after: string, count: number): string[] {
  let kept: string[] = []
  let bound: string | null = null
  for (const name of names) {
    if (name <= after || (bound !== null && name >= bound)) continue
    kept.push(name)
    if (kept.length < 2 * count) continue
    kept = kept.sort().slice(0, count)
    bound = kept.at(-1)!
  }
  return kept.sort().slice(0, count)
}

/** A page and, where there are more, the name after which the next begins. */
export function pageOf(
  names: Iterable<string>,
  after: string,
  count: number,
): { readonly names: readonly string[]; readonly next: string | null } {
  const found = smallestAfter(names, after, count + 1)
  const page = found.slice(0, count)
  return { names: page, next: found.length > count ? page.at(-1)! : null }
}

/**
 * How cleaned segments take the place of those that they were made of, so that whenever a process or the power goes away
 * there are the old ones or the new one, never both and never neither:
 *
 *   1. `<base>.log.cleaned` and its indexes are written and made durable;
 *   2. the log is renamed to `<base>.log.swap-<end>`: from here on it is the new one that counts. Made durable, too;
 *   3. the other segments of [base, end) are removed, the indexes renamed over those of the first, and last the log over its log.
 *
 * An opening finds `.cleaned` alone and removes it, or finds `.swap` and does 3 once more.
 */
import { segmentName } from '../base/paths.ts'
import type { Disk } from './disk.ts'

export const CLEANED = '.cleaned'
const INDEXES = ['.index', '.timeindex'] as const

const SWAP = /^(\d{20})\.log\.swap-(\d{20})$/
const SEGMENT_FILE = /^(\d{20})\.(log|index|timeindex)$/

/** The name of a cleaned log that replaces all segments from `base` up to `end`. */
export const swapName = (base: number, end: number): string =>
  `${segmentName(base, '.log')}.swap-${String(end).padStart(20, '0')}`

/** Step 2. Throws DiskError. */
export function beginSwap(disk: Disk, directory: string, base: number, end: number): void {
  const cleaned = `${directory}/${segmentName(base, '.log')}${CLEANED}`
  disk.rename(cleaned, `${directory}/${swapName(base, end)}`)
}

/** Undoes step 2 before 3 was begun; to be made durable, too. Throws DiskError, and then the log must be opened again. */
export function cancelSwap(disk: Disk, directory: string, base: number, end: number): void {
  disk.remove(`${directory}/${swapName(base, end)}`)
}

/** Step 3, from wherever it got to. Throws DiskError. */
export function finishSwap(
  disk: Disk,
  directory: string,
  base: number,
  end: number,
  names: readonly string[] = disk.list(directory),
): void {
  const replaced = names.flatMap((name) => {
    const match = SEGMENT_FILE.exec(name)
    const at = Number(match?.[1])
    return match !== null && at > base && at < end ? [{ name, isLog: match[2] === 'log' }] : []
  })
  // the logs last, so that no index is ever left without one
  for (const { name, isLog } of replaced) if (!isLog) disk.remove(`${directory}/${name}`)
  for (const { name, isLog } of replaced) if (isLog) disk.remove(`${directory}/${name}`)
  for (const suffix of INDEXES) {
    const path = `${directory}/${segmentName(base, suffix)}`
    if (names.includes(`${segmentName(base, suffix)}${CLEANED}`)) {
      disk.rename(`${path}${CLEANED}`, path)
    }
  }
  disk.rename(`${directory}/${swapName(base, end)}`, `${directory}/${segmentName(base, '.log')}`)
}

/** Finishes what was begun in a directory of these names and removes what was not; returns the names that are there now. Throws DiskError. */
export function finishSwaps(disk: Disk, directory: string, names: readonly string[]): string[] {
  const begun = names.flatMap((name) => {
    const match = SWAP.exec(name)
    return match === null ? [] : [{ base: Number(match[1]), end: Number(match[2]) }]
  })
  for (const { base, end } of begun) finishSwap(disk, directory, base, end, names)
  const left = begun.length === 0 ? [...names] : disk.list(directory)
  return left.filter((name) => {
    if (!name.endsWith(CLEANED)) return true
    disk.remove(`${directory}/${name}`)
    return false
  })
}

/** What lies in a replica's directory. */
import { type FoundCleanPoint, NO_CLEAN_POINT, readCleanPoint } from './clean-point.ts'
import { DELETED, type Disk, DiskError } from './disk.ts'
import { finishRestart } from './log-restart.ts'
import type { OpenFiles } from './open-files.ts'
import { Segment } from './segment.ts'
import { finishSwaps } from './swap.ts'

/** Offsets that cannot be read: their segment was found damaged and set aside. */
export interface DamagedRange {
  readonly from: number
  readonly to: number
}

/** Where the log was told to begin; rising. */
export interface FoundStarts {
  /** The last counts. */
  readonly offsets: readonly number[]
  /** Of those that an earlier opening has dropped, which may not be durable: none of them counts. */
  readonly dropped: readonly number[]
}

export interface LogFiles {
  /** There is nothing. */
  readonly isNew: boolean
  /** By base offset. */
  readonly segments: Segment[]
  /** Base offsets of segments set aside as damaged, rising. */
  readonly damagedBases: number[]
  /** Offsets of producer snapshots, rising. */
  readonly snapshots: number[]
  readonly starts: FoundStarts
  readonly cleanPoint: FoundCleanPoint
  /** Where the log began anew the last time, −1 for never. */
  readonly restartedAt: number
}

const NAME = /^(\d{20})\.(log|index|timeindex|snapshot|logstart|logstart-dropped|restart)$/
const DAMAGED = /^(\d{20})\.log\.damaged-\d+$/

/**
 * Lists the directory and tidies what a death left half done: a log that begins anew loses the old one, cleaned segments are put in their place or removed, temporary
 * files and indexes without a log removed.
 */
export function listLogFiles(disk: Disk, files: OpenFiles, directory: string): LogFiles {
  const logs: number[] = []
  const damaged = new Set<number>()
  const snapshots: number[] = []
  const starts: number[] = []
  const dropped: number[] = []
  const indexes: { base: number; name: string }[] = []
  let cleanPoint = NO_CLEAN_POINT
  let restartedAt = -1
  const names = disk.list(directory)
  const left = finishRestart(disk, directory, names)
  for (const name of finishSwaps(disk, directory, left)) {
    const match = NAME.exec(name)
    const base = Number(match?.[1])
    if (match === null) {
      const set = DAMAGED.exec(name)
      if (set !== null) damaged.add(Number(set[1]))
      else if (name.endsWith('.tmp')) disk.remove(`${directory}/${name}`)
      else if (name.endsWith(DELETED)) removeUnlessGone(disk, `${directory}/${name}`)
      else cleanPoint = readCleanPoint(cleanPoint, name) ?? cleanPoint
    } else if (match[2] === 'log') logs.push(base)
    else if (match[2] === 'snapshot') snapshots.push(base)
    else if (match[2] === 'logstart') starts.push(base)
    else if (match[2] === 'logstart-dropped') dropped.push(base)
    else if (match[2] === 'restart') restartedAt = Math.max(restartedAt, base)
    else indexes.push({ base, name })
  }
  const bases = new Set(logs)
  for (const { base, name } of indexes) {
    if (!bases.has(base)) disk.remove(`${directory}/${name}`)
  }
  const rising = (a: number, b: number) => a - b
  const segments = logs
    .sort(rising)
    .map((base) => new Segment(disk, files, directory, base, sizeOf(disk, directory, base)))
  return {
    isNew: names.length === 0,
    segments,
    damagedBases: [...damaged].filter((base) => !bases.has(base)).sort(rising),
    snapshots: snapshots.sort(rising),
    starts: { offsets: starts.sort(rising), dropped: dropped.sort(rising) },
    cleanPoint,
    restartedAt,
  }
}

/** The flusher may be about to remove it, too. */
function removeUnlessGone(disk: Disk, path: string): void {
  try {
    disk.remove(path)
  } catch (error) {
    if (!(error instanceof DiskError) || error.code !== 'ENOENT') throw error
  }
}

const sizeOf = (disk: Disk, directory: string, base: number): number =>
  disk.size(`${directory}/${String(base).padStart(20, '0')}.log`)

/** Renames a segment's log to `<name>.<why>-N`, the first N that is free, and removes its indexes. */
export function setAside(disk: Disk, segment: Segment, why: 'damaged' | 'torn'): string {
  segment.release()
  const path = segment.path('.log')
  const to = nameAside(disk, path, why)
  disk.rename(path, to)
  for (const suffix of ['.index', '.timeindex']) {
    const index = segment.path(suffix)
    if (disk.exists(index)) disk.remove(index)
  }
  return to
}

/** The first name that is free. */
function nameAside(disk: Disk, path: string, why: 'damaged' | 'torn'): string {
  let to = ''
  for (let n = 0; to === '' || disk.exists(to); n++) to = `${path}.${why}-${n}`
  return to
}

const COPY_BYTES = 1 << 20

/** Copies a segment's log, as long as the file is, to `<name>.torn-N`; the segment stays where it is. */
export function copyAside(disk: Disk, segment: Segment): string {
  const path = segment.path('.log')
  const to = nameAside(disk, path, 'torn')
  const length = disk.size(path)
  const source = disk.open(path, 'read')
  // under that name an opening removes what a death has left of it
  const target = disk.open(`${to}.tmp`, 'create')
  const buffer = new Uint8Array(Math.min(COPY_BYTES, Math.max(length, 1)))
  try {
    for (let at = 0; at < length; at += buffer.length) {
      const got = source.read(buffer, 0, Math.min(buffer.length, length - at), at)
      target.write([buffer.subarray(0, got)], at)
    }
  } finally {
    source.close()
    target.close()
  }
  disk.rename(`${to}.tmp`, to)
  return to
}

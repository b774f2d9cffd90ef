/** How much of a file system is kept free, from the option and its size. Any thread. */
import { statfsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { DiskReserve } from './options.ts'

/** Free bytes below which produce is refused: the smaller of what `reserve` gives, for the file system of `directory`. */
export function diskMarkBytes(reserve: DiskReserve, directory: string): number {
  const marks: number[] = []
  if (reserve.bytes !== null) marks.push(reserve.bytes)
  if (reserve.fraction !== null) {
    const { blocks, bsize } = statfsSync(directory)
    marks.push(Math.floor(blocks * bsize * reserve.fraction))
  }
  return Math.min(...marks)
}

/** Whether a broker's directory is on a file system on which none of the others' is, or will be made. */
export function isAloneOnDisk(directory: string, others: readonly string[]): boolean {
  const own = fileSystemOf(directory)
  return others.every((other) => fileSystemOf(other) !== own)
}

/** Of the directory that there is, or that of the first above it. */
function fileSystemOf(directory: string): number {
  for (let at = directory; ; at = dirname(at)) {
    const stat = statSync(at, { throwIfNoEntry: false })
    if (stat !== undefined) return stat.dev
    if (at === dirname(at)) return -1
  }
}

const RESERVE_FILE_BYTES_MAX = 16 * 2 ** 20
/** Of the file system: 16 MB from 16 GB on. */
const RESERVE_FILE_FRACTION = 0.001

/** Size of the file that each broker gives up when the disk is full, so that retention and metadata can go on. */
export function reserveFileBytes(directory: string): number {
  const { blocks, bsize } = statfsSync(directory)
  return Math.min(RESERVE_FILE_BYTES_MAX, Math.floor(blocks * bsize * RESERVE_FILE_FRACTION))
}

/** Free bytes below which produce is refused, from the option and the size of the file system. Any thread. */
import { statfsSync } from 'node:fs'
import type { DiskReserve } from './options.ts'

/** The smaller of what `reserve` gives, for the file system of `directory`. */
export function diskMarkBytes(reserve: DiskReserve, directory: string): number {
  const marks: number[] = []
  if (reserve.bytes !== null) marks.push(reserve.bytes)
  if (reserve.fraction !== null) {
    const { blocks, bsize } = statfsSync(directory)
    marks.push(Math.floor(blocks * bsize * reserve.fraction))
  }
  return Math.min(...marks)
}

/** How many descriptors this process may have, and how many of them may be connections. */
import { readFileSync } from 'node:fs'

/** The soft limit (`ulimit -n`, which Node raises to the hard one at its start); Infinity where nobody tells. */
export function openFilesLimit(): number {
  if (process.platform !== 'linux') return Number.POSITIVE_INFINITY
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft)
  } catch {
    return Number.POSITIVE_INFINITY
  }
}

/** A quarter is left to segment files, pipes and HTTP: a partition whose file cannot be opened fails everybody's produces. */
export const connectionsMaxOf = (openFilesMax: number): number =>
  Math.max(16, Math.floor((openFilesMax / 4) * 3))

/** The beat of the directory lock: kept up on the flusher's thread, looked at by claimants of other kernels. Any thread. */
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'

export const BEAT_MS = 1_000

/** Paths that {@link beat} needs; plain, so that another thread can do the beating. */
export interface LockBeat {
  readonly directory: string
  readonly nonce: string
  readonly number: number
}

/** Rewrites the beat; false when a higher claim shows that the directory was taken over. */
export function beat(lock: LockBeat, count: number): boolean {
  writeFileSync(path.join(lock.directory, `${lock.nonce}.beat`), String(count))
  return Math.max(...claimNumbers(lock.directory)) === lock.number
}

/** Numbers of all claims in a lock's directory, rising. */
export function claimNumbers(directory: string): number[] {
  if (!existsSync(directory)) return []
  return readdirSync(directory)
    .filter((name) => /^\d+\.claim$/.test(name))
    .map((name) => Number.parseInt(name, 10))
    .sort((a, b) => a - b)
}

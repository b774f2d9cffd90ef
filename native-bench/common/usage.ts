/** What a local process has used, from /proc; null where there is none. */
import { existsSync, readFileSync } from 'node:fs'

/** Linux counts in ticks of 10 ms for every program, whatever the kernel's own tick is. */
const TICKS_PER_SECOND = 100

/** CPU seconds, user and system, of all threads so far. */
export function cpuSeconds(pid: number | null): number | null {
  const path = `/proc/${pid}/stat`
  if (pid === null || !existsSync(path)) return null
  const fields = readFileSync(path, 'utf8').split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

export function rssBytes(pid: number | null): number | null {
  const path = `/proc/${pid}/status`
  if (pid === null || !existsSync(path)) return null
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(path, 'utf8'))![1]) * 1024
}

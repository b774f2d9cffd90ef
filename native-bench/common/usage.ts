/** What a local process has used, from /proc; null where there is none. */
import { existsSync, readFileSync } from 'node:fs'

/** Linux counts in ticks of 10 ms for every program, whatever the kernel's own tick is. */
const TICKS_PER_SECOND = 100

/** CPU seconds, user and system, of all threads so far. */
export function cpuSeconds(pid: number | null): number | null {
  return ticks(pid, 11)
}

/** CPU seconds, user and system, of all processes that it has started and that have ended. */
export function endedChildrenCpuSeconds(pid: number): number | null {
  return ticks(pid, 13)
}

/** The sum of two neighbours, counted from the field behind the name. */
function ticks(pid: number | null, field: number): number | null {
  const path = `/proc/${pid}/stat`
  if (pid === null || !existsSync(path)) return null
  const fields = readFileSync(path, 'utf8').split(') ').at(-1)!.split(' ')
  return (Number(fields[field]) + Number(fields[field + 1])) / TICKS_PER_SECOND
}

/** CPU seconds of the whole machine so far, interrupts and what its host took for others included. */
export function machineCpuSeconds(): number | null {
  if (!existsSync('/proc/stat')) return null
  const [line] = readFileSync('/proc/stat', 'utf8').split('\n', 1)
  const [user, nice, system, , , irq, softirq, steal] = line!.split(/\s+/).slice(1).map(Number)
  return (user! + nice! + system! + irq! + softirq! + (steal ?? 0)) / TICKS_PER_SECOND
}

export function rssBytes(pid: number | null): number | null {
  const path = `/proc/${pid}/status`
  if (pid === null || !existsSync(path)) return null
  // one that was killed a moment ago is still there, and has none
  const found = /VmRSS:\s+(\d+)/.exec(readFileSync(path, 'utf8'))
  return found === null ? null : Number(found[1]) * 1024
}

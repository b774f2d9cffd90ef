/** The page cache between runs: what one run left to be written must not be written during the next. */
import { existsSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

const DIRTY_BYTES_MAX = 128e6
const SETTLE_TIMEOUT_MS = 15_000

/** Waits until next to nothing is left to be written to disks, or for 15 s; at once where /proc does not tell. */
export async function settle(): Promise<void> {
  const deadline = performance.now() + SETTLE_TIMEOUT_MS
  while (dirtyBytes() > DIRTY_BYTES_MAX && performance.now() < deadline) await sleep(100)
}

function dirtyBytes(): number {
  if (!existsSync('/proc/meminfo')) return 0
  const text = readFileSync('/proc/meminfo', 'utf8')
  const of = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0)
  return (of('Dirty') + of('Writeback')) * 1024
}

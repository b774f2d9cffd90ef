/** The page cache between runs: what one run left to be written must not be written during the next. */
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const DIRTY_BYTES_MAX = 128e6
const SETTLE_TIMEOUT_MS = 15_000
const CHUNK_BYTES = 1 << 20

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

/**
 * Fills `bytes` of page cache with a file in `directory` and gives them back. A virtual machine that gets its memory from the
 * host page by page has them from then on; else the first runs would measure the host.
 */
export async function touchPages(directory: string, bytes: number): Promise<void> {
  const path = join(directory, 'pages')
  const file = openSync(path, 'wx')
  const chunk = Buffer.alloc(CHUNK_BYTES, 1)
  try {
    for (let written = 0; written < bytes; written += CHUNK_BYTES) {
      writeSync(file, chunk)
      // signals are heard in between
      if (written % (64 * CHUNK_BYTES) === 0) await sleep(0)
    }
  } finally {
    closeSync(file)
    rmSync(path, { force: true })
  }
}

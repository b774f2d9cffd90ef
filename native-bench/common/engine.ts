/** An engine of one's own, as a process, with one broker, in a temporary directory. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from './root.ts'

const READY_TIMEOUT_MS = 10_000

export interface OwnEngine {
  readonly bootstrap: string
  readonly pid: number
  /** Milliseconds from its spawn until it said that clients are served. */
  readonly readyMs: number
  /** Ends it and removes its directory. */
  stop(): Promise<void>
}

/** Throws when the engine ends, or is not ready in time; both ports are the system's choice. */
export async function startEngine(): Promise<OwnEngine> {
  const directory = mkdtempSync(join(tmpdir(), 'griot-bench-'))
  const from = performance.now()
  const options = ['--data-dir', directory, '--brokers', '1', '--kafka-listen', '127.0.0.1:0']
  const child = spawn(
    process.execPath,
    [join(root, 'dist/griot.cjs'), 'start', ...options, '--http-listen', '127.0.0.1:0'],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM')
      await once(child, 'exit')
    }
    rmSync(directory, { recursive: true, force: true })
  }
  try {
    const bootstrap = await listening(child)
    return { bootstrap, pid: child.pid!, readyMs: performance.now() - from, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** The first screen is printed once clients are served, and says where. */
function listening(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const timer = setTimeout(
      () => reject(new Error(`the engine was not ready within ${READY_TIMEOUT_MS} ms: ${text}`)),
      READY_TIMEOUT_MS,
    )
    child.once('error', reject)
    child.once('exit', (code, signal) =>
      reject(new Error(`the engine ended with ${code ?? signal} before it was ready`)),
    )
    child.stdout!.on('data', (chunk) => {
      text += chunk
      const found = /127\.0\.0\.1:\d+/.exec(text)
      if (found === null) return
      clearTimeout(timer)
      resolve(found[0])
    })
  })
}

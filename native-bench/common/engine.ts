/** An engine of one's own, as a process, with one broker, in a temporary directory. */
import type { ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from './root.ts'
import { endChild, Sandbox } from './sandbox.ts'

const READY_TIMEOUT_MS = 10_000
/** The system's choice: nobody else is disturbed. */
export const ANY_PORTS = ['--kafka-listen', '127.0.0.1:0', '--http-listen', '127.0.0.1:0']

export interface OwnEngine {
  readonly bootstrap: string
  readonly pid: number
  /** Milliseconds from its spawn until it said that clients are served. */
  readonly readyMs: number
  /** Of this engine alone: a signal that ends the command ends and removes what is in it. */
  readonly sandbox: Sandbox
  /** Ends it and removes its directory. */
  stop(): Promise<void>
}

/** Throws when the engine ends, or is not ready in time; both ports are the system's choice. `nodeOptions` are for Node itself. */
export async function startEngine(
  nodeOptions: readonly string[] = [],
  brokers = 1,
): Promise<OwnEngine> {
  const program = join(root, 'dist/griot.cjs')
  if (!existsSync(program)) throw new Error(`${program} is not there: npm run build`)
  const sandbox = new Sandbox(tmpdir(), 'griot-bench-')
  const from = performance.now()
  const options = ['--data-dir', sandbox.directory(), '--log-level', 'warn']
  options.push('--brokers', String(brokers))
  const child = sandbox.spawn(
    process.execPath,
    [...nodeOptions, program, 'start', ...options, ...ANY_PORTS],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const stop = async () => {
    try {
      await endChild(child, 'SIGTERM')
    } finally {
      await sandbox.close()
    }
  }
  try {
    const bootstrap = await listening(child)
    return { bootstrap, pid: child.pid!, readyMs: performance.now() - from, sandbox, stop }
  } catch (error) {
    await sandbox.close()
    throw error
  }
}

/**
 * The first screen of `griot start` is printed once clients are served, and says where. Rejects when the process ends, or says
 * nothing in time, with what `stderr` has of it.
 */
export function listening(
  child: ChildProcess,
  timeoutMs = READY_TIMEOUT_MS,
  stderr: () => string = () => '',
): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const fail = (what: string) => {
      clearTimeout(timer)
      reject(new Error(`griot start ${what}: ${stderr() || text}`))
    }
    const timer = setTimeout(() => fail(`is not ready after ${timeoutMs} ms`), timeoutMs)
    child.once('error', (error) => fail(`cannot be run (${error.message})`))
    child.once('exit', (code, signal) => fail(`ended with ${code ?? signal}`))
    child.stdout!.on('data', (chunk) => {
      text += chunk
      const found = /127\.0\.0\.1:\d+/.exec(text)
      if (found === null) return
      clearTimeout(timer)
      resolve(found[0])
    })
  })
}

/** Griot as its users start it: `griot start` of the built tree with default settings, three brokers, on loopback. */
import type { ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../common/root.ts'
import type { Broker } from './broker.ts'
import { endChild, type Sandbox } from './sandbox.ts'

const READY_TIMEOUT_MS = 30_000
const KEPT_STDERR = 20_000

/** Throws when the engine ends, or is not ready in time, with its standard error. */
export async function startGriot(sandbox: Sandbox, directory: string): Promise<Broker> {
  const program = join(root, 'dist/griot.cjs')
  if (!existsSync(program)) throw new Error(`${program} is not there: npm run build`)
  const args = ['start', '--data-dir', join(directory, 'data'), '--log-level', 'warn']
  const listen = ['--kafka-listen', '127.0.0.1:0', '--http-listen', '127.0.0.1:0']
  const child = sandbox.spawn(process.execPath, [program, ...args, ...listen], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stderr = ''
  child.stderr!.on('data', (chunk) => {
    stderr = (stderr + chunk).slice(-KEPT_STDERR)
  })
  try {
    const bootstrap = await listening(child, () => stderr)
    return {
      bootstrap,
      pids: [child.pid!],
      formatMs: 0,
      stderr: () => stderr,
      stop: (signal) => endChild(child, signal),
    }
  } catch (error) {
    await endChild(child, 'SIGKILL')
    throw error
  }
}

/** The first screen is printed once clients are served, and says where. */
function listening(child: ChildProcess, stderr: () => string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const timer = setTimeout(
      () => reject(new Error(`griot start is not ready after ${READY_TIMEOUT_MS} ms: ${stderr()}`)),
      READY_TIMEOUT_MS,
    )
    child.once('error', reject)
    child.once('exit', (code, signal) => {
      clearTimeout(timer)
      reject(new Error(`griot start ended with ${code ?? signal}: ${stderr()}`))
    })
    child.stdout!.on('data', (chunk) => {
      text += chunk
      const found = /127\.0\.0\.1:\d+/.exec(text)
      if (found === null) return
      clearTimeout(timer)
      resolve(found[0])
    })
  })
}

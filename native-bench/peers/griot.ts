/** Griot as its users start it: `griot start` of the built tree with default settings, three brokers, on loopback. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ANY_PORTS, listening } from '../common/engine.ts'
import { root } from '../common/root.ts'
import { endChild, type Sandbox } from '../common/sandbox.ts'
import type { Broker, Side } from './broker.ts'

const READY_TIMEOUT_MS = 30_000
const KEPT_STDERR = 20_000

/** What Node, and the engine where Node does not, would take from earlier starts. */
const COLD = { NODE_DISABLE_COMPILE_CACHE: '1' }

/** Griot in a sandbox. */
export const griotSide = (sandbox: Sandbox, label = 'Griot'): Side => ({
  name: 'griot',
  label,
  start: (directory) => startGriot(sandbox, directory),
  startCold: (directory) => startGriot(sandbox, directory, COLD),
})

/** Throws when the engine ends, or is not ready in time, with its standard error. */
export async function startGriot(
  sandbox: Sandbox,
  directory: string,
  env: NodeJS.ProcessEnv = {},
): Promise<Broker> {
  const program = join(root, 'dist/griot.cjs')
  if (!existsSync(program)) throw new Error(`${program} is not there: npm run build`)
  const args = ['start', '--data-dir', join(directory, 'data'), '--log-level', 'warn']
  const child = sandbox.spawn(process.execPath, [program, ...args, ...ANY_PORTS], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  })
  let stderr = ''
  child.stderr!.on('data', (chunk) => {
    stderr = (stderr + chunk).slice(-KEPT_STDERR)
  })
  try {
    const bootstrap = await listening(child, READY_TIMEOUT_MS, () => stderr)
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

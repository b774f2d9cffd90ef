/** Griot as its users start it: `griot start` of the built tree with default settings, three brokers, on loopback. */
import { type ChildProcess, spawnSync } from 'node:child_process'
import { once } from 'node:events'
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

export interface GriotOptions {
  readonly env?: NodeJS.ProcessEnv
  /** Its brokers can be killed. Its disk calls pass through what could fail them: not where anything else is measured. */
  readonly chaos?: boolean
  /** As many as without the option, unless given. */
  readonly brokers?: number
}

/** Griot in a sandbox. */
export const griotSide = (sandbox: Sandbox, label = 'Griot', options: GriotOptions = {}): Side => ({
  name: 'griot',
  label,
  start: (directory) => startGriot(sandbox, directory, options),
  startCold: (directory) => startGriot(sandbox, directory, { ...options, env: COLD }),
})

/** Throws where the tree is not built. */
function builtProgram(): string {
  const program = join(root, 'dist/griot.cjs')
  if (!existsSync(program)) throw new Error(`${program} is not there: npm run build`)
  return program
}

/** Whether brokers of what was built can be killed one by one. */
export function hasChaos(): boolean {
  const args = [builtProgram(), 'start', '--help']
  return spawnSync(process.execPath, args, { encoding: 'utf8' }).stdout.includes('--chaos')
}

/** Throws when the engine ends, or is not ready in time, with its standard error. */
export async function startGriot(
  sandbox: Sandbox,
  directory: string,
  { env = {}, chaos = false, brokers }: GriotOptions = {},
): Promise<Broker> {
  const program = builtProgram()
  const dataDir = join(directory, 'data')
  const args = [
    'start',
    '--data-dir',
    dataDir,
    '--log-level',
    'warn',
    ...(chaos ? ['--chaos'] : []),
    ...(brokers === undefined ? [] : ['--brokers', String(brokers)]),
  ]
  const child = sandbox.spawn(process.execPath, [program, ...args, ...ANY_PORTS], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  })
  const stderr = collect(child)
  try {
    const bootstrap = await listening(child, READY_TIMEOUT_MS, stderr)
    return {
      bootstrap,
      pids: [child.pid!],
      formatMs: 0,
      stderr,
      stop: (signal) => endChild(child, signal),
      kill: (id) => killBroker(sandbox, program, dataDir, id),
      // the engine does
      revive: async () => undefined,
    }
  } catch (error) {
    await endChild(child, 'SIGKILL')
    throw error
  }
}

/** As a user does. */
async function killBroker(
  sandbox: Sandbox,
  program: string,
  dataDir: string,
  id: number,
): Promise<void> {
  const args = [program, 'chaos', 'kill-broker', String(id), '--data-dir', dataDir]
  const child = sandbox.spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  const stderr = collect(child)
  const [code] = await once(child, 'exit')
  if (code !== 0) throw new Error(`griot chaos kill-broker ${id} ended with ${code}: ${stderr()}`)
}

function collect(child: ChildProcess): () => string {
  let text = ''
  child.stderr!.on('data', (chunk) => {
    text = (text + chunk).slice(-KEPT_STDERR)
  })
  return () => text
}

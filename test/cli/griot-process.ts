/** `griot …` as users run it: a process, its output and how it ends. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import path from 'node:path'

const launcher = path.join(import.meta.dirname, '../../dist/griot.cjs')

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export class GriotProcess {
  readonly child: ChildProcess
  stdout = ''
  stderr = ''

  constructor(
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
    stdin: 'ignore' | 'pipe' = 'ignore',
  ) {
    this.child = spawn(process.execPath, [launcher, ...args], {
      env: { ...process.env, ...env },
      stdio: [stdin, 'pipe', 'pipe'],
      // a start that a test expected to be refused must not outlive the run
      timeout: 60_000,
      killSignal: 'SIGKILL',
    })
    this.child.stdout!.on('data', (chunk) => {
      this.stdout += chunk
    })
    this.child.stderr!.on('data', (chunk) => {
      this.stderr += chunk
    })
  }

  /** Waits until standard output matches; fails with all output when the process ends before. */
  async prints(pattern: RegExp, timeoutMs = 15_000): Promise<RegExpExecArray> {
    const deadline = performance.now() + timeoutMs
    for (;;) {
      const found = pattern.exec(this.stdout)
      if (found !== null) return found
      if (this.child.exitCode !== null || performance.now() > deadline) {
        throw new Error(`${pattern} was not printed:\n${this.stdout}\n${this.stderr}`)
      }
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  async ended(): Promise<Ended> {
    if (this.child.exitCode === null && this.child.signalCode === null)
      await once(this.child, 'close')
    const { exitCode, signalCode } = this.child
    return { code: exitCode, signal: signalCode, stdout: this.stdout, stderr: this.stderr }
  }

  async kill(signal: NodeJS.Signals): Promise<Ended> {
    this.child.kill(signal)
    return await this.ended()
  }
}

export const griot = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  new GriotProcess(args, env).ended()

/** A port that is taken until closed. */
export async function takePort(): Promise<{ port: number; close: () => void }> {
  const server: Server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { port: (server.address() as { port: number }).port, close: () => server.close() }
}

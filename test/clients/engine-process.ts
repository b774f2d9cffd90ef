/** `griot start` as a process of its own, to be killed as users' processes are. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { freePorts } from '../../native-bench/peers/ports.ts'

export { freePorts }

const cli = join(import.meta.dirname, '../../dist/griot.cjs')

export class EngineProcess {
  readonly bootstrap: string
  readonly url: string
  readonly dataDir: string
  readonly #args: readonly string[]
  #child: ChildProcess | null = null
  /** The last lines of standard error: what a failing test prints. */
  stderr = ''
  /** Gets all of it, for tests that look at every line. */
  onStderr: (text: string) => void = () => {}

  private constructor(bootstrap: string, url: string, dataDir: string, args: readonly string[]) {
    this.bootstrap = bootstrap
    this.url = url
    this.dataDir = dataDir
    this.#args = args
  }

  static async create(dataDir: string, brokers = 3, extra: readonly string[] = []) {
    const first = await freePorts(brokers + 1)
    const bootstrap = `127.0.0.1:${first}`
    const http = `127.0.0.1:${first + brokers}`
    const args = ['--data-dir', dataDir, '--kafka-listen', bootstrap, '--http-listen', http]
    args.push('--brokers', String(brokers), ...extra)
    return new EngineProcess(bootstrap, `http://${http}`, dataDir, args)
  }

  get pid(): number {
    return this.#child!.pid!
  }

  get isRunning(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Resolves once /health/ready answers 200; rejects with its standard error when the process ends first. */
  async start(timeoutMs = 20_000): Promise<void> {
    const child = spawn(process.execPath, [cli, 'start', ...this.#args], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    this.#child = child
    child.stderr!.on('data', (chunk) => {
      this.stderr = (this.stderr + chunk).slice(-8_000)
      this.onStderr(String(chunk))
    })
    const deadline = Date.now() + timeoutMs
    while (Date.now() < deadline) {
      if (child.exitCode !== null) throw new Error(`griot start ended: ${this.stderr}`)
      const ready = await fetch(`${this.url}/health/ready`).then(
        (response) => response.ok,
        () => false,
      )
      if (ready) return
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
    throw new Error(`griot start is not ready after ${timeoutMs} ms: ${this.stderr}`)
  }

  /** Ends the process with `signal` and waits until it is gone; returns its exit code. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child
    if (child === null || child.exitCode !== null || child.signalCode !== null) return null
    const exited = once(child, 'exit')
    child.kill(signal)
    await exited
    return child.exitCode
  }
}

/** `relay.mjs` as a process: the engine's ports at other ones of another address. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

const script = join(import.meta.dirname, 'relay.mjs')

export class RelayProcess {
  readonly #child: ChildProcess
  #output = ''

  private constructor(child: ChildProcess) {
    this.#child = child
    child.stdout!.on('data', (chunk) => (this.#output += chunk))
  }

  /** Resolves once it listens on `count` ports. */
  static async start(listen: string, target: string, count: number): Promise<RelayProcess> {
    const child = spawn(process.execPath, [script, listen, target, String(count)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const relay = new RelayProcess(child)
    const ended = once(child, 'exit')
    while (!relay.#output.includes('relaying')) {
      await Promise.race([once(child.stdout!, 'data'), ended])
      if (child.exitCode !== null) throw new Error(`the relay ended with ${child.exitCode}`)
    }
    return relay
  }

  /** Ends it; returns how many connections came in at each port. */
  async end(): Promise<number[]> {
    if (this.#child.exitCode === null) {
      const closed = once(this.#child, 'close')
      this.#child.stdin!.end()
      await closed
    }
    return JSON.parse(this.#output.trim().split('\n').at(-1)!).connections
  }
}

/** All that one command starts and makes, so that all of it goes when the command ends, whichever way. */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const isRunning = (child: ChildProcess): boolean =>
  child.pid !== undefined && child.exitCode === null && child.signalCode === null

/** Ends `child`: by force where it has not gone within `timeoutMs`. */
export async function endChild(
  child: ChildProcess,
  signal: NodeJS.Signals,
  timeoutMs = 20_000,
): Promise<void> {
  if (!isRunning(child)) return
  const exited = once(child, 'exit')
  child.kill(signal)
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
  await exited
  clearTimeout(timer)
}

export class Sandbox {
  /** Where directories are made. */
  readonly place: string
  readonly #children = new Set<ChildProcess>()
  readonly #directories = new Set<string>()
  readonly #onSignal = (signal: NodeJS.Signals) => {
    this.closeNow()
    process.exit(signal === 'SIGINT' ? 130 : 143)
  }

  constructor(place: string = tmpdir()) {
    if (!existsSync(place)) throw new Error(`--data-dir ${place}: no such directory`)
    this.place = place
    process.once('SIGINT', this.#onSignal)
    process.once('SIGTERM', this.#onSignal)
  }

  directory(): string {
    const made = mkdtempSync(join(this.place, 'griot-peers-'))
    this.#directories.add(made)
    return made
  }

  remove(directory: string): void {
    // a broker that was ended by force may have left a file half made: once more is enough
    rmSync(directory, { recursive: true, force: true, maxRetries: 3 })
    this.#directories.delete(directory)
  }

  spawn(program: string, args: readonly string[], options: SpawnOptions): ChildProcess {
    const child = spawn(program, args, options)
    this.#children.add(child)
    child.once('exit', () => this.#children.delete(child))
    return child
  }

  /** Ends all and removes all, without waiting: for a command that is interrupted. */
  closeNow(): void {
    for (const child of this.#children) child.kill('SIGKILL')
    // the load processes of a run are children of ours, too
    for (const pid of childrenOf(process.pid)) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // gone meanwhile
      }
    }
    for (const directory of [...this.#directories]) this.remove(directory)
  }

  async close(): Promise<void> {
    process.off('SIGINT', this.#onSignal)
    process.off('SIGTERM', this.#onSignal)
    await Promise.all([...this.#children].map((child) => endChild(child, 'SIGKILL')))
    for (const directory of [...this.#directories]) this.remove(directory)
  }
}

/** Processes that `pid` has started and that run; nothing where there is no /proc. */
function childrenOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    return text.split(' ').filter(Boolean).map(Number)
  } catch {
    return []
  }
}

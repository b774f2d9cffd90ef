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

const GONE_TIMEOUT_MS = 5_000

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

  /** Ends all and removes all within one call: for a command that is interrupted. */
  closeNow(): void {
    const own = [...this.#children].flatMap(({ pid }) => (pid === undefined ? [] : [pid]))
    // the load processes of a run are children of ours, too
    const pids = new Set([...own, ...childrenOf(process.pid)])
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // gone meanwhile
      }
    }
    // one that still runs would write into what is removed
    const deadline = performance.now() + GONE_TIMEOUT_MS
    while ([...pids].some(isAlive) && performance.now() < deadline)
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20)
    for (const directory of [...this.#directories]) this.remove(directory)
  }

  async close(): Promise<void> {
    process.off('SIGINT', this.#onSignal)
    process.off('SIGTERM', this.#onSignal)
    await Promise.all([...this.#children].map((child) => endChild(child, 'SIGKILL')))
    for (const directory of [...this.#directories]) this.remove(directory)
  }
}

/** Not for a zombie, which only waits to be asked for; nothing lives where there is no /proc. */
function isAlive(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.startsWith('Z')
  } catch {
    return false
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

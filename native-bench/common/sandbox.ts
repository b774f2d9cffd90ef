/** All that one command starts and makes, so that all of it goes when the command ends, whichever way. */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'

const isRunning = (child: ChildProcess): boolean =>
  child.pid !== undefined && child.exitCode === null && child.signalCode === null

/**
 * Ends `child`: by force where it has not gone within `timeoutMs`. Throws then where it was asked for a clean end, since
 * what comes after is not what was to be measured.
 */
export async function endChild(
  child: ChildProcess,
  signal: 'SIGTERM' | 'SIGKILL',
  timeoutMs = 20_000,
): Promise<void> {
  if (!isRunning(child)) return
  const exited = once(child, 'exit')
  let isForced = false
  child.kill(signal)
  const timer = setTimeout(() => {
    isForced = true
    child.kill('SIGKILL')
  }, timeoutMs)
  await exited
  clearTimeout(timer)
  if (isForced && signal !== 'SIGKILL') {
    const what = `process ${child.pid} (${child.spawnfile}) did not end`
    throw new Error(`${what} within ${timeoutMs / 1000} s of ${signal} and was killed`)
  }
}

const GONE_TIMEOUT_MS = 5_000
/** What ends a command from outside: Ctrl-C, `kill`, a terminal that closes. */
export const END_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

export class Sandbox {
  /** Where directories are made. */
  readonly place: string
  readonly #prefix: string
  readonly #children = new Set<ChildProcess>()
  readonly #paths = new Set<string>()
  /** A signal ends the process, so whoever hears it first closes all. */
  static readonly #open = new Set<Sandbox>()
  readonly #onSignal = (signal: NodeJS.Signals) => {
    Sandbox.closeAllNow()
    process.exit(128 + constants.signals[signal])
  }

  /** For a process that is about to end. */
  static closeAllNow(): void {
    for (const sandbox of Sandbox.#open) sandbox.closeNow()
  }

  /** Throws where `place` is no directory. Names of what is made there begin with `prefix`. */
  constructor(place: string = tmpdir(), prefix = 'griot-peers-') {
    if (!existsSync(place)) throw new Error(`--data-dir ${place}: no such directory`)
    this.place = place
    this.#prefix = prefix
    Sandbox.#open.add(this)
    for (const signal of END_SIGNALS) process.once(signal, this.#onSignal)
  }

  directory(): string {
    const made = mkdtempSync(join(this.place, this.#prefix))
    this.#paths.add(made)
    return made
  }

  /** A file, or a directory, that somebody else makes. */
  removeAtEnd(path: string): void {
    this.#paths.add(path)
  }

  remove(path: string): void {
    // a broker that was ended by force may have left a file half made: once more is enough
    rmSync(path, { recursive: true, force: true, maxRetries: 3 })
    this.#paths.delete(path)
  }

  /** A program that is not there is told by the `error` event, which nobody needs to listen to: its `pid` is undefined. */
  spawn(program: string, args: readonly string[], options: SpawnOptions): ChildProcess {
    const child = spawn(program, args, options)
    this.#children.add(child)
    const gone = () => this.#children.delete(child)
    child.once('exit', gone)
    child.on('error', () => {
      if (child.pid === undefined) gone()
    })
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
    for (const path of [...this.#paths]) this.remove(path)
  }

  async close(): Promise<void> {
    Sandbox.#open.delete(this)
    for (const signal of END_SIGNALS) process.off(signal, this.#onSignal)
    await Promise.all([...this.#children].map((child) => endChild(child, 'SIGKILL')))
    for (const path of [...this.#paths]) this.remove(path)
  }
}

/** Not for a zombie, which only waits to be asked for; nothing lives where there is no /proc. */
export function isAlive(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.startsWith('Z')
  } catch {
    return false
  }
}

/** Processes that `pid` has started and that run; nothing where there is no /proc. */
export function childrenOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    return text.split(' ').filter(Boolean).map(Number)
  } catch {
    return []
  }
}

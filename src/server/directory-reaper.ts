/** Removes a temporary directory when its process is gone without having done so. The starting thread. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Socket } from 'node:net'

/** Waits until nobody holds the other end of its standard input, which is when the process has ended, however it did. */
const SCRIPT = 'read -r nothing; rm -rf -- "$1"'

/**
 * A shell, in a session of its own: signal handlers see neither `kill -9` nor a terminated worker thread, and what
 * Jest gives to tests as `process` gets neither signals nor `exit`.
 */
export class DirectoryReaper {
  readonly #shell: ChildProcess

  private constructor(shell: ChildProcess) {
    this.#shell = shell
  }

  /** null where there is no such shell: then the next start removes what this one leaves. */
  static watch(directory: string): DirectoryReaper | null {
    if (process.platform === 'win32') return null
    try {
      const shell = spawn('/bin/sh', ['-c', SCRIPT, 'griot-reaper', directory], {
        cwd: '/',
        detached: true,
        env: { PATH: '/usr/bin:/bin' },
        stdio: ['pipe', 'ignore', 'ignore'],
      })
      // no shell here, or one that somebody ended
      shell.on('error', () => {})
      shell.stdin!.on('error', () => {})
      shell.unref()
      ;(shell.stdin as Socket).unref()
      return new DirectoryReaper(shell)
    } catch {
      // processes may be forbidden to this one
      return null
    }
  }

  /** Nothing is left to remove. Resolves when the shell is gone. */
  async dismiss(): Promise<void> {
    const shell = this.#shell
    if (shell.pid === undefined || shell.exitCode !== null || shell.signalCode !== null) return
    shell.ref()
    const gone = once(shell, 'exit')
    shell.kill('SIGKILL')
    await gone
    shell.stdin!.destroy()
  }
}

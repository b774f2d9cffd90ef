/** Running a client program and keeping what it says. */
import { spawn } from 'node:child_process'
import { createReadStream, createWriteStream } from 'node:fs'

export interface RunResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  /** The path of a file. */
  readonly stdin?: string
  /** What standard input says. */
  readonly input?: string
  /** A file that takes standard output instead of memory. */
  readonly stdoutFile?: string
  readonly timeoutMs?: number
}

/** Runs `command` to its end; kills it, and rejects, after `timeoutMs` (50 s). */
export function run(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] })
    let stdout = ''
    let stderr = ''
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      reject(new Error(`${command} ${args.join(' ')} did not end: ${stderr.slice(-2_000)}`))
    }, options.timeoutMs ?? 50_000)
    const file = options.stdoutFile === undefined ? null : createWriteStream(options.stdoutFile)
    if (file !== null) child.stdout.pipe(file)
    else child.stdout.on('data', (chunk) => (stdout += chunk))
    child.stderr.on('data', (chunk) => (stderr += chunk))
    child.on('error', reject)
    child.stdin.on('error', () => {})
    if (options.stdin === undefined) child.stdin.end(options.input)
    else createReadStream(options.stdin).pipe(child.stdin)
    child.on('close', (code) => {
      clearTimeout(timer)
      const done = () => resolve({ code, stdout, stderr })
      if (file === null || file.closed) done()
      else file.on('close', done)
    })
  })
}

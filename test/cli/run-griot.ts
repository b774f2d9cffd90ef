/** Commands as users run them, with text on their standard input. */
import { type ChildProcess, spawn } from 'node:child_process'
import path from 'node:path'
import type { RunResult } from '../clients/run.ts'

const launcher = path.join(import.meta.dirname, '../../dist/griot.cjs')

/** `griot ARGS`, with `input` on its standard input. */
export const runGriot = (args: readonly string[], input = ''): Promise<RunResult> =>
  runWithInput(process.execPath, [launcher, ...args], input)

export async function runWithInput(
  command: string,
  args: readonly string[],
  input: string | Buffer,
): Promise<RunResult> {
  // one that hangs ends with code null and what it had said
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], timeout: 20_000 })
  // one that ends early reads no more
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  return await resultOf(child)
}

/** A command that goes on until it is told to end. */
export class LiveGriot {
  readonly child: ChildProcess
  readonly ended: Promise<RunResult>
  stdout = ''

  constructor(args: readonly string[]) {
    this.child = spawn(process.execPath, [launcher, ...args], { timeout: 60_000 })
    this.child.stdout!.on('data', (chunk) => {
      this.stdout += chunk
    })
    this.ended = resultOf(this.child)
  }

  /** Waits until standard output holds `lines` lines. */
  async printsLines(lines: number, timeoutMs = 20_000): Promise<void> {
    const deadline = performance.now() + timeoutMs
    while (this.stdout.split('\n').length - 1 < lines) {
      if (performance.now() > deadline || this.child.exitCode !== null) {
        throw new Error(`${lines} lines were not printed:\n${this.stdout.slice(-2_000)}`)
      }
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}

function resultOf(child: ChildProcess): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const out: Buffer[] = []
    let stderr = ''
    child.stdout!.on('data', (chunk: Buffer) => out.push(chunk))
    child.stderr!.on('data', (chunk) => {
      stderr += chunk
    })
    child.on('error', reject)
    child.on('close', (code) => {
      resolve({ code, stdout: Buffer.concat(out).toString(), stderr })
    })
  })
}

/** A Java program as a process of its own, from the jars that `test/clients/java/pom.xml` names. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

export const classPath = `${process.env.GRIOT_KAFKA_LIBS}/*`

export class JavaProcess {
  readonly #child: ChildProcess
  /** What it has said on standard output so far, line by line. */
  readonly lines: string[] = []
  /** The last of its standard error: what a failing test prints. */
  stderr = ''

  /** `program`: the name of a class, or the path of a source file. */
  constructor(program: string, args: readonly string[]) {
    // the least that starts fast: these programs live for seconds
    const options = ['-Xmx256m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-cp', classPath]
    this.#child = spawn('java', [...options, program, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child.stderr!.on('data', (chunk) => {
      this.stderr = (this.stderr + chunk).slice(-8_000)
    })
    createInterface({ input: this.#child.stdout! }).on('line', (line) => this.lines.push(line))
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  async end(signal: NodeJS.Signals): Promise<number | null> {
    if (!this.hasEnded) {
      const exited = once(this.#child, 'exit')
      this.#child.kill(signal)
      await exited
    }
    return this.#child.exitCode
  }

  /** Its exit code, once it has ended by itself and everything that it said is in `lines`. */
  async exited(): Promise<number | null> {
    if (!this.hasEnded) await once(this.#child, 'close')
    return this.#child.exitCode
  }
}

/** Resolves once `isTrue` says so; rejects, saying `what` did not happen, after `timeoutMs`. */
export async function eventually(
  what: () => string,
  isTrue: () => Promise<boolean> | boolean,
  timeoutMs = 60_000,
): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (!(await isTrue())) {
    if (Date.now() > deadline) throw new Error(`not after ${timeoutMs} ms: ${what()}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

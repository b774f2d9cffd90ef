/** The workload of `librdkafka-main.ts`: one process for its producers, one for its members; each writes a history of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { buildSync } from 'esbuild'
import type { WorkloadOptions } from './workload.ts'

export interface LibrdkafkaOptions extends Omit<WorkloadOptions, 'sink' | 'recordsPerSend'> {
  /** Where the histories go: `CLIENT-producers.ndjson` and `CLIENT-members.ndjson`. */
  readonly directory: string
}

/** What one process is told. */
export interface LibrdkafkaRole extends Omit<LibrdkafkaOptions, 'directory'> {
  readonly historyPath: string
  /** Of the package.json beside whose node_modules librdkafka is. */
  readonly packagePath: string
}

interface Answer {
  readonly errors: readonly string[]
  readonly acknowledged?: number
  readonly read?: readonly number[]
}

const root = join(import.meta.dirname, '../..')

/** `name`.ts of this folder as one file that plain Node runs. */
export function bundled(name: string): string {
  const folder = join(root, 'node_modules/.cache/griot-history')
  mkdirSync(folder, { recursive: true })
  const outfile = join(folder, `${name}.mjs`)
  buildSync({
    ...{ entryPoints: [join(import.meta.dirname, `${name}.ts`)], outfile, bundle: true },
    ...{ format: 'esm', platform: 'node', target: 'node20', packages: 'external' },
    logLevel: 'warning',
  })
  return outfile
}

class RoleProcess {
  readonly historyPath: string
  readonly #child: ChildProcess
  readonly #lines: Interface
  readonly #exited: Promise<unknown>
  stderr = ''

  constructor(role: LibrdkafkaRole) {
    this.historyPath = role.historyPath
    const args = [bundled('librdkafka-main'), JSON.stringify(role)]
    this.#child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'pipe'] })
    this.#child.stderr!.on('data', (chunk) => (this.stderr = (this.stderr + chunk).slice(-4_000)))
    this.#exited = once(this.#child, 'exit')
    this.#lines = createInterface({ input: this.#child.stdout! })
  }

  /** Rejects with its standard error when it ends instead of answering. */
  async answer(): Promise<Answer> {
    const line = await Promise.race([once(this.#lines, 'line'), this.#exited.then(() => null)])
    if (line === null) throw new Error(`a librdkafka workload ended: ${this.stderr}`)
    return JSON.parse(line[0] as string) as Answer
  }

  ask(command: string): Promise<Answer> {
    const answered = this.answer()
    this.#child.stdin!.write(`${command}\n`)
    return answered
  }

  /** Resolves when its history is written. */
  async end(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.stdin!.end()
      await this.#exited
    }
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }
}

export class LibrdkafkaWorkload {
  readonly #producers: RoleProcess
  readonly #members: RoleProcess
  #errors: readonly string[] = []

  private constructor(producers: RoleProcess, members: RoleProcess) {
    this.#producers = producers
    this.#members = members
  }

  /** Resolves once its producers and members run. */
  static async start(options: LibrdkafkaOptions): Promise<LibrdkafkaWorkload> {
    const { directory, ...rest } = options
    const packagePath = join(import.meta.dirname, '../clients/librdkafka/package.json')
    const roleOf = (name: string, own: Partial<LibrdkafkaRole>): LibrdkafkaRole => ({
      ...{ ...rest, ...own, packagePath },
      historyPath: join(directory, `${options.client}-${name}.ndjson`),
    })
    const producers = new RoleProcess(roleOf('producers', { members: 0 }))
    const none = { idempotentProducers: 0, plainProducers: 0 }
    const members = new RoleProcess(roleOf('members', none))
    const workload = new LibrdkafkaWorkload(producers, members)
    try {
      await Promise.all([producers.answer(), members.answer()])
    } catch (error) {
      workload.kill()
      throw error
    }
    return workload
  }

  get historyPaths(): readonly string[] {
    return [this.#producers.historyPath, this.#members.historyPath]
  }

  /** Errors that callers were given; as of the last answer. */
  get errors(): readonly string[] {
    return this.#errors
  }

  /** Records so far. */
  async acknowledged(): Promise<number> {
    const { acknowledged } = await this.#producers.ask('count')
    return acknowledged!
  }

  /** Resolves, with how many records were acknowledged, when all that was sent is answered or given up after `timeoutMs`. */
  async stopProducing(timeoutMs = 10_000): Promise<number> {
    const { errors, acknowledged } = await this.#producers.ask(`stop ${timeoutMs}`)
    this.#errors = errors
    return acknowledged!
  }

  /** Gives the group `timeoutMs` to read up to `ends`, then holds it to that; returns what it read up to. Everything ends. */
  async drain(ends: readonly number[], timeoutMs = 20_000): Promise<readonly number[]> {
    const { errors, read } = await this.#members.ask(`drain ${JSON.stringify(ends)} ${timeoutMs}`)
    this.#errors = [...this.#errors, ...errors]
    await Promise.all([this.#producers.end(), this.#members.end()])
    return read!
  }

  /** Whatever state it is in. */
  kill(): void {
    this.#producers.kill()
    this.#members.kill()
  }
}

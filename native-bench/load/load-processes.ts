/** The processes that make the load, as the reporter sees them. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../common/root.ts'
import {
  type ChildResult,
  type Counts,
  type FromChild,
  type Job,
  mergedDue,
  type Times,
  type ToChild,
} from './messages.ts'

const READY_WITHIN_MS = 180_000

/** Compiled: the reporter itself may run from elsewhere. */
const PROGRAM = join(root, 'dist/load-process.cjs')

class LoadProcess {
  readonly job: Job
  readonly #child: ChildProcess
  readonly ready = withResolvers<void>()
  readonly done = withResolvers<ChildResult>()
  counts: Counts = { requests: 0, records: 0, bytes: 0, wireBytes: 0 }

  constructor(job: Job) {
    this.job = job
    this.#child = fork(PROGRAM, { execArgv: ['--max-semi-space-size=32'] })
    // whoever waits for the other one hears of it too
    this.ready.promise.catch(() => undefined)
    this.done.promise.catch(() => undefined)
    this.#child.on('message', (message: FromChild) => this.#take(message))
    this.#child.on('error', (error) => this.#fail(error.message))
    this.#child.on('exit', (code, signal) =>
      this.#fail(`the load process of ${job.group.name} ended with ${code ?? signal}`),
    )
    this.send({ kind: 'job', job })
  }

  send(message: ToChild): void {
    // one that has ended meanwhile says so by its exit
    if (this.#child.connected) this.#child.send(message, () => undefined)
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    this.#child.kill('SIGKILL')
    await once(this.#child, 'exit')
  }

  #take(message: FromChild): void {
    switch (message.kind) {
      case 'ready':
        this.ready.resolve()
        return
      case 'tick':
        this.counts = message.counts
        return
      case 'done':
        this.done.resolve(message.result)
        return
      case 'failed':
        this.#fail(`${this.job.group.name}: ${message.message}`)
        return
      default:
        message satisfies never
    }
  }

  #fail(message: string): void {
    const error = new Error(message)
    this.ready.reject(error)
    this.done.reject(error)
  }
}

function withResolvers<T>() {
  let resolve!: (value: T | PromiseLike<T>) => void
  let reject!: (reason: unknown) => void
  const promise = new Promise<T>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}

export interface DoneJob {
  readonly job: Job
  readonly result: ChildResult
}

/** All of a run, or of its preload. */
export class LoadProcesses {
  readonly #all: readonly LoadProcess[]
  readonly #failure = withResolvers<never>()

  /** Throws when the package was not built. */
  constructor(jobs: readonly Job[]) {
    if (!existsSync(PROGRAM)) throw new Error(`${PROGRAM} is not there: npm run build`)
    this.#all = jobs.map((job) => new LoadProcess(job))
    this.#failure.promise.catch(() => undefined)
    for (const { done } of this.#all) done.promise.catch((error) => this.#failure.reject(error))
  }

  /** Rejects with what the first one that failed said. */
  async ready(): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const tooLate = new Promise<never>((_, reject) => {
      const say = () =>
        reject(new Error(`the load processes were not ready after ${READY_WITHIN_MS / 1000} s`))
      timer = setTimeout(say, READY_WITHIN_MS)
    })
    try {
      const all = Promise.all(this.#all.map(({ ready }) => ready.promise))
      await Promise.race([all, this.#failure.promise, tooLate])
    } finally {
      clearTimeout(timer)
    }
  }

  start(times: Times): void {
    for (const one of this.#all) one.send({ kind: 'start', times })
  }

  /** Rejects with what the first one that failed said. Consumers that drain end after the producers did. */
  async done(): Promise<DoneJob[]> {
    const producers = this.#all.filter(({ job }) => job.group.kind === 'produce')
    const ended = await Promise.race([
      Promise.all(producers.map(({ done }) => done.promise)),
      this.#failure.promise,
    ])
    const due = mergedDue(ended.map((result) => result.due))
    for (const one of this.#all) {
      if (one.job.group.kind === 'consume') one.send({ kind: 'finish', due })
    }
    const results = this.#all.map(async ({ job, done }) => ({ job, result: await done.promise }))
    return await Promise.race([Promise.all(results), this.#failure.promise])
  }

  /** Moved since the start, by group. */
  counts(): Map<string, Counts> {
    const found = new Map<string, Counts>()
    for (const { job, counts } of this.#all) {
      const sum = found.get(job.group.name) ?? { requests: 0, records: 0, bytes: 0, wireBytes: 0 }
      found.set(job.group.name, {
        requests: sum.requests + counts.requests,
        records: sum.records + counts.records,
        bytes: sum.bytes + counts.bytes,
        wireBytes: sum.wireBytes + counts.wireBytes,
      })
    }
    return found
  }

  async end(): Promise<void> {
    await Promise.all(this.#all.map((one) => one.end()))
  }
}

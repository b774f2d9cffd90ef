/** Runs a workload against any Kafka: topics, load processes, the measured window, and what came of it. */
import { randomBytes } from 'node:crypto'
import type { ClientSecurity } from '../../src/kafka-client/connection.ts'
import { type ProcessUsage, UsageWindow } from '../common/process-usage.ts'
import { nowUs, sleepUntil } from './clock.ts'
import { Cluster } from './cluster.ts'
import { brokerUsage, flowsOf } from './flows.ts'
import { type DoneJob, LoadProcesses } from './load-processes.ts'
import type { Counts, Job, Times } from './messages.ts'
import { jobsOf, preloadJob, topicNames } from './plan.ts'
import {
  type CreateResult,
  RESULT_SCHEMA,
  type SecondPoint,
  type WorkloadResult,
} from './result.ts'
import { isStamped, type TopicSet, type Workload } from './workload.ts'

export interface Progress {
  readonly phase: 'topics' | 'preload' | 'warm-up' | 'measure' | 'clean-up'
  /** Of the phase. */
  readonly elapsedSeconds: number
  /** The last second, by group. */
  readonly groups: readonly ({ readonly name: string } & SecondPoint)[]
}

export interface RunWorkloadOptions {
  /** HOST:PORT, or several with commas. */
  readonly bootstrap: string
  /** Left out: plain TCP, without a login. */
  readonly security?: ClientSecurity | undefined
  /** The broker's processes on this machine, for CPU, memory and file descriptors. */
  readonly pids?: readonly number[]
  readonly warmupSeconds: number
  readonly measureSeconds: number
  readonly onProgress?: (progress: Progress) => void
  /** Topics stay. */
  readonly keep?: boolean
  /**
   * The topics of an earlier run with `keep` are used as they are: neither made nor filled. Bytes that are read are counted by the
   * recordBytes of this workload.
   */
  readonly prefix?: string
  /** Runs beside the measured window, from its begin; the run waits for it, and rejects when it does. Gets the names of all topics. */
  readonly during?: (topics: readonly string[]) => Promise<void>
  /** Ends the run early: it rejects with the reason, and the topics are removed. */
  readonly signal?: AbortSignal
}

/** From the word to begin until all have begun. */
const BEGIN_WITHIN_US = 100_000

/** Throws Errors whose message says what to do: no broker there, a request refused, a load process that ended. */
export async function runWorkload(
  workload: Workload,
  options: RunWorkloadOptions,
): Promise<WorkloadResult> {
  options.signal?.throwIfAborted()
  const cluster = await Cluster.open(options.bootstrap, options)
  const isOwn = options.prefix === undefined
  const prefix = options.prefix ?? `griot-bench-${randomBytes(4).toString('hex')}`
  const run = new Run(workload, options, cluster, prefix)
  try {
    const created = await run.topics(isOwn)
    options.signal?.throwIfAborted()
    const preloaded = isOwn ? await run.preload() : null
    const measured = await run.measure()
    return { ...measured, created, preloaded }
  } finally {
    if (isOwn && options.keep !== true) await run.cleanUp()
    cluster.close()
  }
}

class Run {
  readonly #workload: Workload
  readonly #options: RunWorkloadOptions
  readonly #cluster: Cluster
  readonly #prefix: string

  constructor(workload: Workload, options: RunWorkloadOptions, cluster: Cluster, prefix: string) {
    this.#workload = workload
    this.#options = options
    this.#cluster = cluster
    this.#prefix = prefix
  }

  async topics(isOwn: boolean): Promise<CreateResult | null> {
    this.#report('topics', 0, [])
    const { topics } = this.#workload
    const start = performance.now()
    const names = (set: TopicSet) => topicNames(this.#prefix, set)
    if (isOwn) for (const set of topics) await this.#cluster.create(this.#kept(set), names(set))
    const answeredMs = performance.now() - start
    for (const set of topics) await this.#cluster.waitUntilUsable(names(set), set.partitions)
    if (!isOwn) return null
    return {
      topics: topics.reduce((sum, { count }) => sum + count, 0),
      partitions: topics.reduce((sum, { count, partitions }) => sum + count * partitions, 0),
      answeredMs,
      usableMs: performance.now() - start,
    }
  }

  /** Times of end-to-end runs count from the run's begin: for a broker they are long ago, and must not be old. */
  #kept(set: TopicSet): TopicSet {
    if (!isStamped(this.#workload, set.name)) return set
    const needed = { 'retention.ms': '-1', 'message.timestamp.type': 'CreateTime' }
    return { ...set, configs: { ...set.configs, ...needed } }
  }

  #processes(jobs: readonly Job[]): LoadProcesses {
    const { security } = this.#options
    return new LoadProcesses(jobs.map((job) => ({ ...job, security })))
  }

  async preload(): Promise<WorkloadResult['preloaded']> {
    const sets = this.#workload.topics.filter(({ preloadBytes }) => preloadBytes > 0)
    if (sets.length === 0) return null
    const start = nowUs()
    const { bootstrap } = this.#options
    const jobs = sets.map((set) => preloadJob(this.#workload, set, bootstrap, this.#prefix))
    const done = await this.#with(this.#processes(jobs), async (processes) => {
      await processes.ready()
      processes.start({ startUs: start, fromUs: start, toUs: start })
      return await this.#during('preload', processes, processes.done())
    })
    const bytes = done.reduce((sum, { result }) => sum + result.total.bytes, 0)
    return { bytes, seconds: (nowUs() - start) / 1e6 }
  }

  async measure(): Promise<Omit<WorkloadResult, 'created' | 'preloaded'>> {
    const { bootstrap, warmupSeconds, measureSeconds } = this.#options
    const jobs = jobsOf(this.#workload, bootstrap, this.#prefix)
    const { done, usage } = await this.#with(this.#processes(jobs), async (processes) => {
      await processes.ready()
      const startUs = nowUs() + BEGIN_WITHIN_US
      const fromUs = startUs + warmupSeconds * 1e6
      const times = { startUs, fromUs, toUs: fromUs + measureSeconds * 1e6 }
      processes.start(times)
      return await this.#window(processes, times)
    })
    const flows = flowsOf(done, measureSeconds)
    const pids = this.#options.pids ?? []
    const unseen =
      pids.length > 0 && usage === null
        ? [`processes ${pids.join(', ')} could not be seen in /proc: no figures of the broker`]
        : []
    return {
      ...{ schema: RESULT_SCHEMA, workload: this.#workload, prefix: this.#prefix },
      ...{ warmupSeconds, seconds: measureSeconds, ...flows },
      broker: brokerUsage(usage, flows),
      replicas: this.#cluster.replicas,
      notes: [...this.#fewerReplicas(), ...flows.notes, ...unseen],
    }
  }

  async #window(
    processes: LoadProcesses,
    { fromUs, toUs }: Times,
  ): Promise<{ done: DoneJob[]; usage: ProcessUsage | null }> {
    const { pids = [] } = this.#options
    const all = processes.done()
    // a process that fails ends the wait
    const until = (us: number) => Promise.race([sleepUntil(us), all])
    await this.#during('warm-up', processes, until(fromUs))
    const usage = pids.length === 0 ? null : new UsageWindow(pids)
    const beside = this.#options.during?.(this.#topicNames()) ?? Promise.resolve()
    const failed = beside.then(() => until(toUs))
    await this.#during('measure', processes, Promise.race([until(toUs), failed]))
    const used = usage?.end() ?? null
    await beside
    return { done: await all, usage: used }
  }

  #topicNames(): string[] {
    return this.#workload.topics.flatMap((set) => topicNames(this.#prefix, set))
  }

  #fewerReplicas(): string[] {
    const asked = Math.max(...this.#workload.topics.map((set) => set.replicationFactor))
    const { replicas } = this.#cluster
    return replicas >= asked
      ? []
      : [`**${asked} replicas were asked for, but there are ${replicas}**`]
  }

  async cleanUp(): Promise<void> {
    this.#report('clean-up', 0, [])
    for (const set of this.#workload.topics) {
      await this.#cluster.remove(topicNames(this.#prefix, set)).catch(() => undefined)
    }
  }

  async #with<T>(processes: LoadProcesses, work: (all: LoadProcesses) => Promise<T>): Promise<T> {
    const { signal } = this.#options
    let onAbort = () => {}
    const aborted = new Promise<never>((_, reject) => {
      onAbort = () => reject(signal!.reason)
      signal?.addEventListener('abort', onAbort)
    })
    try {
      // one that came before is heard by no listener
      signal?.throwIfAborted()
      return await Promise.race([work(processes), aborted])
    } finally {
      signal?.removeEventListener('abort', onAbort)
      await processes.end()
    }
  }

  /** Tells once a second what the last one brought. */
  async #during<T>(
    phase: Progress['phase'],
    processes: LoadProcesses,
    work: Promise<T>,
  ): Promise<T> {
    const start = nowUs()
    let before = processes.counts()
    const timer = setInterval(() => {
      const counts = processes.counts()
      this.#report(phase, (nowUs() - start) / 1e6, since(before, counts))
      before = counts
    }, 1000)
    try {
      return await work
    } finally {
      clearInterval(timer)
    }
  }

  #report(phase: Progress['phase'], elapsedSeconds: number, groups: Progress['groups']): void {
    this.#options.onProgress?.({ phase, elapsedSeconds, groups })
  }
}

function since(
  before: ReadonlyMap<string, Counts>,
  now: ReadonlyMap<string, Counts>,
): Progress['groups'] {
  return [...now].map(([name, counts]) => {
    const last = before.get(name)
    return {
      name,
      requests: counts.requests - (last?.requests ?? 0),
      records: counts.records - (last?.records ?? 0),
      bytes: counts.bytes - (last?.bytes ?? 0),
    }
  })
}

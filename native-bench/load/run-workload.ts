/** Runs a workload against any Kafka: topics, load processes, the measured window, and what came of it. */
import type { SecondPoint, WorkloadResult } from './result.ts'
import type { Workload } from './workload.ts'

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
  /** The broker's processes on this machine, for CPU, memory and file descriptors. */
  readonly pids?: readonly number[]
  readonly warmupSeconds: number
  readonly measureSeconds: number
  readonly onProgress?: (progress: Progress) => void
  /** Topics stay. */
  readonly keep?: boolean
  /** The topics of an earlier run with `keep` are used as they are: neither made nor filled. */
  readonly prefix?: string
}

/** Throws Errors whose message says what to do: no broker there, a request refused, a load process that ended. */
export async function runWorkload(
  workload: Workload,
  options: RunWorkloadOptions,
): Promise<WorkloadResult> {
  throw new Error(`not there yet: ${workload.name}, ${options.bootstrap}`)
}

/** Four workloads that say most of what an engine does, for the baseline and the regression guard. */
import type { LatencyUs } from '../load/result.ts'
import { runWorkload } from '../load/run-workload.ts'
import { parseWorkload, type Workload } from '../load/workload.ts'

export interface Row {
  readonly key: 'produceLarge' | 'fetchLarge' | 'produceSmall' | 'produceSmallDeep'
  readonly name: string
  readonly workload: Workload
}

/** All of the measured window. */
export interface RowResult {
  readonly seconds: number
  readonly requests: number
  /** Of record values. */
  readonly bytes: number
  readonly latencyUs: LatencyUs
  /** Null where nobody can see the broker's process. */
  readonly brokerCpuSeconds: number | null
}

/** The log is kept small, so that the page cache is used again: one that only grows measures the host of a virtual machine. */
const bounded = { configs: { 'segment.bytes': `${256 << 20}`, 'retention.bytes': `${1 << 30}` } }
const PRELOAD_BYTES = 500e6
const WARMUP_SECONDS = 0.3

const row = (key: Row['key'], name: string, workload: object): Row => ({
  ...{ key, name },
  workload: parseWorkload({ name: 'baseline', ...workload }, name),
})

const small = { recordBytes: 100, recordsPerBatch: 1 }

export const rows: readonly Row[] = [
  row('produceLarge', 'produce, 1 MB batches', {
    topics: bounded,
    produce: { recordBytes: 1024, recordsPerBatch: 1000, inFlight: 5 },
  }),
  row('fetchLarge', 'fetch, from the beginning', {
    topics: { preloadBytes: PRELOAD_BYTES },
    consume: { from: 'beginning', rewind: true, partitionMaxBytes: 4 << 20 },
  }),
  row('produceSmall', 'produce, one 100-byte record a request', {
    topics: bounded,
    produce: { ...small, inFlight: 1 },
  }),
  row('produceSmallDeep', 'the same, 64 requests in flight', {
    topics: bounded,
    produce: { ...small, inFlight: 64 },
  }),
]

/** Its load comes from a process of its own. Throws as {@link runWorkload} does. */
export async function runRow(
  { workload }: Row,
  target: { readonly bootstrap: string; readonly pid: number | null },
  seconds: number,
): Promise<RowResult> {
  const { groups, broker } = await runWorkload(workload, {
    bootstrap: target.bootstrap,
    pids: target.pid === null ? [] : [target.pid],
    warmupSeconds: WARMUP_SECONDS,
    measureSeconds: seconds,
  })
  const { requests, bytes, latencyUs } = groups[0]!
  const brokerCpuSeconds = broker?.cpuSeconds ?? null
  return { seconds, requests, bytes, latencyUs: latencyUs!, brokerCpuSeconds }
}

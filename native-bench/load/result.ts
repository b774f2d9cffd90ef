/** What a run of a workload found; with its machine around it, this is what `--json` writes. */
import type { ProcessUsage } from '../common/process-usage.ts'
import type { Workload } from './workload.ts'

/** Of the whole of {@link WorkloadResult}; raised when a reader of before would misread it. */
export const RESULT_SCHEMA = 1

/** Microseconds. */
export interface LatencyUs {
  readonly count: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly p999: number
  readonly max: number
  readonly mean: number
}

export interface SecondPoint {
  readonly requests: number
  readonly records: number
  /** Of record values, uncompressed. */
  readonly bytes: number
}

export interface Totals {
  readonly requests: number
  readonly records: number
  readonly bytes: number
}

/** All figures but `total` are of the measured window. */
export interface Flow {
  readonly requests: number
  readonly records: number
  /** Of record values, uncompressed: what a user has moved. */
  readonly bytes: number
  /** Of record batches, as sent. */
  readonly wireBytes: number
  readonly requestsPerSecond: number
  readonly recordsPerSecond: number
  readonly bytesPerSecond: number
  /**
   * Producers: from the (intended) send time until the answer. Consumers: from the intended send time of a record where
   * the workload is end to end, else from a fetch's request to its answer.
   * Requests that are open when the window ends count as at least that late. Null where nothing is answered (acks 0).
   */
  readonly latencyUs: LatencyUs | null
  /** How late the client itself was to send, in an open loop; part of latencyUs. */
  readonly sendLagUs: LatencyUs | null
  readonly perSecond: readonly SecondPoint[]
  /** For plots: latency in µs at each of {@link PLOT_PERCENTILES}. */
  readonly percentilesUs: readonly number[]
  /** Of the whole run: warm-up, window, and what was read or answered after it. */
  readonly total: Totals
  /**
   * In latencyUs as late as they are by then, at least. Producers: requests of the window that had no answer, or were not even sent, when
   * the run was given up. Consumers, end to end: batches of the window that were due and never came, whether or not they were sent.
   */
  readonly unanswered: number
  /** Consumers: records that retention took before they were read. */
  readonly skipped: number
  /**
   * Producers: the longest that one of them had no answer within the window. What lasts at its end is waited for, and counts as long
   * as it takes by then. Null where nothing is answered.
   */
  readonly longestGapUs: number | null
  /** Producers with `retries`: requests that were sent again, in the whole run. */
  readonly resent: number
}

export const PLOT_PERCENTILES = [
  ...[0, 10, 25, 50, 75, 90, 95, 97.5, 99, 99.5, 99.75, 99.9, 99.95, 99.99, 99.999, 100],
]

export interface GroupResult extends Flow {
  readonly name: string
  readonly kind: 'produce' | 'consume'
  readonly clientCpuSeconds: number
}

export interface CreateResult {
  readonly topics: number
  readonly partitions: number
  /** Until the requests were answered. */
  readonly answeredMs: number
  /** Until every partition had a leader that answers for it. */
  readonly usableMs: number
}

export interface BrokerUsage extends ProcessUsage {
  /** Per 10⁹ bytes of record values that came in; null where none did. */
  readonly cpuSecondsPerGBIn: number | null
  readonly cpuSecondsPerGBOut: number | null
  /** Per request of all groups. */
  readonly cpuMicrosecondsPerRequest: number | null
}

export interface WorkloadResult {
  readonly schema: typeof RESULT_SCHEMA
  readonly workload: Workload
  /** Of the topics' names: with `keep`, a later run can use them again. */
  readonly prefix: string
  readonly warmupSeconds: number
  /** Measured. */
  readonly seconds: number
  /** Each entry of produce and of consume. */
  readonly groups: readonly GroupResult[]
  /** All groups of a kind together; null where there is none. */
  readonly produced: Flow | null
  readonly consumed: Flow | null
  /** Of the partition that has the fewest. */
  readonly replicas: number
  /** Null where topics of an earlier run were used. */
  readonly created: CreateResult | null
  readonly preloaded: { readonly bytes: number; readonly seconds: number } | null
  /** Null without pids, or where there is no /proc. */
  readonly broker: BrokerUsage | null
  /** Of all load processes. */
  readonly clientCpuSeconds: number
  /** What a reader should know: no /proc, a client that was the bottleneck. */
  readonly notes: readonly string[]
}

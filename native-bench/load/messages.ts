/** What the reporter and its load processes say to each other. */
import type { ClientSecurity } from '../../src/kafka-client/connection.ts'
import type { Flow } from './result.ts'
import type { ConsumeGroup, ProduceGroup } from './workload.ts'

export interface Leader {
  readonly host: string
  readonly port: number
}

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** What one connection reads or writes. */
export interface Share {
  /** Of the group's connections. */
  readonly index: number
  readonly partitions: readonly TopicPartition[]
}

export interface Job {
  readonly bootstrap: string
  /** Left out: plain TCP, without a login. */
  readonly security?: ClientSecurity | undefined
  readonly group: ProduceGroup | ConsumeGroup
  readonly shares: readonly Share[]
  /** Producers stamp the intended send time into batches, consumers take it from there. */
  readonly isStamped: boolean
  /** Consumers: of the values that are read. */
  readonly recordBytes: number
  /** Consumers: reads on until there is no more, after the producers have ended. */
  readonly drains: boolean
  /** Producers: ends after so many batches, from this process; null = by time. */
  readonly batchesMax: number | null
}

/** Microseconds of the clock of clock.ts. */
export interface Times {
  readonly startUs: number
  /** The measured window. */
  readonly fromUs: number
  readonly toUs: number
}

export type ToChild =
  | { readonly kind: 'job'; readonly job: Job }
  | { readonly kind: 'start'; readonly times: Times }
  /** The producers have ended: what is there is all that comes. */
  | { readonly kind: 'finish'; readonly due: Due }

/** Batches that were to be sent in the measured window, whether or not they were: by `topic/partition`. */
export type Due = Readonly<Record<string, number>>

export function mergedDue(all: readonly Due[]): Due {
  const sum: Record<string, number> = {}
  for (const due of all) {
    for (const [key, count] of Object.entries(due)) sum[key] = (sum[key] ?? 0) + count
  }
  return sum
}

export const keyOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`

export interface Counts {
  requests: number
  records: number
  bytes: number
  wireBytes: number
}

export interface ChildResult {
  readonly window: Counts
  readonly total: Counts
  readonly perSecond: readonly Counts[]
  /** Histograms as texts; null where there is nothing to measure. */
  readonly latency: string | null
  readonly sendLag: string | null
  /** Over the window. */
  readonly cpuSeconds: number
  /**
   * Producers: requests of the window without an answer when the run was given up. Consumers, end to end: batches of the
   * window that never came.
   */
  readonly unanswered: number
  /** Consumers: records that were gone from the log before they were read. */
  readonly skipped: number
  /** Producers: as in {@link Flow}; null of others. */
  readonly longestGapUs: Flow['longestGapUs']
  /** Producers, over the whole run. */
  readonly resent: number
  /** Producers; nothing of others. */
  readonly due: Due
  readonly notes: readonly string[]
}

export type FromChild =
  | { readonly kind: 'ready' }
  | { readonly kind: 'tick'; readonly counts: Counts }
  | { readonly kind: 'done'; readonly result: ChildResult }
  | { readonly kind: 'failed'; readonly message: string }

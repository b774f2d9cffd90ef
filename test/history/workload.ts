/** What every recorder is told, and what it keeps about itself. */
import type { HistorySink } from './history-file.ts'

export interface WorkloadOptions {
  readonly bootstrap: string
  /** Must be there, with this many partitions. */
  readonly topic: string
  readonly partitions: number
  /** Begins the names of its producers and consumers; no two recorders of a run have the same. */
  readonly client: string
  /** Idempotent producers of each partition (acks=all). */
  readonly idempotentProducers: number
  /** Producers of each partition without idempotence (acks=all), which send again by themselves. */
  readonly plainProducers: number
  readonly group: string
  readonly members: number
  readonly recordsPerSend: number
  /** Of a record's value, at least. */
  readonly valueBytes: number
  readonly sink: HistorySink & { readonly isFull?: boolean }
}

/** Errors that a client handed to its caller; a run that must be without them looks here. Each text once, with its count. */
export class ClientErrors {
  readonly #counts = new Map<string, number>()

  add(text: string): void {
    const known = this.#counts.has(text) || this.#counts.size < 100
    const key = known ? text : 'others'
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1)
  }

  get isEmpty(): boolean {
    return this.#counts.size === 0
  }

  list(): string[] {
    return [...this.#counts].map(([text, count]) => `${count} × ${text}`)
  }
}

/** Error codes by which a broker promises that it has not written, and will not. */
export const NOT_WRITTEN: ReadonlySet<string> = new Set([
  ...['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE', 'INVALID_TOPIC_EXCEPTION', 'CORRUPT_MESSAGE'],
  ...['NOT_ENOUGH_REPLICAS', 'INVALID_REQUIRED_ACKS', 'TOPIC_AUTHORIZATION_FAILED'],
  ...['INVALID_TIMESTAMP', 'UNSUPPORTED_FOR_MESSAGE_FORMAT', 'POLICY_VIOLATION', 'INVALID_RECORD'],
  ...['OUT_OF_ORDER_SEQUENCE_NUMBER', 'INVALID_PRODUCER_EPOCH', 'UNKNOWN_PRODUCER_ID'],
])

/** Error codes by which a coordinator refuses a commit. */
export const NOT_COMMITTED: ReadonlySet<string> = new Set([
  ...['ILLEGAL_GENERATION', 'UNKNOWN_MEMBER_ID', 'REBALANCE_IN_PROGRESS', 'FENCED_INSTANCE_ID'],
  ...['NOT_COORDINATOR_FOR_GROUP', 'GROUP_LOAD_IN_PROGRESS', 'OFFSET_METADATA_TOO_LARGE'],
])

export const sleep = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ms))

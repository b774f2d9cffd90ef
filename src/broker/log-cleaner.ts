import type { BrokerId, PartitionNumber } from '../base/ids.ts'
import type { LogFields } from '../base/log.ts'
import type { TopicView } from '../image/view.ts'
import { type Cleanable, cleanablePart, isDirtyEnough } from '../log/cleanable.ts'
import { DiskError } from '../log/disk.ts'
import type { LogEnvironment } from '../log/environment.ts'
import { KeyOffsets } from '../log/key-offsets.ts'
import { type CleaningOutcome, LogCleaning } from '../log/log-cleaning.ts'
import type { PartitionLog } from '../log/partition-log.ts'
import type { Replica } from './replica.ts'
import type { ReplicaTable } from './replica-table.ts'
import type { BrokerSettings } from './settings.ts'

export interface LogCleanerOptions {
  readonly brokerId: BrokerId
  readonly environment: LogEnvironment
  readonly table: ReplicaTable
  readonly settings: BrokerSettings
  /** This thread works for the replica from now on. */
  readonly onWork?: (replica: Replica) => void
  /** The replica's log has failed in the midst of a swap: whoever waits for it is to be told. */
  readonly onFailed: (replica: Replica) => void
}

interface Retry {
  delayMs: number
  atMs: number
}

const RETRY_MIN_MS = 5_000
const RETRY_MAX_MS = 600_000
/** Logs looked at per turn, for the one that is to be cleaned next. */
const LOOKS_PER_TURN = 32

/**
 * Cleans the logs of internal topics, one at a time, the dirtiest first, a bounded step per turn. A log is looked at when a
 * flush of it has completed, as that is when a segment that was rolled can be cleaned. On the broker's thread.
 */
export class LogCleaner {
  readonly #options: LogCleanerOptions
  readonly #candidates = new Set<Replica>()
  readonly #retries = new Map<PartitionNumber, Retry>()
  /** Logs that hold what cannot be cleaned: not looked at again until they are opened anew. */
  readonly #blocked = new WeakSet<PartitionLog>()
  #keys: KeyOffsets | null = null
  #replica: Replica | null = null
  #cleaning: LogCleaning | null = null
  #bytesBefore = 0
  #startedMs = 0
  /** Monotonic time before which no candidate is to be looked at. */
  #lookAtMs = Number.POSITIVE_INFINITY

  constructor(options: LogCleanerOptions) {
    this.#options = options
  }

  get nextTimerAtMs(): number {
    if (this.#cleaning === null) return this.#lookAtMs
    return this.#cleaning.isWaiting ? Number.POSITIVE_INFINITY : 0
  }

  /** What was written to the replica's log, or some of it, is durable. */
  onFlushed(replica: Replica): void {
    if (!this.#isCleanedHere(replica.topic) || this.#candidates.has(replica)) return
    this.#candidates.add(replica)
    this.#lookAtMs = 0
  }

  doWork(nowMs: number): number {
    if (this.#cleaning !== null) return this.#step(this.#cleaning, nowMs)
    if (nowMs < this.#lookAtMs) return 0
    this.#begin(nowMs)
    return 1
  }

  /** Topics that brokers clean themselves. Others with cleanup.policy=compact wait for the pool. */
  #isCleanedHere(topic: TopicView): boolean {
    if (!topic.effectiveAt(this.#options.brokerId).cleanupPolicy.compact) return false
    return topic.internal || this.#options.settings.cleansClientTopics
  }

  #begin(nowMs: number): void {
    let best: Replica | null = null
    let bestRatio = 0
    this.#lookAtMs = Number.POSITIVE_INFINITY
    let looks = LOOKS_PER_TURN
    for (const replica of this.#candidates) {
      if (looks-- === 0) {
        this.#lookAtMs = nowMs
        break
      }
      const retryAtMs = this.#retries.get(replica.number)?.atMs ?? 0
      const part = this.#partOf(replica, nowMs)
      if (part === null) this.#candidates.delete(replica)
      else if (retryAtMs > nowMs) this.#lookAtMs = Math.min(this.#lookAtMs, retryAtMs)
      else {
        this.#lookAtMs = nowMs
        const ratio = part.dirtyBytes / (part.cleanBytes + part.dirtyBytes)
        if (ratio < bestRatio) continue
        best = replica
        bestRatio = ratio
      }
    }
    if (best !== null) this.#clean(best, nowMs)
  }

  /** What is to be cleaned of a replica's log, if it is dirty enough. */
  #partOf(replica: Replica, nowMs: number): Cleanable | null {
    const { log } = replica
    if (log === null || replica.isRemoved || log.failure !== null || this.#blocked.has(log)) {
      if (replica.isRemoved) this.#retries.delete(replica.number)
      return null
    }
    try {
      const part = cleanablePart(log, this.#options.environment.clock.wallMs())
      return part !== null && isDirtyEnough(part, log.config.minCleanableDirtyRatio) ? part : null
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.#retryLater(replica, nowMs)
      return null
    }
  }

  #clean(replica: Replica, nowMs: number): void {
    const { environment, settings } = this.#options
    this.#candidates.delete(replica)
    const log = replica.log!
    this.#keys ??= new KeyOffsets(
      { keysMax: settings.cleaningKeysMax, keyBytesMax: settings.cleaningKeyBytesMax },
      environment.random.uint32(),
    )
    this.#replica = replica
    this.#bytesBefore = log.sizeBytes
    this.#startedMs = nowMs
    this.#cleaning = new LogCleaning(log, this.#keys, {
      bytesPerStep: settings.cleaningBytesPerTurn,
      recordsPerStep: settings.cleaningRecordsPerTurn,
    })
  }

  #step(cleaning: LogCleaning, nowMs: number): number {
    const replica = this.#replica!
    const { log } = replica
    let work = 0
    this.#options.onWork?.(replica)
    this.#options.table.guard(replica, nowMs, () => {
      work = cleaning.step()
    })
    if (cleaning.outcome === null) return work
    this.#cleaning = this.#replica = null
    this.#onEnd(replica, log, cleaning.outcome, nowMs)
    return 1
  }

  #onEnd(
    replica: Replica,
    log: PartitionLog | null,
    outcome: CleaningOutcome,
    nowMs: number,
  ): void {
    const { logger } = this.#options.environment
    const { directory, number: partition } = replica
    const fields: LogFields = {
      directory,
      partition,
      ms: Math.round(nowMs - this.#startedMs),
      bytesBefore: this.#bytesBefore,
      bytes: replica.log?.sizeBytes ?? 0,
    }
    // it may have become dirty enough meanwhile
    this.onFlushed(replica)
    switch (outcome.kind) {
      case 'cleaned':
        this.#retries.delete(partition)
        logger.log('debug', `Log cleaned to offset ${outcome.endOffset}`, fields)
        break
      case 'failed': {
        this.#retryLater(replica, nowMs)
        const { message } = outcome.error
        logger.log('warn', `Log was not cleaned, it is tried again: ${message}`, fields)
        break
      }
      case 'blocked':
        if (log !== null) this.#blocked.add(log)
        logger.log('warn', `Log can be cleaned no further: ${outcome.reason}`, fields)
        break
      case 'cancelled':
        break
      default:
        outcome satisfies never
    }
    if (log !== null && log.failure !== null && replica.log === log) this.#options.onFailed(replica)
  }

  #retryLater(replica: Replica, nowMs: number): void {
    const before = this.#retries.get(replica.number)?.delayMs ?? 0
    const delayMs = Math.min(RETRY_MAX_MS, Math.max(RETRY_MIN_MS, before * 2))
    this.#retries.set(replica.number, { delayMs, atMs: nowMs + delayMs })
  }
}

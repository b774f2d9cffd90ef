import { ErrorCode } from '../base/error-code.ts'
import { DiskError } from '../log/disk.ts'
import type { LogEnvironment } from '../log/environment.ts'
import type { LeaderPartitions } from './leader-partitions.ts'
import type { Replica } from './replica.ts'
import type { MetadataGroup } from './replication/metadata-group.ts'

export interface BrokerStopOptions {
  readonly environment: LogEnvironment
  readonly partitions: LeaderPartitions
  /** Closed with the replicas. */
  readonly metadata: MetadataGroup | null
  /** Flushes asked for and not answered. */
  readonly flushesPending: () => number
  /** Nothing is served any more: the controller on this thread stops, too. */
  readonly onStopping: () => void
  /** Everything is closed. */
  readonly onStopped: () => void
}

type Stage = 'running' | 'flushing' | 'last-flush' | 'stopped'

/** Logs being flushed at a time. */
const FLUSHING_MAX = 64
/** Of the time that is given; the rest is for closing. */
const FLUSH_SHARE = 0.8

/**
 * The end of a broker: refuses what comes, flushes every log, closes them, and then the recovery points, so that the next
 * start has nothing to recover. What is not flushed in time is closed as it is.
 */
export class BrokerStop {
  readonly #options: BrokerStopOptions
  #stage: Stage = 'running'
  #flushUntilMs = 0
  #replicas: Replica[] = []
  #flushing = 0

  constructor(options: BrokerStopOptions) {
    this.#options = options
  }

  get isStopping(): boolean {
    return this.#stage !== 'running'
  }

  get isStopped(): boolean {
    return this.#stage === 'stopped'
  }

  get nextTimerAtMs(): number {
    const isWaiting = this.#stage === 'flushing' || this.#stage === 'last-flush'
    return isWaiting ? this.#flushUntilMs : Number.POSITIVE_INFINITY
  }

  begin(nowMs: number, withinMs: number): void {
    if (this.isStopping) return
    const { partitions, metadata, onStopping } = this.#options
    this.#stage = 'flushing'
    this.#flushUntilMs = nowMs + withinMs * FLUSH_SHARE
    partitions.isStopping = true
    onStopping()
    this.#replicas = [...partitions.table.openReplicas()]
    if (metadata === null) return
    this.#flushing++
    metadata.flushAll(() => this.#flushing--)
  }

  doWork(nowMs: number): number {
    if (this.#stage === 'flushing') {
      const asked = this.#flushSome(nowMs)
      const isDone = this.#flushing === 0 && this.#replicas.length === 0
      if (!isDone && nowMs < this.#flushUntilMs) return asked
      this.#closeAll(nowMs)
      this.#stage = 'last-flush'
      return 1
    }
    if (this.#stage !== 'last-flush') return 0
    if (this.#options.flushesPending() > 0 && nowMs < this.#flushUntilMs) return 0
    this.#stage = 'stopped'
    this.#options.onStopped()
    return 1
  }

  #flushSome(nowMs: number): number {
    const { partitions } = this.#options
    let asked = 0
    while (this.#flushing < FLUSHING_MAX) {
      const replica = this.#replicas.pop()
      if (replica === undefined) break
      const { log } = replica
      if (log === null) continue
      asked++
      this.#flushing++
      let isOver = false
      const over = () => {
        if (!isOver) this.#flushing--
        isOver = true
      }
      if (!partitions.table.guard(replica, nowMs, () => log.flushAll(over))) over()
    }
    return asked
  }

  #closeAll(nowMs: number): void {
    const { environment, partitions, metadata } = this.#options
    partitions.replication.stop()
    for (const replica of [...partitions.table.replicas()]) {
      partitions.settle(replica)
      partitions.refuseAll(replica, ErrorCode.NOT_LEADER_OR_FOLLOWER)
      partitions.table.dehydrate(replica, nowMs)
    }
    this.#tryClose(() => metadata?.close())
    this.#tryClose(() => environment.recoveryPoints.close())
  }

  /** What the disk refuses now is checked at the next start: no reason not to stop. */
  #tryClose(close: () => void): void {
    try {
      close()
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      const { logger } = this.#options.environment
      logger.log('warn', `Stopped, but the next start has to check: ${error.message}`)
    }
  }
}

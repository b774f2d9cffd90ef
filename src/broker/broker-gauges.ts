import type { MetadataView } from '../image/view.ts'
import { BrokerGauge } from '../link/counters.ts'
import type { LogEnvironment } from '../log/environment.ts'
import type { LeaderPartitions } from './leader-partitions.ts'

export interface BrokerGaugesOptions {
  readonly environment: LogEnvironment
  readonly image: MetadataView
  readonly partitions: LeaderPartitions
  /** Flushes asked for and not answered. */
  readonly flushesPending: () => number
}

/** All open logs are looked at no more often than this. */
const SCAN_MS = 1_000

/** What is looked up now and then rather than counted as it happens. On the broker's thread. */
export class BrokerGauges {
  readonly #options: BrokerGaugesOptions
  #scanAtMs = 0
  #scannedOffset = -1
  /** Of the last scan. */
  #replicas = -1
  #controllerEpoch = -1

  constructor(options: BrokerGaugesOptions) {
    this.#options = options
  }

  /** Nothing has changed that a broker without any work would have to look at. */
  get isUpToDate(): boolean {
    const { image, partitions } = this.#options
    if (this.#epoch !== this.#controllerEpoch) return false
    return image.offset === this.#scannedOffset && partitions.table.size === this.#replicas
  }

  get #epoch(): number {
    return this.#options.partitions.replication.metadata?.term ?? 0
  }

  sample(nowMs: number): void {
    const { environment, partitions, flushesPending } = this.#options
    const { table, counters } = partitions
    const { rings, space } = environment
    counters.setOwn(BrokerGauge.LOGS_OPEN_NOW, table.openCount)
    counters.setOwn(BrokerGauge.LOGS_OPENED, table.openedTotal)
    counters.setOwn(BrokerGauge.PARTITIONS_FAILED_NOW, table.failedCount)
    counters.setOwn(BrokerGauge.FLUSHES_WAITING_NOW, flushesPending())
    counters.setOwn(BrokerGauge.RING_BYTES_NOW, rings?.usedBytes ?? 0)
    counters.setOwn(BrokerGauge.RINGS_RETIRED_NOW, rings?.retiredCount ?? 0)
    const isWritable = space === null || (space.writable && !space.isFailing)
    counters.setOwn(BrokerGauge.DISK_WRITABLE_NOW, isWritable ? 1 : 0)
    counters.setOwn(BrokerGauge.YIELDS_NOW, partitions.replication.isYielding ? 1 : 0)
    this.#controllerEpoch = this.#epoch
    counters.setOwn(BrokerGauge.CONTROLLER_EPOCH_NOW, this.#controllerEpoch)
    if (nowMs < this.#scanAtMs) return
    this.#scanAtMs = nowMs + SCAN_MS
    this.#replicas = table.size
    partitions.use.sweep(nowMs)
    counters.setOwn(BrokerGauge.LOG_BYTES_NOW, table.logBytes())
    this.#countPartitions()
  }

  #countPartitions(): void {
    const { image, partitions } = this.#options
    this.#scannedOffset = image.offset
    const { counters } = partitions
    counters.setOwn(BrokerGauge.TOPICS_NOW, image.topicCount)
    counters.setOwn(BrokerGauge.PARTITIONS_NOW, image.partitionCount)
  }
}

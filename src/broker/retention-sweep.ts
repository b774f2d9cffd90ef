import type { Clock } from '../base/clock.ts'
import type { BrokerId, PartitionNumber } from '../base/ids.ts'
import { partitionPath } from '../base/paths.ts'
import type { MetadataView, TopicView } from '../image/view.ts'
import type { Disk } from '../log/disk.ts'
import type { ReplicaTable } from './replica-table.ts'

export interface RetentionSweepOptions {
  readonly brokerId: BrokerId
  /** The broker's directory. */
  readonly root: string
  readonly image: MetadataView
  readonly table: ReplicaTable
  readonly disk: Disk
  readonly clock: Clock
  /** All partitions within about this long. */
  readonly periodMs: number
}

/** What a log said when it was looked at: that it has nothing to delete before this wall-clock time, as it ended then. */
interface Noted {
  readonly notBeforeMs: number
  readonly endOffset: number
}

const STEP_MS_MIN = 10
/** Partitions that need no look at the disk, passed over per step. */
const PASSED_MAX = 256

/**
 * Retention for partitions that are not open: one at a time, round robin, slowly; each is opened, cleaned and closed again,
 * once it is flushed if it was not. Open logs have timers of their own. On the broker's thread.
 */
export class RetentionSweep {
  readonly #options: RetentionSweepOptions
  #round: Iterator<PartitionNumber> | null = null
  readonly #noted = new Map<PartitionNumber, Noted>()
  #nextAtMs: number

  constructor(options: RetentionSweepOptions) {
    this.#options = options
    this.#nextAtMs = options.clock.monotonicMs() + options.periodMs
  }

  get nextTimerAtMs(): number {
    return this.#nextAtMs
  }

  /** Of these partitions what was found out holds no more. */
  forget(isChanged: (topic: TopicView) => boolean): void {
    for (const number of [...this.#noted.keys()]) {
      const topic = this.#options.image.glance(number)?.topic
      if (topic === undefined || isChanged(topic)) this.#noted.delete(number)
    }
  }

  doWork(nowMs: number): number {
    if (nowMs < this.#nextAtMs) return 0
    const { image, periodMs } = this.#options
    const stepMs = Math.floor(periodMs / Math.max(1, image.partitionCount))
    this.#nextAtMs = nowMs + Math.max(STEP_MS_MIN, stepMs)
    this.#round ??= image.partitionNumbers()[Symbol.iterator]()
    for (let passed = 0; passed < PASSED_MAX; passed++) {
      const { done, value } = this.#round.next()
      if (done === true) {
        this.#round = null
        // deleted partitions are not visited any more
        if (this.#noted.size > 2 * image.partitionCount) this.#noted.clear()
        break
      }
      if (this.#clean(value, nowMs)) break
    }
    return 1
  }

  /** True when the partition's log had to be opened. */
  #clean(number: PartitionNumber, nowMs: number): boolean {
    const { image, brokerId, root, table, disk, clock } = this.#options
    const noted = this.#noted.get(number)
    if (noted !== undefined && noted.notBeforeMs > clock.wallMs()) {
      // what was written since then may be due sooner: an empty log has nothing to wait for
      if (table.measuresOf(number)?.endOffset === noted.endOffset) return false
    }
    // of several replicas each removes what it has
    if (!image.replicasOf(number).includes(brokerId)) return false
    const known = table.get(number)
    if (known !== undefined && (known.log !== null || known.failedUntilMs !== 0)) return false
    const { topic, index } = image.glance(number)!
    if (!isLimited(topic, brokerId)) return false
    // never written: nothing to clean, and nothing to keep of it in memory
    const directory = partitionPath(root, topic.tenantId, topic.topicId, index)
    if (!disk.exists(directory)) return false
    const replica = table.admit(number)
    if (replica === undefined) return false
    const log = table.open(replica, nowMs)
    if (log === null) return true
    table.guard(replica, nowMs, () => {
      log.applyRetention()
      // what waits for a flush is removed after it, by the log's own timer; then it is as idle as any
      if (log.retentionWaits) return
      const { retentionDueAtMs: notBeforeMs, logEndOffset: endOffset } = log
      this.#noted.set(number, { notBeforeMs, endOffset })
      table.flushAndClose(replica)
    })
    return true
  }
}

function isLimited(topic: TopicView, brokerId: BrokerId): boolean {
  const { cleanupPolicy, retentionMs, retentionBytes } = topic.effectiveAt(brokerId)
  return cleanupPolicy.delete && (retentionMs >= 0 || retentionBytes >= 0)
}

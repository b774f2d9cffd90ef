/** How many partitions each broker leads and holds, and how many lack replicas or a leader: counted when a scrape asks. HTTP front's thread. */
import { asBrokerId, type BrokerId, type PartitionNumber } from '../base/ids.ts'
import { likelyLeader } from '../image/likely-leader.ts'
import type { MetadataView } from '../image/view.ts'
import type { ControlMessage } from '../link/control.ts'

export interface PartitionCounts {
  /** By broker, from index 1 on: those that it leads, or would be asked to lead, … */
  readonly led: readonly number[]
  /** … that it has a replica of, … */
  readonly held: readonly number[]
  /** … and, of those that it leads, of which fewer replicas keep up than there are, … */
  readonly underReplicated: readonly number[]
  /** … or fewer than `min.insync.replicas`. */
  readonly underMinIsr: readonly number[]
  /** Of those that it leads, those whose replicas are being moved. */
  readonly reassigning: readonly number[]
  /** That nobody leads. */
  readonly offline: number
}

export interface PartitionCensusOptions {
  /** Who leads and keeps up, as brokers have told; of groups that sleep, what was so when they fell asleep. */
  readonly image: MetadataView
  readonly brokers: number
  readonly monotonicMs: () => number
  /** Between two slices, whatever else this thread has to do. */
  readonly pause: () => Promise<unknown>
}

/** About a millisecond's worth. */
const SLICE = 1_000
/** So long one count serves everybody. */
const COUNT_EVERY_MS = 1_000

/** Counts in slices, so that 100,000 partitions hold up nobody, and only what has changed since. */
export class PartitionCensus {
  readonly #options: PartitionCensusOptions
  readonly #gone = new Set<BrokerId>()
  readonly #hung = new Set<BrokerId>()
  /** Of changes that a count depends on. */
  #changes = 0
  #latest: Promise<PartitionCounts> | null = null
  #latestOf = -1
  #isCounting = false
  #countedAtMs = Number.NEGATIVE_INFINITY

  constructor(options: PartitionCensusOptions) {
    this.#options = options
  }

  /** What the image is changed by, and who lives. */
  onMessage(message: ControlMessage): void {
    const { kind } = message
    if (kind === 'broker-gone') this.#gone.add(asBrokerId(message.brokerId))
    else if (kind === 'broker-back') this.#gone.delete(asBrokerId(message.brokerId))
    else if (kind === 'broker-hung') this.#noteHung(asBrokerId(message.brokerId), message.isHung)
    else if (kind !== 'metadata' && kind !== 'leaders') return
    this.#changes++
  }

  #noteHung(broker: BrokerId, isHung: boolean): void {
    if (isHung) this.#hung.add(broker)
    else this.#hung.delete(broker)
  }

  counts(): Promise<PartitionCounts> {
    const isDue = this.#options.monotonicMs() - this.#countedAtMs >= COUNT_EVERY_MS
    const isOld = this.#latestOf !== this.#changes && isDue && !this.#isCounting
    if (this.#latest === null || isOld) this.#latest = this.#count()
    return this.#latest
  }

  async #count(): Promise<PartitionCounts> {
    this.#latestOf = this.#changes
    this.#isCounting = true
    const { image, brokers, monotonicMs, pause } = this.#options
    // one that hangs counts for nothing, as in Kafka
    const count = new Count(image, brokers, new Set([...this.#gone, ...this.#hung]))
    let left = SLICE
    try {
      for (const number of image.partitionNumbers()) {
        count.add(number)
        if (--left > 0) continue
        left = SLICE
        await pause()
      }
      return count
    } finally {
      this.#isCounting = false
      this.#countedAtMs = monotonicMs()
    }
  }
}

class Count implements PartitionCounts {
  readonly led: number[]
  readonly held: number[]
  readonly underReplicated: number[]
  readonly underMinIsr: number[]
  readonly reassigning: number[]
  offline = 0
  readonly #image: MetadataView
  readonly #gone: ReadonlySet<BrokerId>

  constructor(image: MetadataView, brokers: number, gone: ReadonlySet<BrokerId>) {
    this.#image = image
    this.#gone = gone
    const none = () => Array.from({ length: brokers + 1 }, () => 0)
    this.led = none()
    this.held = none()
    this.underReplicated = none()
    this.underMinIsr = none()
    this.reassigning = none()
  }

  add(number: PartitionNumber): void {
    const image = this.#image
    // it went while the others were counted
    if (!image.hasPartition(number)) return
    const replicas = image.replicasOf(number)
    for (const broker of replicas) this.held[broker]!++
    const leader = this.#leaderOf(number, replicas)
    if (leader === 0) {
      this.offline++
      return
    }
    this.led[leader]!++
    if (this.#isReassigned(number)) this.reassigning[leader]!++
    const inSync = image.isrOf(number)
    const keepUp = this.#gone.size === 0 ? inSync.length : this.#living(inSync)
    const wanted = replicas.length - this.#adding(number)
    if (keepUp >= wanted) return
    this.underReplicated[leader]!++
    const { minInsyncReplicas } = image.glance(number)!.topic.effectiveAt(leader)
    if (keepUp < Math.min(minInsyncReplicas, wanted)) this.underMinIsr[leader]!++
  }

  /**
   * Who leads, 0 for nobody. Of one of several replicas that nobody has asked for since the start, or since its leader died, it is the first that lives:
   * the next who asks finds it elected, where most of them live.
   */
  #leaderOf(number: PartitionNumber, replicas: readonly BrokerId[]): BrokerId | 0 {
    const image = this.#image
    const leader = image.leaderOf(number)
    const lives = (broker: BrokerId) => !this.#gone.has(broker)
    if (!image.isReplicated(number)) return leader !== 0 && lives(leader) ? leader : 0
    if (leader === 0 || this.#living(replicas) * 2 <= replicas.length) return 0
    return likelyLeader(image, number, lives)
  }

  #isReassigned(number: PartitionNumber): boolean {
    const image = this.#image
    return image.movingPartitions().has(number) && image.reassignmentOf(number) !== undefined
  }

  #living(brokers: readonly BrokerId[]): number {
    let living = 0
    for (const broker of brokers) if (!this.#gone.has(broker)) living++
    return living
  }

  /** Replicas that are to come: as in Kafka nobody misses them yet. */
  #adding(number: PartitionNumber): number {
    const image = this.#image
    if (!image.movingPartitions().has(number)) return 0
    return image.reassignmentOf(number)?.adding.length ?? 0
  }
}

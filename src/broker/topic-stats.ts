import type { BrokerId, PartitionNumber } from '../base/ids.ts'
import type { MetadataView } from '../image/view.ts'
import { PARTITION_STATS, type TopicStatsRequest } from '../link/control.ts'
import type { ControlPort, PeerName } from '../link/ports.ts'
import type { LeaderPartitions } from './leader-partitions.ts'

export interface TopicStatsOptions {
  readonly brokerId: BrokerId
  readonly image: MetadataView
  readonly partitions: LeaderPartitions
  readonly control: ControlPort
}

/** Logs that one question may open, of those that were not open since the start. */
const OPENED_PER_REQUEST = 8

/**
 * Answers what the HTTP front asks for metrics by topic. What is not known of a log without opening it is NaN, but for a few
 * that are opened: each question brings more, and once known it stays so. On the broker's thread.
 */
export class TopicStatsHandler {
  readonly #options: TopicStatsOptions

  constructor(options: TopicStatsOptions) {
    this.#options = options
  }

  onRequest(from: PeerName, { correlation, topics, partitions }: TopicStatsRequest): void {
    const values = new Float64Array(partitions.length * PARTITION_STATS.length)
    let mayOpen = OPENED_PER_REQUEST
    partitions.forEach((partition, at) => {
      const number = partition as PartitionNumber
      const { table } = this.#options.partitions
      let measures = table.measuresOf(number)
      if (measures === null && mayOpen > 0) {
        mayOpen--
        this.#open(number)
        measures = table.measuresOf(number)
      }
      const { logStartOffset, endOffset, sizeBytes } = measures ?? UNKNOWN
      values.set([logStartOffset, endOffset, sizeBytes], at * PARTITION_STATS.length)
    })
    const { control, partitions: served } = this.#options
    const counts = served.topicCounts.values(topics)
    control.post(from, { kind: 'topic-stats', correlation, topics: counts, partitions: values })
  }

  #open(number: PartitionNumber): void {
    const { partitions } = this.#options
    const replica = partitions.admit(number, -1)
    // what goes wrong is the partition's affair, and has been logged
    if (replica !== null) partitions.open(replica)
  }
}

const UNKNOWN = { logStartOffset: Number.NaN, endOffset: Number.NaN, sizeBytes: Number.NaN }

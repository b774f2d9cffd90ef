import type { PartitionNumber } from '../base/ids.ts'
import { PARTITION_STATS, type TopicStatsRequest } from '../link/control.ts'
import type { ControlPort, PeerName } from '../link/ports.ts'
import type { LeaderPartitions } from './leader-partitions.ts'

/** Logs that one question may open, of those that were not open since the start. */
const OPENED_PER_REQUEST = 8

/**
 * Answers what the HTTP front asks for metrics by topic. What is not known of a log without opening it is NaN, but for a few
 * that are opened: each question brings more, and once known it stays so. On the broker's thread.
 */
export class TopicStatsHandler {
  readonly #partitions: LeaderPartitions
  readonly #control: ControlPort

  constructor(partitions: LeaderPartitions, control: ControlPort) {
    this.#partitions = partitions
    this.#control = control
  }

  onRequest(from: PeerName, { correlation, topics, partitions }: TopicStatsRequest): void {
    const values = new Float64Array(partitions.length * PARTITION_STATS.length)
    let mayOpen = OPENED_PER_REQUEST
    partitions.forEach((partition, at) => {
      const number = partition as PartitionNumber
      const { table } = this.#partitions
      let measures = table.measuresOf(number)
      if (measures === null && mayOpen > 0) {
        mayOpen--
        this.#open(number)
        measures = table.measuresOf(number)
      }
      const { logStartOffset, endOffset, sizeBytes } = measures ?? UNKNOWN
      values.set([logStartOffset, endOffset, sizeBytes], at * PARTITION_STATS.length)
    })
    const counts = this.#partitions.topicCounts.values(topics)
    const answer = { kind: 'topic-stats', correlation, topics: counts, partitions: values } as const
    this.#control.post(from, answer)
  }

  #open(number: PartitionNumber): void {
    const replica = this.#partitions.admit(number, -1)
    // what goes wrong is the partition's affair, and has been logged
    if (replica !== null) this.#partitions.open(replica)
  }
}

const UNKNOWN = { logStartOffset: Number.NaN, endOffset: Number.NaN, sizeBytes: Number.NaN }

import { ErrorCode } from '../base/error-code.ts'
import { ReplyType, readWatch, type WatchCommand } from '../link/commands.ts'
import { BrokerCounter } from '../link/counters.ts'
import type { RingReader } from '../shared/ring-reader.ts'
import type { FrontLink } from './front-link.ts'
import type { LeaderPartitions } from './leader-partitions.ts'
import type { Replica } from './replica.ts'

/** WATCH and REPLICA_WATCH: one answer when the high watermark is beyond the offset, or when there is nothing more to wait for. */
export class WatchHandler {
  readonly #partitions: LeaderPartitions
  readonly #command: WatchCommand = { partition: 0 as WatchCommand['partition'], offset: 0 }

  constructor(partitions: LeaderPartitions) {
    this.#partitions = partitions
  }

  onWatch(link: FrontLink, reader: RingReader, at: number): void {
    const { partition } = this.#read(reader, at)
    this.#watch(link, this.#partitions.admit(partition, -1), link.front, ReplyType.WOKEN)
  }

  onReplicaWatch(link: FrontLink, reader: RingReader, at: number): void {
    const { partition } = this.#read(reader, at)
    const partitions = this.#partitions
    const waiter = link.front + partitions.links.length
    this.#watch(link, partitions.admitReplica(partition, -1), waiter, ReplyType.REPLICA_WOKEN)
  }

  #watch(link: FrontLink, replica: Replica | null, waiter: number, type: number): void {
    const { partition, offset } = this.#command
    const partitions = this.#partitions
    const highWatermark = replica === null ? -1 : this.#highWatermark(replica)
    if (replica === null || highWatermark < 0) {
      link.woken(partition, partitions.error, -1, type)
      return
    }
    if (highWatermark > offset) {
      partitions.counters.add(replica.topic.tenantId, BrokerCounter.WAKES, 1)
      link.woken(partition, ErrorCode.NONE, highWatermark, type)
      return
    }
    partitions.watchesOf(replica).add(waiter, offset)
  }

  #read(reader: RingReader, at: number): WatchCommand {
    readWatch(reader.view, at, this.#command)
    return this.#command
  }

  /** −1 where there is none, and `error` of the partitions says why. */
  #highWatermark(replica: Replica): number {
    const partitions = this.#partitions
    if (replica.log === null && replica.quiet !== null) {
      partitions.table.touch(replica, partitions.nowMs)
      return replica.quiet.endOffset
    }
    return partitions.open(replica)?.highWatermark ?? -1
  }
}

import { ErrorCode } from '../base/error-code.ts'
import { type ListOffsetsCommand, OffsetSource, readListOffsets } from '../link/commands.ts'
import { BrokerCounter } from '../link/counters.ts'
import type { OffsetsReply } from '../link/replies.ts'
import type { RingReader } from '../shared/ring-reader.ts'
import type { FrontLink } from './front-link.ts'
import type { LeaderPartitions } from './leader-partitions.ts'
import type { Replica } from './replica.ts'

const newReply = (): OffsetsReply => ({
  correlation: 0,
  error: 0,
  source: OffsetSource.ANSWERED,
  offset: -1,
  timestamp: -1,
  leaderEpoch: -1,
  byteLength: 0,
  segmentBaseOffset: -1,
  position: -1,
  logStartOffset: -1,
})

/** LIST_OFFSETS: an offset by timestamp, or the batch in which the front finds it. */
export class ListOffsetsHandler {
  readonly #partitions: LeaderPartitions
  readonly #command: ListOffsetsCommand = {
    correlation: 0,
    partition: 0 as ListOffsetsCommand['partition'],
    timestamp: 0,
    currentLeaderEpoch: -1,
  }
  readonly #reply = newReply()

  constructor(partitions: LeaderPartitions) {
    this.#partitions = partitions
  }

  onListOffsets(link: FrontLink, reader: RingReader, at: number): void {
    const command = this.#command
    readListOffsets(reader.view, at, command)
    const partitions = this.#partitions
    const replica = partitions.admit(command.partition, command.currentLeaderEpoch)
    const error = replica === null ? partitions.error : this.#lookUp(replica)
    if (error !== ErrorCode.NONE) {
      Object.assign(this.#reply, blank)
      this.#reply.error = error
    }
    this.#reply.correlation = command.correlation
    link.offsets(this.#reply)
  }

  #lookUp(replica: Replica): number {
    const partitions = this.#partitions
    partitions.counters.add(replica.topic.tenantId, BrokerCounter.OFFSET_LOOKUPS, 1)
    const log = partitions.open(replica)
    if (log === null) return partitions.error
    try {
      const reply = this.#reply
      log.offsetForTimestamp(this.#command.timestamp, reply)
      // an epoch begins with its leader, not with its first batch
      if (reply.offset >= 0 && reply.leaderEpoch < 0) {
        reply.leaderEpoch = partitions.leaderEpochOf(replica)
      }
      return ErrorCode.NONE
    } catch (error) {
      partitions.table.fail(replica, partitions.nowMs, error)
      return ErrorCode.KAFKA_STORAGE_ERROR
    }
  }
}

const blank = newReply()

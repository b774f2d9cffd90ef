import { ErrorCode } from '../base/error-code.ts'
import { FetchSource, type LocateCommand, readLocate } from '../link/commands.ts'
import { BrokerCounter } from '../link/counters.ts'
import type { LocatedReply } from '../link/replies.ts'
import type { RingReader } from '../shared/ring-reader.ts'
import type { FrontLink } from './front-link.ts'
import type { LeaderPartitions } from './leader-partitions.ts'
import type { Replica } from './replica.ts'

const newReply = (): LocatedReply => ({
  correlation: 0,
  error: 0,
  source: FetchSource.NONE,
  logStartOffset: -1,
  highWatermark: -1,
  lastStableOffset: -1,
  logEndOffset: -1,
  segmentBaseOffset: -1,
  position: -1,
  byteLength: 0,
  leaderEpoch: -1,
  ringByteOffset: -1,
  ringByteLength: 0,
  ringGeneration: 0,
  batchBaseOffset: -1,
})

/** LOCATE and REPLICA_LOCATE: where a fetch finds its bytes. A closed log is not opened for a fetch that waits at its end. */
export class LocateHandler {
  readonly #partitions: LeaderPartitions
  readonly #command: LocateCommand = {
    correlation: 0,
    partition: 0 as LocateCommand['partition'],
    offset: 0,
    maxBytes: 0,
    currentLeaderEpoch: -1,
  }
  readonly #reply = newReply()

  constructor(partitions: LeaderPartitions) {
    this.#partitions = partitions
  }

  onLocate(link: FrontLink, reader: RingReader, at: number): void {
    const command = this.#command
    readLocate(reader.view, at, command)
    const partitions = this.#partitions
    const replica = partitions.admit(command.partition, command.currentLeaderEpoch)
    const error = replica === null ? partitions.error : this.#locate(replica)
    if (error !== ErrorCode.NONE) this.#refuse(error)
    this.#reply.correlation = command.correlation
    link.located(this.#reply)
  }

  /** What lies beyond the end of this replica may be on its way: OFFSET_NOT_AVAILABLE. */
  onReplicaLocate(link: FrontLink, reader: RingReader, at: number): void {
    const command = this.#command
    readLocate(reader.view, at, command)
    const partitions = this.#partitions
    const replica = partitions.admitReplica(command.partition, command.currentLeaderEpoch)
    const error = replica === null ? partitions.error : this.#locate(replica)
    const reply = this.#reply
    if (error !== ErrorCode.NONE) this.#refuse(error)
    else if (reply.error === ErrorCode.OFFSET_OUT_OF_RANGE && command.offset > reply.logEndOffset) {
      reply.error = ErrorCode.OFFSET_NOT_AVAILABLE
    }
    reply.correlation = command.correlation
    link.located(reply)
  }

  #locate(replica: Replica): number {
    const partitions = this.#partitions
    const { offset, maxBytes } = this.#command
    partitions.counters.add(replica.topic.tenantId, BrokerCounter.LOCATES, 1)
    if (replica.log === null && replica.quiet?.endOffset === offset) {
      this.#atQuietEnd(replica, offset)
      return ErrorCode.NONE
    }
    const log = partitions.open(replica)
    if (log === null) return partitions.error
    try {
      log.locate(offset, maxBytes, this.#reply)
      return ErrorCode.NONE
    } catch (error) {
      partitions.table.fail(replica, partitions.nowMs, error)
      return ErrorCode.KAFKA_STORAGE_ERROR
    }
  }

  #atQuietEnd(replica: Replica, endOffset: number): void {
    const partitions = this.#partitions
    partitions.table.touch(replica, partitions.nowMs)
    const reply = this.#reply
    this.#refuse(ErrorCode.NONE)
    reply.logStartOffset = replica.quiet!.logStartOffset
    reply.highWatermark = endOffset
    reply.lastStableOffset = endOffset
    reply.logEndOffset = endOffset
    reply.leaderEpoch = partitions.leaderEpochOf(replica)
  }

  #refuse(error: number): void {
    Object.assign(this.#reply, blank)
    this.#reply.error = error
  }
}

const blank = newReply()

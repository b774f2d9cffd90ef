import { ErrorCode } from '../base/error-code.ts'
import { type EpochEndCommand, readEpochEnd } from '../link/commands.ts'
import type { EpochEndedReply } from '../link/replies.ts'
import type { RingReader } from '../shared/ring-reader.ts'
import type { FrontLink } from './front-link.ts'
import type { LeaderPartitions } from './leader-partitions.ts'

/** EPOCH_END: where a leader epoch ends in the log (KIP-320). */
export class EpochEndHandler {
  readonly #partitions: LeaderPartitions
  readonly #command: EpochEndCommand = {
    correlation: 0,
    partition: 0 as EpochEndCommand['partition'],
    leaderEpoch: -1,
    currentLeaderEpoch: -1,
  }
  readonly #reply: EpochEndedReply = { correlation: 0, error: 0, leaderEpoch: -1, endOffset: -1 }

  constructor(partitions: LeaderPartitions) {
    this.#partitions = partitions
  }

  onEpochEnd(link: FrontLink, reader: RingReader, at: number): void {
    const command = this.#command
    readEpochEnd(reader.view, at, command)
    const partitions = this.#partitions
    const reply = this.#reply
    const replica = partitions.admit(command.partition, command.currentLeaderEpoch)
    const log = replica === null ? null : partitions.open(replica)
    reply.correlation = command.correlation
    reply.error = log === null ? partitions.error : ErrorCode.NONE
    reply.leaderEpoch = reply.endOffset = -1
    if (replica !== null && log !== null) {
      const currentEpoch = partitions.leaderEpochOf(replica)
      const { epoch, endOffset } = log.endOffsetForEpoch(command.leaderEpoch, currentEpoch)
      reply.leaderEpoch = epoch
      reply.endOffset = endOffset
    }
    link.epochEnded(reply)
  }
}

import { ErrorCode } from '../base/error-code.ts'
import { type DeleteRecordsCommand, readDeleteRecords } from '../link/commands.ts'
import type { RingReader } from '../shared/ring-reader.ts'
import type { FrontLink } from './front-link.ts'
import type { LeaderPartitions } from './leader-partitions.ts'
import type { Replica } from './replica.ts'

/** DELETE_RECORDS: answered once the new start of the log is durable (of several replicas: agreed on, and durable here), after those who wait for the partition were woken. */
export class DeleteRecordsHandler {
  readonly #partitions: LeaderPartitions
  readonly #command: DeleteRecordsCommand = {
    correlation: 0,
    partition: 0 as DeleteRecordsCommand['partition'],
    offset: 0,
  }

  constructor(partitions: LeaderPartitions) {
    this.#partitions = partitions
  }

  onDeleteRecords(link: FrontLink, reader: RingReader, at: number): void {
    readDeleteRecords(reader.view, at, this.#command)
    const { correlation, partition, offset } = this.#command
    const partitions = this.#partitions
    const replica = partitions.admit(partition, -1)
    if (replica === null || partitions.open(replica) === null) {
      link.deleted(correlation, partitions.error, -1)
      return
    }
    this.#delete(replica, offset, (error, lowWatermark) =>
      link.deleted(correlation, error, lowWatermark),
    )
  }

  #delete(
    replica: Replica,
    offset: number,
    answer: (error: ErrorCode, lowWatermark: number) => void,
  ): void {
    const partitions = this.#partitions
    const before = replica.log!.logStartOffset
    let isAnswered = false
    replica.deletes++
    const done = (error: ErrorCode, lowWatermark: number) => {
      if (isAnswered) return
      isAnswered = true
      replica.deletes--
      // who waits for more may ask for what is gone
      if (lowWatermark > before) partitions.refuseWatches(replica, ErrorCode.OFFSET_OUT_OF_RANGE)
      answer(error, lowWatermark)
    }
    const { table, nowMs } = partitions
    const { group } = replica
    const isAlive = table.guard(replica, nowMs, () => {
      if (group === null) replica.log!.deleteRecords(offset, done)
      else group.deleteRecords(offset, done)
    })
    if (!isAlive) done(ErrorCode.KAFKA_STORAGE_ERROR, -1)
  }
}

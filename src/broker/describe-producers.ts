import { ErrorCode } from '../base/error-code.ts'
import type { PartitionNumber } from '../base/ids.ts'
import type { DescribedProducer } from '../link/control.ts'
import type { LeaderPartitions } from './leader-partitions.ts'

export interface Producers {
  readonly error: number
  readonly producers: readonly DescribedProducer[]
}

const NONE: readonly DescribedProducer[] = []

/** The producers of which a partition keeps state (KIP-664). */
export function describeProducers(
  partitions: LeaderPartitions,
  partition: PartitionNumber,
): Producers {
  const replica = partitions.admit(partition, -1)
  const log = replica === null ? null : partitions.open(replica)
  if (replica === null || log === null) return { error: partitions.error, producers: NONE }
  let producers = NONE
  const { table, nowMs } = partitions
  const isAlive = table.guard(replica, nowMs, () => {
    producers = log.producers.describe()
  })
  return { error: isAlive ? ErrorCode.NONE : ErrorCode.KAFKA_STORAGE_ERROR, producers }
}

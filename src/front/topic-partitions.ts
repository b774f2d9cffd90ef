/** A topic's partitions as Metadata and DescribeTopicPartitions tell them. */
import { ErrorCode } from '../base/error-code.ts'
import type { BrokerId, PartitionIndex } from '../base/ids.ts'
import type { TopicView } from '../image/view.ts'
import type { FrontServices } from './context.ts'
import { epochToTell } from './nodes.ts'

export interface PartitionRow {
  readonly errorCode: number
  readonly partitionIndex: number
  readonly leaderId: number
  readonly leaderEpoch: number
  readonly replicaNodes: readonly number[]
  readonly isrNodes: readonly number[]
  readonly offlineReplicas: readonly number[]
}

/** Partitions `[from, to)` of `topic`; a broker that is gone, or hangs, leads nothing, and keeps up with nobody who leads. */
export function partitionRows(
  services: FrontServices,
  topic: TopicView,
  from: number,
  to: number,
): PartitionRow[] {
  const { image, dispatcher } = services
  const rows: PartitionRow[] = []
  for (let index = from; index < to; index++) {
    const number = topic.numberOf(index as PartitionIndex)
    const replicas = image.replicasOf(number)
    const answers = (broker: BrokerId) => dispatcher.isAnswering(topic.cellId, broker)
    const leader = dispatcher.nodeOf(topic.cellId, number)
    const led = leader !== 0
    const offline = replicas.filter((broker) => !answers(broker))
    const inSync = image.isrOf(number)
    rows.push({
      errorCode: led ? ErrorCode.NONE : ErrorCode.LEADER_NOT_AVAILABLE,
      partitionIndex: index,
      leaderId: led ? leader : -1,
      leaderEpoch: epochToTell(image, number),
      replicaNodes: replicas,
      // without a leader nobody has left it: those who live and were not in it have not caught up
      isrNodes: led && inSync.some(answers) ? inSync.filter(answers) : inSync,
      offlineReplicas: offline,
    })
  }
  return rows
}

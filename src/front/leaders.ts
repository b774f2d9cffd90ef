/** From a topic's name and a partition's index, as a client gives them, to the broker that leads it. */
import { ErrorCode } from '../base/error-code.ts'
import type { PartitionIndex, PartitionNumber } from '../base/ids.ts'
import type { BrokerProxy } from '../cell/broker-proxy.ts'
import type { TopicView } from '../image/view.ts'
import type { RequestContext } from './context.ts'

export interface LedPartition {
  readonly topic: TopicView
  readonly partition: PartitionNumber
  /** Whom to send commands to. */
  readonly leader: BrokerProxy
  /** Whom to ask by control message: the broker that leads, as far as is known. */
  readonly broker: BrokerProxy
}

/** Within the session's tenant; a leader that is gone leads nothing. */
export function findLeader(
  context: RequestContext,
  name: string,
  index: number,
): LedPartition | { readonly error: number } {
  const { image, dispatcher } = context.services
  const topic = image.topicByName(context.session.tenantId, name)
  if (topic === undefined || index < 0 || index >= topic.partitionCount) {
    return { error: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION }
  }
  const partition = topic.numberOf(index as PartitionIndex)
  const leader = dispatcher.leaderOf(topic.cellId, partition)
  if (!leader?.alive) return { error: ErrorCode.NOT_LEADER_OR_FOLLOWER }
  const node = dispatcher.nodeOf(topic.cellId, partition)
  const broker = node === 0 ? undefined : dispatcher.proxy(topic.cellId, node)
  return { topic, partition, leader, broker: broker ?? leader }
}

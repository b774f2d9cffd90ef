import { CONSUMER_PROTOCOL_TYPE, decodeSubscription } from '../../protocol/consumer-protocol.ts'
import type { GroupRecord } from './group-record.ts'

/**
 * The topics that members of a consumer group subscribe to; none if it has no members. Null where that cannot be
 * known: another kind of group, or metadata that is no subscription.
 */
export function subscribedTopics(
  group: Pick<GroupRecord, 'protocolType' | 'protocolName' | 'members'>,
): ReadonlySet<string> | null {
  if (group.protocolType !== CONSUMER_PROTOCOL_TYPE) return null
  const topics = new Set<string>()
  if (group.members.length === 0) return topics
  if (group.protocolName === null) return null
  for (const { subscription } of group.members) {
    const read = decodeSubscription(subscription)
    if (read === null) return null
    for (const topic of read.topics) topics.add(topic)
  }
  return topics
}

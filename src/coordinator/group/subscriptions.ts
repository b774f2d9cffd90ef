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
    const read = topicsOf(subscription)
    if (read === null) return null
    for (const topic of read) topics.add(topic)
  }
  return topics
}

/**
 * Every version begins as version 0 does, and is read as that, like in Kafka: what a client gets wrong behind that, or a newer
 * one adds, is none of the coordinator's business.
 */
function topicsOf(subscription: Uint8Array): readonly string[] | null {
  // no version, or one that never was
  if (subscription.length < 2 || subscription[0]! > 127) return null
  const asFirst = Uint8Array.from(subscription)
  asFirst[0] = asFirst[1] = 0
  return decodeSubscription(asFirst)?.topics ?? null
}

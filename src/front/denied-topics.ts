/** Of the topics that a request about a group names, those that its client may name, and the others. */
import type { TopicId } from '../base/ids.ts'
import type { RequiredAcl } from '../tenant/required-acls.ts'
import type { RequestContext } from './context.ts'

/** By name, or by id in the versions that have that. */
interface NamedTopic {
  readonly name: string
  readonly topicId: TopicId
}

/** Null where all are allowed. An id that is not there counts as allowed: it has no name that ACLs could be about. */
export function splitTopics<Topic extends NamedTopic>(
  context: RequestContext,
  right: RequiredAcl,
  topics: readonly Topic[],
  byId: boolean,
): { readonly allowed: Topic[]; readonly denied: Topic[] } | null {
  const allowed: Topic[] = []
  const denied: Topic[] = []
  for (const topic of topics) (mayName(context, right, topic, byId) ? allowed : denied).push(topic)
  return denied.length === 0 ? null : { allowed, denied }
}

export function mayName(
  context: RequestContext,
  right: RequiredAcl,
  { name, topicId }: NamedTopic,
  byId: boolean,
): boolean {
  if (!byId) return context.may(right, name)
  const topic = context.services.image.topicById(context.session.tenantId, topicId)
  return topic === undefined || context.may(right, topic.name)
}

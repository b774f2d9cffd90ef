/** DeleteTopics by name or id, with Kafka's refusals. Looks at the state and returns entries; changes nothing. */
import { ErrorCode } from '../base/error-code.ts'
import type { TenantId, TopicId } from '../base/ids.ts'
import type { MetadataEntry } from '../image/entry.ts'
import type { ControllerRequest, TopicRef, TopicResult } from '../image/request.ts'
import { refuse, refusedTopic } from './results.ts'
import type { ControllerState, TopicState } from './state.ts'

type DeleteTopics = Extract<ControllerRequest, { kind: 'delete-topics' }>

export interface DeleteTopicsPlan {
  readonly entries: readonly MetadataEntry[]
  readonly results: readonly TopicResult[]
}

export function planDeleteTopics(
  state: ControllerState,
  tenantId: TenantId,
  request: DeleteTopics,
): DeleteTopicsPlan {
  const found = request.topics.map((ref) => find(state, tenantId, ref))
  const times = new Map<TopicState | string, number>()
  request.topics.forEach((ref, i) => {
    const key = found[i] ?? ('name' in ref ? `name ${ref.name}` : `id ${ref.topicId}`)
    times.set(key, (times.get(key) ?? 0) + 1)
  })
  const entries: MetadataEntry[] = []
  const results = request.topics.map((ref, i): TopicResult => {
    const topic = found[i]
    const name = 'name' in ref ? ref.name : null
    const id = 'name' in ref ? undefined : ref.topicId
    if ((times.get(topic ?? (id === undefined ? `name ${name}` : `id ${id}`)) ?? 0) > 1) {
      // By name and by id, or (not from our fronts) twice the same.
      const message = 'The provided topic name maps to an ID that was already supplied.'
      const refusal = refuse(ErrorCode.INVALID_REQUEST, message)
      return refusedTopic(topic?.name ?? name, refusal, topic?.topicId ?? id)
    }
    if (topic === undefined) {
      return id === undefined
        ? refusedTopic(
            name,
            refuse(
              ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
              'This server does not host this topic-partition.',
            ),
          )
        : refusedTopic(
            null,
            refuse(ErrorCode.UNKNOWN_TOPIC_ID, 'This server does not host this topic ID.'),
            id,
          )
    }
    entries.push({ kind: 'topic-deleted', tenantId, topicId: topic.topicId })
    return {
      name: topic.name,
      topicId: topic.topicId,
      error: ErrorCode.NONE,
      message: null,
      partitions: topic.partitionCount,
      replicationFactor: topic.replicas.length / topic.partitionCount,
      configs: {},
    }
  })
  return { entries, results }
}

const find = (state: ControllerState, tenantId: TenantId, ref: TopicRef): TopicState | undefined =>
  'name' in ref
    ? state.topicByName(tenantId, ref.name)
    : state.topicById(tenantId, ref.topicId as TopicId)

/** DeleteTopics by name or id, with the refusals of Kafka's ControllerApis. Looks at the state and returns entries; changes nothing. */
import { ErrorCode } from '../base/error-code.ts'
import type { TenantId, TopicId } from '../base/ids.ts'
import type { MetadataEntry } from '../image/entry.ts'
import type { ControllerRequest, TopicRef, TopicResult } from '../image/request.ts'
import { refuse, refusedTopic } from '../image/results.ts'
import { madeTopic } from './create-topics.ts'
import type { ControllerState } from './state.ts'
import type { TopicState } from './topic-state.ts'

type DeleteTopics = Extract<ControllerRequest, { kind: 'delete-topics' }>

export interface DeleteTopicsPlan {
  readonly entries: readonly MetadataEntry[]
  /** One for each topic: what is named twice is refused once. */
  readonly results: readonly TopicResult[]
}

export function planDeleteTopics(
  state: ControllerState,
  tenantId: TenantId,
  request: DeleteTopics,
): DeleteTopicsPlan {
  const done = request.topics.filter((ref) => isDone(state, tenantId, request, ref))
  const topics = request.topics.filter((ref) => !done.includes(ref))
  const names = times(topics.flatMap((ref) => ('name' in ref ? ref.name : [])))
  const ids = times(topics.flatMap((ref) => ('name' in ref ? [] : ref.topicId)))
  const refused: TopicResult[] = []
  const found = new Map<string, TopicState>()
  for (const [id, count] of ids) {
    const topic = state.topicById(tenantId, id as TopicId)
    if (count > 1) refused.push(refusedTopic(null, invalid('Duplicate topic id.'), id))
    else if (topic !== undefined) found.set(id, topic)
    else refused.push(refusedTopic(null, UNKNOWN_ID, id))
  }
  for (const [name, count] of names) {
    const topic = state.topicByName(tenantId, name)
    if (count > 1) refused.push(refusedTopic(name, invalid('Duplicate topic name.')))
    else if (topic === undefined) refused.push(refusedTopic(name, UNKNOWN_NAME))
    else if (ids.has(topic.topicId)) {
      found.delete(topic.topicId)
      const reason = 'The provided topic name maps to an ID that was already supplied.'
      refused.push(refusedTopic(name, invalid(reason), topic.topicId))
    } else found.set(topic.topicId, topic)
  }
  const planned = [...Array.from(found.values(), deleted), ...refused, ...done.map(deletedBefore)]
  const results = inOrder(request, planned)
  const gone = results.filter(
    ({ error, topicId }) => error === ErrorCode.NONE && found.has(topicId),
  )
  return {
    entries: gone.map((one) => ({
      kind: 'topic-deleted',
      tenantId,
      topicId: one.topicId as TopicId,
    })),
    results,
  }
}

/** By this very request, whose answer was lost with the controller that was asked: a topic of that name that is there now is another. */
const isDone = (
  state: ControllerState,
  tenantId: TenantId,
  { isRepeat = false }: DeleteTopics,
  { knownId }: TopicRef,
): boolean =>
  isRepeat && knownId !== undefined && state.topicById(tenantId, knownId as TopicId) === undefined

const deletedBefore = (ref: TopicRef): TopicResult => ({
  ...refusedTopic('name' in ref ? ref.name : null, { error: ErrorCode.NONE, message: null }),
  topicId: ref.knownId!,
})

/** In the order of the request, as people read it. */
function inOrder(request: DeleteTopics, results: readonly TopicResult[]): TopicResult[] {
  const places = new Map<string, number>()
  request.topics.forEach((ref, place) => {
    const key = 'name' in ref ? `/${ref.name}` : ref.topicId
    if (!places.has(key)) places.set(key, place)
  })
  const placeOf = ({ name, topicId }: TopicResult) =>
    places.get(`/${name}`) ?? places.get(topicId) ?? 0
  return [...results].sort((a, b) => placeOf(a) - placeOf(b))
}

const invalid = (message: string) => refuse(ErrorCode.INVALID_REQUEST, message)

const UNKNOWN_ID = refuse(ErrorCode.UNKNOWN_TOPIC_ID, 'This server does not host this topic ID.')
const UNKNOWN_NAME = refuse(
  ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  'This server does not host this topic-partition.',
)

function times(values: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return counts
}

const deleted = (topic: TopicState): TopicResult => ({ ...madeTopic(topic), configs: {} })

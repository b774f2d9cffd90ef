import { ErrorCode } from '../base/error-code.ts'
import { type TopicId, ZERO_TOPIC_ID } from '../base/ids.ts'
import type { TopicRef, TopicResult } from '../image/request.ts'
import {
  type DeleteTopicsRequest,
  type DeleteTopicsResponseInput,
  deleteTopics,
} from '../protocol/20-delete-topics.ts'
import { requiredAcls } from '../tenant/required-acls.ts'
import { handler, type RequestContext } from './context.ts'
import { TOPIC_DENIED } from './denials.ts'
import { TOPICS_PER_REQUEST_MAX, tooManyTopics } from './limits.ts'

const { acls } = requiredAcls.deleteTopics

type Answer = DeleteTopicsResponseInput['responses'][number]

export const deleteTopicsHandler = handler({
  api: deleteTopics,
  scopes: ['topicName', 'topicId'],
  handle(request, context) {
    const { topics: named, refused } = topicsOf(request, context)
    const topics = mayBeDeleted(named, context, refused)
    if (topics.length > TOPICS_PER_REQUEST_MAX) {
      const message = tooManyTopics(topics.length)
      const refuse = (ref: TopicRef) => unasked(ref, ErrorCode.POLICY_VIOLATION, message)
      context.reply({ throttleTimeMs: 0, responses: [...topics.map(refuse), ...refused] })
      return
    }
    if (topics.length === 0) {
      context.reply({ throttleTimeMs: 0, responses: refused })
      return
    }
    const command = { kind: 'delete-topics', topics } as const
    context.services.controller.request(
      context.session.tenantId,
      command,
      ({ results }) =>
        context.reply({ throttleTimeMs: 0, responses: [...results.map(answerOf), ...refused] }),
      { timeoutMs: request.timeoutMs },
    )
  },
})

/** What is asked for, and what cannot be meant: a topic by neither name nor id, or by both. */
function topicsOf(
  request: DeleteTopicsRequest,
  { version, session, services }: RequestContext<typeof deleteTopics>,
) {
  const { tenantId } = session
  const byName = (name: string): TopicRef => {
    const knownId = services.image.topicByName(tenantId, name)?.topicId
    return knownId === undefined ? { name } : { name, knownId }
  }
  const byId = (topicId: TopicId): TopicRef =>
    services.image.topicById(tenantId, topicId) === undefined
      ? { topicId }
      : { topicId, knownId: topicId }
  const topics: TopicRef[] = []
  const refused: Answer[] = []
  if (version < 6) for (const name of request.topicNames) topics.push(byName(name))
  else {
    for (const { name, topicId } of request.topics) {
      const hasId = topicId !== ZERO_TOPIC_ID
      if (name !== null && !hasId) topics.push(byName(name))
      else if (name === null && hasId) topics.push(byId(topicId))
      else {
        const errorMessage =
          name === null
            ? 'Neither topic name nor id were specified.'
            : 'You may not specify both topic name and topic id.'
        refused.push({ name, topicId, errorCode: ErrorCode.INVALID_REQUEST, errorMessage })
      }
    }
  }
  return { topics, refused }
}

/** Those of `topics` that the client may delete; of the others is told no more than it may see. */
function mayBeDeleted(
  topics: readonly TopicRef[],
  context: RequestContext<typeof deleteTopics>,
  refused: Answer[],
): readonly TopicRef[] {
  const { image } = context.services
  const keyOf = (ref: TopicRef) => ('name' in ref ? `/${ref.name}` : ref.topicId)
  const times = new Map<string, number>()
  for (const ref of topics) times.set(keyOf(ref), (times.get(keyOf(ref)) ?? 0) + 1)
  return topics.filter((ref) => {
    // what is named twice is refused for that, whoever asks
    if (times.get(keyOf(ref))! > 1) return true
    const isNamed = 'name' in ref
    const name = isNamed
      ? ref.name
      : image.topicById(context.session.tenantId, ref.topicId as TopicId)?.name
    // an id that is not there has no name that ACLs could be about
    if (name === undefined) return true
    const sees = context.may(acls.see, name)
    if ((sees || !isNamed) && context.may(acls.topic, name)) return true
    // that it is not there it may know
    if (sees && ref.knownId === undefined) return true
    const denial = unasked(ref, ErrorCode.TOPIC_AUTHORIZATION_FAILED, TOPIC_DENIED)
    refused.push(sees ? { ...denial, name } : denial)
    return false
  })
}

const answerOf = (result: TopicResult): Answer => ({
  name: result.name,
  topicId: (result.topicId || ZERO_TOPIC_ID) as TopicId,
  errorCode: result.error,
  errorMessage: result.message,
})

const unasked = (ref: TopicRef, errorCode: number, errorMessage: string): Answer => ({
  name: 'name' in ref ? ref.name : null,
  topicId: ('topicId' in ref ? ref.topicId : ZERO_TOPIC_ID) as TopicId,
  errorCode,
  errorMessage,
})

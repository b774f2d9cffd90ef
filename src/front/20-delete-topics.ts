import { ErrorCode } from '../base/error-code.ts'
import { type TopicId, ZERO_TOPIC_ID } from '../base/ids.ts'
import type { TopicRef, TopicResult } from '../image/request.ts'
import {
  type DeleteTopicsRequest,
  type DeleteTopicsResponseInput,
  deleteTopics,
} from '../protocol/20-delete-topics.ts'
import { handler } from './context.ts'

type Answer = DeleteTopicsResponseInput['responses'][number]

export const deleteTopicsHandler = handler({
  api: deleteTopics,
  scopes: ['topicName', 'topicId'],
  handle(request, context) {
    const { topics, refused } = topicsOf(request, context.version)
    if (topics.length === 0) {
      context.reply({ throttleTimeMs: 0, responses: refused })
      return
    }
    const command = { kind: 'delete-topics', topics } as const
    context.services.controller.request(context.session.tenantId, command, (response) => {
      const responses =
        response?.kind === 'delete-topics'
          ? onceEach(response.results)
          : topics.map((ref) => unanswered(ref))
      context.reply({ throttleTimeMs: 0, responses: [...refused, ...responses] })
    })
  },
})

interface Sorted {
  /** Each once. */
  readonly topics: readonly TopicRef[]
  readonly refused: readonly Answer[]
}

/** What may be asked of the controller; what names nothing, too much or the same again is refused, once, as Kafka does it. */
function topicsOf(request: DeleteTopicsRequest, version: number): Sorted {
  const named =
    version < 6
      ? request.topicNames.map((name) => ({ name, topicId: ZERO_TOPIC_ID }))
      : request.topics
  const refused: Answer[] = []
  const times = new Map<string, { readonly ref: TopicRef; times: number }>()
  for (const { name, topicId } of named) {
    if (name === null && topicId === ZERO_TOPIC_ID) {
      refused.push(refusal(name, topicId, 'Neither topic name nor id were specified.'))
    } else if (name !== null && topicId !== ZERO_TOPIC_ID) {
      refused.push(refusal(name, topicId, 'You may not specify both topic name and topic id.'))
    } else {
      const ref = name === null ? { topicId } : { name }
      const key = name === null ? topicId : `name ${name}`
      const known = times.get(key)
      if (known === undefined) times.set(key, { ref, times: 1 })
      else known.times++
    }
  }
  const topics: TopicRef[] = []
  for (const { ref, times: asked } of times.values()) {
    if (asked === 1) topics.push(ref)
    else if ('name' in ref) refused.push(refusal(ref.name, ZERO_TOPIC_ID, 'Duplicate topic name.'))
    else refused.push(refusal(null, ref.topicId as TopicId, 'Duplicate topic id.'))
  }
  return { topics, refused }
}

const refusal = (name: string | null, topicId: TopicId, errorMessage: string): Answer => ({
  ...{ name, topicId, errorMessage },
  errorCode: ErrorCode.INVALID_REQUEST,
})

/** One answer per topic: of one that was asked for by name and by id the controller tells twice. */
function onceEach(results: readonly TopicResult[]): Answer[] {
  const seen = new Set<string>()
  return results.map(answerOf).filter(({ topicId }) => {
    const isNew = topicId === ZERO_TOPIC_ID || !seen.has(topicId)
    seen.add(topicId)
    return isNew
  })
}

const answerOf = (result: TopicResult): Answer => ({
  name: result.name,
  topicId: (result.topicId || ZERO_TOPIC_ID) as TopicId,
  errorCode: result.error,
  errorMessage: result.message,
})

const unanswered = (ref: TopicRef): Answer => ({
  name: 'name' in ref ? ref.name : null,
  topicId: ('topicId' in ref ? ref.topicId : ZERO_TOPIC_ID) as TopicId,
  errorCode: ErrorCode.REQUEST_TIMED_OUT,
  errorMessage: 'The controller does not answer.',
})

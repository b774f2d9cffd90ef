import { ErrorCode } from '../base/error-code.ts'
import { type TopicId, ZERO_TOPIC_ID } from '../base/ids.ts'
import type { TopicRef, TopicResult } from '../image/request.ts'
import {
  type DeleteTopicsRequest,
  type DeleteTopicsResponseInput,
  deleteTopics,
} from '../protocol/20-delete-topics.ts'
import { handler } from './context.ts'
import { TOPICS_PER_REQUEST_MAX, tooManyTopics } from './limits.ts'

type Answer = DeleteTopicsResponseInput['responses'][number]

export const deleteTopicsHandler = handler({
  api: deleteTopics,
  scopes: ['topicName', 'topicId'],
  handle(request, context) {
    const topics = topicsOf(request, context.version)
    if (topics.length > TOPICS_PER_REQUEST_MAX) {
      const message = tooManyTopics(topics.length)
      const refuse = (ref: TopicRef) => unanswered(ref, ErrorCode.POLICY_VIOLATION, message)
      context.reply({ throttleTimeMs: 0, responses: topics.map(refuse) })
      return
    }
    const command = { kind: 'delete-topics', topics } as const
    context.services.controller.request(context.session.tenantId, command, (response) => {
      const responses =
        response?.kind === 'delete-topics'
          ? response.results.map(answerOf)
          : topics.map((ref) => unanswered(ref))
      context.reply({ throttleTimeMs: 0, responses })
    })
  },
})

function topicsOf(request: DeleteTopicsRequest, version: number): TopicRef[] {
  if (version < 6) return request.topicNames.map((name) => ({ name }))
  return request.topics.map(({ name, topicId }) => (name === null ? { topicId } : { name }))
}

const answerOf = (result: TopicResult): Answer => ({
  name: result.name,
  topicId: (result.topicId || ZERO_TOPIC_ID) as TopicId,
  errorCode: result.error,
  errorMessage: result.message,
})

const unanswered = (
  ref: TopicRef,
  errorCode: number = ErrorCode.REQUEST_TIMED_OUT,
  errorMessage = 'The controller does not answer.',
): Answer => ({
  name: 'name' in ref ? ref.name : null,
  topicId: ('topicId' in ref ? ref.topicId : ZERO_TOPIC_ID) as TopicId,
  errorCode,
  errorMessage,
})

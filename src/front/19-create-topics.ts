import { ErrorCode } from '../base/error-code.ts'
import { type TopicId, ZERO_TOPIC_ID } from '../base/ids.ts'
import { newUuid } from '../base/uuid.ts'
import type { TopicResult } from '../image/request.ts'
import { describeTopicConfigs } from '../image/topic-config.ts'
import {
  type CreateTopicsRequest,
  type CreateTopicsResponseInput,
  createTopics,
} from '../protocol/19-create-topics.ts'
import { requiredAcls } from '../tenant/required-acls.ts'
import { handler, type RequestContext } from './context.ts'
import { refuseExcess } from './limits.ts'

type Context = RequestContext<typeof createTopics>
const { acls } = requiredAcls.createTopics

type Answer = CreateTopicsResponseInput['topics'][number]

export const createTopicsHandler = handler({
  api: createTopics,
  scopes: ['topicName', 'brokerId'],
  handle(request, context) {
    const repeated = repeatedNames(request)
    const once = request.topics.filter(({ name }) => !repeated.has(name))
    const asked = once.filter(({ name }) => context.may(acls.topic, name))
    const refused = [...repeated].map((name) =>
      failure(name, ErrorCode.INVALID_REQUEST, 'Duplicate topic name.'),
    )
    for (const { name } of asked.length === once.length ? [] : once) {
      if (context.may(acls.topic, name)) continue
      refused.push(failure(name, ErrorCode.TOPIC_AUTHORIZATION_FAILED, 'Authorization failed.'))
    }
    const excess = refuseExcess('topics', asked)
    if (excess !== null) {
      for (const { name } of asked) refused.push(failure(name, ErrorCode.POLICY_VIOLATION, excess))
    }
    if (excess !== null || asked.length === 0) {
      context.reply({ throttleTimeMs: 0, topics: refused })
      return
    }
    const topics = asked.map((topic) => ({
      name: topic.name,
      topicId: newUuid(context.services.randomFor(context.session.tenantId)),
      partitions: topic.numPartitions,
      replicationFactor: topic.replicationFactor,
      assignments: topic.assignments.map(({ partitionIndex, brokerIds }) => ({
        partition: partitionIndex,
        nodes: brokerIds,
      })),
      configs: topic.configs,
    }))
    const command = { kind: 'create-topics', validateOnly: request.validateOnly, topics } as const
    context.services.controller.request(
      context.session.tenantId,
      command,
      ({ results }) => {
        const answers = results.map((result) => answerOf(result, context))
        context.reply({ throttleTimeMs: 0, topics: [...answers, ...refused] })
      },
      { timeoutMs: request.timeoutMs },
    )
  },
})

function repeatedNames(request: CreateTopicsRequest): Set<string> {
  const seen = new Set<string>()
  const repeated = new Set<string>()
  for (const { name } of request.topics) {
    if (seen.has(name)) repeated.add(name)
    seen.add(name)
  }
  return repeated
}

const failure = (name: string, errorCode: number, errorMessage: string | null): Answer => ({
  name,
  topicId: ZERO_TOPIC_ID,
  errorCode,
  errorMessage,
  numPartitions: -1,
  replicationFactor: -1,
  configs: [],
})

function answerOf(result: TopicResult, context: Context): Answer {
  const name = result.name ?? ''
  if (result.error !== ErrorCode.NONE) return failure(name, result.error, result.message)
  if (!context.may(acls.configs, name)) {
    return {
      ...failure(name, ErrorCode.NONE, null),
      topicId: result.topicId as TopicId,
      topicConfigErrorCode: ErrorCode.TOPIC_AUTHORIZATION_FAILED,
    }
  }
  const described = describeTopicConfigs(result.configs, context.brokerConfigs)
  return {
    name,
    topicId: result.topicId as TopicId,
    errorCode: ErrorCode.NONE,
    errorMessage: null,
    numPartitions: result.partitions,
    replicationFactor: result.replicationFactor,
    configs: described.map((config) => ({
      name: config.name,
      value: config.value,
      readOnly: config.readOnly,
      configSource: config.source,
      isSensitive: config.sensitive,
    })),
  }
}

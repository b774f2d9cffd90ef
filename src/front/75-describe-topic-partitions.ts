import { ErrorCode } from '../base/error-code.ts'
import { ZERO_TOPIC_ID } from '../base/ids.ts'
import { ResourceType } from '../image/acl-binding.ts'
import { refuseTopicName } from '../image/topic-name.ts'
import type { TopicView } from '../image/view.ts'
import {
  type DescribeTopicPartitionsRequest,
  type DescribeTopicPartitionsResponseInput,
  describeTopicPartitions,
} from '../protocol/75-describe-topic-partitions.ts'
import { requiredAcls } from '../tenant/required-acls.ts'
import { handler, type RequestContext } from './context.ts'
import { OPERATIONS_UNKNOWN } from './nodes.ts'
import { partitionRows } from './topic-partitions.ts'

type Context = RequestContext<typeof describeTopicPartitions>
const { acls } = requiredAcls.describeTopicPartitions

type Topic = DescribeTopicPartitionsResponseInput['topics'][number]

/** `max.request.partition.size.limit`. */
const PARTITIONS_MAX = 2000

export const describeTopicPartitionsHandler = handler({
  api: describeTopicPartitions,
  scopes: ['topicName'],
  handle(request, context) {
    const { cursor } = request
    if (!isCursorValid(request)) {
      const topics = request.topics.map(({ name }) => ({
        ...refused(name, ErrorCode.INVALID_REQUEST, OPERATIONS_UNKNOWN),
      }))
      respond(context, topics, null)
      return
    }
    const all = namesOf(request, context)
    const right = request.topics.length > 0 ? acls.topic : acls.shownTopics
    const names = all.filter((name) => context.may(right, name))
    // of all there are it is told of those alone that it may see
    const denied = (request.topics.length > 0 && names.length < all.length ? all : [])
      .filter((name) => !context.may(right, name))
      .map((name) => refused(name, ErrorCode.TOPIC_AUTHORIZATION_FAILED, OPERATIONS_UNKNOWN))
    const topics: Topic[] = []
    let left = Math.max(1, Math.min(request.responsePartitionLimit, PARTITIONS_MAX))
    for (const name of names) {
      const topic = context.services.image.topicByName(context.session.tenantId, name)
      if (topic === undefined) {
        // One that the cursor names may have been deleted since the last page.
        if (cursor === null || name !== cursor.topicName || request.topics.length > 0) {
          const isBad = refuseTopicName(name) !== null
          const { INVALID_TOPIC_EXCEPTION, UNKNOWN_TOPIC_OR_PARTITION } = ErrorCode
          const error = isBad ? INVALID_TOPIC_EXCEPTION : UNKNOWN_TOPIC_OR_PARTITION
          topics.push(refused(name, error, operationsOn(context, name)))
        }
        continue
      }
      const from = cursor?.topicName === name ? Math.max(0, cursor.partitionIndex) : 0
      if (left === 0) {
        respond(context, [...topics, ...denied], { topicName: name, partitionIndex: from })
        return
      }
      const to = Math.min(topic.partitionCount, from + left)
      topics.push(page(context, topic, from, to))
      left -= Math.max(0, to - from)
      if (to < topic.partitionCount) {
        respond(context, [...topics, ...denied], { topicName: name, partitionIndex: to })
        return
      }
    }
    respond(context, [...topics, ...denied], null)
  },
})

/** In name order, from the cursor on; all topics when none is named. */
function namesOf(request: DescribeTopicPartitionsRequest, context: Context): string[] {
  const { topics, cursor } = request
  const named = topics.map(({ name }) => name)
  const all = [...context.services.image.topics(context.session.tenantId)].map(({ name }) => name)
  const names = [...new Set(named.length > 0 ? named : all)].sort()
  return cursor === null ? names : names.filter((name) => name >= cursor.topicName)
}

/** A cursor names one of the topics that are asked for, and a partition that there can be. */
const isCursorValid = ({ topics, cursor }: DescribeTopicPartitionsRequest): boolean =>
  cursor === null ||
  (cursor.partitionIndex >= 0 &&
    (topics.length === 0 || topics.some(({ name }) => name === cursor.topicName)))

const operationsOn = ({ rights }: Context, name: string): number =>
  rights.operationsOn(ResourceType.TOPIC, name)

const refused = (name: string, errorCode: number, topicAuthorizedOperations: number): Topic => ({
  errorCode,
  name,
  topicId: ZERO_TOPIC_ID,
  isInternal: false,
  partitions: [],
  topicAuthorizedOperations,
})

const page = (context: Context, topic: TopicView, from: number, to: number): Topic => ({
  errorCode: ErrorCode.NONE,
  name: topic.name,
  topicId: topic.topicId,
  isInternal: topic.internal,
  partitions: partitionRows(context.services, topic, from, to).map((row) => ({
    ...row,
    eligibleLeaderReplicas: [],
    lastKnownElr: [],
  })),
  topicAuthorizedOperations: operationsOn(context, topic.name),
})

function respond(
  context: Context,
  topics: readonly Topic[],
  nextCursor: { readonly topicName: string; readonly partitionIndex: number } | null,
): void {
  context.reply({ throttleTimeMs: 0, topics, nextCursor })
}

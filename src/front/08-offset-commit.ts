import { ErrorCode } from '../base/error-code.ts'
import {
  type OffsetCommitRequest,
  type OffsetCommitResponseInput,
  offsetCommit,
} from '../protocol/08-offset-commit.ts'
import { requiredAcls } from '../tenant/required-acls.ts'
import { groupHandler } from './coordinator-call.ts'
import { splitTopics } from './denied-topics.ts'

const { acls } = requiredAcls.offsetCommit

/** From this version on topics are named by id. */
const TOPIC_IDS_FROM = 10

export const offsetCommitHandler = groupHandler({
  api: offsetCommit,
  scopes: ['groupId', 'memberId', 'groupInstanceId', 'topicName', 'topicId'],
  right: acls.group,
  groupOf: ({ groupId }) => groupId,
  withoutDenied(request, context) {
    const byId = context.version >= TOPIC_IDS_FROM
    const split = splitTopics(context, acls.topic, request.topics, byId)
    if (split === null) return null
    const refused = refuse(split.denied, ErrorCode.TOPIC_AUTHORIZATION_FAILED)
    return {
      request: split.allowed.length === 0 ? null : { ...request, topics: split.allowed },
      complete: (answer) => ({
        throttleTimeMs: 0,
        topics: [...refused, ...(answer?.topics ?? [])],
      }),
    }
  },
  refusalOf: ({ topics }) => {
    return (errorCode) => ({ throttleTimeMs: 0, topics: refuse(topics, errorCode) })
  },
})

const refuse = (
  topics: OffsetCommitRequest['topics'],
  errorCode: number,
): OffsetCommitResponseInput['topics'] =>
  topics.map(({ name, topicId, partitions }) => ({
    name,
    topicId,
    partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
  }))

import { ErrorCode } from '../base/error-code.ts'
import { ZERO_TOPIC_ID } from '../base/ids.ts'
import { offsetDelete } from '../protocol/47-offset-delete.ts'
import { requiredAcls } from '../tenant/required-acls.ts'
import { groupHandler } from './coordinator-call.ts'
import { splitTopics } from './denied-topics.ts'

const { acls } = requiredAcls.offsetDelete

export const offsetDeleteHandler = groupHandler({
  api: offsetDelete,
  scopes: ['groupId', 'topicName'],
  right: acls.group,
  groupOf: ({ groupId }) => groupId,
  withoutDenied(request, context) {
    const topics = request.topics.map((topic) => ({ ...topic, topicId: ZERO_TOPIC_ID }))
    const split = splitTopics(context, acls.topic, topics, false)
    if (split === null) return null
    const refused = split.denied.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => ({
        ...{ partitionIndex, errorCode: ErrorCode.TOPIC_AUTHORIZATION_FAILED },
      })),
    }))
    return {
      // without topics as well: whether there is such a group is for the coordinator to say
      request: { ...request, topics: split.allowed },
      complete: (answer) =>
        answer!.errorCode === ErrorCode.NONE
          ? { ...answer!, topics: [...refused, ...answer!.topics] }
          : answer!,
    }
  },
  refusalOf: () => (errorCode) => ({ errorCode, throttleTimeMs: 0, topics: [] }),
})

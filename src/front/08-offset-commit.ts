import { offsetCommit } from '../protocol/08-offset-commit.ts'
import { groupHandler } from './coordinator-call.ts'

export const offsetCommitHandler = groupHandler({
  api: offsetCommit,
  scopes: ['groupId', 'memberId', 'groupInstanceId', 'topicName', 'topicId'],
  groupOf: ({ groupId }) => groupId,
  refusalOf: ({ topics }) => {
    return (errorCode) => ({
      throttleTimeMs: 0,
      topics: topics.map(({ name, topicId, partitions }) => ({
        name,
        topicId,
        partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
      })),
    })
  },
})

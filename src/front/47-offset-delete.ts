import { offsetDelete } from '../protocol/47-offset-delete.ts'
import { groupHandler } from './coordinator-call.ts'

export const offsetDeleteHandler = groupHandler({
  api: offsetDelete,
  scopes: ['groupId', 'topicName'],
  groupOf: ({ groupId }) => groupId,
  refusalOf: () => (errorCode) => ({ errorCode, throttleTimeMs: 0, topics: [] }),
})

import { heartbeat } from '../protocol/12-heartbeat.ts'
import { groupHandler } from './coordinator-call.ts'

export const heartbeatHandler = groupHandler({
  api: heartbeat,
  scopes: ['groupId', 'memberId', 'groupInstanceId'],
  groupOf: ({ groupId }) => groupId,
  refusalOf: () => (errorCode) => ({ throttleTimeMs: 0, errorCode }),
})

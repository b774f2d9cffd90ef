import { ErrorCode } from '../base/error-code.ts'
import { heartbeat } from '../protocol/12-heartbeat.ts'
import { requiredAcls } from '../tenant/required-acls.ts'
import { groupHandler } from './coordinator-call.ts'

export const heartbeatHandler = groupHandler({
  api: heartbeat,
  scopes: ['groupId', 'memberId', 'groupInstanceId'],
  right: requiredAcls.heartbeat.acls.group,
  groupOf: ({ groupId }) => groupId,
  // while groups load nobody can say that a member is none: as in Kafka, it is kept quiet
  refusalOf: () => (error) => ({
    throttleTimeMs: 0,
    errorCode: error === ErrorCode.COORDINATOR_LOAD_IN_PROGRESS ? ErrorCode.NONE : error,
  }),
})

import { leaveGroup } from '../protocol/13-leave-group.ts'
import { requiredAcls } from '../tenant/required-acls.ts'
import { groupHandler } from './coordinator-call.ts'

export const leaveGroupHandler = groupHandler({
  api: leaveGroup,
  scopes: ['groupId', 'memberId', 'groupInstanceId'],
  right: requiredAcls.leaveGroup.acls.group,
  groupOf: ({ groupId }) => groupId,
  refusalOf: () => (errorCode) => ({ throttleTimeMs: 0, errorCode, members: [] }),
})

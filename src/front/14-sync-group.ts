import { syncGroup } from '../protocol/14-sync-group.ts'
import { requiredAcls } from '../tenant/required-acls.ts'
import { groupHandler } from './coordinator-call.ts'

const NO_BYTES = new Uint8Array(0)

export const syncGroupHandler = groupHandler({
  api: syncGroup,
  scopes: ['groupId', 'memberId', 'groupInstanceId'],
  waitsForOthers: true,
  right: requiredAcls.syncGroup.acls.group,
  groupOf: ({ groupId }) => groupId,
  refusalOf: () => {
    return (errorCode) => ({
      throttleTimeMs: 0,
      errorCode,
      protocolType: null,
      protocolName: null,
      assignment: NO_BYTES,
    })
  },
})

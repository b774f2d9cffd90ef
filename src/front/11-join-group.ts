import { joinGroup } from '../protocol/11-join-group.ts'
import { requiredAcls } from '../tenant/required-acls.ts'
import { groupHandler } from './coordinator-call.ts'

/** From this version on the protocol's name may be null. */
const NULL_NAME_FROM = 7

export const joinGroupHandler = groupHandler({
  api: joinGroup,
  scopes: ['groupId', 'memberId', 'groupInstanceId'],
  waitsForOthers: true,
  right: requiredAcls.joinGroup.acls.group,
  groupOf: ({ groupId }) => groupId,
  refusalOf: ({ memberId }, { version }) => {
    return (errorCode) => ({
      throttleTimeMs: 0,
      errorCode,
      generationId: -1,
      protocolType: null,
      protocolName: version >= NULL_NAME_FROM ? null : '',
      leader: '',
      skipAssignment: false,
      memberId,
      members: [],
    })
  },
})

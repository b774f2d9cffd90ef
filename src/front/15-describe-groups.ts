import { ErrorCode } from '../base/error-code.ts'
import { ResourceType } from '../image/acl-binding.ts'
import { describeGroups } from '../protocol/15-describe-groups.ts'
import { requiredAcls } from '../tenant/required-acls.ts'
import { groupsHandler } from './coordinator-call.ts'
import { OPERATIONS_UNKNOWN } from './nodes.ts'

export const describeGroupsHandler = groupsHandler({
  api: describeGroups,
  scopes: ['groupId'],
  right: requiredAcls.describeGroups.acls.group,
  groupsOf: ({ groups }) => groups,
  only: (request, groups) => ({
    ...request,
    groups: request.groups.filter((groupId) => groups.has(groupId)),
  }),
  refuse: (groups, errorCode) => ({
    throttleTimeMs: 0,
    groups: groups.map((groupId) => ({
      errorCode,
      errorMessage: null,
      groupId,
      groupState: '',
      protocolType: '',
      protocolData: '',
      members: [],
      authorizedOperations: OPERATIONS_UNKNOWN,
    })),
  }),
  merge: (answers) => ({ throttleTimeMs: 0, groups: answers.flatMap(({ groups }) => groups) }),
  complete: (answer, { includeAuthorizedOperations }, { rights }) => ({
    ...answer,
    groups: answer.groups.map((group) =>
      includeAuthorizedOperations && group.errorCode === ErrorCode.NONE
        ? {
            ...group,
            authorizedOperations: rights.operationsOn(ResourceType.GROUP, group.groupId),
          }
        : group,
    ),
  }),
})

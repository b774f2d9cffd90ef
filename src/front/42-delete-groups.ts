import { deleteGroups } from '../protocol/42-delete-groups.ts'
import { requiredAcls } from '../tenant/required-acls.ts'
import { groupsHandler } from './coordinator-call.ts'

export const deleteGroupsHandler = groupsHandler({
  api: deleteGroups,
  scopes: ['groupId'],
  right: requiredAcls.deleteGroups.acls.group,
  groupsOf: ({ groupsNames }) => groupsNames,
  only: (_request, groups) => ({ groupsNames: [...groups] }),
  refuse: (groups, errorCode) => ({
    throttleTimeMs: 0,
    results: groups.map((groupId) => ({ groupId, errorCode })),
  }),
  merge: (answers) => ({ throttleTimeMs: 0, results: answers.flatMap(({ results }) => results) }),
})

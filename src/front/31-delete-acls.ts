import { ErrorCode } from '../base/error-code.ts'
import type { AclBinding } from '../image/acl-binding.ts'
import { refuseFilterCount } from '../image/acl-filter.ts'
import type { DeletedAcls } from '../image/request.ts'
import { deleteAcls } from '../protocol/31-delete-acls.ts'
import { requiredAcls } from '../tenant/required-acls.ts'
import { handler } from './context.ts'
import { clusterDenied } from './denials.ts'

const { acls: rights } = requiredAcls.deleteAcls

export const deleteAclsHandler = handler({
  api: deleteAcls,
  scopes: ['aclResource', 'principal'],
  handle(request, context) {
    if (!context.may(rights.cluster)) {
      const denied = { ...clusterDenied, matchingAcls: [] }
      context.reply({ throttleTimeMs: 0, filterResults: request.filters.map(() => denied) })
      return
    }
    const excess = refuseFilterCount(request.filters.length)
    if (excess !== null) {
      // told once: a request names in a few bytes what takes a row of the answer
      const filterResults = request.filters.map((_, at) => ({
        ...{ errorCode: excess.error, errorMessage: at === 0 ? excess.message : null },
        matchingAcls: [],
      }))
      context.reply({ throttleTimeMs: 0, filterResults })
      return
    }
    if (request.filters.length === 0) {
      context.reply({ throttleTimeMs: 0, filterResults: [] })
      return
    }
    const filters = request.filters.map((filter) => ({
      resourceType: filter.resourceTypeFilter,
      resourceName: filter.resourceNameFilter,
      patternType: filter.patternTypeFilter,
      principal: filter.principalFilter,
      host: filter.hostFilter,
      operation: filter.operation,
      permissionType: filter.permissionType,
    }))
    const command = { kind: 'delete-acls', filters } as const
    context.services.controller.request(context.session.tenantId, command, ({ results }) =>
      context.reply({ throttleTimeMs: 0, filterResults: results.map(resultOf) }),
    )
  },
})

const resultOf = ({ error, message, acls }: DeletedAcls) => ({
  ...{ errorCode: error, errorMessage: message },
  matchingAcls: acls.map(deleted),
})

const deleted = (binding: AclBinding) => ({
  ...{ errorCode: ErrorCode.NONE, errorMessage: null },
  resourceType: binding.resourceType,
  resourceName: binding.resourceName,
  patternType: binding.patternType,
  principal: binding.principal,
  host: binding.host,
  operation: binding.operation,
  permissionType: binding.permissionType,
})

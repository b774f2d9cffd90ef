import { ErrorCode } from '../base/error-code.ts'
import { type AclFilter, byPattern, filterMatches, refuseFilter } from '../image/acl-filter.ts'
import { type DescribeAclsRequest, describeAcls } from '../protocol/29-describe-acls.ts'
import { requiredAcls } from '../tenant/required-acls.ts'
import { handler } from './context.ts'
import { clusterDenied } from './denials.ts'

const { acls } = requiredAcls.describeAcls

export const describeAclsHandler = handler({
  api: describeAcls,
  scopes: ['aclResource', 'principal'],
  handle(request, context) {
    if (!context.may(acls.cluster)) {
      context.reply({ throttleTimeMs: 0, ...clusterDenied, resources: [] })
      return
    }
    const filter = filterOf(request)
    const refusal = refuseFilter(filter)
    if (refusal !== null) {
      const { error: errorCode, message: errorMessage } = refusal
      context.reply({ throttleTimeMs: 0, errorCode, errorMessage, resources: [] })
      return
    }
    const tenant = context.services.image.tenant(context.session.tenantId)
    const bindings = [...(tenant?.access?.acls() ?? [])]
    context.reply({
      ...{ throttleTimeMs: 0, errorCode: ErrorCode.NONE, errorMessage: null },
      resources: byPattern(bindings.filter((binding) => filterMatches(filter, binding))),
    })
  },
})

const filterOf = (request: DescribeAclsRequest): AclFilter => ({
  resourceType: request.resourceTypeFilter,
  resourceName: request.resourceNameFilter,
  patternType: request.patternTypeFilter,
  principal: request.principalFilter,
  host: request.hostFilter,
  operation: request.operation,
  permissionType: request.permissionType,
})

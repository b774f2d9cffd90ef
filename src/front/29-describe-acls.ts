import { ErrorCode } from '../base/error-code.ts'
import { describeAcls } from '../protocol/29-describe-acls.ts'
import { handler } from './context.ts'

/** What Kafka answers where no authorizer is configured: web UIs take it for "there are no ACLs here", and hide them. */
export const describeAclsHandler = handler({
  api: describeAcls,
  scopes: ['aclResource', 'principal'],
  handle(_request, context) {
    context.reply({
      throttleTimeMs: 0,
      errorCode: ErrorCode.SECURITY_DISABLED,
      errorMessage: 'No Authorizer is configured on the broker',
      resources: [],
    })
  },
})

import { ErrorCode } from '../base/error-code.ts'
import type { Outcome } from '../image/request.ts'
import { createAcls } from '../protocol/30-create-acls.ts'
import { requiredAcls } from '../tenant/required-acls.ts'
import { handler } from './context.ts'
import { clusterDenied } from './denials.ts'
import { refuseAcls } from './limits.ts'

const { acls: rights } = requiredAcls.createAcls

export const createAclsHandler = handler({
  api: createAcls,
  scopes: ['aclResource', 'principal'],
  handle({ creations }, context) {
    if (!context.may(rights.cluster)) {
      context.reply({ throttleTimeMs: 0, results: creations.map(() => clusterDenied) })
      return
    }
    const excess = refuseAcls(creations.length)
    if (excess !== null) {
      const errorCode = ErrorCode.POLICY_VIOLATION
      // told once: a request names in a few bytes what takes a row of the answer
      const results = creations.map((_, at) => ({
        ...{ errorCode, errorMessage: at === 0 ? excess : null },
      }))
      context.reply({ throttleTimeMs: 0, results })
      return
    }
    if (creations.length === 0) {
      context.reply({ throttleTimeMs: 0, results: [] })
      return
    }
    const acls = creations.map((creation) => ({
      resourceType: creation.resourceType,
      resourceName: creation.resourceName,
      patternType: creation.resourcePatternType,
      principal: creation.principal,
      host: creation.host,
      operation: creation.operation,
      permissionType: creation.permissionType,
    }))
    const command = { kind: 'create-acls', acls } as const
    context.services.controller.request(context.session.tenantId, command, ({ results }) =>
      context.reply({ throttleTimeMs: 0, results: results.map(resultOf) }),
    )
  },
})

const resultOf = ({ error, message }: Outcome) => ({ errorCode: error, errorMessage: message })

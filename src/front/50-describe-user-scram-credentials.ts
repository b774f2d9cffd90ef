import { ErrorCode } from '../base/error-code.ts'
import type { StoredSecret } from '../image/entry.ts'
import {
  type DescribeUserScramCredentialsRequest,
  type DescribeUserScramCredentialsResponseInput,
  describeUserScramCredentials,
} from '../protocol/50-describe-user-scram-credentials.ts'
import { requiredAcls } from '../tenant/required-acls.ts'
import { handler, type RequestContext } from './context.ts'
import { clusterDenied } from './denials.ts'
import { numberOfMechanism } from './scram-mechanisms.ts'

type Result = DescribeUserScramCredentialsResponseInput['results'][number]

const { acls } = requiredAcls.describeUserScramCredentials

/** SCRAM users of the tenant: API keys are none, whoever they stand for. */
export const describeUserScramCredentialsHandler = handler({
  api: describeUserScramCredentials,
  scopes: ['userName'],
  handle(request, context) {
    if (!context.may(acls.cluster)) {
      context.reply({ throttleTimeMs: 0, ...clusterDenied, results: [] })
      return
    }
    context.reply({
      ...{ throttleTimeMs: 0, errorCode: ErrorCode.NONE, errorMessage: null },
      results: resultsOf(request, context),
    })
  },
})

function resultsOf(
  { users }: DescribeUserScramCredentialsRequest,
  { services, session }: RequestContext,
): Result[] {
  const access = services.image.tenant(session.tenantId)?.access
  if (users === null || users.length === 0) {
    return Array.from(access?.users() ?? [], ([user, secrets]) => described(user, secrets))
  }
  const times = new Map<string, number>()
  for (const { name } of users) times.set(name, (times.get(name) ?? 0) + 1)
  return Array.from(times, ([user, count]) => {
    if (count > 1) {
      const what = 'Cannot describe SCRAM credentials for the same user twice in a single request'
      return refused(user, ErrorCode.DUPLICATE_RESOURCE, `${what}: ${user}`)
    }
    const secrets = access?.secretsOf(user) ?? []
    if (secrets.length > 0) return described(user, secrets)
    const what = 'Attempt to describe a user credential that does not exist'
    return refused(user, ErrorCode.RESOURCE_NOT_FOUND, `${what}: ${user}`)
  })
}

const described = (user: string, secrets: readonly StoredSecret[]): Result => ({
  ...{ user, errorCode: ErrorCode.NONE, errorMessage: null },
  credentialInfos: secrets.map(({ mechanism, iterations }) => ({
    ...{ mechanism: numberOfMechanism(mechanism), iterations },
  })),
})

const refused = (user: string, errorCode: number, errorMessage: string): Result => ({
  ...{ user, errorCode, errorMessage, credentialInfos: [] },
})

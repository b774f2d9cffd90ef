import { ErrorCode } from '../base/error-code.ts'
import {
  type DescribeClientQuotasRequest,
  describeClientQuotas,
} from '../protocol/48-describe-client-quotas.ts'
import { requiredAcls } from '../tenant/required-acls.ts'
import { handler } from './context.ts'
import { clusterDenied } from './denials.ts'

const { acls } = requiredAcls.describeClientQuotas

const MatchType = { EXACT: 0, DEFAULT: 1, SPECIFIED: 2 } as const
const ENTITY_TYPES: readonly string[] = ['ip', 'user', 'client-id']

/** There are no quotas, so nothing matches; a filter that Kafka refuses is refused. */
export const describeClientQuotasHandler = handler({
  api: describeClientQuotas,
  scopes: ['quotaEntity'],
  handle(request, context) {
    if (!context.may(acls.cluster)) {
      context.reply({ throttleTimeMs: 0, ...clusterDenied, entries: null })
      return
    }
    const refusal = refuse(request)
    context.reply({
      throttleTimeMs: 0,
      errorCode: refusal?.error ?? ErrorCode.NONE,
      errorMessage: refusal?.message ?? '',
      entries: refusal === null ? [] : null,
    })
  },
})

interface Refusal {
  readonly error: number
  readonly message: string
}

const invalid = (message: string): Refusal => ({ error: ErrorCode.INVALID_REQUEST, message })

function refuse({ components }: DescribeClientQuotasRequest): Refusal | null {
  const seen = new Set<string>()
  for (const { entityType, matchType, match } of components) {
    if (entityType === '') return invalid('Invalid empty entity type.')
    if (seen.has(entityType)) {
      return invalid(`Entity type ${entityType} cannot appear more than once in the filter.`)
    }
    if (!ENTITY_TYPES.includes(entityType)) {
      const message = `Unsupported entity type ${entityType}`
      return { error: ErrorCode.UNSUPPORTED_VERSION, message }
    }
    seen.add(entityType)
    const problem = refuseMatch(matchType, match)
    if (problem !== null) return invalid(problem)
  }
  if (!seen.has('ip') || seen.size === 1) return null
  return invalid(
    'Invalid entity filter component combination. IP filter component should not be used with user or clientId filter component.',
  )
}

function refuseMatch(type: number, match: string | null): string | null {
  switch (type) {
    case MatchType.EXACT:
      if (match !== null) return null
      return 'Request specified MATCH_TYPE_EXACT, but set match string to null.'
    case MatchType.DEFAULT:
      if (match === null) return null
      return 'Request specified MATCH_TYPE_DEFAULT, but also specified a match string.'
    case MatchType.SPECIFIED:
      if (match === null) return null
      return 'Request specified MATCH_TYPE_SPECIFIED, but also specified a match string.'
    default:
      return `Unknown match type ${type}`
  }
}

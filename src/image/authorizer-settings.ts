import { ErrorCode } from '../base/error-code.ts'
import { refusePrincipal, WILDCARD_PRINCIPAL } from './acl-binding.ts'
import { type Refusal, refuse } from './results.ts'

/** What a tenant's authoriser is told besides its ACLs, with Kafka's meaning. */
export interface AuthorizerSettings {
  /** `super.users`: may do everything, whatever the ACLs say. Whole principals: `User:*` would be a user of that name. */
  readonly superUsers: readonly string[]
  /** `allow.everyone.if.no.acl.found`: what holds for resources that no ACL is about. */
  readonly allowEveryoneIfNoAclFound: boolean
}

/** Kafka's defaults: nobody may do anything until an ACL says so. */
export const defaultAuthorizerSettings: AuthorizerSettings = {
  superUsers: [],
  allowEveryoneIfNoAclFound: false,
}

export const SUPER_USERS_MAX = 100

/** Null when `settings` can be a tenant's, else INVALID_CONFIG and what is wrong. */
export function refuseAuthorizerSettings({ superUsers }: AuthorizerSettings): Refusal | null {
  if (superUsers.length > SUPER_USERS_MAX) {
    const text = `super.users: ${superUsers.length} principals, more than the limit of ${SUPER_USERS_MAX}`
    return refuse(ErrorCode.INVALID_CONFIG, text)
  }
  for (const principal of superUsers) {
    // whoever writes it means everybody, and gets nobody
    if (principal === WILDCARD_PRINCIPAL) {
      const text = `super.users: ${WILDCARD_PRINCIPAL} does not stand for everybody here: name each`
      return refuse(ErrorCode.INVALID_CONFIG, text)
    }
    const refusal = refusePrincipal(principal)
    if (refusal !== null) {
      return refuse(ErrorCode.INVALID_CONFIG, `super.users: ${refusal.message}`)
    }
  }
  return null
}

/** The principals of a value of `super.users`: separated by semicolons, as names may contain commas. */
export const parseSuperUsers = (value: string): string[] =>
  value
    .split(';')
    .map((principal) => principal.trim())
    .filter((principal) => principal !== '')

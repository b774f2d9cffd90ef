/** AlterUserScramCredentials: the checks of Kafka's ScramControlManager (KIP-554). Looks at the state and returns entries; changes nothing. */
import { ErrorCode } from '../base/error-code.ts'
import type { TenantId } from '../base/ids.ts'
import type { MetadataEntry, StoredSecret } from '../image/entry.ts'
import type { ControllerRequest, Outcome } from '../image/request.ts'
import { accepted, type Refusal, refuse, refusedOne } from '../image/results.ts'
import { overLimit } from '../image/tenant-limits.ts'
import type { ControllerState } from './state.ts'

type AlterUsers = Extract<ControllerRequest, { kind: 'alter-users' }>

/** SCRAM's names are as long as RFC 4616 has them. */
const USER_CHARS_MAX = 255

export function planAlterUsers(
  { tenants }: ControllerState,
  tenantId: TenantId,
  { users, isRepeat = false }: AlterUsers,
): { readonly entries: readonly MetadataEntry[]; readonly results: readonly Outcome[] } {
  const entries: MetadataEntry[] = []
  const max = tenants.limitOf(tenantId, 'users')
  let count = tenants.userCount(tenantId)
  const results = users.map(({ user, deleted, set }) => {
    const before = tenants.secretsOf(tenantId, user)
    const secrets = [...before.filter(({ mechanism }) => !deleted.includes(mechanism))].filter(
      (one) => set.every(({ mechanism }) => mechanism !== one.mechanism),
    )
    secrets.push(...set)
    const isNew = before.length === 0 && secrets.length > 0
    const over = isNew ? overLimit(max, 'users', { used: count, asked: 1 }) : null
    const refusal =
      refuseUser(user) ??
      (isRepeat ? null : refuseDeleted(before, deleted)) ??
      (over === null ? null : refuse(ErrorCode.POLICY_VIOLATION, over))
    if (refusal !== null) return refusedOne(user, refusal)
    if (isNew) count++
    else if (before.length > 0 && secrets.length === 0) count--
    const ordered = secrets.sort((a, b) => (a.mechanism < b.mechanism ? -1 : 1))
    entries.push({ kind: 'user-secrets', tenantId, user, secrets: ordered })
    return accepted(user)
  })
  return { entries, results }
}

/** `*` stands for everybody in ACLs. */
function refuseUser(user: string): Refusal | null {
  const { UNACCEPTABLE_CREDENTIAL } = ErrorCode
  if (user === '') return refuse(UNACCEPTABLE_CREDENTIAL, 'Username must not be empty')
  if (user === '*') return refuse(UNACCEPTABLE_CREDENTIAL, "Username must not be '*'")
  if (user.length <= USER_CHARS_MAX) return null
  const text = `Username of ${user.length} characters, at most ${USER_CHARS_MAX}`
  return refuse(UNACCEPTABLE_CREDENTIAL, text)
}

function refuseDeleted(
  before: readonly StoredSecret[],
  deleted: readonly string[],
): Refusal | null {
  const isThere = deleted.every((wanted) => before.some(({ mechanism }) => mechanism === wanted))
  if (isThere) return null
  const text = 'Attempt to delete a user credential that does not exist'
  return refuse(ErrorCode.RESOURCE_NOT_FOUND, text)
}

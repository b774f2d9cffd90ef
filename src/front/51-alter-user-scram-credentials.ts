import { ErrorCode } from '../base/error-code.ts'
import type { ScramMechanism, StoredSecret } from '../image/entry.ts'
import type { Outcome } from '../image/request.ts'
import {
  type AlterUserScramCredentialsRequest,
  alterUserScramCredentials,
} from '../protocol/51-alter-user-scram-credentials.ts'
import { requiredAcls } from '../tenant/required-acls.ts'
import {
  credentialOfSalted,
  SCRAM_ITERATIONS_MAX,
  SCRAM_ITERATIONS_MIN,
} from '../tenant/scram-credential.ts'
import { secretToStore } from '../tenant/stored-credential.ts'
import { handler, type RequestContext } from './context.ts'
import { CLUSTER_DENIED } from './denials.ts'
import { refuseUsers } from './limits.ts'
import { mechanismOfNumber } from './scram-mechanisms.ts'

type Context = RequestContext<typeof alterUserScramCredentials>
type Deletion = AlterUserScramCredentialsRequest['deletions'][number]
type Upsertion = AlterUserScramCredentialsRequest['upsertions'][number]

interface Refused {
  readonly error: number
  readonly message: string | null
}

const { acls } = requiredAcls.alterUserScramCredentials

const { UNACCEPTABLE_CREDENTIAL, UNSUPPORTED_SASL_MECHANISM } = ErrorCode

export const alterUserScramCredentialsHandler = handler({
  api: alterUserScramCredentials,
  scopes: ['userName'],
  handle(request, context) {
    const { deletions, upsertions } = request
    if (!context.may(acls.cluster)) {
      refuseAll(context, request, ErrorCode.CLUSTER_AUTHORIZATION_FAILED, CLUSTER_DENIED)
      return
    }
    const excess = refuseUsers(deletions.length + upsertions.length)
    if (excess !== null) {
      refuseAll(context, request, ErrorCode.POLICY_VIOLATION, excess)
      return
    }
    const changes = new Changes(context, request)
    if (changes.users.length === 0) {
      reply(context, [], changes.refused)
      return
    }
    const command = { kind: 'alter-users', users: changes.users } as const
    context.services.controller.request(context.session.tenantId, command, ({ results }) =>
      reply(context, results, changes.refused),
    )
  },
})

/** Kafka's answer: those that are done, deletions before others, and then those that are refused. */
function reply(
  context: Context,
  results: readonly Outcome[],
  refused: ReadonlyMap<string, Refused>,
): void {
  const outcomes = [
    ...results.filter(({ error }) => error === ErrorCode.NONE),
    ...results.filter(({ error }) => error !== ErrorCode.NONE),
    ...Array.from(refused, ([name, refusal]) => ({ name, ...refusal })),
  ]
  context.reply({
    throttleTimeMs: 0,
    results: outcomes.map(({ name, error, message }) => ({
      ...{ user: name, errorCode: error, errorMessage: message },
    })),
  })
}

function refuseAll(
  context: Context,
  { deletions, upsertions }: AlterUserScramCredentialsRequest,
  errorCode: number,
  message: string,
): void {
  const users = [...new Set([...deletions, ...upsertions].map(({ name }) => name))].sort()
  // told once: a request names in a few bytes what takes a row of the answer
  const results = users.map((user, at) => ({
    ...{ user, errorCode, errorMessage: at < SENTENCES_MAX ? message : null },
  }))
  context.reply({ throttleTimeMs: 0, results })
}

const SENTENCES_MAX = 1_000

/** The changes of a request that are to be made, each user's once, and why the others are not (ScramControlManager). */
class Changes {
  readonly refused = new Map<string, Refused>()
  readonly #deletions = new Map<string, ScramMechanism>()
  readonly #upsertions = new Map<string, StoredSecret>()
  readonly #context: Context

  constructor(context: Context, { deletions, upsertions }: AlterUserScramCredentialsRequest) {
    this.#context = context
    for (const deletion of deletions) this.#delete(deletion)
    for (const upsertion of upsertions) this.#upsert(upsertion)
  }

  get users() {
    return [
      ...Array.from(this.#deletions, ([user, mechanism]) => ({
        ...{ user, deleted: [mechanism], set: [] },
      })),
      ...Array.from(this.#upsertions, ([user, secret]) => ({
        ...{ user, deleted: [], set: [secret] },
      })),
    ]
  }

  #delete({ name, mechanism: number }: Deletion): void {
    if (this.refused.has(name) || this.#isRepeated(name)) return
    const mechanism = this.#mechanismOf(name, number)
    if (mechanism === null) return
    if (this.#has(name, mechanism)) this.#deletions.set(name, mechanism)
    else {
      const text = 'Attempt to delete a user credential that does not exist'
      this.#refuse(name, ErrorCode.RESOURCE_NOT_FOUND, text)
    }
  }

  #upsert(upsertion: Upsertion): void {
    const { name, iterations, salt, saltedPassword } = upsertion
    if (this.refused.has(name) || this.#isRepeated(name)) return
    const mechanism = this.#mechanismOf(name, upsertion.mechanism)
    if (mechanism === null) return
    if (iterations < SCRAM_ITERATIONS_MIN) {
      this.#refuse(name, UNACCEPTABLE_CREDENTIAL, 'Too few iterations')
    } else if (iterations > SCRAM_ITERATIONS_MAX) {
      this.#refuse(name, UNACCEPTABLE_CREDENTIAL, 'Too many iterations')
    } else this.#set(name, { mechanism, iterations, salt }, saltedPassword)
  }

  #set(
    name: string,
    parameters: Parameters<typeof credentialOfSalted>[1],
    salted: Uint8Array,
  ): void {
    const { crypto } = this.#context.services
    try {
      this.#upsertions.set(name, secretToStore(credentialOfSalted(crypto, parameters, salted)))
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      this.#refuse(name, UNACCEPTABLE_CREDENTIAL, error.message)
    }
  }

  /** Null where it is refused. */
  #mechanismOf(name: string, number: number): ScramMechanism | null {
    const mechanism = mechanismOfNumber(number)
    if (name === '') this.#refuse(name, UNACCEPTABLE_CREDENTIAL, 'Username must not be empty')
    else if (mechanism === undefined) {
      this.#refuse(name, UNSUPPORTED_SASL_MECHANISM, 'Unknown SCRAM mechanism')
    } else return mechanism
    return null
  }

  /** A user that is named twice is changed not at all, whatever the mechanisms. */
  #isRepeated(name: string): boolean {
    if (!this.#deletions.delete(name) && !this.#upsertions.delete(name)) return false
    const text = 'A user credential cannot be altered twice in the same request'
    this.#refuse(name, ErrorCode.DUPLICATE_RESOURCE, text)
    return true
  }

  #has(user: string, mechanism: ScramMechanism): boolean {
    const { services, session } = this.#context
    const secrets = services.image.tenant(session.tenantId)?.access?.secretsOf(user) ?? []
    return secrets.some((secret) => secret.mechanism === mechanism)
  }

  #refuse(name: string, error: number, message: string): void {
    this.refused.set(name, { error, message })
  }
}

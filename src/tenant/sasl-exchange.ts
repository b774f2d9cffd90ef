/** One authentication on one connection, whatever its mechanism. On the front's thread. */
import { API_SECRET_PREFIX } from './api-key.ts'
import type { LoginJob, LoginQueue } from './login-queue.ts'
import type { MadeUpCredentials } from './made-up-credentials.ts'
import type { SaslCrypto } from './sasl-crypto.ts'
import { SaslFormatError } from './sasl-format-error.ts'
import { type PlainMessage, parsePlain } from './sasl-plain.ts'
import {
  chosenFor,
  SCRAM_MECHANISMS,
  type ScramCredential,
  type ScramMechanism,
  scramCredentialFault,
  verifyPassword,
} from './scram-credential.ts'
import { drawNonce, ScramExchange } from './scram-exchange.ts'
import { parseClientFirst } from './scram-messages.ts'

export type SaslMechanism = ScramMechanism | 'PLAIN'

export const SASL_MECHANISMS: readonly SaslMechanism[] = ['PLAIN', ...SCRAM_MECHANISMS]

/** Of all mechanisms: a user, a password or a nonce, each with room to spare. */
export const SASL_TOKEN_BYTES_MAX = 4_096

export interface SaslUser<Identity> {
  /** At most one of each SCRAM mechanism; PLAIN goes by the first of SCRAM_MECHANISMS that is there. */
  readonly credentials: readonly ScramCredential[]
  readonly identity: Identity
}

/**
 * Who is stored under a name, or why that one is not let in, for the log. Asked at the beginning, and again when a proof is right: undefined if there is
 * nobody (any more).
 */
export type SaslLookup<Identity> = (
  mechanism: SaslMechanism,
  username: string,
) => SaslUser<Identity> | string | undefined

export interface SaslExchangeOptions<Identity> {
  readonly mechanism: SaslMechanism
  readonly lookup: SaslLookup<Identity>
  readonly crypto: SaslCrypto
  /** For names that nobody has. */
  readonly madeUp: Pick<MadeUpCredentials, 'of'>
  /** Where passwords wait to be hashed. */
  readonly queue: LoginQueue
  /** `loginSource` of the client's address. */
  readonly source: string
}

export interface SaslRefusal {
  readonly kind: 'refused'
  /**
   * `credentials`: wrong, or nobody has that name. `malformed`: not what the mechanism says. `unavailable`: the server
   * could not look; close the connection without an answer, since Kafka's clients take SASL_AUTHENTICATION_FAILED for
   * final and a closed connection for a reason to come back.
   */
  readonly cause: 'credentials' | 'malformed' | 'unavailable'
  /** For the client: tells nothing about who exists. */
  readonly message: string
  /** For the log: names the user, never a password. */
  readonly reason: string
}

export type SaslResult<Identity> =
  | { readonly kind: 'challenge'; readonly token: Uint8Array }
  | {
      readonly kind: 'authenticated'
      readonly identity: Identity
      readonly username: string
      /** Sent with the good news; SCRAM's proves that the server knows the credential. */
      readonly token: Uint8Array
    }
  | SaslRefusal

/** The one text for whoever failed to be who it said: Kafka's own, which people search for. */
export const invalidCredentials = (mechanism: SaslMechanism): string =>
  mechanism === 'PLAIN'
    ? 'Authentication failed: Invalid username or password'
    : `Authentication failed during authentication due to invalid credentials with SASL mechanism ${mechanism}`

/** Whose login `token`, the first of its exchange, claims to be; null where it is not what the mechanism says. */
export function claimedUsername(mechanism: SaslMechanism, token: Uint8Array): string | null {
  if (token.length > SASL_TOKEN_BYTES_MAX) return null
  try {
    if (mechanism !== 'PLAIN') return parseClientFirst(token).username
    const { username, password } = parsePlain(token)
    password.fill(0)
    return username
  } catch (error) {
    if (error instanceof SaslFormatError) return null
    throw error
  }
}

interface Found<Identity> {
  readonly username: string
  /** Made up if there is no other. */
  readonly credential: ScramCredential
  /** Null if the credential is made up. */
  readonly user: SaslUser<Identity> | null
  /** Why a proof is wrong. */
  readonly reason: string
}

interface Hashing<Identity> {
  readonly job: LoginJob
  readonly onResult: (result: SaslResult<Identity>) => void
}

/**
 * Takes the client's tokens one after the other: PLAIN has one, SCRAM two. Ends with `authenticated` or `refused`.
 *
 * What it does, and how long that takes, is the same whether or not the user exists: names that nobody has are checked against
 * a made-up credential, and SCRAM goes through both rounds with it.
 */
export class SaslExchange<Identity> {
  readonly #options: SaslExchangeOptions<Identity>
  #scram: { readonly exchange: ScramExchange; readonly found: Found<Identity> } | null = null
  #hashing: Hashing<Identity> | null = null
  #hasEnded = false

  constructor(options: SaslExchangeOptions<Identity>) {
    this.#options = options
  }

  /** There was a result other than a challenge, or the connection is gone. */
  get hasEnded(): boolean {
    return this.#hasEnded
  }

  /**
   * Calls `onResult` once, at once or, for PLAIN, when the password has been hashed. `token` is not kept. A token that
   * comes before the result of the last one ends both.
   */
  evaluate(token: Uint8Array, onResult: (result: SaslResult<Identity>) => void): void {
    if (this.#hashing !== null) {
      const refusal = malformed('a token came before the last one was answered')
      const before = this.#hashing.onResult
      this.close()
      before(refusal)
      onResult(refusal)
    } else {
      const result = this.#evaluate(token, onResult)
      if (result !== null) onResult(result)
    }
  }

  /** The connection is gone: results that are still to come do not. */
  close(): void {
    this.#hasEnded = true
    if (this.#hashing !== null) this.#options.queue.cancel(this.#hashing.job)
    this.#hashing = null
  }

  /** Null if the result comes later. */
  #evaluate(
    token: Uint8Array,
    onResult: (result: SaslResult<Identity>) => void,
  ): SaslResult<Identity> | null {
    if (this.#hasEnded) return malformed('a token came after the authentication had ended')
    const { mechanism } = this.#options
    try {
      checkLength(token)
      if (mechanism !== 'PLAIN') return this.#evaluateScram(mechanism, token)
      this.#evaluatePlain(parsePlain(token), onResult)
      return null
    } catch (error) {
      if (!(error instanceof SaslFormatError)) throw error
      this.#hasEnded = true
      return refusedAs(error.message)
    }
  }

  #evaluateScram(mechanism: ScramMechanism, token: Uint8Array): SaslResult<Identity> {
    const { crypto } = this.#options
    if (this.#scram === null) {
      let found!: Found<Identity>
      const exchange = new ScramExchange({
        mechanism,
        crypto,
        serverNonce: drawNonce(crypto),
        credentialOf: (username) => {
          found = this.#find(username)
          return found.credential
        },
      })
      const challenge = exchange.first(token)
      this.#scram = { exchange, found }
      return { kind: 'challenge', token: challenge }
    }
    const { exchange, found } = this.#scram
    const outcome = exchange.final(token)
    return this.#conclude(found, outcome.isProven, outcome.token)
  }

  #evaluatePlain(
    { username, password }: PlainMessage,
    onResult: (result: SaslResult<Identity>) => void,
  ): void {
    const { crypto, queue, source } = this.#options
    const found = this.#find(username)
    const finish = (isRight: boolean | Error) => {
      password.fill(0)
      if (this.#hashing?.job !== job) return
      this.#hashing = null
      if (isRight instanceof Error) {
        onResult(this.#unavailable(`the password could not be hashed: ${isRight.message}`))
      } else onResult(this.#conclude(found, isRight, new Uint8Array(0)))
    }
    const job: LoginJob = {
      source,
      run: (done) =>
        verifyPassword(crypto, found.credential, password, (isRight) => {
          done()
          finish(isRight)
        }),
      drop: () => finish(new Error('too many logins wait')),
    }
    this.#hashing = { job, onResult }
    queue.submit(job)
  }

  /** As much work for names that exist as for others. */
  #find(username: string): Found<Identity> {
    const { mechanism, lookup, madeUp } = this.#options
    const other = madeUp.of(mechanism, username)
    const user = lookup(mechanism, username)
    const name = nameForLog(username)
    if (user === undefined) {
      return { username, credential: other, user: null, reason: `there is no user ${name}` }
    }
    if (typeof user === 'string') {
      return { username, credential: other, user: null, reason: `user ${name}: ${user}` }
    }
    const own = chosenFor(mechanism, user.credentials)
    if (own === undefined) {
      const reason = `user ${name} has no credential for ${mechanism}`
      return { username, credential: other, user: null, reason }
    }
    const fault = scramCredentialFault(own)
    if (fault !== null) {
      const reason = `the credential of user ${name} is of no use: ${fault}`
      return { username, credential: other, user: null, reason }
    }
    return { username, credential: own, user, reason: `wrong password of user ${name}` }
  }

  #conclude(found: Found<Identity>, isProven: boolean, token: Uint8Array): SaslResult<Identity> {
    this.#hasEnded = true
    const { username, credential, user, reason } = found
    if (!isProven || user === null) return this.#wrong(reason)
    const { mechanism, lookup } = this.#options
    // a client may take its time between two rounds: what has been revoked meanwhile is worth nothing
    const now = lookup(mechanism, username)
    if (typeof now === 'string') return this.#wrong(`user ${nameForLog(username)}: ${now}`)
    const kept = now === undefined ? undefined : chosenFor(mechanism, now.credentials)
    if (now === undefined || kept === undefined || !isSameKey(kept, credential)) {
      return this.#wrong(`user ${nameForLog(username)} was changed while it logged in`)
    }
    return { kind: 'authenticated', identity: now.identity, username, token }
  }

  #wrong(reason: string): SaslRefusal {
    const message = invalidCredentials(this.#options.mechanism)
    return { kind: 'refused', cause: 'credentials', message, reason }
  }

  #unavailable(reason: string): SaslRefusal {
    this.#hasEnded = true
    const message = 'Authentication failed: the server is busy, try again'
    return { kind: 'refused', cause: 'unavailable', message, reason }
  }
}

function checkLength({ length }: Uint8Array): void {
  if (length <= SASL_TOKEN_BYTES_MAX) return
  throw new SaslFormatError(
    `Authentication failed: token of ${length} bytes, at most ${SASL_TOKEN_BYTES_MAX}`,
  )
}

const refusedAs = (message: string): SaslRefusal => ({
  ...{ kind: 'refused', cause: 'malformed', message, reason: message },
})

const malformed = (what: string): SaslRefusal => refusedAs(`Authentication failed: ${what}`)

const isSameKey = (a: ScramCredential, b: ScramCredential): boolean =>
  Buffer.compare(a.storedKey, b.storedKey) === 0

/** Quoted; a secret that somebody gave for the name must not come into a log. */
const nameForLog = (username: string): string =>
  username.includes(API_SECRET_PREFIX)
    ? 'whose name has an API secret in it'
    : JSON.stringify(username)

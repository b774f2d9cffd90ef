/** Logging in on a connection: SaslHandshake, then tokens in SaslAuthenticate (KIP-43, KIP-152). */
import { randomBytes } from 'node:crypto'
import { ErrorCode } from '../base/error-code.ts'
import { saslHandshake } from '../protocol/17-sasl-handshake.ts'
import { saslAuthenticate } from '../protocol/36-sasl-authenticate.ts'
import type { Api, RequestInputOf, ResponseOf } from '../protocol/api.ts'
import { KafkaError } from './errors.ts'
import { ScramClient, ScramError, type ScramMechanism } from './scram-client.ts'

export type SaslMechanism = 'PLAIN' | ScramMechanism

export const SASL_MECHANISMS: readonly SaslMechanism[] = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']

export interface SaslLogin {
  readonly mechanism: SaslMechanism
  readonly username: string
  readonly password: string
}

/** Asks on the connection that is to be logged in. */
export type Ask = <A extends Api>(api: A, request: RequestInputOf<A>) => Promise<ResponseOf<A>>

/** A multiple of three, so that base64 needs no padding. */
const NONCE_BYTES = 18

/** Returns how long the login holds, in milliseconds; 0: as long as the connection. Throws {@link KafkaError}, which never has the password in it. */
export async function logIn(ask: Ask, login: SaslLogin): Promise<number> {
  const { mechanism } = login
  const { errorCode, mechanisms } = await ask(saslHandshake, { mechanism })
  if (errorCode !== ErrorCode.NONE) {
    throw new KafkaError(errorCode, `login by ${mechanism}`, offered(mechanisms))
  }
  return mechanism === 'PLAIN'
    ? await byPlain(ask, login)
    : await byScram(ask, { ...login, mechanism })
}

const offered = (mechanisms: readonly string[]): string =>
  mechanisms.length === 0 ? 'it offers no login at all' : `it offers ${mechanisms.join(', ')}`

async function byPlain(ask: Ask, { username, password }: SaslLogin): Promise<number> {
  const token = Buffer.from(`\0${username}\0${password}`)
  return (await authenticate(ask, 'PLAIN', token)).sessionLifetimeMs
}

async function byScram(
  ask: Ask,
  login: SaslLogin & { readonly mechanism: ScramMechanism },
): Promise<number> {
  const { mechanism } = login
  const client = new ScramClient(login, randomBytes(NONCE_BYTES).toString('base64'))
  try {
    const { authBytes: first } = await authenticate(ask, mechanism, client.first())
    const last = await authenticate(ask, mechanism, await client.final(first))
    client.verify(last.authBytes)
    return last.sessionLifetimeMs
  } catch (error) {
    if (!(error instanceof ScramError)) throw error
    const { SASL_AUTHENTICATION_FAILED } = ErrorCode
    throw new KafkaError(SASL_AUTHENTICATION_FAILED, `login by ${mechanism}`, error.message)
  }
}

interface Authenticated {
  readonly authBytes: Uint8Array
  readonly sessionLifetimeMs: number
}

async function authenticate(
  ask: Ask,
  mechanism: SaslMechanism,
  authBytes: Uint8Array,
): Promise<Authenticated> {
  const answer = await ask(saslAuthenticate, { authBytes })
  if (answer.errorCode !== ErrorCode.NONE) {
    throw new KafkaError(answer.errorCode, `login by ${mechanism}`, answer.errorMessage)
  }
  return {
    authBytes: Buffer.from(answer.authBytes),
    sessionLifetimeMs: Number(answer.sessionLifetimeMs ?? 0),
  }
}

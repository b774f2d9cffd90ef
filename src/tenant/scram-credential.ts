/** What is stored of a SCRAM user: salted hashes, from which the password cannot be had (RFC 5802). Any thread. */
import { HASH_BYTES, type SaslCrypto, type SaslHash } from './sasl-crypto.ts'

export type ScramMechanism = 'SCRAM-SHA-256' | 'SCRAM-SHA-512'

/** In the order in which PLAIN prefers them: the first takes half the time. */
export const SCRAM_MECHANISMS: readonly ScramMechanism[] = ['SCRAM-SHA-256', 'SCRAM-SHA-512']

export const SCRAM_HASH: Readonly<Record<ScramMechanism, SaslHash>> = {
  'SCRAM-SHA-256': 'sha256',
  'SCRAM-SHA-512': 'sha512',
}

export interface ScramCredential {
  readonly mechanism: ScramMechanism
  readonly salt: Uint8Array
  readonly iterations: number
  readonly storedKey: Uint8Array
  readonly serverKey: Uint8Array
}

/** Kafka's bounds, of both mechanisms. */
export const SCRAM_ITERATIONS_MIN = 4_096
export const SCRAM_ITERATIONS_MAX = 16_384

/** Clients draw the salts of users that they make: 25 or 26 bytes Kafka's tools, 64 librdkafka, 4 its own tests. */
export const SCRAM_SALT_BYTES_MIN = 4
export const SCRAM_SALT_BYTES_MAX = 128

/** Of what we draw ourselves. */
export const OWN_SALT_BYTES = 16

type ScramParameters = Pick<ScramCredential, 'mechanism' | 'salt' | 'iterations'>

/** What is wrong with iterations or salt, with the limit, or null. */
export function scramParameterFault({ salt, iterations }: ScramParameters): string | null {
  if (!Number.isInteger(iterations) || iterations < SCRAM_ITERATIONS_MIN) {
    return `too few iterations: ${iterations}, at least ${SCRAM_ITERATIONS_MIN}`
  }
  if (iterations > SCRAM_ITERATIONS_MAX) {
    return `too many iterations: ${iterations}, at most ${SCRAM_ITERATIONS_MAX}`
  }
  if (salt.length < SCRAM_SALT_BYTES_MIN) {
    return `salt too short: ${salt.length} bytes, at least ${SCRAM_SALT_BYTES_MIN}`
  }
  if (salt.length > SCRAM_SALT_BYTES_MAX) {
    return `salt too long: ${salt.length} bytes, at most ${SCRAM_SALT_BYTES_MAX}`
  }
  return null
}

/** The same for a whole credential, wherever it comes from. */
export function scramCredentialFault(credential: ScramCredential): string | null {
  const hash = SCRAM_HASH[credential.mechanism]
  if (hash === undefined) return `no SCRAM mechanism: ${credential.mechanism}`
  const bytes = HASH_BYTES[hash]
  for (const [name, key] of [
    ['stored key', credential.storedKey],
    ['server key', credential.serverKey],
  ] as const) {
    if (key.length !== bytes) return `${name} of ${key.length} bytes, ${hash} has ${bytes}`
  }
  return scramParameterFault(credential)
}

const CLIENT_KEY = new TextEncoder().encode('Client Key')
const SERVER_KEY = new TextEncoder().encode('Server Key')

/** StoredKey of RFC 5802: H(HMAC(SaltedPassword, "Client Key")). */
export function storedKeyOf(crypto: SaslCrypto, hash: SaslHash, salted: Uint8Array): Uint8Array {
  return crypto.hash(hash, crypto.hmac(hash, salted, CLIENT_KEY))
}

/**
 * The credential of a password that was salted elsewhere, as Kafka's clients send it. Throws RangeError with the limit
 * for parameters out of bounds, or a salted password that does not have the bytes of the hash.
 */
export function credentialOfSalted(
  crypto: SaslCrypto,
  parameters: ScramParameters,
  salted: Uint8Array,
): ScramCredential {
  const { mechanism, salt, iterations } = parameters
  const hash = SCRAM_HASH[mechanism]
  const fault = scramParameterFault(parameters)
  if (fault !== null) throw new RangeError(fault)
  if (salted.length !== HASH_BYTES[hash]) {
    throw new RangeError(
      `salted password of ${salted.length} bytes, ${hash} has ${HASH_BYTES[hash]}`,
    )
  }
  const storedKey = storedKeyOf(crypto, hash, salted)
  return {
    mechanism,
    salt,
    iterations,
    storedKey,
    serverKey: crypto.hmac(hash, salted, SERVER_KEY),
  }
}

/**
 * The credential of a secret, which is taken as its bytes: no SASLprep, like Kafka. Throws RangeError with the limit for
 * parameters out of bounds; what PBKDF2 fails with comes to `onDone`.
 */
export function deriveCredential(
  crypto: SaslCrypto,
  parameters: ScramParameters,
  secret: Uint8Array,
  onDone: (credential: ScramCredential | Error) => void,
): void {
  const { mechanism, salt, iterations } = parameters
  const fault = scramParameterFault(parameters)
  if (fault !== null) throw new RangeError(fault)
  crypto.pbkdf2(SCRAM_HASH[mechanism], secret, salt, iterations, (salted) => {
    onDone(salted instanceof Error ? salted : credentialOfSalted(crypto, parameters, salted))
  })
}

/** Tells `onDone` whether `password` is the one of `credential`, by as many iterations as that has. */
export function verifyPassword(
  crypto: SaslCrypto,
  { mechanism, salt, iterations, storedKey }: ScramCredential,
  password: Uint8Array,
  onDone: (isRight: boolean | Error) => void,
): void {
  const hash = SCRAM_HASH[mechanism]
  crypto.pbkdf2(hash, password, salt, iterations, (salted) => {
    if (salted instanceof Error) onDone(salted)
    else onDone(crypto.timingSafeEqual(storedKeyOf(crypto, hash, salted), storedKey))
  })
}

/** Of what one user has, what `mechanism` goes by: its own, or for PLAIN the one that takes the least. */
export function chosenFor<Kind extends { readonly mechanism: ScramMechanism }>(
  mechanism: ScramMechanism | 'PLAIN',
  all: readonly Kind[],
): Kind | undefined {
  const wanted = mechanism === 'PLAIN' ? SCRAM_MECHANISMS : [mechanism]
  for (const one of wanted) {
    const found = all.find((each) => each.mechanism === one)
    if (found !== undefined) return found
  }
  return undefined
}

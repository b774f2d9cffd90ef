/** API keys: a name and a secret for programs, made here and shown once. Any thread. */
import type { SaslCrypto } from './sasl-crypto.ts'
import {
  deriveCredential,
  OWN_SALT_BYTES,
  SCRAM_ITERATIONS_MIN,
  SCRAM_MECHANISMS,
  type ScramCredential,
} from './scram-credential.ts'

/** Crockford's base 32: no I, L, O and U, which are read as others or make words. */
const ID_CHARACTERS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const ID_LENGTH = 16

/** What leak scanners look for: this, and 49 characters of base64url. */
export const API_SECRET_PREFIX = 'griot_'
const SECRET_BYTES = 32
const SECRET_CHARACTERS = 43
/** The first 36 bits of SHA-256 over all before them, in base64url. */
const CHECK_CHARACTERS = 6
const SECRET_LENGTH = API_SECRET_PREFIX.length + SECRET_CHARACTERS + CHECK_CHARACTERS

export interface ApiKey {
  /** The username: 80 random bits. */
  readonly keyId: string
  /** The password: 256 random bits, between the prefix and the checksum. Never stored. */
  readonly secret: string
  /** What is stored: one of each SCRAM mechanism, in their order. */
  readonly credentials: readonly ScramCredential[]
}

/** Makes a key and hands it to `onMade`, or what PBKDF2 failed with; derives the second credential after the first. */
export function makeApiKey(crypto: SaslCrypto, onMade: (key: ApiKey | Error) => void): void {
  const keyId = drawKeyId(crypto)
  const secret = drawSecret(crypto)
  const password = Buffer.from(secret)
  const credentials: ScramCredential[] = []
  const deriveNext = () => {
    const mechanism = SCRAM_MECHANISMS[credentials.length]
    if (mechanism === undefined) return onMade({ keyId, secret, credentials })
    const salt = crypto.randomBytes(OWN_SALT_BYTES)
    const parameters = { mechanism, salt, iterations: SCRAM_ITERATIONS_MIN }
    deriveCredential(crypto, parameters, password, (credential) => {
      if (credential instanceof Error) return onMade(credential)
      credentials.push(credential)
      deriveNext()
    })
  }
  deriveNext()
}

/** What is wrong with `text` as a key id, or null. */
export function keyIdFault(text: string): string | null {
  if (text.length !== ID_LENGTH) return `key id of ${text.length} characters, has ${ID_LENGTH}`
  const at = [...text].findIndex((character) => !ID_CHARACTERS.includes(character))
  if (at < 0) return null
  return `character ${at + 1} of the key id is none of ${ID_CHARACTERS}`
}

/** What is wrong with `text` as a secret, without a look at who has it, or null; repeats nothing of it. */
export function apiSecretFault(crypto: SaslCrypto, text: string): string | null {
  if (!text.startsWith(API_SECRET_PREFIX)) return `secret does not begin with ${API_SECRET_PREFIX}`
  if (text.length !== SECRET_LENGTH) {
    return `secret of ${text.length} characters, has ${SECRET_LENGTH}`
  }
  const at = text.search(/[^A-Za-z0-9_-]/)
  if (at >= 0) return `character ${at + 1} of the secret is none of A-Z, a-z, 0-9, - and _`
  const body = text.slice(0, -CHECK_CHARACTERS)
  if (checkOf(crypto, body) === text.slice(-CHECK_CHARACTERS)) return null
  return 'the last six characters of the secret do not fit the others: it was mistyped or cut'
}

function drawKeyId(crypto: SaslCrypto): string {
  const random = crypto.randomBytes(ID_LENGTH)
  // 32 characters: a byte's lowest five bits favour none
  return Array.from(random, (byte) => ID_CHARACTERS[byte & 31]).join('')
}

function drawSecret(crypto: SaslCrypto): string {
  const random = Buffer.from(crypto.randomBytes(SECRET_BYTES)).toString('base64url')
  const body = API_SECRET_PREFIX + random
  return body + checkOf(crypto, body)
}

function checkOf(crypto: SaslCrypto, body: string): string {
  const hash = Buffer.from(crypto.hash('sha256', Buffer.from(body)))
  return hash.toString('base64url').slice(0, CHECK_CHARACTERS)
}

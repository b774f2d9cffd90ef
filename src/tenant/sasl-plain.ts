/** The message of PLAIN (RFC 4616), read as Kafka's PlainSaslServer reads it. Any thread. */
import { isUtf8 } from 'node:buffer'
import { checkUsername, OTHER_AUTHZID, SaslFormatError } from './sasl-format-error.ts'

export interface PlainMessage {
  readonly username: string
  /** UTF-8, in memory of its own: whoever is done with it overwrites it. */
  readonly password: Uint8Array
}

/**
 * `[authzid] NUL username NUL password`, in UTF-8. Throws {@link SaslFormatError}. Other than Kafka it looks at the
 * authorization id before the password, so that the answer says nothing about either.
 */
export function parsePlain(token: Uint8Array): PlainMessage {
  const parts = splitAtNul(token)
  if (parts.length !== 3) {
    throw new SaslFormatError(`Invalid SASL/PLAIN response: expected 3 tokens, got ${parts.length}`)
  }
  if (!isUtf8(token)) throw new SaslFormatError('Invalid SASL/PLAIN response: not UTF-8')
  const [authzid, username] = parts.map((part) => Buffer.from(part).toString()) as [string, string]
  const password = parts[2]!
  if (username === '') throw new SaslFormatError('Authentication failed: username not specified')
  if (password.length === 0) {
    throw new SaslFormatError('Authentication failed: password not specified')
  }
  checkUsername(username)
  if (authzid !== '' && authzid !== username) throw new SaslFormatError(OTHER_AUTHZID)
  // a token lies in its frame, which is reused; slice of a Buffer would be a view of it
  return { username, password: new Uint8Array(password) }
}

/** Four parts at most, as Kafka counts them. */
function splitAtNul(token: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = []
  let from = 0
  while (parts.length < 4) {
    const end = token.indexOf(0, from)
    if (end < 0) return [...parts, token.subarray(from)]
    parts.push(token.subarray(from, end))
    from = end + 1
  }
  return parts
}

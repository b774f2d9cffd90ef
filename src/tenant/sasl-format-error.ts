/** A token is not what its mechanism says: the message says what is wrong with it, repeats nothing of it, and may be told to the client. */
export class SaslFormatError extends Error {
  override name = 'SaslFormatError'
}

/** Kafka's text. */
export const OTHER_AUTHZID =
  'Authentication failed: Client requested an authorization id that is different from username'

/** What RFC 4616 asks a server to take at least. */
export const USERNAME_BYTES_MAX = 255

/** Throws {@link SaslFormatError} for a name that nobody can have. */
export function checkUsername(username: string): void {
  const bytes = Buffer.byteLength(username)
  if (bytes > USERNAME_BYTES_MAX) {
    throw new SaslFormatError(
      `Authentication failed: username of ${bytes} bytes, at most ${USERNAME_BYTES_MAX}`,
    )
  }
}

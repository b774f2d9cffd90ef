/** Hashes of the SCRAM mechanisms. */
export type SaslHash = 'sha256' | 'sha512'

export const HASH_BYTES: Readonly<Record<SaslHash, number>> = { sha256: 32, sha512: 64 }

/**
 * The cryptography that authentication needs, as an argument: node:crypto takes 5 ms to load, and a simulator gives one
 * that is synchronous and seeded. What comes back belongs to the caller.
 */
export interface SaslCrypto {
  hash(hash: SaslHash, data: Uint8Array): Uint8Array
  hmac(hash: SaslHash, key: Uint8Array, data: Uint8Array): Uint8Array
  /**
   * PBKDF2 with HMAC, as many bytes as the hash has. Calls `onDone` once, at once or later on the same thread; errors
   * come that way as well. `password` and `salt` must not change until then.
   */
  pbkdf2(
    hash: SaslHash,
    password: Uint8Array,
    salt: Uint8Array,
    iterations: number,
    onDone: (key: Uint8Array | Error) => void,
  ): void
  /** Fit for secrets. */
  randomBytes(length: number): Uint8Array
  /** Takes the same time wherever they differ; both must have the same length. */
  timingSafeEqual(a: Uint8Array, b: Uint8Array): boolean
}

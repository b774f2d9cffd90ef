/** Authentication's cryptography by node:crypto, which loads at the first use: it takes each thread 5 ms. */
import { createRequire } from 'node:module'
import { HASH_BYTES, type SaslCrypto } from '../tenant/sasl-crypto.ts'

type Crypto = typeof import('node:crypto')

let loaded: Crypto | undefined

const crypto = (): Crypto => {
  loaded ??= createRequire(import.meta.url)('node:crypto') as Crypto
  return loaded
}

/** PBKDF2 runs on libuv's threads, everything else where it is called. */
export const nodeSaslCrypto: SaslCrypto = {
  hash: (hash, data) => crypto().createHash(hash).update(data).digest(),
  hmac: (hash, key, data) => crypto().createHmac(hash, key).update(data).digest(),
  pbkdf2(hash, password, salt, iterations, onDone) {
    crypto().pbkdf2(password, salt, iterations, HASH_BYTES[hash], hash, (error, key) =>
      onDone(error ?? key),
    )
  },
  randomBytes: (length) => crypto().randomBytes(length),
  timingSafeEqual: (a, b) => crypto().timingSafeEqual(a, b),
}

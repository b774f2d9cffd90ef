/** Authentication's cryptography that draws from a seed and answers at once. */
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'
import type { SeededRandom } from '../../src/base/random.ts'
import { HASH_BYTES, type SaslCrypto } from '../../src/tenant/sasl-crypto.ts'

export const seededSaslCrypto = (random: SeededRandom): SaslCrypto => ({
  hash: (hash, data) => createHash(hash).update(data).digest(),
  hmac: (hash, key, data) => createHmac(hash, key).update(data).digest(),
  pbkdf2: (hash, password, salt, iterations, onDone) =>
    onDone(pbkdf2Sync(password, salt, iterations, HASH_BYTES[hash], hash)),
  randomBytes: (length) => Uint8Array.from({ length }, () => random.below(256)),
  timingSafeEqual: (a, b) => Buffer.compare(a, b) === 0,
})

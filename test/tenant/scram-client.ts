/** A SCRAM client of its own, and the cryptography of the tests. */
import crypto from 'node:crypto'
import { SeededRandom } from '../../src/base/random.ts'
import { HASH_BYTES, type SaslCrypto, type SaslHash } from '../../src/tenant/sasl-crypto.ts'
import { SCRAM_HASH, type ScramMechanism } from '../../src/tenant/scram-credential.ts'

/** Synchronous and seeded, as a simulator has it. */
export function seededCrypto(seed = 1): SaslCrypto {
  const random = new SeededRandom(seed)
  return {
    hash: (hash, data) => crypto.createHash(hash).update(data).digest(),
    hmac: (hash, key, data) => crypto.createHmac(hash, key).update(data).digest(),
    pbkdf2: (hash, password, salt, iterations, onDone) =>
      onDone(crypto.pbkdf2Sync(password, salt, iterations, HASH_BYTES[hash], hash)),
    randomBytes: (length) => Uint8Array.from({ length }, () => random.below(256)),
    timingSafeEqual: (a, b) => crypto.timingSafeEqual(a, b),
  }
}

/** Hashes passwords when it is told to. */
export class HeldCrypto {
  readonly calls: { hash: SaslHash; iterations: number; password: Uint8Array; go: () => void }[] =
    []
  readonly crypto: SaslCrypto = {
    ...seededCrypto(),
    pbkdf2: (hash, password, salt, iterations, onDone) => {
      const go = () => seededCrypto().pbkdf2(hash, password, salt, iterations, onDone)
      this.calls.push({ hash, iterations, password, go })
    },
  }
}

export const utf8 = (text: string): Buffer => Buffer.from(text)
export const base64 = (text: string): Buffer => Buffer.from(text, 'base64')

export interface ScramClientOptions {
  readonly mechanism: ScramMechanism
  readonly username: string
  readonly password: string
  readonly header?: string
  readonly extensions?: string
  /** What stands before the nonce in the last message; `own`: the client's part of it. */
  readonly noncePrefix?: 'own' | ''
}

/** Written after RFC 5802, without a line of the server's. */
export class ScramClient {
  readonly #options: Required<ScramClientOptions>
  readonly #nonce = crypto.randomBytes(12).toString('base64url')
  #serverSignature = ''

  constructor(options: ScramClientOptions) {
    this.#options = { header: 'n,,', extensions: '', noncePrefix: '', ...options }
  }

  get #bare(): string {
    const name = this.#options.username.replace(/=/g, '=3D').replace(/,/g, '=2C')
    return `n=${name},r=${this.#nonce}${this.#options.extensions}`
  }

  first(): Buffer {
    return utf8(this.#options.header + this.#bare)
  }

  final(serverFirst: Uint8Array): Buffer {
    const text = Buffer.from(serverFirst).toString()
    const [, nonce, salt, iterations] = /^r=([^,]+),s=([^,]+),i=(\d+)$/.exec(text)!
    if (!nonce!.startsWith(this.#nonce) || nonce === this.#nonce) throw new Error('nonce')
    const hash = SCRAM_HASH[this.#options.mechanism]
    const mac = (key: Uint8Array, data: string) =>
      crypto.createHmac(hash, key).update(data).digest()
    const salted = crypto.pbkdf2Sync(
      ...([this.#options.password, base64(salt!), Number(iterations), HASH_BYTES[hash]] as const),
      hash,
    )
    const clientKey = mac(salted, 'Client Key')
    const again = this.#options.noncePrefix === 'own' ? this.#nonce : ''
    const withoutProof = `c=${utf8(this.#options.header).toString('base64')},r=${again}${nonce}`
    const message = `${this.#bare},${text},${withoutProof}`
    const signature = mac(crypto.createHash(hash).update(clientKey).digest(), message)
    this.#serverSignature = mac(mac(salted, 'Server Key'), message).toString('base64')
    const proof = clientKey.map((byte, i) => byte ^ signature[i]!)
    return utf8(`${withoutProof},p=${Buffer.from(proof).toString('base64')}`)
  }

  /** Whether the server has proven that it knows the credential. */
  accepts(serverFinal: Uint8Array): boolean {
    return Buffer.from(serverFinal).toString() === `v=${this.#serverSignature}`
  }
}

/** Credentials of users that do not exist, so that nobody can tell. Any thread. */
import { HASH_BYTES, type SaslCrypto } from './sasl-crypto.ts'
import {
  chosenFor,
  OWN_SALT_BYTES,
  SCRAM_HASH,
  SCRAM_ITERATIONS_MIN,
  SCRAM_MECHANISMS,
  type ScramCredential,
  type ScramMechanism,
} from './scram-credential.ts'

/** What strangers see of a credential: SCRAM tells salt and iterations to whoever knows the name. */
export interface CredentialShape {
  readonly mechanism: ScramMechanism
  readonly iterations: number
  /** Bytes, or that it is one of Kafka's tools: 130 random bits as a number in base 36. */
  readonly salt: number | 'kafka'
}

/** Of one user, all that it has. */
export type UserShape = readonly CredentialShape[]

/** As API keys have them. */
export const API_KEY_SHAPE: UserShape = SCRAM_MECHANISMS.map((mechanism) => ({
  mechanism,
  iterations: SCRAM_ITERATIONS_MIN,
  salt: OWN_SALT_BYTES,
}))

const KAFKA_SALT_BITS = 130

/** Of its numbers, one in three million has fewer than 22 digits. */
const isKafkaSalt = (salt: Uint8Array): boolean =>
  /^[0-9a-z]{22,26}$/.test(Buffer.from(salt).toString('latin1'))

export const shapeOf = ({ mechanism, iterations, salt }: ScramCredential): CredentialShape => ({
  mechanism,
  iterations,
  salt: isKafkaSalt(salt) ? 'kafka' : salt.length,
})

export interface MadeUpOptions {
  readonly crypto: SaslCrypto
  /** At least 16 random bytes, the same on all threads that know the same users, and different for other users. */
  readonly secret: Uint8Array
  /** What the users that exist look like, each kind once, at any time; a name that does not exist looks like one of them. */
  readonly shapes?: readonly UserShape[]
}

/**
 * Makes a credential from a name and a secret: the same from try to try, like one that is stored (RFC 5802, section 9,
 * has nothing against guessing names). Nobody knows a password that fits.
 */
export class MadeUpCredentials {
  readonly #crypto: SaslCrypto
  readonly #secret: Uint8Array
  readonly #shapes: readonly UserShape[]

  constructor({ crypto, secret, shapes = [API_KEY_SHAPE] }: MadeUpOptions) {
    if (secret.length < 16) throw new RangeError(`secret of ${secret.length} bytes, at least 16`)
    this.#crypto = crypto
    this.#secret = secret
    this.#shapes = shapes
  }

  of(mechanism: ScramMechanism | 'PLAIN', username: string): ScramCredential {
    const candidates = this.#shapes.flatMap((user) => chosenFor(mechanism, user) ?? [])
    if (candidates.length === 0) candidates.push(chosenFor(mechanism, API_KEY_SHAPE)!)
    // all of it takes the same time for whoever does exist: it is made for everybody
    const drawn = this.#draw(mechanism, username)
    const shape = drawnOf(candidates, drawn.readUInt32LE(0))
    const keyBytes = HASH_BYTES[SCRAM_HASH[shape.mechanism]]
    const salt = drawn.subarray(4 + 2 * 64)
    return {
      mechanism: shape.mechanism,
      iterations: shape.iterations,
      storedKey: drawn.subarray(4, 4 + keyBytes),
      serverKey: drawn.subarray(4 + 64, 4 + 64 + keyBytes),
      salt: shape.salt === 'kafka' ? kafkaSalt(salt) : salt.subarray(0, shape.salt),
    }
  }

  /** 320 bytes: 4 that choose the shape, twice 64 for keys, the rest for salts. */
  #draw(mechanism: string, username: string): Buffer {
    const blocks: Uint8Array[] = []
    for (let block = 0; block < 5; block++) {
      const text = Buffer.from(`${block} ${mechanism} ${username}`)
      blocks.push(this.#crypto.hmac('sha512', this.#secret, text))
    }
    return Buffer.concat(blocks)
  }
}

/** The same one as long as it is there, also when others come: or every new kind would tell who does not exist. */
function drawnOf(candidates: readonly CredentialShape[], drawn: number): CredentialShape {
  let found = candidates[0]!
  let most = -1
  for (const candidate of candidates) {
    const { mechanism, iterations, salt } = candidate
    const weight = mixed(`${mechanism} ${iterations} ${salt}`, drawn)
    if (weight > most) {
      most = weight
      found = candidate
    }
  }
  return found
}

/** FNV-1a from `seed` on, and the end of MurmurHash3, which spreads its last bytes. */
function mixed(text: string, seed: number): number {
  let hash = seed ^ 0x811c_9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x0100_0193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

function kafkaSalt(random: Buffer): Uint8Array {
  const bits = BigInt(`0x${random.subarray(0, 17).toString('hex')}`)
  return Buffer.from(BigInt.asUintN(KAFKA_SALT_BITS, bits).toString(36))
}

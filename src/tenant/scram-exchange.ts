/** The server's side of one SCRAM exchange (RFC 5802, RFC 7677), as Kafka's ScramSaslServer. Any thread. */
import { InvariantError } from '../base/assert.ts'
import { HASH_BYTES, type SaslCrypto } from './sasl-crypto.ts'
import { SCRAM_HASH, type ScramCredential, type ScramMechanism } from './scram-credential.ts'
import {
  type ClientFirst,
  checkNonceReturned,
  parseClientFinal,
  parseClientFirst,
} from './scram-messages.ts'

/** A multiple of three, so that base64 needs no padding: 144 random bits, Kafka has 130. */
const NONCE_BYTES = 18

/** The server's part of the nonce. */
export const drawNonce = (crypto: SaslCrypto): string =>
  Buffer.from(crypto.randomBytes(NONCE_BYTES)).toString('base64')

export interface ScramExchangeOptions {
  readonly mechanism: ScramMechanism
  readonly crypto: SaslCrypto
  /** From {@link drawNonce}. */
  readonly serverNonce: string
  /** A credential of the exchange's mechanism for every name, those that do not exist as well. */
  readonly credentialOf: (username: string) => ScramCredential
}

export interface ScramOutcome {
  readonly isProven: boolean
  /** The server-final-message; to be sent only if the client has proven that it knows the password. */
  readonly token: Uint8Array
}

interface Begun {
  readonly clientFirst: ClientFirst
  readonly credential: ScramCredential
  readonly nonce: string
  readonly serverFirst: string
}

/** Two rounds: `first`, then `final`, once each. */
export class ScramExchange {
  readonly #options: ScramExchangeOptions
  #begun: Begun | null = null

  constructor(options: ScramExchangeOptions) {
    this.#options = options
  }

  /** Takes the client-first-message, returns the server-first-message. Throws {@link SaslFormatError}. */
  first(token: Uint8Array): Uint8Array {
    const clientFirst = parseClientFirst(token)
    const credential = this.#options.credentialOf(clientFirst.username)
    const nonce = clientFirst.nonce + this.#options.serverNonce
    const salt = Buffer.from(credential.salt).toString('base64')
    const serverFirst = `r=${nonce},s=${salt},i=${credential.iterations}`
    this.#begun = { clientFirst, credential, nonce, serverFirst }
    return Buffer.from(serverFirst)
  }

  /** Takes the client-final-message. Throws {@link SaslFormatError}. */
  final(token: Uint8Array): ScramOutcome {
    const begun = this.#begun
    if (begun === null) throw new InvariantError('a SCRAM exchange ends before it begins')
    this.#begun = null
    const { mechanism, crypto } = this.#options
    const { clientFirst, credential, nonce, serverFirst } = begun
    const hash = SCRAM_HASH[mechanism]
    const clientFinal = parseClientFinal(token, clientFirst.gs2Header, HASH_BYTES[hash])
    checkNonceReturned(clientFinal.nonce, nonce, clientFirst.nonce)
    const message = Buffer.from(`${clientFirst.bare},${serverFirst},${clientFinal.withoutProof}`)
    const signature = crypto.hmac(hash, credential.storedKey, message)
    const clientKey = clientFinal.proof.map((byte, i) => byte ^ signature[i]!)
    const isProven = crypto.timingSafeEqual(crypto.hash(hash, clientKey), credential.storedKey)
    const verifier = Buffer.from(crypto.hmac(hash, credential.serverKey, message))
    return { isProven, token: Buffer.from(`v=${verifier.toString('base64')}`) }
  }
}

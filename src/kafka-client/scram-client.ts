/** The client's side of one SCRAM exchange (RFC 5802, RFC 7677), as Kafka's ScramSaslClient: the password is taken as its UTF-8 bytes, without SASLprep. */
import { createHash, createHmac, pbkdf2, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'

export type ScramMechanism = 'SCRAM-SHA-256' | 'SCRAM-SHA-512'

const HASHES: Readonly<Record<ScramMechanism, { readonly name: string; readonly bytes: number }>> =
  {
    'SCRAM-SHA-256': { name: 'sha256', bytes: 32 },
    'SCRAM-SHA-512': { name: 'sha512', bytes: 64 },
  }

/** Kafka's own lower bound: fewer would let who plays the broker guess at the password quickly. */
const ITERATIONS_MIN = 4_096
/** A broker that asks for more keeps this process busy for seconds. */
const ITERATIONS_MAX = 1_000_000

/** What the broker sent is not SCRAM, or does not prove that it knows the password. */
export class ScramError extends Error {
  override name = 'ScramError'
}

export interface ScramLogin {
  readonly mechanism: ScramMechanism
  readonly username: string
  readonly password: string
}

const derive = promisify(pbkdf2)

/** Two rounds: {@link first}, {@link final}, and a look at what came then. */
export class ScramClient {
  readonly #login: ScramLogin
  readonly #nonce: string
  #serverSignature: Buffer | null = null

  /** `nonce`: drawn for this exchange alone; printable, and without commas. */
  constructor(login: ScramLogin, nonce: string) {
    this.#login = login
    this.#nonce = nonce
  }

  get #bare(): string {
    const name = this.#login.username.replace(/=/g, '=3D').replace(/,/g, '=2C')
    return `n=${name},r=${this.#nonce}`
  }

  first(): Buffer {
    return Buffer.from(`n,,${this.#bare}`)
  }

  /** What answers the server-first-message. Throws {@link ScramError}. */
  async final(serverFirst: Uint8Array): Promise<Buffer> {
    const { mechanism, password } = this.#login
    const { name, bytes } = HASHES[mechanism]
    const text = Buffer.from(serverFirst).toString()
    const [, nonce, salt, count] = /^r=([\x21-\x2b\x2d-\x7e]+),s=([\w+/=]+),i=(\d{1,9})$/.exec(
      text,
    ) ?? [text]
    if (count === undefined) throw new ScramError(`what the broker sent is no ${mechanism}`)
    if (!nonce!.startsWith(this.#nonce) || nonce === this.#nonce) {
      throw new ScramError('the nonce that the broker sent is not that of this login')
    }
    const iterations = Number(count)
    if (iterations < ITERATIONS_MIN || iterations > ITERATIONS_MAX) {
      throw new ScramError(
        `the broker wants ${iterations} iterations, ${ITERATIONS_MIN} to ${ITERATIONS_MAX} are allowed`,
      )
    }
    const hmac = (key: Uint8Array, data: string) => createHmac(name, key).update(data).digest()
    const saltBytes = Buffer.from(salt!, 'base64')
    const salted = await derive(password, saltBytes, iterations, bytes, name)
    const clientKey = hmac(salted, 'Client Key')
    const withoutProof = `c=biws,r=${nonce}`
    const message = `${this.#bare},${text},${withoutProof}`
    const signature = hmac(createHash(name).update(clientKey).digest(), message)
    const proof = clientKey.map((byte, i) => byte ^ signature[i]!)
    this.#serverSignature = hmac(hmac(salted, 'Server Key'), message)
    return Buffer.from(`${withoutProof},p=${Buffer.from(proof).toString('base64')}`)
  }

  /** Looks at the server-final-message. Throws {@link ScramError}. */
  verify(serverFinal: Uint8Array): void {
    const text = Buffer.from(serverFinal).toString()
    const [, base64 = ''] = /^v=([\w+/=]+)(?:,|$)/.exec(text) ?? []
    const shown = Buffer.from(base64, 'base64')
    const own = this.#serverSignature
    if (own !== null && shown.length === own.length && timingSafeEqual(shown, own)) return
    throw new ScramError(
      'the broker has not proven that it knows the password: it may be somebody else',
    )
  }
}

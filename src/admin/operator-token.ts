/** Who may see what is the operator's: the token that requests carry, and when it is asked for. HTTP front's thread. */
import { CHALLENGE, CHALLENGE_HEADER, PROOF_HEADER, proofText } from '../base/engine-proof.ts'
import {
  type HttpHandler,
  type HttpRequest,
  type HttpResponse,
  problemResponse,
} from '../net/http-interface.ts'

const REALM = 'Bearer realm="griot"'

/** What whoever is refused can do about it; names no path of this machine. */
const NEXT =
  "send 'Authorization: Bearer TOKEN' with the operator token: it is in the file operator-token of the engine's data " +
  'directory, unless the engine was started with GRIOT_TOKEN or --token-file'

type Crypto = typeof import('node:crypto')

/**
 * Guards handlers by one token for all. Compares digests, in a time that depends on neither the token nor the guess; nothing
 * of either is kept or logged.
 */
export class OperatorTokenGuard {
  #token: string | null = null
  #digest: Buffer | null = null
  #crypto: Promise<Crypto> | null = null

  /** The token that is wanted from now on; before the first, nobody is let in. */
  setToken(token: string): void {
    this.#token = token
    this.#digest = null
  }

  /** `handler` for whoever is on this machine, by where the listener is bound and not by who asks, and for who has the token. */
  beyondLoopback(handler: HttpHandler): HttpHandler {
    const guarded = this.always(handler)
    return (request) => (request.onLoopback ? handler(request) : guarded(request))
  }

  /** `handler` for who has the token, wherever it came in. */
  always(handler: HttpHandler): HttpHandler {
    return async (request) => (await this.#refusal(request)) ?? handler(request)
  }

  async #refusal(request: HttpRequest): Promise<HttpResponse | null> {
    if (this.#token === null) {
      const detail = 'the engine has not read its operator token yet: ask again in a moment'
      return problemResponse(503, 'Service Unavailable', detail, { 'retry-after': '1' })
    }
    const given = /^Bearer +(\S+) *$/i.exec(request.header('authorization') ?? '')?.[1]
    if (given === undefined) {
      const detail = `${request.path} wants the operator token at this address: ${NEXT}`
      return refuse(REALM, detail, await this.#proofFor(request, this.#token))
    }
    if (await this.#matches(given)) return null
    return refuse(
      `${REALM}, error="invalid_token"`,
      `that is not the operator token of this engine: ${NEXT}`,
    )
  }

  /**
   * That this engine has the token, to who wants to know it first. Only to who is on this machine: against proofs, unlike against
   * answers, a token of few letters could be guessed at leisure.
   */
  async #proofFor({ header, local, peerHost }: HttpRequest, token: string): Promise<Headers> {
    const challenge = header(CHALLENGE_HEADER)
    if (challenge === null || !CHALLENGE.test(challenge)) return {}
    if (local === null || peerHost !== local.host) return {}
    this.#crypto ??= import('node:crypto')
    const { createHmac } = await this.#crypto
    const text = proofText(challenge, local.host, local.port)
    return { [PROOF_HEADER]: createHmac('sha256', token).update(text).digest('hex') }
  }

  async #matches(given: string): Promise<boolean> {
    // loaded by the first who brings a token: it would take the start 5 ms
    this.#crypto ??= import('node:crypto')
    const { createHash, timingSafeEqual } = await this.#crypto
    const digestOf = (text: string) => createHash('sha256').update(text).digest()
    this.#digest ??= digestOf(this.#token!)
    return timingSafeEqual(digestOf(given), this.#digest)
  }
}

type Headers = Readonly<Record<string, string>>

const refuse = (authenticate: string, detail: string, more: Headers = {}): HttpResponse =>
  problemResponse(401, 'Unauthorized', detail, {
    ...more,
    'www-authenticate': authenticate,
    'cache-control': 'no-store',
  })

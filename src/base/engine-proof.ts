/**
 * How an engine shows that it holds the operator token before the token is sent to it: whoever asks sends a challenge, the 401 that
 * asks for the token brings the HMAC-SHA256, under the token, of {@link proofText}. Pure: the HMAC is made by who calls.
 */

export const CHALLENGE_HEADER = 'griot-challenge'
export const PROOF_HEADER = 'griot-proof'

/** 32 random bytes, made anew for every question. */
export const CHALLENGE = /^[0-9a-f]{64}$/

/**
 * `host` and `port` are the engine's end of the connection as both ends see it: a proof that somebody fetches from the engine at
 * another address, to pass it on, is none for his own.
 */
export const proofText = (challenge: string, host: string, port: number): string =>
  `griot: who asks for the operator token has it\n${challenge}\n${plain(host)} ${port}`

/** IPv4 within IPv6 as IPv4, without a zone: its name is each side's own. */
const plain = (host: string): string =>
  host
    .toLowerCase()
    .replace(/^::ffff:(?=\d+\.)/, '')
    .replace(/%.*$/, '')

/**
 * What SCRAM clients send (RFC 5802, section 7), as Kafka's ScramMessages reads it: ASCII only. Stricter than Kafka, as
 * the RFC wants it: mandatory extensions (`m=`) are refused, the channel binding must be the header that was sent.
 */
import { checkUsername, OTHER_AUTHZID, SaslFormatError } from './sasl-format-error.ts'

export interface ClientFirst {
  /** `n,,` or `y,,`, with an authorization id between the commas. */
  readonly gs2Header: string
  /** What follows, as it was sent: the proof covers it. */
  readonly bare: string
  readonly username: string
  readonly nonce: string
}

export interface ClientFinal {
  readonly nonce: string
  readonly proof: Uint8Array
  /** As it was sent: the proof covers it. */
  readonly withoutProof: string
}

const FIRST = 'client-first-message'
const FINAL = 'client-final-message'

const fail = (message: string, what: string): never => {
  throw new SaslFormatError(`Authentication failed: SCRAM ${message}: ${what}`)
}

/** Throws {@link SaslFormatError}. */
export function parseClientFirst(token: Uint8Array): ClientFirst {
  const text = asciiOf(token, FIRST)
  if (text.startsWith('p=')) fail(FIRST, 'channel binding (p=) is not supported')
  if (!text.startsWith('n,') && !text.startsWith('y,')) fail(FIRST, 'begins with neither n, nor y,')
  const headerEnd = text.indexOf(',', 2) + 1
  if (headerEnd === 0) fail(FIRST, 'ends before the user')
  const authzid = authzidOf(text.slice(2, headerEnd - 1))
  const bare = text.slice(headerEnd)
  const [user, nonce, ...extensions] = bare.split(',')
  if (user!.startsWith('m=')) fail(FIRST, 'mandatory extensions (m=) are not supported')
  if (!user!.startsWith('n=')) fail(FIRST, 'n= with the user is missing')
  const username = decodeSaslName(user!.slice(2), 'the user (n=)')
  if (nonce === undefined) fail(FIRST, 'r= with the nonce is missing')
  checkNonce(nonce!, FIRST)
  checkExtensions(extensions, FIRST)
  if (extensions.some((each) => /^tokenauth=true$/i.test(each))) {
    fail(FIRST, 'delegation tokens (tokenauth=true) are not supported')
  }
  checkUsername(username)
  if (authzid !== '' && authzid !== username) throw new SaslFormatError(OTHER_AUTHZID)
  return { gs2Header: text.slice(0, headerEnd), bare, username, nonce: nonce!.slice(2) }
}

/** `gs2Header` is that of the first message. Throws {@link SaslFormatError}; the nonce is for the caller to compare. */
export function parseClientFinal(
  token: Uint8Array,
  gs2Header: string,
  proofBytes: number,
): ClientFinal {
  const text = asciiOf(token, FINAL)
  const parts = text.split(',')
  if (!parts[0]!.startsWith('c=')) fail(FINAL, 'c= with the channel binding is missing')
  if (parts[0] !== `c=${Buffer.from(gs2Header).toString('base64')}`) {
    fail(FINAL, 'the channel binding (c=) is not the header of the client-first-message')
  }
  if (parts.length < 2) fail(FINAL, 'r= with the nonce is missing')
  checkNonce(parts[1]!, FINAL)
  const last = parts.at(-1)!
  if (parts.length < 3 || !last.startsWith('p=')) fail(FINAL, 'p= with the proof is missing')
  checkExtensions(parts.slice(2, -1), FINAL)
  const proof = decodeBase64(last.slice(2))
  if (proof === null) return fail(FINAL, 'the proof (p=) is not base64')
  if (proof.length !== proofBytes) {
    fail(FINAL, `the proof (p=) has ${proof.length} bytes, the mechanism's has ${proofBytes}`)
  }
  const withoutProof = text.slice(0, text.length - last.length - 1)
  return { nonce: parts[1]!.slice(2), proof, withoutProof }
}

/**
 * The nonce that comes back must be the one that was told, whole; librdkafka before 2.6.1 puts the client's part before it once more (its pull request 4895). Throws
 * {@link SaslFormatError}.
 */
export function checkNonceReturned(returned: string, told: string, clientPart: string): void {
  if (returned !== told && returned !== clientPart + told)
    fail(FINAL, 'the nonce (r=) is not that of the server-first-message')
}

function asciiOf(token: Uint8Array, message: string): string {
  const at = token.findIndex((byte) => byte === 0 || byte > 127)
  if (at >= 0) fail(message, `byte ${at} is not of ASCII, or 0`)
  return Buffer.from(token).toString('latin1')
}

function authzidOf(field: string): string {
  if (field === '') return ''
  if (!field.startsWith('a=')) fail(FIRST, 'what follows the first comma is not a=')
  return decodeSaslName(field.slice(2), 'the authorization id (a=)')
}

/** Commas and equals signs are written =2C and =3D. */
function decodeSaslName(name: string, what: string): string {
  if (name === '') fail(FIRST, `${what} is empty`)
  if (/=(?!2C|3D)/.test(name)) fail(FIRST, `${what} has an = that is neither =2C nor =3D`)
  return name.replace(/=2C/g, ',').replace(/=3D/g, '=')
}

function checkNonce(field: string, message: string): void {
  if (!field.startsWith('r=')) fail(message, 'r= with the nonce is missing')
  if (!/^[\x21-\x7e]+$/.test(field.slice(2))) {
    fail(message, 'the nonce (r=) is empty or not printable')
  }
}

/** Which those are does not matter: whoever does not know one ignores it. */
function checkExtensions(extensions: readonly string[], message: string): void {
  const at = extensions.findIndex((each) => !/^[A-Za-z]+=./s.test(each))
  if (at >= 0) fail(message, `extension ${at + 1} is not letters, = and a value`)
}

/** Null for what is no base64 with padding: Node would take anything. */
function decodeBase64(text: string): Uint8Array | null {
  const isBase64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text)
  return isBase64 ? Buffer.from(text, 'base64') : null
}

/** Whom a certificate names: its subject as RFC 2253 writes it, and as Java's X500Principal.getName does, for which Kafka's rules are written. */

/** Of a name that rules are tried on. */
const NAME_CHARS_MAX = 4_096

/** Attributes for which RFC 2253 has a word; of others their number is told. */
const KEYWORDS: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.9': 'STREET',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '0.9.2342.19200300.100.1.1': 'UID',
  '0.9.2342.19200300.100.1.25': 'DC',
}

/** DER's tags (X.690), as far as names have them. */
const Tag = {
  INTEGER: 0x02,
  OID: 0x06,
  UTF8_STRING: 0x0c,
  PRINTABLE_STRING: 0x13,
  TELETEX_STRING: 0x14,
  IA5_STRING: 0x16,
  UNIVERSAL_STRING: 0x1c,
  BMP_STRING: 0x1e,
  SEQUENCE: 0x30,
  SET: 0x31,
  VERSION: 0xa0,
} as const

interface Element {
  readonly tag: number
  readonly content: Uint8Array
  /** With tag and length. */
  readonly whole: Uint8Array
}

/** Something that is no certificate, or has no subject that could be told. */
class CertificateError extends Error {
  override name = 'CertificateError'
}

/**
 * The subject of a certificate (X.509, DER), the last relative name first: `CN=billing,OU=Payments,O=Acme,C=US`. Throws an Error that says why it has
 * none.
 */
export function subjectOf(certificate: Uint8Array): string {
  const [outer] = elements(certificate)
  const [signed] = elements(expect(outer, Tag.SEQUENCE))
  const parts = elements(expect(signed, Tag.SEQUENCE))
  // version (left out in version 1), serial number, algorithm, issuer, validity, subject
  const first = parts[0]?.tag === Tag.VERSION ? 1 : 0
  const names = elements(expect(parts[first + 4], Tag.SEQUENCE))
  if (names.length === 0) throw new CertificateError('the certificate has an empty subject')
  const name = names
    .map((set) => elements(expect(set, Tag.SET)).map(attribute).join('+'))
    .reverse()
    .join(',')
  if (name.length <= NAME_CHARS_MAX) return name
  throw new CertificateError(
    `the certificate has a subject of ${name.length} characters, at most ${NAME_CHARS_MAX}`,
  )
}

function attribute(pair: Element): string {
  const [type, value] = elements(expect(pair, Tag.SEQUENCE))
  const oid = oidOf(expect(type, Tag.OID))
  const keyword = KEYWORDS[oid]
  const text = value === undefined || keyword === undefined ? null : textOf(value)
  if (text !== null) return `${keyword}=${escaped(text)}`
  return `${keyword ?? oid}=#${Buffer.from(value?.whole ?? []).toString('hex')}`
}

/** null: its kind of string is none of those that names are made of. */
function textOf({ tag, content }: Element): string | null {
  const bytes = Buffer.from(content)
  switch (tag) {
    case Tag.UTF8_STRING:
      return bytes.toString('utf8')
    case Tag.PRINTABLE_STRING:
    case Tag.IA5_STRING:
      return bytes.toString('ascii')
    case Tag.TELETEX_STRING:
      return bytes.toString('latin1')
    case Tag.BMP_STRING:
      return content.length % 2 === 0 ? bytes.swap16().toString('utf16le') : null
    default:
      return null
  }
}

/** RFC 2253, section 2.4; NUL as Java has it. */
const escaped = (text: string): string =>
  text
    .replace(/[,=+<>#;"\\]/g, '\\$&')
    .replaceAll('\0', '\\00')
    .replace(/^ +| +$/g, (spaces) => spaces.replaceAll(' ', '\\ '))

function oidOf(bytes: Uint8Array): string {
  const numbers: number[] = []
  let number = 0
  for (const byte of bytes) {
    number = number * 128 + (byte & 0x7f)
    if (!Number.isSafeInteger(number)) throw new CertificateError(NO_CERTIFICATE)
    if (byte >= 0x80) continue
    if (numbers.length === 0) numbers.push(Math.min(2, Math.floor(number / 40)))
    numbers.push(numbers.length === 1 ? number - numbers[0]! * 40 : number)
    number = 0
  }
  return numbers.join('.')
}

const NO_CERTIFICATE = 'the certificate cannot be read'

function expect(element: Element | undefined, tag: number): Uint8Array {
  if (element?.tag !== tag) throw new CertificateError(NO_CERTIFICATE)
  return element.content
}

/** What lies side by side in `bytes`. */
function elements(bytes: Uint8Array): Element[] {
  const found: Element[] = []
  for (let at = 0; at < bytes.length; ) {
    const from = at
    const tag = bytes[at++]!
    let length = bytes[at++] ?? 0x80
    // beyond 127 the length is in so many bytes behind
    const count = length >= 0x80 ? length & 0x7f : 0
    if (count > 4 || (length >= 0x80 && count === 0)) throw new CertificateError(NO_CERTIFICATE)
    if (count > 0) length = 0
    for (let i = 0; i < count; i++) length = length * 256 + (bytes[at++] ?? Number.NaN)
    // NaN too
    if (!(at + length <= bytes.length)) throw new CertificateError(NO_CERTIFICATE)
    found.push({
      ...{ tag, content: bytes.subarray(at, at + length) },
      whole: bytes.subarray(from, at + length),
    })
    at += length
  }
  return found
}

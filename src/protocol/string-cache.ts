const SLOTS = 1024
const BYTES_MAX = 64

const { utf8Slice, latin1Slice } = Buffer.prototype as unknown as {
  utf8Slice(this: Uint8Array, start: number, end: number): string
  latin1Slice(this: Uint8Array, start: number, end: number): string
}

/** The string in `bytes[start, end)`; malformed UTF-8 becomes U+FFFD. */
export function decodeUtf8(bytes: Uint8Array, start: number, length: number): string {
  return length === 0 ? '' : utf8Slice.call(bytes, start, start + length)
}

/*
 * Names come in by the million and are few: a topic's name found here costs a hash and a comparison instead of a
 * call into C++ and a new string, and as a key of a Map it has its hash already. One cache per thread, of a fixed
 * size; a slot belongs to whoever came last.
 */
const slots: string[] = new Array<string>(SLOTS).fill('')

/** As {@link decodeUtf8}, for names that repeat. */
export function decodeName(bytes: Uint8Array, start: number, length: number): string {
  if (length === 0) return ''
  if (length > BYTES_MAX) return decodeUtf8(bytes, start, length)
  const end = start + length
  let hash = length
  let seen = 0
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!
    hash = (Math.imul(hash, 31) + byte) | 0
    seen |= byte
  }
  if (seen > 127) return decodeUtf8(bytes, start, length)
  const slot = (hash ^ (hash >>> 11)) & (SLOTS - 1)
  const cached = slots[slot]!
  if (cached.length === length && isSame(cached, bytes, start)) return cached
  return (slots[slot] = latin1Slice.call(bytes, start, end))
}

function isSame(text: string, bytes: Uint8Array, start: number): boolean {
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) !== bytes[start + i]) return false
  }
  return true
}

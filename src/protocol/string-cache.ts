const SLOTS = 1024
/** For longer names the comparison costs more than it saves (measured). */
const BYTES_MAX = 48

const { utf8Slice } = Buffer.prototype as unknown as {
  utf8Slice(this: Uint8Array, start: number, end: number): string
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
  // Names differ at their ends; the comparison below looks at every byte.
  const end = start + length
  let hash = length + bytes[start]!
  for (let at = length > 8 ? end - 8 : start; at < end; at++) {
    hash = (Math.imul(hash, 31) + bytes[at]!) | 0
  }
  const slot = (hash ^ (hash >>> 11)) & (SLOTS - 1)
  const cached = slots[slot]!
  if (cached.length === length && isSame(cached, bytes, start)) return cached
  const text = decodeUtf8(bytes, start, length)
  // As many characters as bytes: ASCII, or malformed and then never the same as any bytes.
  if (text.length === length) slots[slot] = text
  return text
}

function isSame(text: string, bytes: Uint8Array, start: number): boolean {
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) !== bytes[start + i]) return false
  }
  return true
}

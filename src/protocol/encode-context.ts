import { putUvarint } from './frame-writer.ts'
import { WireFormatError } from './wire-format-error.ts'
import { MESSAGE_CHARS_MAX, STRING_BYTES_MAX } from './wire-layout.ts'

const { utf8Write } = Buffer.prototype as unknown as {
  utf8Write(this: Uint8Array, text: string, at: number, length?: number): number
}

/** Strings up to this length are written by hand while they are ASCII: cheaper than a call into C++. */
const BY_HAND_MAX = 48

/**
 * What a compiled encoder calls outside its straight line: strings, and the ways to fail. One per encoder;
 * belongs to the thread.
 */
export class EncodeContext {
  readonly #title: string
  readonly #paths: readonly string[]

  constructor(title: string, paths: readonly string[]) {
    this.#title = title
    this.#paths = paths
  }

  /** Writes a string with its int16 length at `p`, where there is room for 3 × length + 5; returns its end. */
  classicString(b: Uint8Array, p: number, text: string, path: number): number {
    const length = text.length
    if (length <= BY_HAND_MAX && putAscii(b, p + 2, text)) {
      b[p] = 0
      b[p + 1] = length
      return p + 2 + length
    }
    const size = utf8Write.call(b, text, p + 2)
    if (size > STRING_BYTES_MAX) this.tooLong(path, size)
    b[p] = size >>> 8
    b[p + 1] = size
    return p + 2 + size
  }

  /** As {@link classicString}, with a varint of the length plus one. */
  compactString(b: Uint8Array, p: number, text: string, path: number): number {
    const length = text.length
    if (length <= BY_HAND_MAX && putAscii(b, p + 1, text)) {
      b[p] = length + 1
      return p + 1 + length
    }
    const size = Buffer.byteLength(text)
    if (size > STRING_BYTES_MAX) this.tooLong(path, size)
    const start = putUvarint(b, p, size + 1)
    utf8Write.call(b, text, start)
    return start + size
  }

  /** `text`, or as much of it as surely fits into a string. */
  message(text: string): string {
    return Buffer.byteLength(text) > STRING_BYTES_MAX
      ? `${text.slice(0, MESSAGE_CHARS_MAX)}…`
      : text
  }

  tooLong(path: number, size: number): never {
    this.#fail(path, `a string of ${size} bytes, more than the limit of ${STRING_BYTES_MAX}`)
  }

  /** Null or undefined where the version needs a value. */
  missing(path: number): never {
    this.#fail(path, 'no value, and this version does not allow null')
  }

  badUuid(path: number): never {
    this.#fail(path, 'not a UUID of 32 lower-case hex digits')
  }

  /** A value other than the default in a field that the version lacks and that may not be dropped. */
  unsupported(path: number): never {
    this.#fail(path, 'this version has no such field, and its value is not the default')
  }

  #fail(path: number, what: string): never {
    throw new WireFormatError(`${this.#title}: ${this.#paths[path]}: ${what}`)
  }
}

const TWO_TO_63 = 2 ** 63

function putAscii(b: Uint8Array, p: number, text: string): boolean {
  let seen = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    seen |= code
    b[p + i] = code
  }
  return seen < 128
}

/** Writes the integer nearest to `value` within int64 at `p`, so that 2^63 and beyond become Long.MAX_VALUE. */
export function putInt64(b: Uint8Array, p: number, value: number): void {
  let high = Math.floor(value / 4294967296)
  let low = value - high * 4294967296
  if (value >= TWO_TO_63) {
    high = 0x7fffffff
    low = 0xffffffff
  } else if (value < -TWO_TO_63) {
    high = 0x80000000
    low = 0
  }
  b[p] = high >>> 24
  b[p + 1] = high >>> 16
  b[p + 2] = high >>> 8
  b[p + 3] = high
  b[p + 4] = low >>> 24
  b[p + 5] = low >>> 16
  b[p + 6] = low >>> 8
  b[p + 7] = low
}

const scratch = new DataView(new ArrayBuffer(8))

export function putFloat64(b: Uint8Array, p: number, value: number): void {
  scratch.setFloat64(0, value)
  for (let i = 0; i < 8; i++) b[p + i] = scratch.getUint8(i)
}

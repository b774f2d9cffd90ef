import { ZERO_TOPIC_ID } from '../base/ids.ts'

const SLOTS = 1024

const { hexSlice } = Buffer.prototype as unknown as {
  hexSlice(this: Uint8Array, start: number, end: number): string
}

/** As the cache of names: the ids that come in are few. Four words of the id per slot, and its text. */
const words = new Int32Array(4 * SLOTS)
const texts: string[] = new Array<string>(SLOTS).fill(ZERO_TOPIC_ID)

const word = (b: Uint8Array, p: number): number =>
  (b[p]! << 24) | (b[p + 1]! << 16) | (b[p + 2]! << 8) | b[p + 3]!

/** The 16 bytes at `at` as 32 lower-case hex digits. */
export function decodeUuid(bytes: Uint8Array, at: number): string {
  const w0 = word(bytes, at)
  const w1 = word(bytes, at + 4)
  const w2 = word(bytes, at + 8)
  const w3 = word(bytes, at + 12)
  const mixed = Math.imul(w0 ^ w2, 0x9e3779b1) ^ Math.imul(w1 ^ w3, 0x85ebca6b)
  const slot = (mixed >>> 16) & (SLOTS - 1)
  const i = slot << 2
  if (words[i] === w0 && words[i + 1] === w1 && words[i + 2] === w2 && words[i + 3] === w3) {
    return texts[slot]!
  }
  words[i] = w0
  words[i + 1] = w1
  words[i + 2] = w2
  words[i + 3] = w3
  return (texts[slot] = hexSlice.call(bytes, at, at + 16))
}

/** Value of a hex digit by its char code; 255 elsewhere. */
const nibbles = new Uint8Array(128).fill(255)
for (let digit = 0; digit < 16; digit++) nibbles[digit.toString(16).charCodeAt(0)] = digit

/** Writes 32 lower-case hex digits as 16 bytes; false, with `bytes` in any state, if they are not that. */
export function encodeUuid(bytes: Uint8Array, at: number, text: string): boolean {
  if (text.length !== 32) return false
  let bad = 0
  for (let i = 0; i < 16; i++) {
    const high = nibbles[text.charCodeAt(2 * i)] ?? 255
    const low = nibbles[text.charCodeAt(2 * i + 1)] ?? 255
    bad |= high | low
    bytes[at + i] = (high << 4) | low
  }
  return bad < 16
}

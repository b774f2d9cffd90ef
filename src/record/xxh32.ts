const P1 = 0x9e3779b1
const P2 = 0x85ebca77
const P3 = 0xc2b2ae3d
const P4 = 0x27d4eb2f
const P5 = 0x165667b1

const rotate = (x: number, n: number): number => (x << n) | (x >>> (32 - n))
const word = (b: Uint8Array, at: number): number =>
  b[at]! | (b[at + 1]! << 8) | (b[at + 2]! << 16) | (b[at + 3]! << 24)
const round = (sum: number, input: number): number =>
  Math.imul(rotate((sum + Math.imul(input, P2)) | 0, 13), P1)

/** xxHash32 of `bytes[start, end)` with seed 0, unsigned (xxHash specification): the checksum of LZ4 frames. */
export function xxh32(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  let h: number
  if (end - start >= 16) {
    let a = (P1 + P2) | 0
    let b = P2 | 0
    let c = 0
    let d = -P1 | 0
    for (const whole = end - 16; at <= whole; at += 16) {
      a = round(a, word(bytes, at))
      b = round(b, word(bytes, at + 4))
      c = round(c, word(bytes, at + 8))
      d = round(d, word(bytes, at + 12))
    }
    h = rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18)
  } else {
    h = P5
  }
  h = (h + end - start) | 0
  for (; at + 4 <= end; at += 4) {
    h = Math.imul(rotate((h + Math.imul(word(bytes, at), P3)) | 0, 17), P4)
  }
  for (; at < end; at++) h = Math.imul(rotate((h + Math.imul(bytes[at]!, P5)) | 0, 11), P1)
  h = Math.imul(h ^ (h >>> 15), P2)
  h = Math.imul(h ^ (h >>> 13), P3)
  return (h ^ (h >>> 16)) >>> 0
}

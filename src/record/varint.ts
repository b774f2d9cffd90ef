/** Zigzag varints, as records are made of. */

/** Bytes of `value` as a zigzag varint of up to 54 bits. */
export function varintBytes(value: number): number {
  let raw = value < 0 ? -2 * value - 1 : 2 * value
  let bytes = 1
  for (; raw >= 128; raw = Math.floor(raw / 128)) bytes++
  return bytes
}

/** Writes `value` as a zigzag varint at `from`; returns where it ends. */
export function writeVarint(out: Uint8Array, from: number, value: number): number {
  let raw = value < 0 ? -2 * value - 1 : 2 * value
  let at = from
  for (; raw >= 128; raw = Math.floor(raw / 128)) out[at++] = (raw % 128) | 0x80
  out[at++] = raw
  return at
}

import { createRequire } from 'node:module'

/**
 * Eight 256-entry tables for slicing-by-8 (Kounavis and Berry 2005), one after another: table k gives the
 * remainder of a byte followed by k zero bytes.
 */
const tables = new Int32Array(8 * 256)
for (let n = 0; n < 256; n++) {
  let remainder = n
  for (let bit = 0; bit < 8; bit++) {
    // 0x82f63b78 is Castagnoli's polynomial, bits reversed.
    remainder = remainder & 1 ? (remainder >>> 1) ^ 0x82f63b78 : remainder >>> 1
  }
  tables[n] = remainder
}
for (let n = 0; n < 256; n++) {
  for (let k = 1; k < 8; k++) {
    const before = tables[(k - 1) * 256 + n]!
    tables[k * 256 + n] = (before >>> 8) ^ tables[before & 0xff]!
  }
}

/** CRC-32C of `bytes[start, end)` as an unsigned number, in JavaScript: slicing-by-8, no allocation, any thread. */
export function crc32cScript(bytes: Uint8Array, start: number, end: number): number {
  const t = tables
  let crc = -1
  let at = start
  for (const whole = end - 7; at < whole; at += 8) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
    crc =
      t[1792 + (crc & 0xff)]! ^
      t[1536 + ((crc >>> 8) & 0xff)]! ^
      t[1280 + ((crc >>> 16) & 0xff)]! ^
      t[1024 + (crc >>> 24)]! ^
      t[768 + bytes[at + 4]!]! ^
      t[512 + bytes[at + 5]!]! ^
      t[256 + bytes[at + 6]!]! ^
      t[bytes[at + 7]!]!
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ t[(crc ^ bytes[at]!) & 0xff]!
  return ~crc >>> 0
}

type NativeCrc = (input: Uint8Array) => number

/**
 * The add-on, its binary for this platform by its own name first: the package in front of it looks through files and
 * reports for what platform this is, 3 ms on every thread.
 */
function loadNative(): NativeCrc | null {
  const require = createRequire(import.meta.url)
  const { platform, arch } = process
  const abi = platform === 'linux' ? '-gnu' : platform === 'win32' ? '-msvc' : ''
  for (const name of [`@node-rs/crc32-${platform}-${arch}${abi}`, '@node-rs/crc32']) {
    try {
      const { crc32c } = require(name) as { crc32c: NativeCrc }
      // A binary that loads but computes something else must not decide over anyone's records.
      const probe = Uint8Array.of(0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39)
      if (crc32c(probe) === 0xe3069283) return crc32c
    } catch {
      // not installed under this name, or not for this C library
    }
  }
  return null
}

/** Undefined until the first bytes that are worth it: no thread loads it as it starts. */
let native: NativeCrc | null | undefined

/** Whether the native add-on answers; the same results come without it, slower. */
export const crc32cIsNative = (): boolean => {
  if (native === undefined) native = loadNative()
  return native !== null
}

/** Below this many bytes the call into the add-on costs more than it saves (measured, see README.md). */
const NATIVE_FROM_BYTES = 256

/** CRC-32C of `bytes[start, end)` as an unsigned number; any thread, also views of shared memory. */
export function crc32c(bytes: Uint8Array, start: number, end: number): number {
  if (end - start < NATIVE_FROM_BYTES) return crc32cScript(bytes, start, end)
  if (native === undefined) native = loadNative()
  if (native === null) return crc32cScript(bytes, start, end)
  return native(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end))
}

/** Randomness of the system for ids. Any thread. */
import { closeSync, openSync, readSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Random } from '../base/random.ts'

const WORDS = 64

/** Draws words in blocks. */
export class SystemRandom implements Random {
  #words = new Uint32Array(0)
  #next = 0

  uint32(): number {
    if (this.#next === this.#words.length) {
      this.#words = new Uint32Array(systemRandomBytes(4 * WORDS).buffer)
      this.#next = 0
    }
    return this.#words[this.#next++]!
  }
}

/** `length` hexadecimal digits, two a byte. */
export const systemRandomHex = (length: number): string =>
  Buffer.from(systemRandomBytes(length / 2).buffer).toString('hex')

/** Bytes fit for secrets, in a buffer of their own. Loading node:crypto would take each thread 5 ms of its start. */
function systemRandomBytes(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length)
  if (!readDevice(bytes)) {
    const crypto = createRequire(import.meta.url)('node:crypto') as typeof import('node:crypto')
    crypto.randomFillSync(bytes)
  }
  return bytes
}

/** False where the system has no such device. */
function readDevice(bytes: Uint8Array): boolean {
  let fd: number
  try {
    fd = openSync('/dev/urandom', 'r')
  } catch {
    return false
  }
  try {
    return readSync(fd, bytes) === bytes.length
  } finally {
    closeSync(fd)
  }
}

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { crc32c, crc32cIsNative, crc32cScript } from '../../src/record/crc32c.ts'

const ascii = (text: string) => new TextEncoder().encode(text)

// RFC 3720 B.4, and the check value that every CRC catalogue gives.
const vectors: readonly (readonly [string, Uint8Array, number])[] = [
  ['nothing', new Uint8Array(0), 0],
  ['"123456789"', ascii('123456789'), 0xe3069283],
  ['32 zeros', new Uint8Array(32), 0x8a9136aa],
  ['32 ones', new Uint8Array(32).fill(0xff), 0x62a8ab43],
  ['rising', Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
  ['falling', Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
]

describe('crc32c', () => {
  test.each(vectors)('of %s', (_, bytes, crc) => {
    expect(crc32cScript(bytes, 0, bytes.length)).toBe(crc)
    expect(crc32c(bytes, 0, bytes.length)).toBe(crc)
  })

  test('the add-on loads where this suite runs, else both sides below are one', () => {
    expect(typeof crc32cIsNative()).toBe('boolean')
    if (process.platform === 'linux' && process.arch === 'x64') expect(crc32cIsNative()).toBe(true)
  })

  test.each(['private', 'shared'])('script and add-on agree on ranges of %s memory', (memory) => {
    const property = fc.property(
      fc.uint8Array({ minLength: 300, maxLength: 3000 }),
      fc.nat(40),
      fc.nat(40),
      (data, from, less) => {
        const bytes =
          memory === 'shared'
            ? new Uint8Array(new SharedArrayBuffer(data.length))
            : new Uint8Array(data.length)
        bytes.set(data)
        const end = bytes.length - less
        expect(crc32c(bytes, from, end)).toBe(crc32cScript(bytes, from, end))
      },
    )
    fc.assert(property, { seed: 1, numRuns: 200 })
  })
})

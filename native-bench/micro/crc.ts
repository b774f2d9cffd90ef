import { crc32c, crc32cScript } from '../../src/record/crc32c.ts'
import type { Subject } from './case.ts'

/** CRC-32C as batches are checked with it, and the script that answers where there is no add-on. */
export function crcSubject(): Subject {
  const bytes = new Uint8Array(new SharedArrayBuffer(1 << 20))
  for (let i = 0; i < bytes.length; i++) bytes[i] = Math.imul(i, 2_654_435_761) >>> 13
  const sizes = [
    ...([['100 B', 100] as const, ['1 KB', 1 << 10] as const] as const),
    ...([['16 KB', 16 << 10] as const, ['1 MB', 1 << 20] as const] as const),
  ]
  return {
    cases: [
      ...sizes.map(([name, size]) => ({
        name: `crc32c ${name}`,
        bytes: size,
        run: () => crc32c(bytes, 0, size),
      })),
      {
        name: 'crc32c 16 KB, script',
        bytes: 16 << 10,
        run: () => crc32cScript(bytes, 0, 16 << 10),
      },
    ],
  }
}

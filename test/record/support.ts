import { SeededRandom } from '../../src/base/random.ts'
import type { NewRecord } from '../../src/record/builder.ts'
import type { BatchLimits } from '../../src/record/validate.ts'

export const NOW_MS = 1_700_000_000_000

/** A topic with Kafka's defaults. */
export const limits: BatchLimits = {
  maxMessageBytes: 1_048_588,
  origin: 'client',
  timestampType: 'createTime',
  timestampBeforeMaxMs: Number.POSITIVE_INFINITY,
  timestampAfterMaxMs: 3_600_000,
}

export const ascii = (text: string): Uint8Array => new TextEncoder().encode(text)

export function randomBytes(random: SeededRandom, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => random.uint32() & 0xff)
}

/** `count` records with keys, values, nulls and headers, about `valueBytes` each, half of it noise. */
export function someRecords(count: number, valueBytes = 40, seed = 7): NewRecord[] {
  const random = new SeededRandom(seed)
  return Array.from({ length: count }, (_, i) => ({
    timestampMs: NOW_MS + random.below(2000) - 1000,
    key: i % 4 === 3 ? null : ascii(`key-${i}`),
    value:
      i % 5 === 4
        ? null
        : Uint8Array.from({ length: valueBytes }, (_, j) => (j % 2 ? random.uint32() : j) & 0xff),
    headers:
      i % 3 === 2
        ? [
            { key: 'hé', value: ascii('v') },
            { key: '', value: null },
          ]
        : [],
  }))
}

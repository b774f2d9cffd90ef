import { buildBatch } from '../../src/record/builder.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

/** A batch of `count` records of a client without idempotence. */
export const plainBatch = (count = 1, valueBytes = 16, timestampMs = 1_000_000): Uint8Array =>
  buildBatch(
    Array.from({ length: count }, (_, i) => ({
      timestampMs,
      key: null,
      value: bytes(`${i}`.padEnd(valueBytes, '.')),
    })),
  )

/** A batch of an idempotent producer. */
export const idempotentBatch = (
  producerId: number,
  baseSequence: number,
  count = 1,
  producerEpoch = 0,
): Uint8Array =>
  buildBatch(
    Array.from({ length: count }, (_, i) => ({
      timestampMs: 1_000_000,
      key: null,
      value: bytes(`p${producerId} s${baseSequence + i}`),
    })),
    { producerId, producerEpoch, baseSequence },
  )

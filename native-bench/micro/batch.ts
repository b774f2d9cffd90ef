import {
  baseOffsetOf,
  lastOffsetOf,
  maxTimestampOf,
  producerIdOf,
  recordCountOf,
  sizeInBytesOf,
  stampOffsets,
} from '../../src/record/batch.ts'
import { buildBatch } from '../../src/record/builder.ts'
import { type BatchLimits, validateBatch, validateHeader } from '../../src/record/validate.ts'
import type { Subject } from './case.ts'

const NOW_MS = 1_700_000_000_000

const limits: BatchLimits = {
  maxMessageBytes: 2 << 20,
  origin: 'client',
  timestampType: 'createTime',
  timestampBeforeMaxMs: Number.POSITIVE_INFINITY,
  timestampAfterMaxMs: 3_600_000,
}

/** A batch of so many records of 1,000 bytes, in shared memory as brokers have it. */
export function sharedBatch(records: number, valueBytes = 1000): Uint8Array {
  const value = Buffer.alloc(valueBytes, 'griot ')
  const record = { timestampMs: NOW_MS, key: null, value }
  const built = buildBatch(Array.from({ length: records }, () => record))
  const shared = new Uint8Array(new SharedArrayBuffer(built.length))
  shared.set(built)
  return shared
}

/** A record batch where it lies: its fields, its checks, its stamp. */
export function batchSubject(): Subject {
  const small = sharedBatch(1, 100)
  const middle = sharedBatch(16)
  const large = sharedBatch(1000)
  const validate = (name: string, batch: Uint8Array) => ({
    name: `validate batch ${name}`,
    bytes: batch.length,
    run: () => {
      const fault = validateBatch(batch, 0, batch.length, limits, NOW_MS)
      if (fault !== null) throw new Error(fault.message)
    },
  })
  let offset = 0
  return {
    cases: [
      {
        name: 'view of a batch: six fields',
        run: () =>
          baseOffsetOf(middle, 0) +
          lastOffsetOf(middle, 0) +
          maxTimestampOf(middle, 0) +
          producerIdOf(middle, 0) +
          recordCountOf(middle, 0) +
          sizeInBytesOf(middle, 0),
      },
      {
        name: 'validate header',
        run: () => {
          const fault = validateHeader(middle, 0, middle.length, limits, NOW_MS)
          if (fault !== null) throw new Error(fault.message)
        },
      },
      validate('100 B', small),
      validate('16 KB', middle),
      validate('1 MB', large),
      { name: 'stamp offsets', run: () => stampOffsets(middle, 0, offset++, 3) },
    ],
  }
}

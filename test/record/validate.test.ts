import { describe, expect, test } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import { SeededRandom } from '../../src/base/random.ts'
import * as batch from '../../src/record/batch.ts'
import { type BatchOptions, buildBatch } from '../../src/record/builder.ts'
import { soleBatch, validateBatch } from '../../src/record/validate.ts'
import { ascii, limits, NOW_MS, someRecords } from './support.ts'

const good = (options: BatchOptions = {}) => buildBatch(someRecords(5), options)

/** A good batch after `change`, its CRC right again. */
function changed(change: (bytes: Uint8Array) => void, options: BatchOptions = {}): Uint8Array {
  const bytes = good(options)
  change(bytes)
  batch.stampCrc(bytes, 0)
  return bytes
}

const judge = (bytes: Uint8Array, own: Partial<typeof limits> = {}) =>
  validateBatch(bytes, 0, bytes.length, { ...limits, ...own }, NOW_MS)

describe('validateBatch', () => {
  test('lets good batches pass, wherever they lie', () => {
    const bytes = good({ producerId: 9, producerEpoch: 0, baseSequence: 0, transactional: true })
    const shared = new Uint8Array(new SharedArrayBuffer(bytes.length + 50))
    shared.set(bytes, 17)
    expect(validateBatch(shared, 17, bytes.length, limits, NOW_MS)).toBeNull()
  })

  const { INVALID_RECORD, CORRUPT_MESSAGE, INVALID_TIMESTAMP, MESSAGE_TOO_LARGE } = ErrorCode
  const old = [{ timestampMs: NOW_MS - 5000, key: null, value: ascii('v') }]
  const producer = { producerEpoch: 0, baseSequence: 0 }
  const cases: readonly (readonly [string, Uint8Array, string, number, Partial<typeof limits>?])[] =
    [
      ['fewer bytes than a header', good().subarray(0, 60), 'truncated', CORRUPT_MESSAGE],
      ['one byte too few', good().subarray(0, -1), 'truncated', CORRUPT_MESSAGE],
      [
        'a length under the header’s',
        changed0((b) => batch.writeInt32(b, 8, 48)),
        'badLength',
        CORRUPT_MESSAGE,
      ],
      [
        'a negative length',
        changed0((b) => batch.writeInt32(b, 8, -1)),
        'badLength',
        CORRUPT_MESSAGE,
      ],
      ['an old magic', changed0((b) => (b[16] = 1)), 'badMagic', INVALID_RECORD],
      ['an unheard-of magic', changed0((b) => (b[16] = 3)), 'badMagic', CORRUPT_MESSAGE],
      ['a negative magic', changed0((b) => (b[16] = 0xff)), 'badMagic', CORRUPT_MESSAGE],
      [
        'more bytes than the topic takes',
        good(),
        'tooLarge',
        MESSAGE_TOO_LARGE,
        { maxMessageBytes: good().length - 1 },
      ],
      ['a flipped bit', changed0((b) => (b[80]! ^= 4)), 'badCrc', CORRUPT_MESSAGE],
      ['a base offset', good({ baseOffset: 1 }), 'badBaseOffset', INVALID_RECORD],
      ['no records', buildBatch([]), 'badCount', INVALID_RECORD],
      ['a negative count', changed((b) => batch.writeInt32(b, 57, -1)), 'badCount', INVALID_RECORD],
      ['a last offset delta off by one', good({ lastOffsetDelta: 5 }), 'badCount', INVALID_RECORD],
      [
        'more records than its bytes can hold',
        changed((b) => {
          batch.writeInt32(b, 57, 9999)
          batch.writeInt32(b, 23, 9998)
        }),
        'badCount',
        INVALID_RECORD,
      ],
      [
        'an unknown codec',
        changed((b) => (b[22] = 5)),
        'unknownCodec',
        ErrorCode.UNSUPPORTED_COMPRESSION_TYPE,
      ],
      ['control records', good({ control: true }), 'controlFromClient', INVALID_RECORD],
      [
        'a transaction without a producer',
        good({ transactional: true }),
        'badProducer',
        INVALID_RECORD,
      ],
      [
        'a producer without a sequence',
        good({ producerId: 1, producerEpoch: 0 }),
        'badProducer',
        INVALID_RECORD,
      ],
      [
        'a producer without an epoch',
        good({ producerId: 1, baseSequence: 0 }),
        'badProducer',
        INVALID_RECORD,
      ],
      [
        'a negative producer id',
        good({ ...producer, producerId: -2 }),
        'badProducer',
        INVALID_RECORD,
      ],
      [
        'a producer id beyond 2^53',
        changed((b) => batch.writeInt32(b, 43, 0x7fffffff), producer),
        'badProducer',
        INVALID_RECORD,
      ],
      [
        'LogAppendTime of its own',
        good({ timestampType: 'logAppendTime' }),
        'badTimestamp',
        INVALID_TIMESTAMP,
      ],
      [
        'a negative timestamp',
        changed((b) => batch.writeInt64(b, 27, -2)),
        'badTimestamp',
        INVALID_TIMESTAMP,
      ],
      [
        'a timestamp too far ahead',
        changed((b) => batch.writeInt64(b, 35, NOW_MS + 3_600_001)),
        'timestampOutOfRange',
        INVALID_TIMESTAMP,
      ],
      [
        'a timestamp too far back',
        buildBatch(old),
        'timestampOutOfRange',
        INVALID_TIMESTAMP,
        { timestampBeforeMaxMs: 4999 },
      ],
    ]

  // an element that may be missing makes test.each forget which is which
  const named = cases.map(([name, ...rest]) => [name, rest] as const)
  test.each(named)('refuses %s', (_, [bytes, kind, errorCode, own]) => {
    const fault = judge(bytes, own)
    expect(fault).toMatchObject({ kind, errorCode })
    expect(fault?.message.length).toBeGreaterThan(20)
  })

  test('takes what clients really send without a producer: epoch and sequence 0, no timestamps', () => {
    expect(judge(good(producer))).toBeNull()
    expect(judge(changed((b) => batch.writeInt64(b, 35, -1)))).toBeNull()
    expect(judge(buildBatch(old), { timestampBeforeMaxMs: 5000 })).toBeNull()
    expect(
      judge(
        changed((b) => batch.writeInt64(b, 35, 9e15)),
        { timestampType: 'logAppendTime' },
      ),
    ).toBeNull()
  })

  test('takes from brokers what only they write, and still no nonsense', () => {
    const compacted = good({ control: true, lastOffsetDelta: 90, baseOffset: 77 })
    expect(judge(compacted, { origin: 'broker' })).toBeNull()
    const empty = buildBatch([], { baseOffset: 5, lastOffsetDelta: 3 })
    expect(judge(empty, { origin: 'broker' })).toBeNull()
    expect(judge(good({ lastOffsetDelta: 3 }), { origin: 'broker' })?.kind).toBe('badCount')
  })

  test('finds every flipped bit', () => {
    const bytes = good()
    for (let at = 16; at < bytes.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        bytes[at]! ^= 1 << bit
        expect(judge(bytes), `bit ${bit} of byte ${at}`).not.toBeNull()
        bytes[at]! ^= 1 << bit
      }
    }
    expect(judge(bytes)).toBeNull()
  })

  test('never fails on noise', () => {
    const random = new SeededRandom(3)
    for (let i = 0; i < 20_000; i++) {
      const bytes = Uint8Array.from({ length: random.below(90) }, () => random.uint32() & 0xff)
      if (bytes.length > 16 && random.chance(0.7)) bytes[16] = 2
      expect(judge(bytes)).not.toBeNull()
    }
  })
})

/** A good batch after `change`, its CRC as it was. */
function changed0(change: (bytes: Uint8Array) => unknown): Uint8Array {
  const bytes = good()
  change(bytes)
  return bytes
}

describe('soleBatch', () => {
  test('takes exactly one batch', () => {
    const bytes = good()
    expect(soleBatch(bytes)).toBeNull()
    const invalid = { errorCode: ErrorCode.INVALID_RECORD }
    expect(soleBatch(new Uint8Array(0))).toMatchObject({ kind: 'truncated', ...invalid })
    const two = new Uint8Array([...bytes, ...bytes])
    expect(soleBatch(two)).toMatchObject({ kind: 'trailingBytes', ...invalid })
    expect(soleBatch(bytes.subarray(0, -1))).toMatchObject({ kind: 'truncated', ...invalid })
    const old = new Uint8Array(40)
    old[16] = 1
    expect(soleBatch(old)).toMatchObject({ kind: 'badMagic', ...invalid })
  })
})

describe('header fields', () => {
  test('int64 keeps integers of 53 bits', () => {
    const bytes = new Uint8Array(8)
    for (const value of [0, 1, -1, -2, 2 ** 31, 2 ** 32, -(2 ** 32), 2 ** 53 - 1, -(2 ** 53) + 1]) {
      batch.writeInt64(bytes, 0, value)
      expect(batch.readInt64(bytes, 0)).toBe(value)
      expect(new DataView(bytes.buffer).getBigInt64(0)).toBe(BigInt(value))
    }
  })

  test('stamping offsets leaves the CRC right', () => {
    const bytes = good()
    batch.stampOffsets(bytes, 0, 2 ** 40 + 3, 12)
    expect([batch.baseOffsetOf(bytes, 0), batch.leaderEpochOf(bytes, 0)]).toEqual([2 ** 40 + 3, 12])
    expect(judge(bytes, { origin: 'broker' })).toBeNull()
  })

  test('sequences wrap as int32', () => {
    expect(batch.addToSequence(5, 3)).toBe(8)
    expect(batch.addToSequence(2_147_483_647, 1)).toBe(0)
    expect(batch.addToSequence(2_147_483_646, 4)).toBe(2)
  })
})

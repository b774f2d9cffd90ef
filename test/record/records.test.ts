import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import { SeededRandom } from '../../src/base/random.ts'
import * as batch from '../../src/record/batch.ts'
import { buildBatch, type NewRecord } from '../../src/record/builder.ts'
import { prepareCompression } from '../../src/record/compression.ts'
import { RecordFormatError } from '../../src/record/fault.ts'
import { checkRecords, decompressedBody, recompress } from '../../src/record/inspect.ts'
import { hasKeylessRecord, maxTimestampRecord, readRecords } from '../../src/record/records.ts'
import { validateBatch } from '../../src/record/validate.ts'
import { ascii, limits, NOW_MS, someRecords } from './support.ts'

beforeAll(prepareCompression)

const BYTES_MAX = 10_000_000
const checks = { requireKeys: false, decompressedBytesMax: BYTES_MAX }

const bytesOrNull = fc.option(fc.uint8Array({ maxLength: 300 }))
const anyRecord = fc.record({
  timestampMs: fc.integer({ min: -1, max: NOW_MS + 1000 }),
  key: bytesOrNull,
  value: bytesOrNull,
  headers: fc.array(
    fc.record({ key: fc.string({ unit: 'grapheme', maxLength: 9 }), value: bytesOrNull }),
    { maxLength: 3 },
  ),
})

describe('a batch that we build', () => {
  test('gives its records back, by every codec', () => {
    const property = fc.property(
      fc.array(anyRecord, { minLength: 1, maxLength: 20 }),
      fc.constantFrom(...Object.values(batch.Codec)),
      fc.nat(1e12),
      (records, codec, baseOffset) => {
        const bytes = buildBatch(records, { codec })
        expect(validateBatch(bytes, 0, bytes.length, limits, NOW_MS)).toBeNull()
        expect(checkRecords(bytes, checks)).toBeNull()
        batch.stampOffsets(bytes, 0, baseOffset, 1)
        const body = decompressedBody(bytes, 0, BYTES_MAX)
        const expected = records.map((record, i) => ({ ...record, offset: baseOffset + i }))
        expect(readRecords(bytes, 0, body).map(plain)).toEqual(expected.map(plain))
        expect(hasKeylessRecord(bytes, 0, body)).toBe(records.some(({ key }) => key === null))
        const max = Math.max(...records.map(({ timestampMs }) => timestampMs))
        const offset = baseOffset + records.findIndex(({ timestampMs }) => timestampMs === max)
        expect(maxTimestampRecord(bytes, 0, body)).toEqual({ offset, timestampMs: max })
      },
    )
    fc.assert(property, { seed: 1, numRuns: 300 })
  })

  test('keeps the offsets and the delete horizon that compaction gives it', () => {
    const kept: NewRecord[] = someRecords(9)
      .map((record, i) => ({ ...record, offsetDelta: i }))
      .filter((_, i) => i % 3 === 1)
    const bytes = buildBatch(kept, {
      baseOffset: 100,
      lastOffsetDelta: 8,
      deleteHorizonMs: NOW_MS + 7,
    })
    expect(readRecords(bytes, 0).map(({ offset }) => offset)).toEqual([101, 104, 107])
    expect(readRecords(bytes, 0).map((r) => r.timestampMs)).toEqual(kept.map((r) => r.timestampMs))
    expect(batch.lastOffsetOf(bytes, 0)).toBe(108)
    expect(batch.hasDeleteHorizon(bytes, 0)).toBe(true)
    expect(batch.baseTimestampOf(bytes, 0)).toBe(NOW_MS + 7)
  })
})

const plain = (record: NewRecord) => ({
  ...record,
  key: record.key && Buffer.from(record.key).toString('hex'),
  value: record.value && Buffer.from(record.value).toString('hex'),
  headers: record.headers?.map((h) => [h.key, h.value && Buffer.from(h.value).toString('hex')]),
})

describe('malformed records', () => {
  const one = () => buildBatch([{ timestampMs: 0, key: ascii('k'), value: ascii('v') }])
  // 61 length, 62 attributes, 63 timestamp, 64 offset, 65 key length, 66 'k', 67 value length, 68 'v', 69 headers
  const cases: readonly (readonly [string, number, number, RegExp])[] = [
    ['a length past the end', 61, 40, /record 0: length 20 where 8 bytes are left/],
    ['a length short of its fields', 61, 14, /record 0: header count is cut off/],
    ['a negative length', 61, 1, /record 0: length -1/],
    ['an offset delta beyond the last', 64, 2, /record 0: offset delta 1 is outside/],
    ['a key past the end', 65, 100, /record 0: key of 50 bytes is cut off/],
    ['a value past the end', 67, 100, /record 0: value of 50 bytes is cut off/],
    ['a varint without end', 69, 0xff, /record 0: header count is cut off/],
    ['headers past the end', 69, 4, /record 0: 2 headers where 0 bytes are left/],
    ['a negative header count', 69, 1, /record 0: -1 headers/],
    ['bytes after the headers', 67, 1, /record 0: /],
  ]

  test.each(cases)('%s', (_, at, byte, message) => {
    const bytes = one()
    bytes[at] = byte
    expect(() => readRecords(bytes, 0)).toThrow(RecordFormatError)
    expect(() => readRecords(bytes, 0)).toThrow(message)
    const errorCode = ErrorCode.INVALID_RECORD
    expect(checkRecords(bytes, checks)).toMatchObject({ kind: 'badRecords', errorCode })
  })

  test('a number of more than its 32 bits', () => {
    const bytes = one()
    bytes.set([0xff, 0xff, 0xff, 0xff, 0x1f], 61)
    expect(() => readRecords(bytes, 0)).toThrow(/record 0: length is longer than 32 bits/)
  })

  test('a count that the bytes do not bear out', () => {
    const bytes = buildBatch(someRecords(4))
    batch.writeInt32(bytes, 57, 5)
    expect(() => readRecords(bytes, 0)).toThrow(/record 4: batch ends, its header claims 5 records/)
    batch.writeInt32(bytes, 57, 3)
    expect(() => readRecords(bytes, 0)).toThrow(/record 2: \d+ bytes follow the last of 3 records/)
  })

  test('offsets out of step', () => {
    const records = someRecords(3).map((record, i) => ({ ...record, offsetDelta: i === 1 ? 2 : i }))
    const bytes = buildBatch(records)
    expect(checkRecords(bytes, checks)).toMatchObject({ kind: 'badRecords', recordIndex: 1 })
  })

  test('compressed records that nobody decompressed', () => {
    const bytes = buildBatch(someRecords(2), { codec: batch.Codec.lz4 })
    expect(() => readRecords(bytes, 0)).toThrow(/compressed/)
  })

  test.each(Object.values(batch.Codec))(
    'mutations under codec %i give faults, never more',
    (codec) => {
      const random = new SeededRandom(codec + 1)
      const whole = buildBatch(someRecords(12), { codec })
      let refused = 0
      for (let i = 0; i < 2000; i++) {
        const bytes = whole.slice()
        for (let n = random.below(3); n >= 0; n--) {
          bytes[61 + random.below(bytes.length - 61)] = random.uint32()
        }
        const fault = checkRecords(bytes, { requireKeys: false, decompressedBytesMax: 50_000 })
        if (fault !== null) refused++
        const made = recompress(bytes, batch.Codec.none, {
          ...checks,
          decompressedBytesMax: 50_000,
        })
        expect(made.kind).toBe(fault === null ? 'batch' : 'fault')
      }
      expect(refused).toBeGreaterThan(50)
    },
  )
})

describe('recompress', () => {
  test('mends a max timestamp that the client left out, and copies before it changes', () => {
    const records = someRecords(5)
    const bytes = buildBatch(records)
    const right = batch.maxTimestampOf(bytes, 0)
    batch.setMaxTimestamp(bytes, 0, batch.NO_TIMESTAMP)
    const made = recompress(bytes, batch.Codec.none, checks)
    if (made.kind === 'fault') throw new Error(made.fault.message)
    expect(batch.maxTimestampOf(made.batch, 0)).toBe(right)
    expect(validateBatch(made.batch, 0, made.batch.length, limits, NOW_MS)).toBeNull()
    expect(batch.maxTimestampOf(bytes, 0)).toBe(batch.NO_TIMESTAMP)
  })
})

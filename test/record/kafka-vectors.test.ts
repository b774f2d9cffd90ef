import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { beforeAll, describe, expect, test } from 'vitest'
import * as batch from '../../src/record/batch.ts'
import { buildBatch, buildTransactionMarker, type NewRecord } from '../../src/record/builder.ts'
import { prepareCompression } from '../../src/record/compression.ts'
import { checkRecords, decompressedBody, recompress } from '../../src/record/inspect.ts'
import {
  firstRecordAtOrAfter,
  type LogRecord,
  maxTimestampRecord,
  readRecords,
} from '../../src/record/records.ts'
import { soleBatch, validateBatch } from '../../src/record/validate.ts'
import { limits, NOW_MS } from './support.ts'

interface Vector {
  readonly name: string
  readonly bytes: Uint8Array
  readonly records: readonly LogRecord[]
}

const blob = (text: string) => (text === '-' ? null : new Uint8Array(Buffer.from(text, 'base64')))

function readVectors(): Vector[] {
  const file = new URL('../fixtures/record/batches.tsv.gz', import.meta.url)
  const lines = gunzipSync(readFileSync(file)).toString('utf8').trimEnd().split('\n')
  return lines.map((line) => {
    const [name, bytes, ...records] = line.split('\t')
    return { name: name!, bytes: blob(bytes!)!, records: records.map(readRecord) }
  })
}

function readRecord(column: string): LogRecord {
  const [offset, timestamp, key, value, ...headers] = column.split(',')
  return {
    offset: Number(offset),
    timestampMs: Number(timestamp),
    key: blob(key!),
    value: blob(value!),
    headers: headers.map((header) => {
      const at = header.indexOf('=')
      return { key: header.slice(0, at), value: blob(header.slice(at + 1)) }
    }),
  }
}

const vectors = readVectors()
const ofBuilder = vectors.filter(({ name }) => !name.startsWith('marker'))
const BYTES_MAX = 10_000_000
const brokerLimits = { ...limits, origin: 'broker' as const }
const body = ({ bytes }: Vector) => decompressedBody(bytes, 0, BYTES_MAX)
const plain = (records: readonly LogRecord[]) =>
  records.map((record) => ({
    ...record,
    key: record.key && Buffer.from(record.key).toString('hex'),
    value: record.value && Buffer.from(record.value).toString('hex'),
    headers: record.headers.map((h) => [h.key, h.value && Buffer.from(h.value).toString('hex')]),
  }))

beforeAll(prepareCompression)

describe.each(ofBuilder)('Kafka’s batch $name', (vector) => {
  const { bytes, name, records } = vector
  const codec = batch.Codec[name.split('-')[0] as batch.CodecName]

  test('passes validation, and not as a client’s, since its base offset is set', () => {
    expect(validateBatch(bytes, 0, bytes.length, brokerLimits, NOW_MS)).toBeNull()
    expect(soleBatch(bytes)).toBeNull()
    expect(validateBatch(bytes, 0, bytes.length, limits, NOW_MS)?.kind).toBe('badBaseOffset')
  })

  test('has the header that Kafka gave it', () => {
    expect(batch.baseOffsetOf(bytes, 0)).toBe(1234567890123)
    expect(batch.lastOffsetOf(bytes, 0)).toBe(records.at(-1)!.offset)
    expect(batch.leaderEpochOf(bytes, 0)).toBe(7)
    expect(batch.codecOf(bytes, 0)).toBe(codec)
    expect(batch.recordCountOf(bytes, 0)).toBe(records.length)
    expect(batch.sizeInBytesOf(bytes, 0)).toBe(bytes.length)
    expect(batch.maxTimestampOf(bytes, 0)).toBe(Math.max(...records.map((r) => r.timestampMs)))
    expect(batch.timestampTypeOf(bytes, 0)).toBe(
      name.includes('LogAppendTime') ? 'logAppendTime' : 'createTime',
    )
    const big = name.endsWith('-big')
    expect(batch.isTransactional(bytes, 0)).toBe(big)
    expect(batch.hasProducerId(bytes, 0)).toBe(big)
    expect(batch.producerIdOf(bytes, 0)).toBe(big ? 4000 : -1)
    expect(batch.producerEpochOf(bytes, 0)).toBe(big ? 3 : -1)
    expect(batch.baseSequenceOf(bytes, 0)).toBe(big ? 2147483645 : -1)
    expect(batch.lastSequenceOf(bytes, 0)).toBe(big ? 2 : -1)
  })

  test('holds the records that Kafka wrote', () => {
    expect(plain(readRecords(bytes, 0, body(vector)))).toEqual(plain(records))
  })

  test('answers ListOffsets as its records say', () => {
    const content = body(vector)
    const max = batch.maxTimestampOf(bytes, 0)
    const first = records.find((record) => record.timestampMs === max)!
    const answer = { offset: first.offset, timestampMs: max }
    expect(maxTimestampRecord(bytes, 0, content)).toEqual(answer)
    expect(firstRecordAtOrAfter(bytes, 0, max, 0, content)).toEqual(answer)
    expect(firstRecordAtOrAfter(bytes, 0, max + 1, 0, content)).toBeNull()
    expect(firstRecordAtOrAfter(bytes, 0, 0, 0, content)?.offset).toBe(records[0]!.offset)
    const last = records.at(-1)!
    expect(firstRecordAtOrAfter(bytes, 0, 0, last.offset, content)?.offset).toBe(last.offset)
  })

  test('comes back whole from every other codec', () => {
    const options = { requireKeys: false, decompressedBytesMax: BYTES_MAX }
    for (const other of Object.values(batch.Codec)) {
      const made = recompress(bytes, other, options)
      if (made.kind === 'fault') throw new Error(made.fault.message)
      expect(validateBatch(made.batch, 0, made.batch.length, brokerLimits, NOW_MS)).toBeNull()
      const content = decompressedBody(made.batch, 0, BYTES_MAX)
      expect(plain(readRecords(made.batch, 0, content))).toEqual(plain(records))
    }
    const same = recompress(bytes, codec, options)
    expect(same.kind === 'batch' && same.batch).toBe(bytes)
  })

  test('is refused where it passes the bound on decompressed bytes, or lacks keys', () => {
    const size = body(vector).length
    const bound = (decompressedBytesMax: number, requireKeys = false) =>
      checkRecords(bytes, { requireKeys, decompressedBytesMax })
    expect(bound(size)).toBeNull()
    expect(bound(size - 1)?.kind).toBe('tooLarge')
    expect(bound(size, true)).toMatchObject({ kind: 'keyMissing', recordIndex: 0 })
  })
})

describe('our builder writes Kafka’s bytes', () => {
  test.each(ofBuilder.filter(({ name }) => name.startsWith('none')))('$name', (vector) => {
    // Timestamps of LogAppendTime batches are lost to readers, but the deltas on disk are those of creation.
    const created = ofBuilder.find((v) => v.name === vector.name.replace('LogAppend', 'Create'))!
    const records: NewRecord[] = created.records.map((record) => ({ ...record }))
    const built = buildBatch(records, {
      baseOffset: 1234567890123,
      leaderEpoch: 7,
      timestampType: batch.timestampTypeOf(vector.bytes, 0),
      appendTimeMs: 1700000009999,
    })
    expect(Buffer.from(built).toString('hex')).toBe(Buffer.from(vector.bytes).toString('hex'))
  })

  test.each(['commit', 'abort'] as const)('%s marker', (type) => {
    const vector = vectors.find(({ name }) => name === `marker-${type}`)!
    const built = buildTransactionMarker(type, 4000, 3, 11, NOW_MS)
    batch.stampOffsets(built, 0, type === 'commit' ? 50 : 51, 7)
    expect(Buffer.from(built).toString('hex')).toBe(Buffer.from(vector.bytes).toString('hex'))
    expect(batch.isControl(vector.bytes, 0)).toBe(true)
  })
})

test('setLogAppendTime makes of a CreateTime batch what Kafka’s builder makes', () => {
  const of = (name: string) => vectors.find((v) => v.name === name)!.bytes
  const bytes = of('none-CreateTime-20').slice()
  batch.setLogAppendTime(bytes, 0, 1700000009999)
  expect(bytes).toEqual(of('none-LogAppendTime-20'))
})

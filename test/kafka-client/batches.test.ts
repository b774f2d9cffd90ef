import { beforeAll, describe, expect, test } from 'vitest'
import { type FetchedBatches, offsetBehind, recordsOf } from '../../src/kafka-client/batches.ts'
import { FrameReader } from '../../src/kafka-client/frame-reader.ts'
import { Codec } from '../../src/record/batch.ts'
import { buildBatch, buildTransactionMarker } from '../../src/record/builder.ts'
import { prepareCompression } from '../../src/record/compression.ts'

beforeAll(() => prepareCompression())

const record = (text: string) => ({ timestampMs: 1_000, key: null, value: Buffer.from(text) })

function marker(type: 'abort' | 'commit', producerId: number, baseOffset: number): Buffer {
  const bytes = Buffer.from(buildTransactionMarker(type, producerId, 0, 0, 1_000))
  bytes.writeBigInt64BE(BigInt(baseOffset), 0)
  return bytes
}

async function valuesOf(
  bytes: Uint8Array,
  options: Partial<FetchedBatches> = {},
): Promise<string[]> {
  const fetched = { topic: 't', partition: 0, bytes, fromOffset: 0, aborted: null, ...options }
  const values: string[] = []
  for await (const records of recordsOf(fetched)) {
    values.push(...records.map(({ offset, value }) => `${offset}:${Buffer.from(value!)}`))
  }
  return values
}

describe('fetched batches', () => {
  test.each(Object.entries(Codec))('are read with %s', async (_, codec) => {
    const bytes = buildBatch([record('a'), record('b')], { baseOffset: 5, codec })
    expect(await valuesOf(bytes)).toEqual(['5:a', '6:b'])
  })

  test('may begin before what was asked for, have gaps, and end in half a batch', async () => {
    const bytes = Buffer.concat([
      buildBatch([record('a'), record('b')], { baseOffset: 5, codec: Codec.lz4 }),
      buildBatch([{ ...record('c'), offsetDelta: 3 }], { baseOffset: 20, lastOffsetDelta: 9 }),
      // compaction has taken all its records
      buildBatch([], { baseOffset: 30, lastOffsetDelta: 4 }),
    ])
    const half = buildBatch([record('d')], { baseOffset: 40 }).subarray(0, -1)
    const cut = Buffer.concat([bytes, half])
    expect(await valuesOf(cut, { fromOffset: 6 })).toEqual(['6:b', '23:c'])
    expect(offsetBehind(cut, 6)).toBe(35)
    expect(offsetBehind(half, 40)).toBe(40)
  })

  test('leave out control records, and what was aborted where it is asked for', async () => {
    const of = (producerId: number, text: string, baseOffset: number) =>
      buildBatch([record(text)], { producerId, producerEpoch: 0, transactional: true, baseOffset })
    const bytes = Buffer.concat([
      of(1, 'aborted', 0),
      of(2, 'kept', 1),
      marker('abort', 1, 2),
      of(1, 'committed later', 3),
      marker('commit', 2, 4),
      buildBatch([record('plain')], { baseOffset: 5 }),
    ])
    const aborted = [{ producerId: 1, firstOffset: 0 }]
    expect(await valuesOf(bytes, { aborted })).toEqual(['1:kept', '3:committed later', '5:plain'])
    expect(await valuesOf(bytes)).toHaveLength(4)
    expect(offsetBehind(bytes, 0)).toBe(6)
  })

  test('that are damaged, or of an old format, are named', async () => {
    const bytes = buildBatch([record('a')], { baseOffset: 7 })
    bytes[bytes.length - 1]! ^= 1
    await expect(valuesOf(bytes)).rejects.toThrow(
      'partition 0 of t: the batch at offset 7 is damaged',
    )
    bytes[16] = 1
    await expect(valuesOf(bytes)).rejects.toThrow('offset 7 has message format v1')
  })
})

describe('frames of a socket', () => {
  const frame = (text: string) => {
    const bytes = Buffer.alloc(4 + text.length, text)
    bytes.writeInt32BE(text.length, 0)
    bytes.write(text, 4)
    return bytes
  }

  test('come out whole, however the stream is cut', () => {
    const stream = Buffer.concat(['abcd', 'a longer frame', 'efgh'].map(frame))
    for (let step = 1; step <= stream.length; step++) {
      const frames: string[] = []
      const reader = new FrameReader(100, (bytes) => frames.push(bytes.toString()))
      for (let at = 0; at < stream.length; at += step) reader.push(stream.subarray(at, at + step))
      expect(frames).toEqual(['abcd', 'a longer frame', 'efgh'])
    }
  })

  test('of a size that is none are refused', () => {
    const reader = new FrameReader(100, () => {})
    expect(() => reader.push(Buffer.from('HTTP/1.1'))).toThrow('a response of 1213486160 bytes')
    expect(() => new FrameReader(9, () => {}).push(frame('0123456789'))).toThrow(RangeError)
  })
})

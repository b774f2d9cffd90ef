import fc from 'fast-check'
import lz4js from 'lz4js'
import snappyjs from 'snappyjs'
import { beforeAll, describe, expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { Codec, codecName } from '../../src/record/batch.ts'
import { compress, decompress, prepareCompression } from '../../src/record/compression.ts'
import { DecompressedTooLargeError, RecordFormatError } from '../../src/record/fault.ts'
import { xxh32 } from '../../src/record/xxh32.ts'
import { ascii, randomBytes } from './support.ts'

beforeAll(prepareCompression)

const codecs = [Codec.gzip, Codec.snappy, Codec.lz4, Codec.zstd]
const BYTES_MAX = 64 << 20
const MB = 1 << 20

const noise = (() => {
  const bytes = new Uint8Array(3 * MB + 12_345)
  const random = new SeededRandom(5)
  const words = new Uint32Array(bytes.buffer, 0, bytes.length >> 2)
  for (let i = 0; i < words.length; i++) words[i] = random.uint32()
  return bytes
})()
const json = ascii(
  Array.from({ length: 50_000 }, (_, i) => `{"id":${i},"user":"u${(i * 7919) % 1000}"}`).join('\n'),
)
const inputs: readonly (readonly [string, Uint8Array])[] = [
  ['nothing', new Uint8Array(0)],
  ['one byte', ascii('x')],
  ['twelve equal bytes', new Uint8Array(12).fill(7)],
  ['noise, 3 MB', noise],
  ['JSON, 2 MB', json],
  ['zeros, 9 MB', new Uint8Array(9 * MB)],
  [
    'noise, then the same again',
    new Uint8Array([...noise.subarray(0, 70_000), ...noise.subarray(0, 70_000)]),
  ],
]
/** Equality that does not walk megabytes in an assertion library. */
const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0

describe.each(codecs.map((codec) => [codecName(codec), codec] as const))('%s', (_, codec) => {
  test.each(inputs)('brings back %s', (_, bytes) => {
    const packed = compress(codec, bytes)
    expect(packed.length).toBeLessThan(bytes.length * 1.01 + 64)
    expect(same(decompress(codec, packed, BYTES_MAX), bytes)).toBe(true)
    expect(same(decompress(codec, packed, bytes.length), bytes)).toBe(true)
  })

  test('takes memory shared between threads', () => {
    const shared = new Uint8Array(new SharedArrayBuffer(1000)).fill(3)
    const packed = compress(codec, shared)
    const sharedPacked = new Uint8Array(new SharedArrayBuffer(packed.length))
    sharedPacked.set(packed)
    expect(same(decompress(codec, sharedPacked, 1000), shared)).toBe(true)
  })

  test('brings back whatever repeats at whatever distance', () => {
    const piece = fc.tuple(fc.uint8Array({ maxLength: 80 }), fc.nat(3000), fc.nat(400))
    const property = fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      let bytes: number[] = []
      for (const [fresh, back, length] of pieces) {
        bytes = bytes.concat([...fresh])
        for (let i = 0; i < length && bytes.length > 0; i++) {
          bytes.push(bytes[Math.max(0, bytes.length - 1 - back)]!)
        }
      }
      const input = Uint8Array.from(bytes)
      expect(same(decompress(codec, compress(codec, input), input.length), input)).toBe(true)
    })
    fc.assert(property, { seed: 1, numRuns: 150 })
  })

  test('brings back noise with a word here and there that was seen before', () => {
    const random = new SeededRandom(9)
    for (let round = 0; round < 300; round++) {
      const bytes = noise.slice(0, 1 + random.below(40_000))
      const distance = 61 + random.below(240)
      const words = 1 + random.below(80)
      for (let at = words * distance; at + 4 <= bytes.length; at += distance) {
        bytes.copyWithin(at, at - words * distance, at - words * distance + 4)
      }
      const packed = compress(codec, bytes)
      expect(same(decompress(codec, packed, bytes.length), bytes), `round ${round}`).toBe(true)
    }
  })

  test('refuses to grow beyond the bound, naming codec and limit', () => {
    const bomb = compress(codec, new Uint8Array(9 * MB))
    const before = process.memoryUsage()
    const name = codecName(codec)
    expect(() => decompress(codec, bomb, 100_000)).toThrow(DecompressedTooLargeError)
    expect(() => decompress(codec, bomb, 100_000)).toThrow(new RegExp(`^${name}: .*100000`))
    expect(() => decompress(codec, compress(codec, ascii('x')), 0)).toThrow(/limit of 0/)
    const after = process.memoryUsage()
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(4 * MB)
  })

  test('answers every cut with an error that names the codec', () => {
    const packed = compress(codec, json.subarray(0, 40_000))
    const whole = json.subarray(0, 40_000)
    for (let length = 0; length < packed.length; length += length < 40 ? 1 : 97) {
      try {
        // A cut between two of snappy's blocks is no fault of its format; record counts find it.
        const out = decompress(codec, packed.subarray(0, length), BYTES_MAX)
        expect(codec).toBe(Codec.snappy)
        expect(same(out, whole.subarray(0, out.length))).toBe(true)
      } catch (error) {
        expect(error).toBeInstanceOf(RecordFormatError)
        expect((error as Error).message).toMatch(new RegExp(`^${codecName(codec)}: `))
      }
    }
  })

  test('survives mutated bytes within its bound', () => {
    const random = new SeededRandom(codec)
    const packed = compress(codec, json.subarray(0, 3_000))
    for (let i = 0; i < 3000; i++) {
      const bytes = packed.slice(0, random.chance(0.2) ? random.below(packed.length) : undefined)
      for (let n = random.below(4); n >= 0; n--) {
        const at = random.chance(0.5) ? random.below(24) : random.below(bytes.length)
        if (at < bytes.length) bytes[at] = random.uint32()
      }
      try {
        expect(decompress(codec, bytes, 100_000).length).toBeLessThanOrEqual(100_000)
      } catch (error) {
        if (!(error instanceof RecordFormatError)) throw error
      }
    }
  })

  test('survives noise', () => {
    const random = new SeededRandom(codec + 10)
    for (let i = 0; i < 500; i++) {
      const bytes = randomBytes(random, random.below(200))
      try {
        expect(decompress(codec, bytes, 1000).length).toBeLessThanOrEqual(1000)
      } catch (error) {
        if (!(error instanceof RecordFormatError)) throw error
      }
    }
  })
})

/** Walks an lz4 block: how far before its end the last match begins, and how many literals end it. */
function endOfBlock(block: Uint8Array): { readonly lastMatch: number; readonly literals: number } {
  let size = 0
  let lastMatchAt = Number.NEGATIVE_INFINITY
  for (let at = 0; ; ) {
    const token = block[at++]!
    const rest = (nibble: number) => {
      let length = nibble
      for (let more = nibble === 15 ? 255 : 0; more === 255; length += more) more = block[at++]!
      return length
    }
    const literals = rest(token >> 4)
    at += literals
    size += literals
    if (at >= block.length) return { lastMatch: size - lastMatchAt, literals }
    at += 2
    lastMatchAt = size
    size += rest(token & 15) + 4
  }
}

test('lz4 blocks end as its native decoders, and so Java’s consumers, want them', () => {
  for (let length = 13; length < 300; length++) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * i) % 7)
    const frame = compress(Codec.lz4, bytes)
    if (frame[10]! >= 0x80) continue
    const end = endOfBlock(frame.subarray(11, -4))
    expect(end.lastMatch).toBeGreaterThanOrEqual(12)
    expect(end.literals).toBeGreaterThanOrEqual(5)
  }
})

describe('as other writers write it', () => {
  test('one raw snappy block, as librdkafka sends', () => {
    const raw = snappyjs.compress(json)
    expect(same(decompress(Codec.snappy, raw, BYTES_MAX), json)).toBe(true)
    expect(() => decompress(Codec.snappy, raw, json.length - 1)).toThrow(DecompressedTooLargeError)
  })

  test('two framed snappy streams, one after the other', () => {
    const one = compress(Codec.snappy, ascii('one'))
    const both = new Uint8Array([...one, ...compress(Codec.snappy, ascii('two'))])
    expect(decompress(Codec.snappy, both, 100)).toEqual(ascii('onetwo'))
  })

  test('two zstd frames with a skippable one between them', () => {
    const skippable = Uint8Array.of(0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9)
    const [one, two] = [compress(Codec.zstd, ascii('one')), compress(Codec.zstd, ascii('two'))]
    const both = new Uint8Array([...one, ...skippable, ...two])
    expect(new Uint8Array(decompress(Codec.zstd, both, 6))).toEqual(ascii('onetwo'))
    expect(() => decompress(Codec.zstd, both, 5)).toThrow(DecompressedTooLargeError)
  })

  test('our lz4 and snappy are read by other readers', () => {
    for (const [, bytes] of inputs) {
      expect(same(lz4js.decompress(compress(Codec.lz4, bytes)), bytes)).toBe(true)
    }
    const block = compress(Codec.snappy, json.subarray(0, 30_000)).subarray(20)
    expect(same(snappyjs.uncompress(block), json.subarray(0, 30_000))).toBe(true)
  })

  test('lz4 with linked blocks is refused, as Kafka does, and a wrong checksum is found', () => {
    expect(() => decompress(Codec.lz4, lz4js.compress(json), BYTES_MAX)).toThrow(/linked blocks/)
    const packed = compress(Codec.lz4, json).slice()
    packed[6]! ^= 1
    expect(() => decompress(Codec.lz4, packed, BYTES_MAX)).toThrow(/header checksum/)
  })

  test('lz4 with all its checksums and a content size', () => {
    // One stored block "abcd".
    const frame = Uint8Array.of(
      ...[0x04, 0x22, 0x4d, 0x18, 0x7c, 0x40, 4, 0, 0, 0, 0, 0, 0, 0, 0],
      ...[4, 0, 0, 0x80, 97, 98, 99, 100, 0, 0, 0, 0],
      ...[0, 0, 0, 0, 0, 0, 0, 0],
    )
    frame[14] = xxh32(frame, 4, 14) >>> 8
    const sum = new DataView(frame.buffer)
    sum.setUint32(23, xxh32(ascii('abcd'), 0, 4), true)
    sum.setUint32(31, xxh32(ascii('abcd'), 0, 4), true)
    expect(decompress(Codec.lz4, frame, 4)).toEqual(ascii('abcd'))
    for (const at of [23, 31]) {
      const wrong = frame.slice()
      wrong[at]! ^= 1
      expect(() => decompress(Codec.lz4, wrong, 4)).toThrow(/checksum mismatch/)
    }
  })

  test('xxh32 gives the published values', () => {
    expect(xxh32(new Uint8Array(0), 0, 0)).toBe(0x02cc5d05)
    expect(xxh32(ascii('abc'), 0, 3)).toBe(0x32d153ff)
    const alphabet = ascii('abcdefghijklmnopqrstuvwxyz')
    expect(xxh32(alphabet, 0, 26)).toBe(0x63a14d5f)
  })
})

/** Record batches: such as clients send, and such as none should. */
import { deflateRawSync } from 'node:zlib'
import { BATCH_HEADER_BYTES, Codec, stampCrc, writeInt32 } from '../../src/record/batch.ts'
import { buildBatch } from '../../src/record/builder.ts'
import type { Prng } from './prng.ts'

const recordsOf = (random: Prng) =>
  Array.from({ length: 1 + random.below(5) }, (_, i) => ({
    timestampMs: Date.now(),
    key: Buffer.from(`k${i}`),
    value: random.bytes(random.below(60)),
  }))

export function validBatch(random: Prng, producerIds: readonly number[]): Uint8Array {
  const codec = random.pick([Codec.none, Codec.none, Codec.gzip, Codec.snappy, Codec.lz4])
  if (random.below(3) > 0 || producerIds.length === 0)
    return buildBatch(recordsOf(random), { codec })
  return buildBatch(recordsOf(random), {
    ...{ codec, producerId: random.pick(producerIds), producerEpoch: 0 },
    baseSequence: random.below(3),
  })
}

/** A batch whose header is true of it, CRC and all, around a body of our choice. */
export function batchAround(body: Uint8Array, codec: Codec, count = 1): Uint8Array {
  const record = { timestampMs: Date.now(), key: Buffer.from('k'), value: Buffer.from('v') }
  const header = buildBatch([record]).subarray(0, BATCH_HEADER_BYTES)
  const batch = new Uint8Array(BATCH_HEADER_BYTES + body.length)
  batch.set(header)
  batch.set(body, BATCH_HEADER_BYTES)
  writeInt32(batch, 8, batch.length - 12)
  batch[22] = codec
  writeInt32(batch, 23, count - 1)
  writeInt32(batch, 57, count)
  stampCrc(batch, 0)
  return batch
}

/** `megabytes` of zeros as gzip, a thousandth of the size. */
export function gzipBomb(megabytes: number): Uint8Array {
  const raw = deflateRawSync(new Uint8Array(megabytes * 2 ** 20))
  const header = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3])
  return Buffer.concat([header, raw, Buffer.alloc(8)])
}

const HUGE_VARINT = [0xff, 0xff, 0xff, 0xff, 0x0f]

/** What hostile records look like; each is one answer away from being stored, so none may be. */
export function hostileBatch(random: Prng): Uint8Array {
  const batch = buildBatch(recordsOf(random)).slice()
  switch (random.below(12)) {
    case 0: // wrong CRC
      batch[batch.length - 1]! ^= 0xff
      return batch
    case 1:
      return batch.subarray(0, random.below(batch.length))
    case 2: // magic
      batch[16] = random.pick([0, 1, 3, 255])
      return batch
    case 3: // length beyond, or short of, its bytes
      writeInt32(batch, 8, random.pick([-1, 0, 1, 48, batch.length, 0x7fffffff]))
      return batch
    case 4: // count
      writeInt32(batch, 57, random.pick([-1, 0, 1_000_000, 0x7fffffff]))
      stampCrc(batch, 0)
      return batch
    case 5: // last offset delta
      writeInt32(batch, 23, random.pick([-1, 1_000_000, 0x7fffffff]))
      stampCrc(batch, 0)
      return batch
    case 6: // a codec that there is not
      batch[22] = 5 + random.below(3)
      stampCrc(batch, 0)
      return batch
    case 7:
      return Buffer.concat([batch, batch])
    case 8:
      return batchAround(random.bytes(50), random.pick([1, 2, 3, 4] as Codec[]))
    case 9: // lengths in a record that nothing could hold
      return batchAround(Uint8Array.from([...HUGE_VARINT, 0, ...HUGE_VARINT, ...HUGE_VARINT]), 0)
    case 10:
      return batchAround(random.bytes(random.below(100)), 0, random.pick([1, 50, 1_000_000]))
    default:
      return random.bytes(random.below(200))
  }
}

/** As many megabytes of zeros as a Zstandard frame of run-length blocks that does not tell its size. */
export function zstdBomb(megabytes: number): Uint8Array {
  const blocks = megabytes * 8
  const made = Buffer.alloc(6 + 4 * blocks)
  made.writeUInt32LE(0xfd2fb528)
  // no checksum, no size; a window of 128 KB
  made[4] = 0
  made[5] = 7 << 3
  for (let i = 0; i < blocks; i++) {
    const last = i === blocks - 1 ? 1 : 0
    // block type 1: one byte, so often
    made.writeUIntLE((131_072 << 3) | (1 << 1) | last, 6 + 4 * i, 3)
  }
  return made
}

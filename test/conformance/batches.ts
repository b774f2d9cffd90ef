/** Record batches, good and bad in one way each. */
import {
  BATCH_HEADER_BYTES,
  Codec,
  stampCrc,
  writeInt16,
  writeInt32,
  writeInt64,
} from '../../src/record/batch.ts'
import { type BatchOptions, buildBatch, type NewRecord } from '../../src/record/builder.ts'

/** The time of every record that is sent: the same on both sides. */
export const TIME_MS = 1_700_000_000_000

const recordsOf = (texts: readonly string[]): NewRecord[] =>
  texts.map((text, i) => ({
    timestampMs: TIME_MS + i,
    key: Buffer.from(`key ${i}`),
    value: Buffer.from(text),
  }))

export const batchOf = (texts: readonly string[], options: BatchOptions = {}): Uint8Array =>
  buildBatch(recordsOf(texts), options)

/** Changes `batch` and, unless told not to, gives it a fitting CRC again. */
function changed(change: (batch: Uint8Array) => void, withCrc = true): Uint8Array {
  const batch = batchOf(['one', 'two'])
  change(batch)
  if (withCrc) stampCrc(batch, 0)
  return batch
}

/** A message of magic 0 or 1, as clients before 0.11 sent them. */
function oldMessage(magic: 0 | 1): Uint8Array {
  const value = Buffer.from('old')
  const message = Buffer.alloc(12 + 4 + 1 + 1 + (magic === 1 ? 8 : 0) + 4 + 4 + value.length)
  message.writeInt32BE(message.length - 12, 8)
  message[16] = magic
  let at = 18
  if (magic === 1) at = message.writeBigInt64BE(BigInt(TIME_MS), at)
  at = message.writeInt32BE(-1, at)
  at = message.writeInt32BE(value.length, at)
  value.copy(message, at)
  message.writeUInt32BE(crc32(message.subarray(16)), 12)
  return message
}

/** The CRC-32 of old messages. */
function crc32(bytes: Uint8Array): number {
  let crc = ~0
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  }
  return ~crc >>> 0
}

/** A batch whose header promises a codec that its bytes do not keep. */
const wronglyCompressed = (codec: number): Uint8Array =>
  changed((batch) => writeInt16(batch, 21, codec))

/** What is wrong → the records field of a produce request. */
export const badBatches: Readonly<Record<string, () => Uint8Array | null>> = {
  'records null': () => null,
  'records empty': () => new Uint8Array(0),
  'ten bytes of noise': () => Uint8Array.from({ length: 10 }, (_, i) => i * 7),
  'wrong CRC': () => changed((batch) => (batch[17] = batch[17]! ^ 0xff), false),
  'magic 0': () => oldMessage(0),
  'magic 1': () => oldMessage(1),
  'magic 3': () => changed((batch) => (batch[16] = 3)),
  'magic 2 relabelled as 1': () => changed((batch) => (batch[16] = 1)),
  'no record': () => buildBatch([]),
  'count 0': () => changed((batch) => writeInt32(batch, 57, 0)),
  'count -1': () => changed((batch) => writeInt32(batch, 57, -1)),
  'count one too many': () => changed((batch) => writeInt32(batch, 57, 3)),
  'count one too few': () => changed((batch) => writeInt32(batch, 57, 1)),
  'count and last delta one too many': () =>
    changed((batch) => {
      writeInt32(batch, 57, 3)
      writeInt32(batch, 23, 2)
    }),
  'last offset delta too large': () => changed((batch) => writeInt32(batch, 23, 5)),
  'last offset delta -1': () => changed((batch) => writeInt32(batch, 23, -1)),
  'length too large': () => changed((batch) => writeInt32(batch, 8, 10_000)),
  'length too small': () => changed((batch) => writeInt32(batch, 8, 20)),
  'length below a header': () => changed((batch) => writeInt32(batch, 8, 3)),
  'length -1': () => changed((batch) => writeInt32(batch, 8, -1)),
  'cut at its end': () => batchOf(['one', 'two']).subarray(0, BATCH_HEADER_BYTES + 5),
  'two batches': () => Buffer.concat([batchOf(['one']), batchOf(['two'])]),
  'bytes after the batch': () => Buffer.concat([batchOf(['one']), Buffer.from([1, 2, 3])]),
  'a control batch': () => batchOf(['one'], { control: true }),
  'transactional without a transaction': () =>
    batchOf(['one'], { transactional: true, producerId: 1, producerEpoch: 0, baseSequence: 0 }),
  'log append time by the client': () =>
    batchOf(['one'], { timestampType: 'logAppendTime', appendTimeMs: TIME_MS }),
  'delete horizon by the client': () => batchOf(['one'], { deleteHorizonMs: TIME_MS }),
  'codec 5': () => wronglyCompressed(5),
  'codec 7': () => wronglyCompressed(7),
  'not gzip': () => wronglyCompressed(Codec.gzip),
  'not snappy': () => wronglyCompressed(Codec.snappy),
  'not lz4': () => wronglyCompressed(Codec.lz4),
  'not zstd': () => wronglyCompressed(Codec.zstd),
  'base offset 7': () => changed((batch) => writeInt64(batch, 0, 7)),
  'base offset -1': () => changed((batch) => writeInt64(batch, 0, -1)),
  'leader epoch 99': () => changed((batch) => writeInt32(batch, 12, 99)),
  'reserved attribute bits': () => changed((batch) => writeInt16(batch, 21, 0x7f80)),
  'max timestamp wrong': () => changed((batch) => writeInt64(batch, 35, 5)),
  'max timestamp -1': () => changed((batch) => writeInt64(batch, 35, -1)),
  'sequence without a producer': () => batchOf(['one'], { baseSequence: 4 }),
  'producer without a sequence': () => batchOf(['one'], { producerId: 9, producerEpoch: 0 }),
  'producer with epoch -1': () =>
    batchOf(['one'], { producerId: 9, producerEpoch: -1, baseSequence: 0 }),
  'an unknown producer at sequence 5': () =>
    batchOf(['one'], { producerId: 1234, producerEpoch: 0, baseSequence: 5 }),
  'a record in the far future': () =>
    buildBatch([{ timestampMs: Date.now() + 86_400_000, key: null, value: null }]),
  'a record without a time': () => buildBatch([{ timestampMs: -1, key: null, value: null }]),
  'a record before 1970': () => buildBatch([{ timestampMs: -5_000, key: null, value: null }]),
  'offset deltas with a gap': () =>
    buildBatch([
      { timestampMs: TIME_MS, key: null, value: null },
      { timestampMs: TIME_MS, key: null, value: null, offsetDelta: 3 },
    ]),
  'larger than max.message.bytes': () => batchOf(['x'.repeat(1_048_600)]),
}

/**
 * The `.snapshot` file, version 1, big-endian, as Kafka's ProducerStateManager writes it.
 *
 *   version int16 · CRC-32C uint32 of all that follows · count int32 · entries:
 *   producer id int64 · epoch int16 · last sequence int32 · last offset int64 · offset delta int32 · timestamp int64
 *   · coordinator epoch int32 · first offset of the current transaction int64
 *
 * Kafka has one entry per producer, for its newest batch, and takes the last where there are more. Here the batches before that may come first, oldest
 * first: after an opening, too, each of them is known again when it is sent again.
 */
import {
  readInt16,
  readInt32,
  readInt64,
  writeInt16,
  writeInt32,
  writeInt64,
} from '../record/batch.ts'
import { crc32c } from '../record/crc32c.ts'
import type { ProducerSnapshotEntry } from './producers.ts'

const VERSION = 1
const CRC_FROM = 6
const HEADER_BYTES = 10
const ENTRY_BYTES = 46

export function encodeProducerSnapshot(entries: readonly ProducerSnapshotEntry[]): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + entries.length * ENTRY_BYTES)
  writeInt16(bytes, 0, VERSION)
  writeInt32(bytes, 6, entries.length)
  let at = HEADER_BYTES
  for (const entry of entries) {
    writeInt64(bytes, at, entry.producerId)
    writeInt16(bytes, at + 8, entry.epoch)
    writeInt32(bytes, at + 10, entry.lastSequence)
    writeInt64(bytes, at + 14, entry.lastOffset)
    writeInt32(bytes, at + 22, entry.offsetDelta)
    writeInt64(bytes, at + 26, entry.timestampMs)
    writeInt32(bytes, at + 34, entry.coordinatorEpoch)
    writeInt64(bytes, at + 38, entry.txnFirstOffset)
    at += ENTRY_BYTES
  }
  writeInt32(bytes, 2, crc32c(bytes, CRC_FROM, bytes.length))
  return bytes
}

/** null when the file is torn or not one of ours. */
export function decodeProducerSnapshot(bytes: Uint8Array): ProducerSnapshotEntry[] | null {
  if (bytes.length < HEADER_BYTES || readInt16(bytes, 0) !== VERSION) return null
  const count = readInt32(bytes, 6)
  if (count < 0 || bytes.length !== HEADER_BYTES + count * ENTRY_BYTES) return null
  if (readInt32(bytes, 2) >>> 0 !== crc32c(bytes, CRC_FROM, bytes.length)) return null
  return Array.from({ length: count }, (_, index) => {
    const at = HEADER_BYTES + index * ENTRY_BYTES
    return {
      producerId: readInt64(bytes, at),
      epoch: readInt16(bytes, at + 8),
      lastSequence: readInt32(bytes, at + 10),
      lastOffset: readInt64(bytes, at + 14),
      offsetDelta: readInt32(bytes, at + 22),
      timestampMs: readInt64(bytes, at + 26),
      coordinatorEpoch: readInt32(bytes, at + 34),
      txnFirstOffset: readInt64(bytes, at + 38),
    }
  })
}

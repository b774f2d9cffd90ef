/** What a fetch brings: whole batches, one after another, of which the last may be cut off. */
import {
  BATCH_HEADER_BYTES,
  BATCH_LENGTH_FROM,
  baseOffsetOf,
  batchLengthOf,
  codecOf,
  computedCrcOf,
  isControl,
  isTransactional,
  lastOffsetOf,
  leaderEpochOf,
  MAGIC_V2,
  magicOf,
  producerIdOf,
  sizeInBytesOf,
  storedCrcOf,
  type TimestampType,
  timestampTypeOf,
} from '../record/batch.ts'
import { prepareCompression } from '../record/compression.ts'
import { RecordFormatError } from '../record/fault.ts'
import { decompressedBody } from '../record/inspect.ts'
import { RecordCursor, type RecordHeader } from '../record/records.ts'

/** One record, decompressed; bytes are views that live as long as nobody lets go of the record. */
export interface ConsumedRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly timestampMs: number
  readonly timestampType: TimestampType
  readonly leaderEpoch: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: readonly RecordHeader[]
}

export interface AbortedTransaction {
  readonly producerId: number
  readonly firstOffset: number
}

/** Whole batches of one partition, as they came. */
export interface FetchedBatches {
  readonly topic: string
  readonly partition: number
  readonly bytes: Uint8Array
  /** Records before it are in the first batch and were not asked for. */
  readonly fromOffset: number
  /** Null reads everything: nothing was asked to be left out. */
  readonly aborted: readonly AbortedTransaction[] | null
}

/** One batch decompresses to at most this much. */
const DECOMPRESSED_BYTES_MAX = 512 * 2 ** 20
const ZSTD = 4

const inPartition = (topic: string, partition: number) => `partition ${partition} of ${topic}`

/** The offset behind the last whole batch, or `fromOffset` where there is none. Throws for an old message format. */
export function offsetBehind(bytes: Uint8Array, fromOffset: number, where = 'records'): number {
  let next = fromOffset
  for (const at of batchesIn(bytes, where)) next = Math.max(next, lastOffsetOf(bytes, at) + 1)
  return next
}

/** Where each whole batch begins. */
function* batchesIn(bytes: Uint8Array, where: string): Generator<number> {
  let at = 0
  // the magic byte of every format is in the same place
  while (bytes.length - at > 16) {
    const size = sizeInBytesOf(bytes, at)
    if (size < BATCH_LENGTH_FROM) throw new RecordFormatError(`${where}: batch of ${size} bytes`)
    if (magicOf(bytes, at) !== MAGIC_V2) {
      const what = `offset ${baseOffsetOf(bytes, at)} has message format v${magicOf(bytes, at)}`
      throw new RecordFormatError(`${where}: ${what}, only v2 (Kafka 0.11 and later) is read`)
    }
    if (size > bytes.length - at || size < BATCH_HEADER_BYTES) return
    yield at
    at += size
  }
}

/** The records of whole batches, in order, without control records and without those of aborted transactions. */
export async function* recordsOf(fetched: FetchedBatches): AsyncGenerator<ConsumedRecord[]> {
  const { topic, partition, bytes, fromOffset } = fetched
  const where = inPartition(topic, partition)
  const aborted = new AbortedProducers(fetched.aborted)
  for (const at of batchesIn(bytes, where)) {
    if (aborted.isLeftOut(bytes, at)) continue
    if (lastOffsetOf(bytes, at) < fromOffset) continue
    const base = baseOffsetOf(bytes, at)
    if (computedCrcOf(bytes, at) !== storedCrcOf(bytes, at)) {
      throw new RecordFormatError(`${where}: the batch at offset ${base} is damaged (CRC)`)
    }
    if (codecOf(bytes, at) === ZSTD) await prepareCompression()
    try {
      yield recordsOfBatch(fetched, at)
    } catch (error) {
      if (!(error instanceof RecordFormatError)) throw error
      throw new RecordFormatError(`${where}, batch at offset ${base}: ${error.message}`)
    }
  }
}

function recordsOfBatch({ topic, partition, bytes, fromOffset }: FetchedBatches, at: number) {
  const records: ConsumedRecord[] = []
  const cursor = new RecordCursor(bytes, at, decompressedBody(bytes, at, DECOMPRESSED_BYTES_MAX))
  const timestampType = timestampTypeOf(bytes, at)
  const leaderEpoch = leaderEpochOf(bytes, at)
  while (cursor.next()) {
    if (cursor.offset < fromOffset) continue
    records.push({
      topic,
      partition,
      offset: cursor.offset,
      timestampMs: cursor.timestampMs,
      timestampType,
      leaderEpoch,
      key: cursor.key(),
      value: cursor.value(),
      headers: cursor.headers(),
    })
  }
  return records
}

/** Which producers' batches belong to a transaction that was aborted, while a log is read in order. */
class AbortedProducers {
  /** By the offset at which each begins, the next at the end. */
  readonly #pending: AbortedTransaction[]
  readonly #running = new Set<number>()
  readonly #readsAll: boolean

  constructor(aborted: readonly AbortedTransaction[] | null) {
    this.#readsAll = aborted === null
    this.#pending = [...(aborted ?? [])].sort((a, b) => b.firstOffset - a.firstOffset)
  }

  /** Whether the batch carries nothing for a reader; called for each in order. */
  isLeftOut(bytes: Uint8Array, at: number): boolean {
    if (this.#readsAll) return isControl(bytes, at)
    const last = lastOffsetOf(bytes, at)
    while (this.#pending.length > 0 && this.#pending.at(-1)!.firstOffset <= last) {
      this.#running.add(this.#pending.pop()!.producerId)
    }
    if (isControl(bytes, at)) {
      // a marker ends its producer's transaction, whichever way
      this.#running.delete(producerIdOf(bytes, at))
      return true
    }
    return isTransactional(bytes, at) && this.#running.has(producerIdOf(bytes, at))
  }
}

/** Bytes of the batch that begins `bytes`, if its header is there: a fetch that brings less needs a larger limit. */
export const firstBatchBytes = (bytes: Uint8Array): number | null =>
  bytes.length < BATCH_LENGTH_FROM ? null : BATCH_LENGTH_FROM + batchLengthOf(bytes, 0)

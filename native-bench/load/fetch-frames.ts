/** Fetch requests that are sent again and again with other offsets, and their answers read where they lie. */
import { ZERO_TOPIC_ID } from '../../src/base/ids.ts'
import { fetch } from '../../src/protocol/01-fetch.ts'
import { encodeRequest } from '../../src/protocol/codec.ts'
import type { TopicPartition } from './messages.ts'
import { CLIENT_ID } from './produce-batches.ts'
import type { ConsumeGroup } from './workload.ts'

/** The newest before flexible versions: topics by name, and every field where it is. */
export const FETCH_VERSION_MAX = 11

/** A partition as it is read. */
export interface Reader extends TopicPartition {
  offset: number
  /** Bytes from the frame's begin to the offset in it. */
  offsetAt: number
  /** Records that were gone before they were read. */
  skipped: number
  /** End to end: batches of the measured window that came, and when the last of them was due. */
  measured: number
  lastDueUs: number
}

/** Readers must be grouped by topic. One request is on its way at a time, so that its bytes may change after each answer. */
export class FetchFrame {
  readonly bytes: Buffer
  readonly #readers: readonly Reader[]

  constructor(version: number, group: ConsumeGroup, readers: readonly Reader[]) {
    this.#readers = readers
    const topics = new Map<string, Reader[]>()
    for (const reader of readers) {
      topics.set(reader.topic, [...(topics.get(reader.topic) ?? []), reader])
    }
    const { chunks } = encodeRequest(fetch, version, 0, CLIENT_ID, {
      maxWaitMs: group.maxWaitMs,
      minBytes: group.minBytes,
      maxBytes: group.maxBytes,
      sessionEpoch: -1,
      topics: [...topics].map(([topic, list]) => ({
        ...{ topic, topicId: ZERO_TOPIC_ID },
        partitions: list.map(({ partition }) => ({
          ...{ partition, fetchOffset: 0, partitionMaxBytes: group.partitionMaxBytes },
        })),
      })),
      forgottenTopicsData: [],
    })
    this.bytes = Buffer.concat(chunks)
    this.#place(version, topics)
  }

  /** Before it is sent. */
  refresh(): void {
    for (const { offset, offsetAt } of this.#readers) {
      this.bytes.writeInt32BE(Math.floor(offset / 2 ** 32), offsetAt)
      this.bytes.writeUInt32BE(offset % 2 ** 32, offsetAt + 4)
    }
  }

  #place(version: number, topics: ReadonlyMap<string, readonly Reader[]>): void {
    // size, api, version, correlation id, client id; replica, wait, min, max, isolation; session; number of topics
    let at = 4 + 8 + 2 + CLIENT_ID.length + 17 + (version >= 7 ? 8 : 0) + 4
    for (const [topic, readers] of topics) {
      at += 2 + Buffer.byteLength(topic) + 4
      for (const reader of readers) {
        reader.offsetAt = at + 4 + (version >= 9 ? 4 : 0)
        at = reader.offsetAt + 8 + (version >= 5 ? 8 : 0) + 4
      }
    }
  }
}

export interface FetchedPartition {
  topicBytes: number
  partition: number
  error: number
  highWatermark: number
  /** −1 where the version has none. */
  logStart: number
  recordsAt: number
  recordsBytes: number
}

const offsetAt = (memory: Buffer, at: number): number =>
  memory.readInt32BE(at) * 2 ** 32 + memory.readUInt32BE(at + 4)

/**
 * Calls `take` for each partition of an answer (without its size, at `from`), with one object that it fills anew each time, and
 * the place of the topic's name. Returns the error of the whole.
 */
export function readFetched(
  version: number,
  memory: Buffer,
  from: number,
  take: (topicAt: number, partition: FetchedPartition) => void,
): number {
  let at = from + 4 + 4
  if (version >= 7) {
    const error = memory.readInt16BE(at)
    if (error !== 0) return error
    at += 6
  }
  const found: FetchedPartition = {
    ...{ topicBytes: 0, partition: 0, error: 0, highWatermark: 0 },
    ...{ logStart: -1, recordsAt: 0, recordsBytes: 0 },
  }
  let topics = memory.readInt32BE(at)
  at += 4
  for (; topics > 0; topics--) {
    found.topicBytes = memory.readInt16BE(at)
    const topicAt = at + 2
    at = topicAt + found.topicBytes
    let partitions = memory.readInt32BE(at)
    at += 4
    for (; partitions > 0; partitions--) {
      at = readPartition(version, memory, at, found)
      take(topicAt, found)
    }
  }
  return 0
}

/** Returns where the next begins. */
function readPartition(
  version: number,
  memory: Buffer,
  from: number,
  into: FetchedPartition,
): number {
  into.partition = memory.readInt32BE(from)
  into.error = memory.readInt16BE(from + 4)
  into.highWatermark = offsetAt(memory, from + 6)
  let at = from + 22
  if (version >= 5) {
    into.logStart = offsetAt(memory, at)
    at += 8
  }
  at += 4 + 16 * Math.max(0, memory.readInt32BE(at))
  if (version >= 11) at += 4
  into.recordsBytes = Math.max(0, memory.readInt32BE(at))
  into.recordsAt = at + 4
  return into.recordsAt + into.recordsBytes
}

export interface FetchedBatches {
  /** Offset behind the last whole batch; −1 without one. */
  next: number
  batches: number
  records: number
  wireBytes: number
}

/** Whole batches of one partition's records; `take` gets each one's base timestamp, which producers may have written. */
export function readBatches(
  memory: Buffer,
  from: number,
  bytes: number,
  take: ((timestamp: number) => void) | null,
): FetchedBatches {
  const found: FetchedBatches = { next: -1, batches: 0, records: 0, wireBytes: 0 }
  const end = from + bytes
  for (let at = from; at + 61 <= end; ) {
    const size = 12 + memory.readInt32BE(at + 8)
    if (at + size > end) break
    found.next = offsetAt(memory, at) + memory.readInt32BE(at + 23) + 1
    found.batches++
    found.records += memory.readInt32BE(at + 57)
    found.wireBytes += size
    take?.(offsetAt(memory, at + 27))
    at += size
  }
  return found
}

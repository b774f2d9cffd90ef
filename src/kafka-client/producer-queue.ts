/** What waits for one partition: batches in order, of which one is out at a time. */
import type { RecordToSend } from './producer.ts'

export interface QueuedBatch {
  readonly queue: PartitionQueue
  readonly records: readonly RecordToSend[]
  /** As counted against the buffer. */
  readonly bytes: number
  /** When its first record came: monotonic milliseconds. */
  readonly addedMs: number
  tries: number
}

/** What a record takes in a batch beyond its key and value: lengths, deltas, attributes. */
const WIRE_OVERHEAD_BYTES = 24
/** What our objects for it take in memory. */
const MEMORY_OVERHEAD_BYTES = 256

export class PartitionQueue {
  readonly topic: string
  readonly partition: number
  readonly #batchBytes: number
  /** Whole batches, the next first. */
  readonly #ready: QueuedBatch[] = []
  #records: RecordToSend[] = []
  #bytes = 0
  #wireBytes = 0
  #addedMs = 0
  #isOut = false
  #hasClosed = false

  constructor(topic: string, partition: number, batchBytes: number) {
    this.topic = topic
    this.partition = partition
    this.#batchBytes = batchBytes
  }

  /** The last record added filled a batch. */
  get hasClosed(): boolean {
    return this.#hasClosed
  }

  get isWaiting(): boolean {
    return !this.#isOut && (this.#ready.length > 0 || this.#records.length > 0)
  }

  /** Adds a record; returns the bytes to count for it. */
  add(record: RecordToSend, nowMs: number): number {
    const bytes = bytesOf(record)
    this.#hasClosed = false
    const wireBytes = bytes - MEMORY_OVERHEAD_BYTES + WIRE_OVERHEAD_BYTES
    if (this.#records.length > 0 && this.#wireBytes + wireBytes > this.#batchBytes) this.#close()
    if (this.#records.length === 0) this.#addedMs = nowMs
    this.#records.push(record)
    this.#bytes += bytes
    this.#wireBytes += wireBytes
    if (this.#wireBytes >= this.#batchBytes) this.#close()
    return bytes
  }

  isDue(nowMs: number, lingerMs: number): boolean {
    if (this.#isOut) return false
    if (this.#ready.length > 0) return true
    return this.#records.length > 0 && nowMs - this.#addedMs >= lingerMs
  }

  /** The next batch, out until {@link done} or {@link putBack}. */
  take(): QueuedBatch {
    if (this.#ready.length === 0) this.#close()
    this.#isOut = true
    return this.#ready.shift()!
  }

  done(): void {
    this.#isOut = false
  }

  /** The batch that is out is sent again, before all others. */
  putBack(batch: QueuedBatch): void {
    this.#isOut = false
    this.#ready.unshift(batch)
  }

  /** The same in two parts: it was too large for the topic. */
  putBackHalves(batch: QueuedBatch): void {
    const middle = Math.ceil(batch.records.length / 2)
    this.#isOut = false
    for (const records of [batch.records.slice(middle), batch.records.slice(0, middle)]) {
      const bytes = records.reduce((sum, record) => sum + bytesOf(record), 0)
      this.#ready.unshift({ ...batch, records, bytes })
    }
  }

  #close(): void {
    this.#ready.push({
      ...{ queue: this, records: this.#records, bytes: this.#bytes },
      ...{ addedMs: this.#addedMs, tries: 0 },
    })
    this.#records = []
    this.#bytes = 0
    this.#wireBytes = 0
    this.#hasClosed = true
  }
}

/** In memory, as counted against the buffer. */
function bytesOf({ key, value, headers }: RecordToSend): number {
  let bytes = MEMORY_OVERHEAD_BYTES + (key?.length ?? 0) + (value?.length ?? 0)
  for (const header of headers ?? []) bytes += header.key.length + (header.value?.length ?? 0) + 8
  return bytes
}

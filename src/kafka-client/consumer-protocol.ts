/**
 * What members of a consumer group tell each other through the coordinator: Kafka's ConsumerProtocolSubscription and
 * ConsumerProtocolAssignment. Big-endian, classic types; later versions only append.
 *
 *   subscription   int16 version | topics: array of string | userData: bytes
 *                  | 1: ownedPartitions: array of { topic, array of int32 } | 2: generationId int32 | 3: rackId string
 *   assignment     int16 version | array of { topic, array of int32 } | userData: bytes
 */
import { groupBy } from './group-by.ts'
import type { TopicPartition } from './offsets.ts'

export interface Subscription {
  readonly topics: readonly string[]
  readonly owned: readonly TopicPartition[]
  /** Of the assignment that gave `owned`; −1 where it is not told. */
  readonly generationId: number
}

const SUBSCRIPTION_VERSION = 2

export function encodeSubscription({ topics, owned, generationId }: Subscription): Uint8Array {
  const out = new Writer()
  out.int16(SUBSCRIPTION_VERSION)
  out.int32(topics.length)
  for (const topic of topics) out.string(topic)
  out.int32(-1)
  out.partitions(owned)
  out.int32(generationId)
  return out.bytes()
}

/** Throws a RangeError for what is no subscription. */
export function decodeSubscription(bytes: Uint8Array): Subscription {
  const input = new Reader(bytes)
  const version = input.int16()
  const topics = Array.from({ length: input.count() }, () => input.string())
  input.skipBytes()
  const owned = version >= 1 && !input.isAtEnd ? input.partitions() : []
  const generationId = version >= 2 && !input.isAtEnd ? input.int32() : -1
  return { topics, owned, generationId }
}

export function encodeAssignment(partitions: readonly TopicPartition[]): Uint8Array {
  const out = new Writer()
  out.int16(0)
  out.partitions(partitions)
  out.int32(-1)
  return out.bytes()
}

/** Partitions of an assignment, none for the empty one. Throws a RangeError for what is none. */
export function decodeAssignment(bytes: Uint8Array): TopicPartition[] {
  if (bytes.length === 0) return []
  const input = new Reader(bytes)
  input.int16()
  return input.partitions()
}

class Writer {
  readonly #parts: Buffer[] = []

  int16(value: number): void {
    const part = Buffer.alloc(2)
    part.writeInt16BE(value)
    this.#parts.push(part)
  }

  int32(value: number): void {
    const part = Buffer.alloc(4)
    part.writeInt32BE(value)
    this.#parts.push(part)
  }

  string(text: string): void {
    const bytes = Buffer.from(text)
    this.int16(bytes.length)
    this.#parts.push(bytes)
  }

  partitions(partitions: readonly TopicPartition[]): void {
    const byTopic = groupBy(partitions, ({ topic }) => topic)
    this.int32(byTopic.size)
    for (const [topic, group] of byTopic) {
      this.string(topic)
      this.int32(group.length)
      for (const { partition } of group) this.int32(partition)
    }
  }

  bytes(): Uint8Array {
    return Buffer.concat(this.#parts)
  }
}

class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length
  }

  /** Buffer's own reads throw a RangeError beyond the end. */
  int16(): number {
    return this.#bytes.readInt16BE((this.#at += 2) - 2)
  }

  int32(): number {
    return this.#bytes.readInt32BE((this.#at += 4) - 4)
  }

  /** A count of elements of which each takes two bytes at least; null counts as none. */
  count(): number {
    const count = this.int32()
    if (count * 2 > this.#bytes.length - this.#at) throw new RangeError(`${count} elements`)
    return Math.max(0, count)
  }

  string(): string {
    const length = this.int16()
    const end = this.#at + length
    if (length < 0 || end > this.#bytes.length) throw new RangeError(`a string of ${length} bytes`)
    const text = this.#bytes.toString('utf8', this.#at, end)
    this.#at = end
    return text
  }

  skipBytes(): void {
    const length = this.int32()
    this.#at += Math.max(0, length)
  }

  partitions(): TopicPartition[] {
    const partitions: TopicPartition[] = []
    for (let topics = this.count(); topics > 0; topics--) {
      const topic = this.string()
      for (let n = this.count(); n > 0; n--) partitions.push({ topic, partition: this.int32() })
    }
    return partitions
  }
}

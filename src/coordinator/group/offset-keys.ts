import { offsetCommitKey } from '../../protocol/consumer-offsets-records.ts'
import { decodeName } from '../../protocol/string-cache.ts'
import { encodeVersioned } from '../../protocol/versioned-message.ts'

/** The type before the key of a committed offset; 0 is the same, from the days before Kafka 0.9. */
const OFFSET_COMMIT = 1

/** A (group, topic, partition) that has or had a committed offset: one object each, so that maps need not hash names. */
export class OffsetKey {
  readonly groupId: string
  readonly topic: string
  readonly partition: number
  /** The key of its records. */
  readonly bytes: Uint8Array
  readonly hash: number
  /** Next in the same bucket of {@link OffsetKeys}. */
  next: OffsetKey | null = null
  /** The key that was looked for after this one the last time. */
  follower: OffsetKey | null = null
  isForgotten = false

  constructor(groupId: string, topic: string, partition: number, bytes: Uint8Array, hash: number) {
    this.groupId = groupId
    this.topic = topic
    this.partition = partition
    this.bytes = bytes
    this.hash = hash
  }
}

export type TopicOffsetKeys = ReadonlyMap<number, OffsetKey>
export type GroupOffsetKeys = ReadonlyMap<string, TopicOffsetKeys>

/**
 * All offset keys, found by the bytes of a record's key without decoding them (the hot path of loading: a hash and a
 * comparison), or by names.
 */
export class OffsetKeys {
  #buckets: (OffsetKey | null)[] = new Array<OffsetKey | null>(64).fill(null)
  #size = 0
  /** The key that was interned last. */
  #last: OffsetKey | null = null
  readonly #groups = new Map<string, Map<string, Map<number, OffsetKey>>>()

  get size(): number {
    return this.#size
  }

  get groups(): ReadonlyMap<string, GroupOffsetKeys> {
    return this.#groups
  }

  find(groupId: string, topic: string, partition: number): OffsetKey | undefined {
    return this.#groups.get(groupId)?.get(topic)?.get(partition)
  }

  findBytes(bytes: Uint8Array): OffsetKey | undefined {
    const hash = hashOf(bytes)
    let key = this.#buckets[hash & (this.#buckets.length - 1)]!
    while (key !== null) {
      if (key.hash === hash && isSame(key.bytes, bytes)) return key
      key = key.next!
    }
    return undefined
  }

  /** The key with these bytes, made if need be; `bytes` is copied. Undefined if they are no key of a committed offset. */
  intern(bytes: Uint8Array): OffsetKey | undefined {
    // A consumer commits its partitions in the same order each time.
    const last = this.#last
    const guess = last?.follower ?? null
    if (guess !== null && !guess.isForgotten && isSame(guess.bytes, bytes)) {
      this.#last = guess
      return guess
    }
    const key = this.findBytes(bytes) ?? this.#add(bytes)
    if (key !== undefined) {
      if (last !== null) last.follower = key
      this.#last = key
    }
    return key
  }

  remove(key: OffsetKey): void {
    const at = key.hash & (this.#buckets.length - 1)
    if (this.#buckets[at] === key) this.#buckets[at] = key.next
    else {
      let before = this.#buckets[at]!
      while (before !== null && before.next !== key) before = before.next!
      if (before === null) return
      before.next = key.next
    }
    key.next = key.follower = null
    key.isForgotten = true
    if (this.#last === key) this.#last = null
    this.#size--
    const topics = this.#groups.get(key.groupId)!
    const partitions = topics.get(key.topic)!
    partitions.delete(key.partition)
    if (partitions.size === 0) topics.delete(key.topic)
    if (topics.size === 0) this.#groups.delete(key.groupId)
  }

  #add(bytes: Uint8Array): OffsetKey | undefined {
    const read = readOffsetKey(bytes)
    if (read === undefined) return undefined
    const { groupId, topic, partition } = read
    let topics = this.#groups.get(groupId)
    if (topics === undefined) this.#groups.set(groupId, (topics = new Map()))
    let partitions = topics.get(topic)
    if (partitions === undefined) topics.set(topic, (partitions = new Map()))
    const known = partitions.get(partition)
    // the same names under the older type, or behind bytes that nobody reads
    if (known !== undefined) return known
    const key = new OffsetKey(groupId, topic, partition, Uint8Array.from(bytes), hashOf(bytes))
    partitions.set(partition, key)
    if (++this.#size > this.#buckets.length) this.#grow()
    this.#link(key)
    return key
  }

  #link(key: OffsetKey): void {
    const at = key.hash & (this.#buckets.length - 1)
    key.next = this.#buckets[at]!
    this.#buckets[at] = key
  }

  #grow(): void {
    const old = this.#buckets
    this.#buckets = new Array<OffsetKey | null>(old.length * 2).fill(null)
    for (const head of old) {
      let key = head
      while (key !== null) {
        const next: OffsetKey | null = key.next
        this.#link(key)
        key = next
      }
    }
  }
}

export const encodeOffsetKey = (group: string, topic: string, partition: number): Uint8Array =>
  encodeVersioned(offsetCommitKey, OFFSET_COMMIT, { group, topic, partition })

/** int16 type, then group and topic as int16 length and UTF-8, then int32 partition. */
function readOffsetKey(b: Uint8Array) {
  const groupEnd = 4 + int16(b, 2)
  const topicEnd = groupEnd + 2 + int16(b, groupEnd)
  const fits = groupEnd >= 4 && topicEnd >= groupEnd + 2 && topicEnd + 4 <= b.length
  if (!fits || b[0] !== 0 || b[1]! > OFFSET_COMMIT) return undefined
  const groupId = decodeName(b, 4, groupEnd - 4)
  const topic = decodeName(b, groupEnd + 2, topicEnd - groupEnd - 2)
  const p = topicEnd
  const partition = (b[p]! << 24) | (b[p + 1]! << 16) | (b[p + 2]! << 8) | b[p + 3]!
  return { groupId, topic, partition }
}

/** Bytes that are not there count as −1, which fits nowhere. */
const int16 = (b: Uint8Array, at: number): number =>
  at >= 0 && at + 2 <= b.length ? (((b[at]! << 8) | b[at + 1]!) << 16) >> 16 : -1

/** Four bytes a step: the chain of multiplications is what costs. */
function hashOf(b: Uint8Array): number {
  const { length } = b
  let hash = length
  let at = 2
  for (; at + 4 <= length; at += 4) {
    const word = (b[at]! << 24) | (b[at + 1]! << 16) | (b[at + 2]! << 8) | b[at + 3]!
    hash = Math.imul(hash ^ word, 0x9e3779b1)
    hash ^= hash >>> 15
  }
  for (; at < length; at++) hash = Math.imul(hash ^ b[at]!, 0x85ebca6b)
  return hash ^ (hash >>> 13)
}

/** From the end: keys differ in their partition and topic more often than in their group. */
function isSame(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = a.length - 1; i >= 0; i--) if (a[i] !== b[i]) return false
  return true
}

/** Which partition a record goes to: by its key as Kafka's Java client has it, else to one partition for a while. */

/** Murmur2 with Kafka's seed, as a signed 32-bit integer: what Utils.murmur2 of Kafka answers. */
export function murmur2(data: Uint8Array): number {
  const m = 0x5bd1e995
  const { length } = data
  let h = 0x9747b28c ^ length
  const end = length & ~3
  for (let i = 0; i < end; i += 4) {
    let k = data[i]! | (data[i + 1]! << 8) | (data[i + 2]! << 16) | (data[i + 3]! << 24)
    k = Math.imul(k, m)
    k ^= k >>> 24
    h = Math.imul(h, m) ^ Math.imul(k, m)
  }
  const rest = length & 3
  if (rest >= 3) h ^= data[end + 2]! << 16
  if (rest >= 2) h ^= data[end + 1]! << 8
  if (rest >= 1) h = Math.imul(h ^ data[end]!, m)
  h ^= h >>> 13
  h = Math.imul(h, m)
  return h ^ (h >>> 15)
}

/** The partition of a record with a key, of `count`. */
export const partitionOfKey = (key: Uint8Array, count: number): number =>
  (murmur2(key) & 0x7fffffff) % count

/** Records without a key stay with one partition until `next()`: batches get full, and over time all get as many. */
export class StickyPartition {
  readonly #count: number
  #partition: number

  constructor(count: number) {
    this.#count = count
    this.#partition = Math.floor(Math.random() * count)
  }

  get partition(): number {
    return this.#partition
  }

  /** Moves on to another partition, where there is one. */
  next(): void {
    if (this.#count < 2) return
    const step = 1 + Math.floor(Math.random() * (this.#count - 1))
    this.#partition = (this.#partition + step) % this.#count
  }
}

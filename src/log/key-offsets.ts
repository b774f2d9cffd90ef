/** Room for entries and key bytes that an empty map begins with. */
const ENTRIES_MIN = 1_024
const KEY_BYTES_MIN = 64 * 1024
/** Slots per entry: at most every other slot is taken. */
const SLOTS_PER_ENTRY = 2

export interface KeyOffsetsLimits {
  readonly keysMax: number
  /** Of all keys together; one key alone may exceed it. */
  readonly keyBytesMax: number
}

/**
 * The last offset of each key, in flat memory that grows up to its limits and holds the keys whole: two keys are never
 * taken for one. The hash is seeded, since keys are what clients choose.
 */
export class KeyOffsets {
  readonly #limits: KeyOffsetsLimits
  readonly #seed: number
  /** Number of the entry + 1; 0 for none. */
  #slots = new Int32Array(ENTRIES_MIN * SLOTS_PER_ENTRY)
  #hashes = new Int32Array(ENTRIES_MIN)
  /** Where each key ends in {@link #keys}; it begins where the one before ends. */
  #ends = new Int32Array(ENTRIES_MIN)
  #offsets = new Float64Array(ENTRIES_MIN)
  #keys = new Uint8Array(KEY_BYTES_MIN)
  #count = 0
  /** Slots looked at since the map was made: what a slice of work counts besides records. */
  probes = 0

  constructor(limits: KeyOffsetsLimits, seed: number) {
    this.#limits = limits
    this.#seed = seed | 0
  }

  get size(): number {
    return this.#count
  }

  /** Memory held, in bytes. */
  get heldBytes(): number {
    return this.#slots.byteLength + this.#hashes.length * 16 + this.#keys.length
  }

  /** Forgets everything, and what grew beyond the first room. */
  clear(): void {
    if (this.#hashes.length > ENTRIES_MIN) {
      this.#slots = new Int32Array(ENTRIES_MIN * SLOTS_PER_ENTRY)
      this.#hashes = new Int32Array(ENTRIES_MIN)
      this.#ends = new Int32Array(ENTRIES_MIN)
      this.#offsets = new Float64Array(ENTRIES_MIN)
    } else this.#slots.fill(0)
    if (this.#keys.length > KEY_BYTES_MIN) this.#keys = new Uint8Array(KEY_BYTES_MIN)
    this.#count = 0
  }

  /** Notes `offset` for the key `bytes[from, to)`. False when it is a new key and there is no room for it. */
  put(bytes: Uint8Array, from: number, to: number, offset: number): boolean {
    const hash = this.#hash(bytes, from, to)
    const slot = this.#find(bytes, from, to, hash)
    const entry = this.#slots[slot]! - 1
    if (entry >= 0) {
      this.#offsets[entry] = offset
      return true
    }
    const start = this.#count === 0 ? 0 : this.#ends[this.#count - 1]!
    const end = start + to - from
    const { keysMax, keyBytesMax } = this.#limits
    if (this.#count >= keysMax || (end > keyBytesMax && this.#count > 0)) return false
    const isFull = this.#count === this.#hashes.length
    this.#reserve(end)
    const added = this.#count++
    this.#keys.set(bytes.subarray(from, to), start)
    this.#hashes[added] = hash
    this.#ends[added] = end
    this.#offsets[added] = offset
    this.#slots[isFull ? this.#free(hash) : slot] = added + 1
    return true
  }

  /** The offset noted for the key `bytes[from, to)`, −1 for none. */
  get(bytes: Uint8Array, from: number, to: number): number {
    const entry = this.#slots[this.#find(bytes, from, to, this.#hash(bytes, from, to))]! - 1
    return entry < 0 ? -1 : this.#offsets[entry]!
  }

  /** The slot of the key, or the free one where it would be. */
  #find(bytes: Uint8Array, from: number, to: number, hash: number): number {
    const slots = this.#slots
    const mask = slots.length - 1
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      this.probes++
      const entry = slots[slot]! - 1
      if (entry < 0) return slot
      if (this.#hashes[entry] === hash && this.#isKey(entry, bytes, from, to)) return slot
    }
  }

  #isKey(entry: number, bytes: Uint8Array, from: number, to: number): boolean {
    const start = entry === 0 ? 0 : this.#ends[entry - 1]!
    if (this.#ends[entry]! - start !== to - from) return false
    const keys = this.#keys
    for (let i = from, at = start; i < to; i++, at++) if (bytes[i] !== keys[at]) return false
    return true
  }

  #free(hash: number): number {
    const mask = this.#slots.length - 1
    let slot = hash & mask
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask
    return slot
  }

  #reserve(keyBytes: number): void {
    if (keyBytes > this.#keys.length) {
      const grown = new Uint8Array(Math.max(keyBytes, this.#keys.length * 2))
      grown.set(this.#keys)
      this.#keys = grown
    }
    if (this.#count < this.#hashes.length) return
    const entries = this.#hashes.length * 2
    const grow = <Numbers extends Int32Array | Float64Array>(into: Numbers, from: Numbers) => {
      into.set(from)
      return into
    }
    this.#hashes = grow(new Int32Array(entries), this.#hashes)
    this.#ends = grow(new Int32Array(entries), this.#ends)
    this.#offsets = grow(new Float64Array(entries), this.#offsets)
    this.#slots = new Int32Array(entries * SLOTS_PER_ENTRY)
    for (let entry = 0; entry < this.#count; entry++) {
      this.#slots[this.#free(this.#hashes[entry]!)] = entry + 1
    }
  }

  /** MurmurHash3's mixing, from a seed of our own. */
  #hash(bytes: Uint8Array, from: number, to: number): number {
    let hash = this.#seed
    let at = from
    for (; at + 4 <= to; at += 4) {
      let word =
        bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
      word = Math.imul(word, 0xcc9e2d51)
      word = (word << 15) | (word >>> 17)
      hash ^= Math.imul(word, 0x1b873593)
      hash = (hash << 13) | (hash >>> 19)
      hash = (Math.imul(hash, 5) + 0xe6546b64) | 0
    }
    for (; at < to; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193)
    hash ^= to - from
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
    return hash ^ (hash >>> 16)
  }
}

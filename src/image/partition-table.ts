/**
 * The columns of all partitions: an open-addressing table keyed by partition number. Numbers rise for ever and are never used
 * again, so they cannot index an array: memory follows what lives, at 22 bytes a slot and 3/8 to 3/4 of the slots in use.
 *
 *   key      u32   partition number, 0 = empty slot
 *   topic    i32   slot of its topic
 *   index    i32   of the partition within the topic
 *   epoch    i32   leader epoch
 *   replicas u32   which interned replica list: sixteen brokers can be put in more orders than 16 bits count
 *   leader   u16   broker, 0 = nobody
 *
 * Linear probing; a removal closes the gap by moving later entries of the run back, so there are no tombstones.
 */
import { invariant } from '../base/assert.ts'
import type { BrokerId, PartitionNumber } from '../base/ids.ts'

const SLOTS_MIN = 64

/** The broker column is 16 bits wide. */
export const BROKERS_MAX = 65_535

interface ReplicaList {
  readonly name: string
  readonly brokers: readonly BrokerId[]
  uses: number
}

export class PartitionTable {
  #mask = SLOTS_MIN - 1
  #count = 0
  #key = new Uint32Array(SLOTS_MIN)
  #topic = new Int32Array(SLOTS_MIN)
  #index = new Int32Array(SLOTS_MIN)
  #epoch = new Int32Array(SLOTS_MIN)
  #replicas = new Uint32Array(SLOTS_MIN)
  #leader = new Uint16Array(SLOTS_MIN)
  readonly #lists: ReplicaList[] = []
  readonly #listIds = new Map<string, number>()
  readonly #freeLists: number[] = []

  get count(): number {
    return this.#count
  }

  /** Different replica lists that are in use. */
  get listCount(): number {
    return this.#listIds.size
  }

  /** Bytes of the columns. */
  get byteLength(): number {
    return (this.#mask + 1) * 22
  }

  /** The slot of partition `number`, −1 when unknown; valid until the next change. */
  slotOf(number: PartitionNumber): number {
    const key = this.#key
    const mask = this.#mask
    let slot = home(number, mask)
    for (;;) {
      const found = key[slot]
      if (found === number) return number === 0 ? -1 : slot
      if (found === 0) return -1
      slot = (slot + 1) & mask
    }
  }

  topicAt(slot: number): number {
    return this.#topic[slot]!
  }

  indexAt(slot: number): number {
    return this.#index[slot]!
  }

  leaderAt(slot: number): BrokerId | 0 {
    return this.#leader[slot] as BrokerId | 0
  }

  leaderEpochAt(slot: number): number {
    return this.#epoch[slot]!
  }

  /** Shared between partitions: never change it. */
  replicasAt(slot: number): readonly BrokerId[] {
    return this.#lists[this.#replicas[slot]!]!.brokers
  }

  /** Adds partition `number`; throws when it exists. */
  add(
    number: PartitionNumber,
    topic: number,
    index: number,
    leader: BrokerId | 0,
    leaderEpoch: number,
    replicas: readonly BrokerId[],
  ): void {
    invariant(number > 0 && number <= 0xffff_ffff, 'a partition number is a positive u32')
    invariant(leader >= 0 && leader <= BROKERS_MAX, 'a broker is numbered in 16 bits')
    if ((this.#count + 1) * 4 > (this.#mask + 1) * 3) this.#resize((this.#mask + 1) * 2)
    let slot = home(number, this.#mask)
    while (this.#key[slot] !== 0) {
      invariant(this.#key[slot] !== number, 'a partition number is used once')
      slot = (slot + 1) & this.#mask
    }
    this.#key[slot] = number
    this.#topic[slot] = topic
    this.#index[slot] = index
    this.#epoch[slot] = leaderEpoch
    this.#leader[slot] = leader
    this.#replicas[slot] = this.#intern(replicas)
    this.#count++
  }

  setLeader(slot: number, leader: BrokerId | 0, leaderEpoch: number): void {
    this.#leader[slot] = leader
    this.#epoch[slot] = leaderEpoch
  }

  setReplicas(slot: number, replicas: readonly BrokerId[]): void {
    const before = this.#replicas[slot]!
    this.#replicas[slot] = this.#intern(replicas)
    this.#release(before)
  }

  remove(number: PartitionNumber): void {
    let hole = this.slotOf(number)
    invariant(hole >= 0, 'a partition that is removed exists')
    this.#release(this.#replicas[hole]!)
    const mask = this.#mask
    for (let slot = (hole + 1) & mask; this.#key[slot] !== 0; slot = (slot + 1) & mask) {
      const wants = home(this.#key[slot]!, mask)
      // It may move back into the hole only if the hole is not before its home.
      if (((slot - wants) & mask) >= ((slot - hole) & mask)) {
        this.#copy(slot, hole)
        hole = slot
      }
    }
    this.#key[hole] = 0
    this.#count--
    const slots = mask + 1
    if (slots > SLOTS_MIN && this.#count * 8 < slots) this.#resize(slots / 2)
  }

  *numbers(): IterableIterator<PartitionNumber> {
    for (const key of this.#key) if (key !== 0) yield key as PartitionNumber
  }

  #copy(from: number, to: number): void {
    this.#key[to] = this.#key[from]!
    this.#topic[to] = this.#topic[from]!
    this.#index[to] = this.#index[from]!
    this.#epoch[to] = this.#epoch[from]!
    this.#leader[to] = this.#leader[from]!
    this.#replicas[to] = this.#replicas[from]!
  }

  #intern(replicas: readonly BrokerId[]): number {
    const name = replicas.join(',')
    let id = this.#listIds.get(name)
    if (id === undefined) {
      id = this.#freeLists.pop() ?? this.#lists.length
      this.#lists[id] = { name, brokers: Object.freeze([...replicas]), uses: 0 }
      this.#listIds.set(name, id)
    }
    this.#lists[id]!.uses++
    return id
  }

  #release(id: number): void {
    const list = this.#lists[id]!
    if (--list.uses > 0) return
    this.#listIds.delete(list.name)
    this.#freeLists.push(id)
  }

  #resize(slots: number): void {
    const old = [this.#key, this.#topic, this.#index, this.#epoch, this.#leader, this.#replicas]
    const [key, topic, index, epoch, leader, replicas] = old as [
      Uint32Array,
      Int32Array,
      Int32Array,
      Int32Array,
      Uint16Array,
      Uint32Array,
    ]
    this.#mask = slots - 1
    this.#key = new Uint32Array(slots)
    this.#topic = new Int32Array(slots)
    this.#index = new Int32Array(slots)
    this.#epoch = new Int32Array(slots)
    this.#leader = new Uint16Array(slots)
    this.#replicas = new Uint32Array(slots)
    for (let from = 0; from < key.length; from++) {
      if (key[from] === 0) continue
      let to = home(key[from]!, this.#mask)
      while (this.#key[to] !== 0) to = (to + 1) & this.#mask
      this.#key[to] = key[from]!
      this.#topic[to] = topic[from]!
      this.#index[to] = index[from]!
      this.#epoch[to] = epoch[from]!
      this.#leader[to] = leader[from]!
      this.#replicas[to] = replicas[from]!
    }
  }
}

/** Fibonacci hashing, so that runs of neighbouring numbers spread. */
const home = (number: number, mask: number): number => (Math.imul(number, 0x9e37_79b1) >>> 7) & mask

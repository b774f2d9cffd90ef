/**
 * The topics of all tenants, by their ids and by the slots to which partition columns refer; freed slots are used again. Most of many topics are idle: of one that nobody has
 * asked for there are columns, some 60 bytes, and no object. Its row is made when it is asked for, and stays.
 *
 *   ids        4 × u32   the topic's UUID
 *   first      u32       number of its first partition
 *   partitions u32       how many it was made with; once there is a row, that tells
 *   next       i32       slot of the tenant's next topic ({@link TenantTopics}), or the next that is free
 *   index      i32       open addressing by the id's first and last word: a slot + 1, 0 = empty
 */
import { invariant } from '../base/assert.ts'
import type { CellId, PartitionNumber, TopicId } from '../base/ids.ts'
import { Interned } from '../base/interned.ts'
import type { MetadataEntry } from './entry.ts'
import { type TenantRow, TopicRow } from './rows.ts'
import { NO_CONFIGS } from './tenant-configs.ts'
import { NONE } from './tenant-topics.ts'

const INDEX_MIN = 64
const SLOTS_MIN = 32
/** A growth step of the columns. */
const GROWTH = 1.25
/** Names that many tenants have are one string each. */
const KNOWN_NAMES_MAX = 1_000

type TopicCreated = Extract<MetadataEntry, { kind: 'topic-created' }>

export class TopicRows {
  #count = 0
  /** Slots from here on were never used. */
  #end = 0
  #free = NONE
  #ids = new Uint32Array(SLOTS_MIN * 4)
  #first = new Uint32Array(SLOTS_MIN)
  #partitions = new Uint32Array(SLOTS_MIN)
  #next = new Int32Array(SLOTS_MIN)
  #index = new Int32Array(INDEX_MIN)
  readonly #names: string[] = []
  readonly #tenants: (TenantRow | undefined)[] = []
  readonly #rows: (TopicRow | undefined)[] = []
  readonly #knownNames = new Interned<string>(KNOWN_NAMES_MAX)

  get count(): number {
    return this.#count
  }

  has(id: TopicId): boolean {
    return this.#slotOf(id) !== NONE
  }

  get(id: TopicId): TopicRow | undefined {
    const slot = this.#slotOf(id)
    return slot === NONE ? undefined : this.at(slot)
  }

  /** The row that stays while the topic lives. */
  at(slot: number): TopicRow {
    let row = this.#rows[slot]
    if (row === undefined) {
      row = this.#rowOf(slot)
      this.#rows[slot] = row
    }
    return row
  }

  /** The same for a moment: where nobody has asked for the row, what is returned shows what there is now, and nothing that comes later. */
  glance(slot: number): TopicRow {
    return this.#rows[slot] ?? this.#rowOf(slot)
  }

  nameAt(slot: number): string {
    return this.#names[slot]!
  }

  cellAt(slot: number): CellId {
    return this.#rows[slot]?.cellId ?? this.#tenants[slot]!.cellId
  }

  nextOf(slot: number): number {
    return this.#next[slot]!
  }

  setNext(slot: number, next: number): void {
    this.#next[slot] = next
  }

  /** Each as by {@link glance}. */
  *all(): IterableIterator<TopicRow> {
    for (let slot = 0; slot < this.#end; slot++) {
      if (this.#tenants[slot] !== undefined) yield this.glance(slot)
    }
  }

  /** Returns its slot. */
  add(entry: TopicCreated, tenant: TenantRow): number {
    const { topicId, firstPartition, placements } = entry
    if ((this.#count + 1) * 4 > this.#index.length * 3) this.#reindex(this.#index.length * 2)
    const slot = this.#takeSlot()
    for (let word = 0; word < 4; word++) this.#ids[slot * 4 + word] = wordOf(topicId, word)
    this.#first[slot] = firstPartition
    this.#partitions[slot] = placements.length
    this.#names[slot] = this.#knownNames.of(entry.name, entry.name)
    this.#tenants[slot] = tenant
    this.#rows[slot] = undefined
    this.#enter(slot)
    this.#count++
    const { internal, cellId, configs } = entry
    const isPlain = !internal && cellId === tenant.cellId && Object.keys(configs).length === 0
    // what columns do not tell
    if (!isPlain)
      this.#rows[slot] = new TopicRow({ ...entry, name: this.#names[slot]! }, tenant, slot)
    return slot
  }

  remove({ slot }: TopicRow): void {
    this.#leave(slot)
    this.#names[slot] = ''
    this.#tenants[slot] = this.#rows[slot] = undefined
    this.#next[slot] = this.#free
    this.#free = slot
    this.#count--
    const { length } = this.#index
    if (length > INDEX_MIN && this.#count * 8 < length) this.#reindex(length / 2)
  }

  #rowOf(slot: number): TopicRow {
    const tenant = this.#tenants[slot]
    invariant(tenant, 'a slot has a topic')
    const begun = {
      topicId: this.#idAt(slot),
      name: this.#names[slot]!,
      internal: false,
      cellId: tenant.cellId,
      firstPartition: this.#first[slot] as PartitionNumber,
      placements: { length: this.#partitions[slot]! },
      configs: NO_CONFIGS,
    }
    return new TopicRow(begun, tenant, slot)
  }

  #idAt(slot: number): TopicId {
    let id = ''
    for (let word = 0; word < 4; word++) {
      id += this.#ids[slot * 4 + word]!.toString(16).padStart(8, '0')
    }
    return id as TopicId
  }

  #slotOf(id: TopicId): number {
    const mask = this.#index.length - 1
    for (let at = home(wordOf(id, 0) ^ wordOf(id, 3), mask); ; at = (at + 1) & mask) {
      const slot = this.#index[at]! - 1
      if (slot === NONE || this.#isAt(slot, id)) return slot
    }
  }

  #isAt(slot: number, id: TopicId): boolean {
    const row = this.#rows[slot]
    if (row !== undefined) return row.topicId === id
    return (
      id.length === 32 &&
      [0, 1, 2, 3].every((word) => this.#ids[slot * 4 + word] === wordOf(id, word))
    )
  }

  #takeSlot(): number {
    const slot = this.#free
    if (slot !== NONE) {
      this.#free = this.#next[slot]!
      return slot
    }
    if (this.#end === this.#first.length) this.#grow(Math.ceil(this.#end * GROWTH))
    return this.#end++
  }

  #grow(slots: number): void {
    const before = [this.#ids, this.#first, this.#partitions, this.#next] as const
    this.#ids = new Uint32Array(slots * 4)
    this.#first = new Uint32Array(slots)
    this.#partitions = new Uint32Array(slots)
    this.#next = new Int32Array(slots)
    const now = [this.#ids, this.#first, this.#partitions, this.#next]
    for (const [i, column] of now.entries()) column.set(before[i]!)
  }

  #homeOf(slot: number): number {
    return home(this.#ids[slot * 4]! ^ this.#ids[slot * 4 + 3]!, this.#index.length - 1)
  }

  #enter(slot: number): void {
    const mask = this.#index.length - 1
    let at = this.#homeOf(slot)
    while (this.#index[at] !== 0) at = (at + 1) & mask
    this.#index[at] = slot + 1
  }

  /** Closes the gap: later ones of the run move back, so there are no tombstones. */
  #leave(slot: number): void {
    const index = this.#index
    const mask = index.length - 1
    let hole = this.#homeOf(slot)
    while (index[hole] !== slot + 1) hole = (hole + 1) & mask
    for (let at = (hole + 1) & mask; index[at] !== 0; at = (at + 1) & mask) {
      // it may move back into the hole only if the hole is not before its home
      if (((at - this.#homeOf(index[at]! - 1)) & mask) >= ((at - hole) & mask)) {
        index[hole] = index[at]!
        hole = at
      }
    }
    index[hole] = 0
  }

  #reindex(length: number): void {
    const before = this.#index
    this.#index = new Int32Array(length)
    for (const entry of before) if (entry !== 0) this.#enter(entry - 1)
  }
}

/** Eight hex digits of an id. */
function wordOf(id: string, word: number): number {
  let value = 0
  for (let at = word * 8; at < word * 8 + 8; at++) {
    const code = id.charCodeAt(at)
    value = (value << 4) | (code - (code < 97 ? 48 : 87))
  }
  return value >>> 0
}

/** Fibonacci hashing, of the first and the last word together: of ids that are numbers in a row, as those of tests, one of these is the same for all. */
const home = (word: number, mask: number): number => (Math.imul(word, 0x9e37_79b1) >>> 7) & mask

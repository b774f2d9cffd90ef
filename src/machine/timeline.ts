/**
 * Replicated state with two views: the latest (everything replayed) and the committed (everything below the commit position).
 * `decide` reads the latest, what leaves the machine reads the committed, and a lost term reverts to it. After Kafka's
 * SnapshotRegistry, with the one snapshot that matters. Every operation costs the number of changes that are not
 * committed, never the size of the state, and what is committed keeps no history.
 */
import { invariant } from '../base/assert.ts'

const ABSENT = Symbol('absent')
type Absent = typeof ABSENT

/** What a registry asks of the structures that it keeps. */
interface Timeline {
  commitChange(key: unknown, value: unknown): void
  revertChanges(): void
}

/**
 * The positions of one machine's timelines. Set the position of each entry before it is replayed; changes that belong to
 * positions below the committed one (recovery, followers) are applied to both views at once.
 */
export class TimelineRegistry {
  #committed = 0
  #position = 0
  /** Uncommitted changes in order: position, structure, key, new value. */
  #positions: number[] = []
  #timelines: Timeline[] = []
  #keys: unknown[] = []
  #values: unknown[] = []
  #head = 0
  readonly #dirty = new Set<Timeline>()

  /** Entries below are committed. */
  get committed(): number {
    return this.#committed
  }

  get uncommittedChanges(): number {
    return this.#positions.length - this.#head
  }

  /** The entry at `offset` is about to be replayed. */
  replaying(offset: number): void {
    invariant(offset >= this.#position, 'entries are replayed in order')
    this.#position = offset
  }

  /** Entries below `offset` are committed. */
  commit(offset: number): void {
    if (offset <= this.#committed) return
    this.#committed = offset
    while (this.#head < this.#positions.length && this.#positions[this.#head]! < offset) {
      const at = this.#head++
      this.#timelines[at]!.commitChange(this.#keys[at], this.#values[at])
      this.#keys[at] = this.#values[at] = undefined
    }
    if (this.#head === this.#positions.length) this.#forget()
    else if (this.#head > 1_024 && this.#head * 2 > this.#positions.length) this.#shift()
  }

  /** The term is lost: everything that is not committed is undone. */
  revert(): void {
    for (const timeline of this.#dirty) timeline.revertChanges()
    this.#forget()
    this.#position = this.#committed
  }

  /** For the timelines: true when the change must be remembered until its entry is committed. */
  record(timeline: Timeline, key: unknown, value: unknown): boolean {
    if (this.#position < this.#committed) return false
    this.#positions.push(this.#position)
    this.#timelines.push(timeline)
    this.#keys.push(key)
    this.#values.push(value)
    this.#dirty.add(timeline)
    return true
  }

  #forget(): void {
    this.#positions.length = this.#timelines.length = 0
    this.#keys.length = this.#values.length = 0
    this.#head = 0
    this.#dirty.clear()
  }

  #shift(): void {
    this.#positions = this.#positions.slice(this.#head)
    this.#timelines = this.#timelines.slice(this.#head)
    this.#keys = this.#keys.slice(this.#head)
    this.#values = this.#values.slice(this.#head)
    this.#head = 0
  }
}

/** Reads of either view. The order of iteration is not part of the state: sort where it matters. */
export interface ReadonlyTimelineMap<K, V> {
  readonly size: number
  get(key: K): V | undefined
  has(key: K): boolean
  entries(): IterableIterator<[K, V]>
  keys(): IterableIterator<K>
  values(): IterableIterator<V>
}

/** Of what is committed. */
export interface CommittedTimelineMap<K, V> extends ReadonlyTimelineMap<K, V> {
  /** The values as they are now: a list of its own, which later changes leave as it is. As quick as may be, for large maps. */
  collect(): V[]
}

interface Pending<V> {
  committed: V | Absent
  /** Uncommitted changes of the key. */
  changes: number
}

/** A map over a timeline. Values are replaced, never changed in place. */
export class TimelineMap<K, V> implements ReadonlyTimelineMap<K, V>, Timeline {
  readonly #registry: TimelineRegistry
  readonly #latest = new Map<K, V>()
  readonly #pending = new Map<K, Pending<V>>()
  #committedSize = 0
  /** The same map as it was at the commit position. */
  readonly committed: CommittedTimelineMap<K, V>

  constructor(registry: TimelineRegistry) {
    this.#registry = registry
    this.committed = new CommittedView<K, V>(this.#latest, this.#pending, () => this.#committedSize)
  }

  get size(): number {
    return this.#latest.size
  }

  get(key: K): V | undefined {
    return this.#latest.get(key)
  }

  has(key: K): boolean {
    return this.#latest.has(key)
  }

  entries(): IterableIterator<[K, V]> {
    return this.#latest.entries()
  }

  keys(): IterableIterator<K> {
    return this.#latest.keys()
  }

  values(): IterableIterator<V> {
    return this.#latest.values()
  }

  set(key: K, value: V): void {
    this.#change(key, value)
    this.#latest.set(key, value)
  }

  /** True when the key was there. */
  delete(key: K): boolean {
    if (!this.#latest.has(key)) return false
    this.#change(key, ABSENT)
    return this.#latest.delete(key)
  }

  #change(key: K, value: V | Absent): void {
    if (!this.#registry.record(this as Timeline, key, value)) {
      this.#committedSize += (value === ABSENT ? 0 : 1) - (this.#latest.has(key) ? 1 : 0)
      return
    }
    const pending = this.#pending.get(key)
    if (pending !== undefined) pending.changes++
    else this.#pending.set(key, { committed: present(this.#latest, key), changes: 1 })
  }

  commitChange(key: unknown, value: unknown): void {
    const pending = this.#pending.get(key as K)
    invariant(pending, 'a change that is committed is pending')
    this.#committedSize += (value === ABSENT ? 0 : 1) - (pending.committed === ABSENT ? 0 : 1)
    pending.committed = value as V | Absent
    if (--pending.changes === 0) this.#pending.delete(key as K)
  }

  revertChanges(): void {
    for (const [key, { committed }] of this.#pending) {
      if (committed === ABSENT) this.#latest.delete(key)
      else this.#latest.set(key, committed)
    }
    this.#pending.clear()
  }
}

/** One value over a timeline. */
export class TimelineValue<V> implements Timeline {
  readonly #registry: TimelineRegistry
  #latest: V
  #committed: V

  constructor(registry: TimelineRegistry, initial: V) {
    this.#registry = registry
    this.#latest = this.#committed = initial
  }

  get value(): V {
    return this.#latest
  }

  get committed(): V {
    return this.#committed
  }

  set(value: V): void {
    if (!this.#registry.record(this as Timeline, null, value)) this.#committed = value
    this.#latest = value
  }

  commitChange(_key: unknown, value: unknown): void {
    this.#committed = value as V
  }

  revertChanges(): void {
    this.#latest = this.#committed
  }
}

class CommittedView<K, V> implements CommittedTimelineMap<K, V> {
  readonly #latest: ReadonlyMap<K, V>
  readonly #pending: ReadonlyMap<K, Pending<V>>
  readonly #size: () => number

  constructor(latest: ReadonlyMap<K, V>, pending: ReadonlyMap<K, Pending<V>>, size: () => number) {
    this.#latest = latest
    this.#pending = pending
    this.#size = size
  }

  get size(): number {
    return this.#size()
  }

  get(key: K): V | undefined {
    const pending = this.#pending.get(key)
    if (pending === undefined) return this.#latest.get(key)
    return pending.committed === ABSENT ? undefined : pending.committed
  }

  has(key: K): boolean {
    const pending = this.#pending.get(key)
    return pending === undefined ? this.#latest.has(key) : pending.committed !== ABSENT
  }

  collect(): V[] {
    if (this.#pending.size === 0) return [...this.#latest.values()]
    const values: V[] = []
    for (const [key, value] of this.#latest) if (!this.#pending.has(key)) values.push(value)
    for (const { committed } of this.#pending.values()) {
      if (committed !== ABSENT) values.push(committed)
    }
    return values
  }

  *entries(): IterableIterator<[K, V]> {
    for (const entry of this.#latest) if (!this.#pending.has(entry[0])) yield entry
    for (const [key, { committed }] of this.#pending) {
      if (committed !== ABSENT) yield [key, committed]
    }
  }

  *keys(): IterableIterator<K> {
    for (const [key] of this.entries()) yield key
  }

  *values(): IterableIterator<V> {
    for (const [, value] of this.entries()) yield value
  }
}

const present = <K, V>(map: ReadonlyMap<K, V>, key: K): V | Absent =>
  map.has(key) ? (map.get(key) as V) : ABSENT

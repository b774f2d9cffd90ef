/** The topics of one tenant, as slots of {@link TopicRows}: a few are a chain in its columns, more than that have an index by name. */
import type { TopicRow } from './rows.ts'
import type { TopicRows } from './topic-rows.ts'

/** No slot. */
export const NONE = -1

/** Names are compared one by one up to here. */
const CHAINED_MAX = 8

export class TenantTopics {
  readonly #rows: TopicRows
  #count = 0
  #first = NONE
  #byName: Map<string, number> | null = null
  #sorted: readonly TopicRow[] | null = null

  constructor(rows: TopicRows) {
    this.#rows = rows
  }

  get count(): number {
    return this.#count
  }

  get(name: string): TopicRow | undefined {
    const slot = this.#slotOf(name)
    return slot === NONE ? undefined : this.#rows.at(slot)
  }

  has(name: string): boolean {
    return this.#slotOf(name) !== NONE
  }

  /** In name order; sorted at the first call after a change. */
  sorted(): readonly TopicRow[] {
    this.#sorted ??= [...this.#slots()]
      .map((slot) => this.#rows.at(slot))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
    return this.#sorted
  }

  add(slot: number): void {
    this.#sorted = null
    if (this.#byName === null && this.#count === CHAINED_MAX) {
      this.#byName = new Map(Array.from(this.#slots(), (one) => [this.#rows.nameAt(one), one]))
    }
    if (this.#byName !== null) this.#byName.set(this.#rows.nameAt(slot), slot)
    else {
      this.#rows.setNext(slot, this.#first)
      this.#first = slot
    }
    this.#count++
  }

  remove(name: string): void {
    const slot = this.#slotOf(name)
    if (slot === NONE) return
    this.#sorted = null
    this.#count--
    if (this.#byName !== null) this.#byName.delete(name)
    else this.#unchain(slot)
  }

  #slotOf(name: string): number {
    if (this.#byName !== null) return this.#byName.get(name) ?? NONE
    let slot = this.#first
    while (slot !== NONE && this.#rows.nameAt(slot) !== name) slot = this.#rows.nextOf(slot)
    return slot
  }

  *#slots(): IterableIterator<number> {
    if (this.#byName !== null) yield* this.#byName.values()
    else for (let slot = this.#first; slot !== NONE; slot = this.#rows.nextOf(slot)) yield slot
  }

  #unchain(slot: number): void {
    const next = this.#rows.nextOf(slot)
    if (this.#first === slot) {
      this.#first = next
      return
    }
    let before = this.#first
    while (this.#rows.nextOf(before) !== slot) before = this.#rows.nextOf(before)
    this.#rows.setNext(before, next)
  }
}

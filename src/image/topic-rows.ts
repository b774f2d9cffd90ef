import type { TopicId } from '../base/ids.ts'
import type { MetadataEntry } from './entry.ts'
import { type TenantRow, TopicRow } from './rows.ts'

/** The topics of all tenants, by their ids and by the slots to which partition columns refer; freed slots are used again. */
export class TopicRows {
  readonly #byId = new Map<TopicId, TopicRow>()
  readonly #slots: (TopicRow | undefined)[] = []
  readonly #free: number[] = []

  get count(): number {
    return this.#byId.size
  }

  get(id: TopicId): TopicRow | undefined {
    return this.#byId.get(id)
  }

  at(slot: number): TopicRow | undefined {
    return this.#slots[slot]
  }

  all(): IterableIterator<TopicRow> {
    return this.#byId.values()
  }

  add(entry: Extract<MetadataEntry, { kind: 'topic-created' }>, tenant: TenantRow): TopicRow {
    const slot = this.#free.pop() ?? this.#slots.length
    const row = new TopicRow(entry, tenant, slot)
    this.#slots[slot] = row
    this.#byId.set(entry.topicId, row)
    return row
  }

  remove({ topicId, slot }: TopicRow): void {
    this.#byId.delete(topicId)
    this.#slots[slot] = undefined
    this.#free.push(slot)
  }
}

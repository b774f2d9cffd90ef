/** Of the controller's state: which topic of a tenant has a name. */
import type { TenantId, TopicId } from '../base/ids.ts'
import {
  type ReadonlyTimelineMap,
  TimelineMap,
  type TimelineRegistry,
} from '../machine/timeline.ts'
import type { TopicState } from './topic-state.ts'

/** So many topics of a tenant are a list, looked through name by name; those that come when it is full have keys of their own, which take more memory than the rest of a topic. */
const LISTED_MAX = 8
const NONE: readonly TopicId[] = []

export class TopicNames {
  readonly #topics: ReadonlyTimelineMap<TopicId, TopicState>
  /** Of a tenant, no more than {@link LISTED_MAX}. */
  readonly #listed: TimelineMap<TenantId, readonly TopicId[]>
  /** Of other topics, by {@link keyOf}. */
  readonly #others: TimelineMap<string, TopicId>
  /** How many of these a tenant has; of most, none. */
  readonly #otherCounts: TimelineMap<TenantId, number>

  constructor(registry: TimelineRegistry, topics: ReadonlyTimelineMap<TopicId, TopicState>) {
    this.#topics = topics
    this.#listed = new TimelineMap(registry)
    this.#others = new TimelineMap(registry)
    this.#otherCounts = new TimelineMap(registry)
  }

  /** Topics with keys of their own. */
  get keyed(): number {
    return this.#others.size
  }

  get(tenantId: TenantId, name: string): TopicState | undefined {
    for (const topicId of this.#listed.get(tenantId) ?? NONE) {
      const topic = this.#topics.get(topicId)
      if (topic?.name === name) return topic
    }
    const other = this.#others.get(keyOf(tenantId, name))
    return other === undefined ? undefined : this.#topics.get(other)
  }

  /** In no particular order. Looks at the topics of all tenants where this one has more than a few. */
  *of(tenantId: TenantId): IterableIterator<TopicState> {
    const listed = this.#listed.get(tenantId) ?? NONE
    for (const topicId of listed) yield this.#topics.get(topicId)!
    if (!this.#otherCounts.has(tenantId)) return
    for (const topic of this.#topics.values()) {
      if (topic.tenantId === tenantId && !listed.includes(topic.topicId)) yield topic
    }
  }

  add({ tenantId, name, topicId }: TopicState): void {
    const listed = this.#listed.get(tenantId) ?? NONE
    if (listed.length < LISTED_MAX) this.#listed.set(tenantId, [...listed, topicId])
    else {
      this.#others.set(keyOf(tenantId, name), topicId)
      this.#addOthers(tenantId, 1)
    }
  }

  remove({ tenantId, name, topicId }: TopicState): void {
    const listed = this.#listed.get(tenantId) ?? NONE
    const left = listed.filter((one) => one !== topicId)
    if (left.length === listed.length) {
      this.#others.delete(keyOf(tenantId, name))
      this.#addOthers(tenantId, -1)
    } else if (left.length === 0) this.#listed.delete(tenantId)
    else this.#listed.set(tenantId, left)
  }

  #addOthers(tenantId: TenantId, by: number): void {
    const count = (this.#otherCounts.get(tenantId) ?? 0) + by
    if (count === 0) this.#otherCounts.delete(tenantId)
    else this.#otherCounts.set(tenantId, count)
  }
}

const keyOf = (tenantId: TenantId, name: string): string => `${tenantId}/${name}`

import type { TopicId } from '../base/ids.ts'
import type { MetadataView, TopicView } from '../image/view.ts'

/** What one thread has counted for one topic since the start. */
export interface TopicCount {
  /** Brokers: records taken. Fronts: partitions in answers to fetches. */
  items: number
  /** Of record batches: brokers, taken; fronts, in answers. */
  bytes: number
}

interface Row {
  readonly topic: TopicView
  readonly count: TopicCount
}

/** Rows of topics that are gone are dropped when there are this many, and twice as many as topics. */
const ROWS_KEPT = 64

/** Counters by topic of one thread, told to the HTTP front when it asks. As large as the topics that had any traffic. */
export class TopicCounts {
  readonly #image: MetadataView
  readonly #rows = new Map<TopicId, Row>()

  constructor(image: MetadataView) {
    this.#image = image
  }

  get size(): number {
    return this.#rows.size
  }

  /** To be added to; keep it at hand where it is needed often. */
  of(topic: TopicView): TopicCount {
    const known = this.#rows.get(topic.topicId)
    if (known !== undefined) return known.count
    if (this.#rows.size >= 2 * Math.max(ROWS_KEPT, this.#image.topicCount)) this.#dropGone()
    const count = { items: 0, bytes: 0 }
    this.#rows.set(topic.topicId, { topic, count })
    return count
  }

  /** `items` and `bytes` of each, one behind the other; zeros where nothing was counted. */
  values(topics: readonly TopicId[]): Float64Array {
    const values = new Float64Array(2 * topics.length)
    topics.forEach((topicId, at) => {
      const count = this.#rows.get(topicId)?.count
      if (count !== undefined) values.set([count.items, count.bytes], 2 * at)
    })
    return values
  }

  #dropGone(): void {
    for (const [topicId, { topic }] of this.#rows) {
      if (this.#image.topicById(topic.tenantId, topicId) === undefined) this.#rows.delete(topicId)
    }
  }
}

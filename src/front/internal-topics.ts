import type { TenantId } from '../base/ids.ts'
import type { ControllerClient } from '../cell/controller-client.ts'
import type { MetadataView, TopicView } from '../image/view.ts'

export const OFFSETS_TOPIC = '__consumer_offsets'

/** As Kafka makes it, but for smaller segments: what is not cleaned yet must be read when a coordinator is loaded. */
const OFFSETS_CONFIGS: readonly { readonly name: string; readonly value: string }[] = [
  { name: 'cleanup.policy', value: 'compact' },
  { name: 'compression.type', value: 'producer' },
  { name: 'segment.bytes', value: String(4 * 2 ** 20) },
]
/** One unless the tenant's plan says more; fixed when it is made. */
const OFFSETS_PARTITIONS = 1

/** The topic, or null: it is not there and cannot be made now. */
export type InternalTopicDone = (topic: TopicView | null) => void

/** Finds the internal topics of tenants, and has them made at their first use. Belongs to the front's thread. */
export class InternalTopics {
  readonly #image: MetadataView
  readonly #controller: ControllerClient
  /** Who waits for a tenant's topic to be made. */
  readonly #waiting = new Map<TenantId, InternalTopicDone[]>()

  constructor(image: MetadataView, controller: ControllerClient) {
    this.#image = image
    this.#controller = controller
  }

  /** `__consumer_offsets` of a tenant, if it is there. */
  findOffsets(tenantId: TenantId): TopicView | undefined {
    return this.#image.topicByName(tenantId, OFFSETS_TOPIC)
  }

  /** The same, made if it is not there. May answer from within the call. */
  offsets(tenantId: TenantId, done: InternalTopicDone): void {
    const topic = this.findOffsets(tenantId)
    if (topic !== undefined) {
      done(topic)
      return
    }
    const waiting = this.#waiting.get(tenantId)
    if (waiting !== undefined) {
      waiting.push(done)
      return
    }
    this.#waiting.set(tenantId, [done])
    const wanted = {
      name: OFFSETS_TOPIC,
      partitions: OFFSETS_PARTITIONS,
      replicationFactor: -1,
      assignments: [],
      configs: OFFSETS_CONFIGS,
    }
    const request = { kind: 'create-topics', validateOnly: false, topics: [wanted] } as const
    // whatever the answer is: another may have made it at the same time
    this.#controller.request(tenantId, request, () => {
      const made = this.findOffsets(tenantId) ?? null
      const all = this.#waiting.get(tenantId) ?? []
      this.#waiting.delete(tenantId)
      for (const one of all) one(made)
    })
  }
}

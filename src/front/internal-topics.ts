import type { TenantId } from '../base/ids.ts'
import type { ControllerClient } from '../cell/controller-client.ts'
import { brokerConfigNumber, brokerConfigValue } from '../image/broker-config.ts'
import type { NewTopic, TopicResult } from '../image/request.ts'
import type { ConfigValues } from '../image/topic-config.ts'
import type { MetadataView, TopicView } from '../image/view.ts'
import type { RateLimitedLog } from '../net/rate-limited-log.ts'

export const OFFSETS_TOPIC = '__consumer_offsets'

/** The topic, or null: it is not there and cannot be made now. */
export type InternalTopicDone = (topic: TopicView | null) => void

/** Finds the internal topics of tenants, and has them made at their first use. Belongs to the front's thread. */
export class InternalTopics {
  readonly #image: MetadataView
  readonly #controller: ControllerClient
  readonly #brokerConfigs: ConfigValues
  readonly #log: RateLimitedLog
  /** Who waits for a tenant's topic to be made. */
  readonly #waiting = new Map<TenantId, InternalTopicDone[]>()

  constructor(
    image: MetadataView,
    controller: ControllerClient,
    brokerConfigs: ConfigValues,
    log: RateLimitedLog,
  ) {
    this.#log = log
    this.#image = image
    this.#controller = controller
    this.#brokerConfigs = brokerConfigs
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
    const topics = [this.#newOffsetsTopic()]
    const request = { kind: 'create-topics', validateOnly: false, topics } as const
    // whatever the answer is: another may have made it at the same time
    this.#controller.request(tenantId, request, ({ results }) => {
      const made = this.findOffsets(tenantId) ?? null
      if (made === null) this.#tellRefusal(tenantId, results)
      const all = this.#waiting.get(tenantId) ?? []
      this.#waiting.delete(tenantId)
      for (const one of all) one(made)
    })
  }

  /** Clients only see that there is no coordinator yet, and ask again and again. */
  #tellRefusal(tenantId: TenantId, [result]: readonly TopicResult[]): void {
    const reason = result?.message ?? 'it is not seen here yet'
    this.#log.log('error', `${OFFSETS_TOPIC} cannot be made: ${reason}`, { tenant: tenantId })
  }

  /** How an internal topic is made, whoever asks for it first; null for a name that is none. */
  newTopic(name: string): NewTopic | null {
    return name === OFFSETS_TOPIC ? this.#newOffsetsTopic() : null
  }

  /** As Kafka makes it; its number of partitions is fixed from then on. */
  #newOffsetsTopic(): NewTopic {
    const values = this.#brokerConfigs
    return {
      name: OFFSETS_TOPIC,
      partitions: brokerConfigNumber('offsets.topic.num.partitions', values),
      replicationFactor: brokerConfigNumber('offsets.topic.replication.factor', values),
      assignments: [],
      configs: [
        { name: 'cleanup.policy', value: 'compact' },
        { name: 'compression.type', value: 'producer' },
        {
          name: 'segment.bytes',
          value: brokerConfigValue('offsets.topic.segment.bytes', values),
        },
      ],
    }
  }
}

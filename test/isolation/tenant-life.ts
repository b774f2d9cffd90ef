/** What a tenant does and has before anybody is compared: topics, records, groups, offsets, producer ids, sessions, configs, keys, ACLs, users, polls that wait. */
import type { TenantId } from '../../src/base/ids.ts'
import { produce } from '../../src/protocol/00-produce.ts'
import { fetch } from '../../src/protocol/01-fetch.ts'
import { metadata } from '../../src/protocol/03-metadata.ts'
import { offsetCommit } from '../../src/protocol/08-offset-commit.ts'
import { joinGroup } from '../../src/protocol/11-join-group.ts'
import { syncGroup } from '../../src/protocol/14-sync-group.ts'
import { createTopics } from '../../src/protocol/19-create-topics.ts'
import { deleteTopics } from '../../src/protocol/20-delete-topics.ts'
import { initProducerId } from '../../src/protocol/22-init-producer-id.ts'
import { createAcls } from '../../src/protocol/30-create-acls.ts'
import { incrementalAlterConfigs } from '../../src/protocol/44-incremental-alter-configs.ts'
import { alterUserScramCredentials } from '../../src/protocol/51-alter-user-scram-credentials.ts'
import type { Api, ResponseOf } from '../../src/protocol/api.ts'
import { encodeAssignment, encodeSubscription } from '../../src/protocol/consumer-protocol.ts'
import { buildBatch } from '../../src/record/builder.ts'
import type { LooseRequest } from '../conformance/loose.ts'
import type { Facts, GroupFacts, TopicFacts } from './facts.ts'

/** The time of every record. */
const TIME_MS = 1_000_000
/** Longer than any run takes on the simulated clock. */
const LONG_MS = 1_800_000
export const RECORDS_PER_PARTITION = 3

export const SHARED_TOPIC = 'shared'
export const SHARED_GROUP = 'shared-group'
export const OFFSETS_TOPIC = '__consumer_offsets'

export interface LifeOptions {
  readonly tenantId: TenantId
  /** Begins all names that are the tenant's alone, and all it writes. */
  readonly name: string
  /** Null where it has none. */
  readonly keyId: string | null
  readonly sharedPartitions: number
  readonly polls: number
  /** That its partitions are spread over; default: 2. */
  readonly brokers?: number
  /** The time of its records; default: the same for everybody. */
  readonly timeMs?: number
}

/** A request that it sends, and waits for unless it is a long poll: whoever drives it gives back the answer. */
export interface Call {
  readonly api: Api
  readonly version: number
  readonly request: object
  readonly isPoll?: true
}

export type Step = Generator<Call, void, unknown>
type Asked<A extends Api> = Generator<Call, ResponseOf<A>, unknown>

export const subscriptionOf = (topic: string): Uint8Array =>
  encodeSubscription(1, { topics: [topic], ownedPartitions: [{ topic, partitions: [0] }] })

export const assignmentOf = (topic: string): Uint8Array =>
  encodeAssignment(0, { assignedPartitions: [{ topic, partitions: [0] }] })

export const markedBatch = (
  mark: string,
  producer: object = {},
  timestampMs = TIME_MS,
): Uint8Array => buildBatch([{ timestampMs, key: null, value: Buffer.from(mark) }], producer)

export class TenantLife {
  readonly #options: LifeOptions
  #producerId = -1
  readonly #topics = new Map<string, TopicFacts>()
  readonly #groups = new Map<string, GroupFacts>()
  #session = 0
  #clusterId = ''

  constructor(options: LifeOptions) {
    this.#options = options
  }

  /** In their order; between them others live. */
  readonly steps: readonly (() => Step)[] = [
    () => this.#makeTopics(),
    () => this.#setConfigs(),
    () => this.#allow(),
    () => this.#produce(),
    () => this.#join('group', null),
    () => this.#join(SHARED_GROUP, 'instance'),
    () => this.#commit(),
    () => this.#deleteTopic(),
    () => this.#openSession(),
    () => this.#park(),
    () => this.#learn(),
  ]

  facts(more: Pick<Facts, 'partitionNumbers' | 'directoryId'>): Facts {
    const { name, tenantId, keyId } = this.#options
    const topic = (title: string) => this.#topics.get(title)!
    return {
      ...{ tenantId, tenantName: name, clusterId: this.#clusterId },
      ...{ keyId: keyId ?? 'NOBODY', user: this.user },
      ...{ own: topic(this.#own), shared: topic(SHARED_TOPIC), internal: topic(OFFSETS_TOPIC) },
      gone: topic(this.#gone),
      group: this.#groups.get(this.#name('group'))!,
      sharedGroup: this.#groups.get(SHARED_GROUP)!,
      offsetsGroup: this.#name('offsets'),
      transactionalId: this.#name('transaction'),
      ...{ producerId: this.#producerId, producerEpoch: 0, nextSequence: 2 },
      ...{ fetchSessionId: this.#session, fetchSessionEpoch: 1 },
      ...more,
    }
  }

  get user(): string {
    return this.#name('user')
  }

  get #own(): string {
    return this.#name('orders')
  }

  get #gone(): string {
    return this.#name('gone')
  }

  #name(what: string): string {
    return `${this.#options.name}-${what}`
  }

  *#ask<A extends Api>(api: A, version: number, request: LooseRequest<A>): Asked<A> {
    return (yield { api, version, request: request as object }) as ResponseOf<A>
  }

  *#allow(): Step {
    const { results } = yield* this.#ask(createAcls, 3, {
      // the second for who does not log in
      creations: [`User:${this.user}`, 'User:*'].map((principal) => ({
        ...{ resourceType: 2, resourceName: this.#own, resourcePatternType: 3, host: '*' },
        ...{ principal, operation: 2, permissionType: 3 },
      })),
    })
    if (results[0]?.errorCode !== 0) throw new Error(`${results[0]?.errorMessage}`)
    const made = yield* this.#ask(alterUserScramCredentials, 0, {
      deletions: [],
      upsertions: [
        {
          ...{ name: this.user, mechanism: 2, iterations: 4_096 },
          ...{ salt: Buffer.alloc(16, 7), saltedPassword: Buffer.alloc(64, 8) },
        },
      ],
    })
    if (made.results[0]?.errorCode !== 0) throw new Error(`${made.results[0]?.errorMessage}`)
  }

  *#makeTopics(): Step {
    const { sharedPartitions, brokers = 2 } = this.#options
    // as many on each broker: see the exception `placement`
    const shared = (sharedPartitions / 2) * brokers
    const sizes = { [this.#own]: brokers, [SHARED_TOPIC]: shared, [this.#gone]: brokers }
    for (const [name, numPartitions] of Object.entries(sizes)) {
      const { topics } = yield* this.#ask(createTopics, 7, {
        topics: [{ name, numPartitions, replicationFactor: -1 }],
        timeoutMs: 1_000,
      })
      if (topics[0]?.errorCode !== 0) throw new Error(`${name}: ${topics[0]?.errorMessage}`)
      this.#topics.set(name, { name, topicId: topics[0].topicId, partitions: numPartitions })
    }
  }

  *#setConfigs(): Step {
    // another for each tenant
    const ms = `${60_000_000 + this.#options.name.charCodeAt(0)}`
    const set = (resourceType: number, resourceName: string, config: string, value: string) => ({
      ...{ resourceType, resourceName },
      configs: [{ name: config, configOperation: 0, value }],
    })
    const { responses } = yield* this.#ask(incrementalAlterConfigs, 1, {
      resources: [
        set(2, this.#own, 'retention.ms', ms),
        set(2, SHARED_TOPIC, 'retention.ms', ms),
        set(4, '', 'log.retention.ms', ms),
        set(32, this.#name('group'), 'consumer.session.timeout.ms', '50000'),
      ],
    })
    const refused = responses.find(({ errorCode }) => errorCode !== 0)
    if (refused !== undefined) throw new Error(`${refused.resourceName}: ${refused.errorMessage}`)
  }

  *#produce(): Step {
    const { producerId } = yield* this.#ask(initProducerId, 4, {
      ...{ transactionalId: null, transactionTimeoutMs: 1_000 },
    })
    this.#producerId = producerId
    for (const { name, partitions } of [...this.#topics.values()]) {
      for (let index = 0; index < partitions; index++) {
        for (let n = 0; n < RECORDS_PER_PARTITION; n++) {
          const producer =
            n < 2 ? { producerId, producerEpoch: 0, baseSequence: n } : { producerId: -1 }
          const mark = `${this.#options.name} has ${name} ${index} ${n}`
          const records = markedBatch(mark, producer, this.#options.timeMs)
          yield* this.#append(name, index, records)
        }
      }
    }
  }

  *#append(name: string, index: number, records: Uint8Array): Step {
    const { responses } = yield* this.#ask(produce, 9, {
      ...{ transactionalId: null, acks: -1, timeoutMs: 1_000 },
      topicData: [{ name, partitionData: [{ index, records }] }],
    })
    const told = responses[0]?.partitionResponses[0]
    if (told?.errorCode !== 0) throw new Error(`${name}-${index}: ${told?.errorMessage}`)
  }

  *#join(title: string, instance: string | null): Step {
    const groupId = title === SHARED_GROUP ? title : this.#name(title)
    const instanceId = instance === null ? null : this.#name(instance)
    const request = {
      ...{ groupId, memberId: '', groupInstanceId: instanceId, protocolType: 'consumer' },
      ...{ sessionTimeoutMs: LONG_MS, rebalanceTimeoutMs: 200 },
      protocols: [{ name: 'range', metadata: subscriptionOf(this.#own) }],
    }
    let joined = yield* this.#ask(joinGroup, 7, request)
    if (instanceId === null) {
      joined = yield* this.#ask(joinGroup, 7, { ...request, memberId: joined.memberId })
    }
    const { memberId, generationId } = joined
    if (joined.errorCode !== 0) throw new Error(`${groupId}: JoinGroup ${joined.errorCode}`)
    const synced = yield* this.#ask(syncGroup, 5, {
      ...{ groupId, memberId, generationId, groupInstanceId: instanceId },
      ...{ protocolType: 'consumer', protocolName: 'range' },
      assignments: [{ memberId, assignment: assignmentOf(this.#own) }],
    })
    if (synced.errorCode !== 0) throw new Error(`${groupId}: SyncGroup ${synced.errorCode}`)
    this.#groups.set(groupId, { groupId, memberId, instanceId, generation: generationId })
  }

  *#commit(): Step {
    const committed = { committedOffset: 2, committedMetadata: this.#name('metadata') }
    const partitions = [{ partitionIndex: 0, ...committed }]
    const topics = [this.#own, SHARED_TOPIC].map((name) => ({ name, partitions }))
    const { memberId, generation } = this.#groups.get(this.#name('group'))!
    for (const request of [
      { groupId: this.#name('offsets'), topics },
      { groupId: this.#name('group'), memberId, generationIdOrMemberEpoch: generation, topics },
    ]) {
      const answer = yield* this.#ask(offsetCommit, 8, request)
      const refused = answer.topics.flatMap(({ partitions }) => partitions)
      if (refused.some(({ errorCode }) => errorCode !== 0)) throw new Error('not committed')
    }
  }

  *#deleteTopic(): Step {
    yield* this.#ask(deleteTopics, 5, { topicNames: [this.#gone], timeoutMs: 1_000 })
  }

  *#openSession(): Step {
    const { sessionId } = yield* this.#ask(fetch, 11, {
      ...{ maxWaitMs: 0, minBytes: 1, sessionId: 0, sessionEpoch: 0 },
      topics: [this.#own, SHARED_TOPIC].map((topic) => ({
        topic,
        partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1_000 }],
      })),
    })
    if (sessionId === 0) throw new Error('no session')
    this.#session = sessionId
  }

  *#park(): Step {
    const partitions = [0, 1].map((partition) => ({
      ...{ partition, fetchOffset: RECORDS_PER_PARTITION, partitionMaxBytes: 1_000 },
    }))
    const request = {
      ...{ maxWaitMs: 2 ** 31 - 1, minBytes: 1, sessionId: 0, sessionEpoch: -1 },
      topics: [this.#own, SHARED_TOPIC].map((topic) => ({ topic, partitions })),
    }
    for (let n = 0; n < this.#options.polls; n++) {
      yield { api: fetch, version: 11, request, isPoll: true }
    }
  }

  *#learn(): Step {
    const { clusterId, topics } = yield* this.#ask(metadata, 12, { topics: null })
    this.#clusterId = clusterId!
    for (const { name, topicId, partitions } of topics) {
      this.#topics.set(name!, { name: name!, topicId, partitions: partitions.length })
    }
  }
}

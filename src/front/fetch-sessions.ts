import type { PartitionIndex, TenantId } from '../base/ids.ts'
import type { Random } from '../base/random.ts'
import type { FetchRequest } from '../protocol/01-fetch.ts'
import { FetchPart } from './fetch-part.ts'

/** A session unused for this long may give way to a new one (`min.incremental.fetch.session.eviction.ms`). */
const EVICT_AFTER_MS = 120_000

/** Who fetches more partitions than this does without a session. */
const SESSION_PARTITIONS_MAX = 7_500

/** Partitions in all sessions of a tenant: some 500 bytes each, and named in 30. */
const TENANT_PARTITIONS_MAX = 100_000

type RequestedTopics = FetchRequest['topics']

/** The partitions that a client is interested in, so that it need not name them in every fetch (KIP-227). */
export class FetchSession {
  readonly id: number
  readonly usesTopicIds: boolean
  /** Of the next request. */
  epoch = 1
  usedAtMs: number
  /** A request on this session is not answered yet. */
  busy = false
  /** In the order in which they share a response. */
  readonly parts = new Map<string, FetchPart>()

  constructor(id: number, usesTopicIds: boolean, nowMs: number) {
    this.id = id
    this.usesTopicIds = usesTopicIds
    this.usedAtMs = nowMs
  }

  /** Adds partitions, or changes what is asked of them. */
  update(topics: RequestedTopics): void {
    for (const topic of topics) {
      for (const asked of topic.partitions) {
        const key = this.#key(topic.topic, topic.topicId, asked.partition)
        let part = this.parts.get(key)
        if (part === undefined) {
          part = new FetchPart(topic.topic, topic.topicId, asked.partition as PartitionIndex)
          this.parts.set(key, part)
        }
        part.ask(asked.fetchOffset, asked.partitionMaxBytes, asked.currentLeaderEpoch)
        part.dirty = true
      }
    }
  }

  forget(topics: FetchRequest['forgottenTopicsData']): void {
    for (const { topic, topicId, partitions } of topics) {
      for (const index of partitions) this.parts.delete(this.#key(topic, topicId, index))
    }
  }

  /** Puts a partition that was given its share behind all others. */
  moveToEnd(part: FetchPart): void {
    const key = this.#key(part.topicName, part.topicId, part.index)
    if (!this.parts.delete(key)) return
    this.parts.set(key, part)
  }

  #key(name: string, topicId: string, index: number): string {
    return `${this.usesTopicIds ? topicId : name}/${index}`
  }
}

interface TenantSessions {
  readonly random: Random
  /** Least recently used first. */
  readonly sessions: Map<number, FetchSession>
}

/** The fetch sessions of one front, each tenant's apart. Belongs to the front's thread. */
export class FetchSessions {
  readonly #slotsMax: number
  readonly #randomFor: (tenantId: TenantId) => Random
  readonly #tenants = new Map<TenantId, TenantSessions>()

  /** `randomFor`: ids are drawn per tenant, so that nothing of one shows in another's. */
  constructor(slotsMax: number, randomFor: (tenantId: TenantId) => Random) {
    this.#slotsMax = slotsMax
    this.#randomFor = randomFor
  }

  /** Of all tenants. */
  get size(): number {
    let size = 0
    for (const { sessions } of this.#tenants.values()) size += sessions.size
    return size
  }

  sizeOf(tenantId: TenantId): number {
    return this.#tenants.get(tenantId)?.sessions.size ?? 0
  }

  get(tenantId: TenantId, id: number, nowMs: number): FetchSession | undefined {
    const sessions = this.#tenants.get(tenantId)?.sessions
    const session = sessions?.get(id)
    if (session === undefined) return undefined
    session.usedAtMs = nowMs
    sessions!.delete(id)
    sessions!.set(id, session)
    return session
  }

  /** More partitions than a session may have, or, since it has grown, than all of the tenant's: it has to end. */
  isTooLarge(tenantId: TenantId, session: FetchSession, hasGrown: boolean): boolean {
    if (session.parts.size > SESSION_PARTITIONS_MAX) return true
    return hasGrown && this.#partitionsOf(tenantId) > TENANT_PARTITIONS_MAX
  }

  #partitionsOf(tenantId: TenantId): number {
    let partitions = 0
    for (const { parts } of this.#tenants.get(tenantId)?.sessions.values() ?? []) {
      partitions += parts.size
    }
    return partitions
  }

  remove(tenantId: TenantId, id: number): void {
    this.#tenants.get(tenantId)?.sessions.delete(id)
  }

  /** With all their sessions: nobody can ask for these any more. */
  forgetTenants(isGone: (tenantId: TenantId) => boolean): void {
    for (const tenantId of this.#tenants.keys())
      if (isGone(tenantId)) this.#tenants.delete(tenantId)
  }

  /** A session for `topics`, or null when every slot is in use: the client then does without. */
  create(
    tenantId: TenantId,
    topics: RequestedTopics,
    usesTopicIds: boolean,
    nowMs: number,
  ): FetchSession | null {
    let tenant = this.#tenants.get(tenantId)
    if (tenant === undefined) {
      tenant = { random: this.#randomFor(tenantId), sessions: new Map() }
      this.#tenants.set(tenantId, tenant)
    }
    const partitions = countPartitions(topics)
    if (partitions > SESSION_PARTITIONS_MAX) return null
    const isFull = this.#partitionsOf(tenantId) + partitions > TENANT_PARTITIONS_MAX
    if (!this.#makeRoom(tenant.sessions, isFull, nowMs)) return null
    const session = new FetchSession(freshId(tenant), usesTopicIds, nowMs)
    session.update(topics)
    tenant.sessions.set(session.id, session)
    return session
  }

  #makeRoom(sessions: Map<number, FetchSession>, isFull: boolean, nowMs: number): boolean {
    if (sessions.size < this.#slotsMax && !isFull) return true
    for (const oldest of sessions.values()) {
      if (oldest.busy || nowMs - oldest.usedAtMs < EVICT_AFTER_MS) return false
      sessions.delete(oldest.id)
      return true
    }
    return false
  }
}

const countPartitions = (topics: RequestedTopics): number =>
  topics.reduce((sum, topic) => sum + topic.partitions.length, 0)

function freshId({ random, sessions }: TenantSessions): number {
  for (;;) {
    const id = random.uint32() & 0x7fff_ffff
    if (id !== 0 && !sessions.has(id)) return id
  }
}

/** The controller's replicated state: what its decisions need, over timelines. What everyone else needs is the image. */
import { InvariantError, invariant } from '../base/assert.ts'
import type { BrokerId, CellId, PartitionNumber, TenantId, TopicId } from '../base/ids.ts'
import { METADATA_FORMAT, type MetadataEntry } from '../image/entry.ts'
import { collisionName, hasCollisionChars } from '../image/topic-names.ts'
import { TimelineMap, type TimelineRegistry, TimelineValue } from '../machine/timeline.ts'
import { StartRefusedError } from './refused.ts'

type Entry<Kind extends MetadataEntry['kind']> = Extract<MetadataEntry, { kind: Kind }>

export interface ClusterState {
  readonly clusterId: string
  readonly cells: number
  readonly brokersPerCell: number
}

export interface TenantState {
  readonly tenantId: TenantId
  readonly name: string
  readonly cellId: CellId
}

export interface TopicState {
  readonly tenantId: TenantId
  readonly topicId: TopicId
  readonly name: string
  readonly cellId: CellId
  readonly partitionCount: number
  /** All replicas of all partitions in one list: what the topic weighs on each broker. */
  readonly replicas: readonly BrokerId[]
}

/** A broker among all cells. */
export const brokerKey = (cellId: CellId, brokerId: BrokerId): number => cellId * 65_536 + brokerId

const named = (tenantId: TenantId, name: string): string => `${tenantId}/${name}`
const NO_NAMES: readonly string[] = []

export class ControllerState {
  readonly cluster: TimelineValue<ClusterState | null>
  readonly tenants: TimelineMap<TenantId, TenantState>
  readonly tenantNames: TimelineMap<string, TenantId>
  readonly topicIds: TimelineMap<TopicId, TopicState>
  readonly nextPartition: TimelineValue<PartitionNumber>
  readonly partitionCount: TimelineValue<number>
  readonly #topicNames: TimelineMap<string, TopicState>
  readonly #collisions: TimelineMap<string, readonly string[]>
  readonly #producerIds: TimelineMap<TenantId, number>
  readonly #loads: TimelineMap<number, number>

  constructor(registry: TimelineRegistry) {
    this.cluster = new TimelineValue<ClusterState | null>(registry, null)
    this.tenants = new TimelineMap(registry)
    this.tenantNames = new TimelineMap(registry)
    this.topicIds = new TimelineMap(registry)
    this.nextPartition = new TimelineValue(registry, 1 as PartitionNumber)
    this.partitionCount = new TimelineValue(registry, 0)
    this.#topicNames = new TimelineMap(registry)
    this.#collisions = new TimelineMap(registry)
    this.#producerIds = new TimelineMap(registry)
    this.#loads = new TimelineMap(registry)
  }

  topicByName(tenantId: TenantId, name: string): TopicState | undefined {
    return this.#topicNames.get(named(tenantId, name))
  }

  /** Never another tenant's. */
  topicById(tenantId: TenantId, topicId: TopicId): TopicState | undefined {
    const topic = this.topicIds.get(topicId)
    return topic?.tenantId === tenantId ? topic : undefined
  }

  /** Topics of the tenant whose names differ from `name` only in `.` and `_`. */
  collisionsOf(tenantId: TenantId, name: string): readonly string[] {
    return this.#collisions.get(named(tenantId, collisionName(name))) ?? NO_NAMES
  }

  nextProducerId(tenantId: TenantId): number {
    return this.#producerIds.get(tenantId) ?? 0
  }

  /** Replicas on a broker, of all tenants. */
  loadOf(cellId: CellId, brokerId: BrokerId): number {
    return this.#loads.get(brokerKey(cellId, brokerId)) ?? 0
  }

  replay(entry: MetadataEntry): void {
    switch (entry.kind) {
      case 'cluster-formed':
        this.#formCluster(entry)
        break
      case 'tenant-created':
        this.#createTenant(entry)
        break
      case 'topic-created':
        this.#createTopic(entry)
        break
      case 'topic-deleted':
        this.#deleteTopic(entry)
        break
      case 'producer-ids':
        this.#producerIds.set(entry.tenantId, entry.next)
        break
      default:
        entry satisfies never
        throw new InvariantError(
          `a metadata entry of unknown kind ${(entry as MetadataEntry).kind}`,
        )
    }
  }

  #formCluster(entry: Entry<'cluster-formed'>): void {
    if (entry.format > METADATA_FORMAT) {
      throw new StartRefusedError(
        `metadata log: it was formed with format ${entry.format}, this version reads up to ${METADATA_FORMAT}`,
      )
    }
    invariant(this.cluster.value === null, 'a cluster is formed once')
    const { clusterId, cells, brokersPerCell } = entry
    this.cluster.set({ clusterId, cells, brokersPerCell })
  }

  #createTenant({ tenantId, name, cellId }: Entry<'tenant-created'>): void {
    invariant(!this.tenants.has(tenantId), 'a tenant id is used once')
    this.tenants.set(tenantId, { tenantId, name, cellId })
    this.tenantNames.set(name, tenantId)
  }

  #createTopic(entry: Entry<'topic-created'>): void {
    const { topicId, name, cellId, placements } = entry
    // The tenant's own string: every decoded entry carries a copy.
    const tenantId = this.tenants.get(entry.tenantId)?.tenantId
    invariant(tenantId !== undefined, 'a topic belongs to a tenant that exists')
    invariant(!this.topicIds.has(topicId), 'a topic id is used once')
    const replicas = placements.flatMap((placement) => placement.replicas)
    const partitionCount = placements.length
    const topic: TopicState = { tenantId, topicId, name, cellId, partitionCount, replicas }
    this.topicIds.set(topicId, topic)
    this.#topicNames.set(named(tenantId, name), topic)
    if (hasCollisionChars(name)) {
      const key = named(tenantId, collisionName(name))
      this.#collisions.set(key, [...(this.#collisions.get(key) ?? NO_NAMES), name])
    }
    const end = entry.firstPartition + placements.length
    this.nextPartition.set(Math.max(this.nextPartition.value, end) as PartitionNumber)
    this.partitionCount.set(this.partitionCount.value + placements.length)
    this.#weigh(topic, 1)
  }

  #deleteTopic(entry: Entry<'topic-deleted'>): void {
    const topic = this.topicById(entry.tenantId, entry.topicId)
    invariant(topic, 'a topic that is deleted exists')
    this.topicIds.delete(topic.topicId)
    this.#topicNames.delete(named(topic.tenantId, topic.name))
    if (hasCollisionChars(topic.name)) {
      const key = named(topic.tenantId, collisionName(topic.name))
      const left = (this.#collisions.get(key) ?? NO_NAMES).filter((name) => name !== topic.name)
      if (left.length === 0) this.#collisions.delete(key)
      else this.#collisions.set(key, left)
    }
    this.partitionCount.set(this.partitionCount.value - topic.partitionCount)
    this.#weigh(topic, -1)
  }

  #weigh(topic: TopicState, sign: 1 | -1): void {
    const change = new Map<number, number>()
    for (const brokerId of topic.replicas) {
      const key = brokerKey(topic.cellId, brokerId)
      change.set(key, (change.get(key) ?? 0) + sign)
    }
    for (const [key, by] of change) this.#loads.set(key, (this.#loads.get(key) ?? 0) + by)
  }
}

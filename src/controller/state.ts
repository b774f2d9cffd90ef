/** The controller's replicated state: what its decisions need, over timelines. What everyone else needs is the image. */
import { InvariantError, invariant } from '../base/assert.ts'
import {
  asBrokerId,
  type BrokerId,
  type CellId,
  type PartitionNumber,
  type TenantId,
  type TopicId,
} from '../base/ids.ts'
import { Interned } from '../base/interned.ts'
import type { AclBinding } from '../image/acl-binding.ts'
import { brokerKey, type KnownDirectory, withLife } from '../image/broker-directories.ts'
import { METADATA_FORMAT, type MetadataEntry, type PartitionPlacement } from '../image/entry.ts'
import type { PlanView } from '../image/plan-rows.ts'
import { isPending, moveOf } from '../image/replica-moves.ts'
import type { ConfigValues } from '../image/topic-config.ts'
import { collisionName, hasCollisionChars } from '../image/topic-name.ts'
import { TimelineMap, type TimelineRegistry, TimelineValue } from '../machine/timeline.ts'
import { charsOf, groupChars } from './config-sizes.ts'
import { CellLoads } from './placement.ts'
import { StartRefusedError } from './refused.ts'
import {
  addTo,
  type KeyState,
  type TenantState,
  TenantStates,
  type UserState,
} from './tenant-state.ts'
import { TopicNames } from './topic-names.ts'
import { changedTopic, newTopic, type TopicState } from './topic-state.ts'

type Entry<Kind extends MetadataEntry['kind']> = Extract<MetadataEntry, { kind: Kind }>

export interface ClusterState {
  readonly clusterId: string
  readonly cells: number
  readonly brokersPerCell: number
}

export interface BrokerState {
  readonly directoryId: string
  /** How often the broker has come with another directory. */
  readonly life: number
  readonly rack: string | null
  /** It has what the directories before it had. */
  readonly isFilled: boolean
  /** This one, and those before in which partitions were made. */
  readonly lives: readonly KnownDirectory[]
}

/** What a snapshot is made from. */
export interface CommittedState {
  readonly cluster: ClusterState | null
  readonly nextPartition: PartitionNumber
  readonly brokers: readonly BrokerState[]
  readonly plans: readonly PlanView[]
  readonly tenants: readonly TenantState[]
  readonly topics: readonly TopicState[]
  /** Of which tenant, and of which of its brokers, 0 for all. */
  readonly brokerConfigs: readonly (readonly [TenantId, string, ConfigValues])[]
  readonly groupConfigs: readonly (readonly [TenantId, string, ConfigValues])[]
  readonly producerIds: readonly (readonly [TenantId, number])[]
  readonly keys: readonly KeyState[]
  readonly users: readonly UserState[]
  readonly acls: readonly (readonly [TenantId, ReadonlyMap<string, AclBinding>])[]
}

const named = (tenantId: TenantId, name: string): string => `${tenantId}/${name}`
const unnamed = ([key, configs]: readonly [string, ConfigValues]) => {
  const end = key.indexOf('/')
  return [key.slice(0, end) as TenantId, key.slice(end + 1), configs] as const
}
/** Replica lists that are kept once for all topics, … */
const LISTS_MAX = 10_000
/** … and names. */
const KNOWN_NAMES_MAX = 1_000
const NO_NAMES: readonly string[] = []
const NO_CONFIGS: ConfigValues = Object.freeze({})
/** Of a topic with more partitions, the lists are its own. */
const SHARED_PARTITIONS_MAX = 16

export class ControllerState {
  readonly cluster: TimelineValue<ClusterState | null>
  readonly tenants: TenantStates
  readonly topicIds: TimelineMap<TopicId, TopicState>
  readonly nextPartition: TimelineValue<PartitionNumber>
  readonly partitionCount: TimelineValue<number>
  readonly #topicNames: TopicNames
  readonly #collisions: TimelineMap<string, readonly string[]>
  readonly #producerIds: TimelineMap<TenantId, number>
  /** By {@link brokerKey}: what has been said of it. */
  readonly brokers: TimelineMap<number, BrokerState>
  /** With partitions whose replicas are being moved. */
  readonly #movingTopics: TimelineMap<TopicId, TenantId>
  readonly #loads: TimelineMap<number, number>
  /** Partitions whose preferred leader a broker is. */
  readonly #leaderLoads: TimelineMap<number, number>
  readonly #lists = new Interned<readonly BrokerId[]>(LISTS_MAX)
  readonly #topicLists = new Interned<readonly (readonly BrokerId[])[]>(LISTS_MAX)
  /** Names that many topics have are one string each. */
  readonly #knownNames = new Interned<string>(KNOWN_NAMES_MAX)
  readonly #brokerConfigs: TimelineMap<string, ConfigValues>
  readonly #groupConfigs: TimelineMap<string, ConfigValues>
  /** How many groups of a tenant have configs. */
  readonly #groupCounts: TimelineMap<TenantId, number>
  /** Characters of all configs of a tenant. */
  readonly #configChars: TimelineMap<TenantId, number>

  /** The contents of each of these. */
  readonly #kept: (() => unknown)[] = []

  constructor(registry: TimelineRegistry) {
    const map = <K, V>(): TimelineMap<K, V> => {
      const made = new TimelineMap<K, V>(registry)
      this.#kept.push(() => new Map(made.entries()))
      return made
    }
    const value = <V>(initial: V): TimelineValue<V> => {
      const made = new TimelineValue<V>(registry, initial)
      this.#kept.push(() => made.value)
      return made
    }
    this.cluster = value<ClusterState | null>(null)
    this.tenants = new TenantStates(map)
    this.topicIds = map()
    this.nextPartition = value(1 as PartitionNumber)
    this.partitionCount = value(0)
    this.#kept.push(() => new Map(this.#named()))
    this.#topicNames = new TopicNames(registry, this.topicIds)
    this.#collisions = map()
    this.#producerIds = map()
    this.brokers = map()
    this.#movingTopics = map()
    this.#loads = map()
    this.#leaderLoads = map()
    this.#brokerConfigs = map()
    this.#groupConfigs = map()
    this.#groupCounts = map()
    this.#configChars = map()
  }

  /** All of it, committed or not, equal for equal states: for tests. */
  contents(): unknown[] {
    return this.#kept.map((contents) => contents())
  }

  /** What is committed, to be restated: later changes do not show in it. */
  committed(): CommittedState {
    return {
      cluster: this.cluster.committed,
      nextPartition: this.nextPartition.committed,
      brokers: this.brokers.committed.collect(),
      plans: this.tenants.plans.committed.collect(),
      tenants: this.tenants.byId.committed.collect(),
      topics: this.topicIds.committed.collect(),
      brokerConfigs: [...this.#brokerConfigs.committed.entries()].map(unnamed),
      groupConfigs: [...this.#groupConfigs.committed.entries()].map(unnamed),
      producerIds: [...this.#producerIds.committed.entries()],
      keys: this.tenants.keys.committed.collect(),
      users: this.tenants.users.committed.collect(),
      acls: [...this.tenants.acls.committed.entries()],
    }
  }

  topicByName(tenantId: TenantId, name: string): TopicState | undefined {
    return this.#topicNames.get(tenantId, name)
  }

  /** Never another tenant's. */
  topicById(tenantId: TenantId, topicId: TopicId): TopicState | undefined {
    const topic = this.topicIds.get(topicId)
    return topic?.tenantId === tenantId ? topic : undefined
  }

  /** What is found by each name that there is. */
  *#named(): IterableIterator<[string, TopicId | undefined]> {
    for (const { tenantId, name } of this.topicIds.values()) {
      yield [named(tenantId, name), this.topicByName(tenantId, name)?.topicId]
    }
  }

  /** In no particular order. */
  topicsOf(tenantId: TenantId): Iterable<TopicState> {
    return this.#topicNames.of(tenantId)
  }

  /** Of the tenant, those with partitions whose replicas are being moved, by name. */
  movingTopics(tenantId: TenantId): TopicState[] {
    const topics = [...this.#movingTopics.keys()].flatMap(
      (topicId) => this.topicById(tenantId, topicId) ?? [],
    )
    return topics.sort((a, b) => (a.name < b.name ? -1 : 1))
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

  /** What the cell's brokers hold, to plan with. */
  loadsOf(cellId: CellId, brokers: number): CellLoads {
    return new CellLoads(
      brokers,
      (broker) => this.loadOf(cellId, broker),
      (broker) => this.#leaderLoads.get(brokerKey(cellId, broker)) ?? 0,
    )
  }

  /** Of the cell's brokers from 1 on; null where not every one has a rack: then nothing is known of any. */
  racksOf(cellId: CellId, brokers: number): readonly string[] | null {
    const racks: string[] = []
    for (let id = 1; id <= brokers; id++) {
      const rack = this.brokers.get(brokerKey(cellId, asBrokerId(id)))?.rack ?? null
      if (rack === null) return null
      racks.push(rack)
    }
    return racks
  }

  /** What was set for a broker of the tenant, 0 for all of them. */
  brokerConfigs(tenantId: TenantId, brokerId: BrokerId | 0): ConfigValues {
    return this.#brokerConfigs.get(named(tenantId, String(brokerId))) ?? NO_CONFIGS
  }

  groupConfigs(tenantId: TenantId, groupId: string): ConfigValues {
    return this.#groupConfigs.get(named(tenantId, groupId)) ?? NO_CONFIGS
  }

  groupsWithConfigs(tenantId: TenantId): number {
    return this.#groupCounts.get(tenantId) ?? 0
  }

  /** Brokers for which the tenant has set something, 0 for all. */
  brokersWithConfigs(tenantId: TenantId): (BrokerId | 0)[] {
    return namesOf(this.#brokerConfigs, tenantId).map((name) => Number(name) as BrokerId | 0)
  }

  /** Groups of the tenant with configs. */
  groupsNamed(tenantId: TenantId): string[] {
    return namesOf(this.#groupConfigs, tenantId)
  }

  /** Of the tenant's topics, brokers and groups together. */
  configChars(tenantId: TenantId): number {
    return this.#configChars.get(tenantId) ?? 0
  }

  replay(entry: MetadataEntry): void {
    switch (entry.kind) {
      case 'cluster-formed':
        this.#formCluster(entry)
        break
      case 'tenant-created':
        this.tenants.create(entry)
        break
      case 'tenant-deleted':
        this.#producerIds.delete(entry.tenantId)
        this.tenants.change(entry)
        break
      case 'tenant-settings':
      case 'api-key':
      case 'api-key-revoked':
      case 'user-secrets':
      case 'acls-added':
      case 'acls-removed':
        this.tenants.change(entry)
        break
      case 'plan':
      case 'plan-deleted':
        this.tenants.changePlan(entry)
        break
      case 'metadata-purge':
        break
      case 'topic-created':
        this.#createTopic(entry)
        break
      case 'topic-deleted':
        this.#deleteTopic(entry)
        break
      case 'partitions-added':
        this.#addPartitions(entry)
        break
      case 'partition-reassigned':
        this.#reassign(entry)
        break
      case 'topic-configs':
        this.#setTopicConfigs(entry)
        break
      case 'broker-configs':
        this.#setBrokerConfigs(entry)
        break
      case 'group-configs':
        this.#setGroupConfigs(entry)
        break
      case 'broker-directory': {
        const key = brokerKey(entry.cellId, entry.brokerId)
        const lives = withLife(this.brokers.get(key)?.lives ?? [], entry)
        const { directoryId, life, rack, isFilled } = lives.at(-1)!
        this.brokers.set(key, { directoryId, life, rack, isFilled, lives })
        break
      }
      case 'next-partition':
        this.#numbersEnd(entry.next)
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

  #createTopic(entry: Entry<'topic-created'>): void {
    const { topicId, name, internal, cellId, firstPartition, placements } = entry
    // The tenant's own string: every decoded entry carries a copy.
    const tenantId = this.tenants.byId.get(entry.tenantId)?.tenantId
    invariant(tenantId !== undefined, 'a topic belongs to a tenant that exists')
    invariant(!this.topicIds.has(topicId), 'a topic id is used once')
    const replicas = this.#interned(placements)
    const { configs } = entry
    const begun = { tenantId, topicId, name: this.#knownNames.of(name, name), internal, cellId }
    const topic = newTopic({ ...begun, firstPartition, configs, replicas })
    this.topicIds.set(topicId, topic)
    this.#topicNames.add(topic)
    this.#addChars(tenantId, charsOf(configs))
    if (hasCollisionChars(name)) {
      const key = named(tenantId, collisionName(name))
      this.#collisions.set(key, [...(this.#collisions.get(key) ?? NO_NAMES), name].sort())
    }
    this.#numbersEnd(firstPartition + placements.length)
    this.#count(topic, 1, placements.length)
    this.#weigh(topic.cellId, replicas, 1)
  }

  #count({ tenantId, name }: TopicState, topics: number, partitions: number): void {
    this.partitionCount.set(this.partitionCount.value + partitions)
    this.tenants.count(tenantId, name, { topics, partitions })
  }

  #numbersEnd(end: number): void {
    if (end > this.nextPartition.value) this.nextPartition.set(end as PartitionNumber)
  }

  #addPartitions(entry: Entry<'partitions-added'>): void {
    const topic = this.#existing(entry)
    const { firstPartition, placements } = entry
    const replicas = this.#interned(placements)
    const last = topic.added.at(-1) ?? { index: 0, firstPartition: topic.firstPartition }
    const isNext = last.firstPartition + topic.partitionCount - last.index === firstPartition
    const more = isNext ? [] : [{ index: topic.partitionCount, firstPartition }]
    this.#replaceTopic(topic, {
      added: isNext ? topic.added : [...topic.added, ...more],
      replicas: [...topic.replicas, ...replicas],
    })
    this.#numbersEnd(firstPartition + placements.length)
    this.#count(topic, 0, placements.length)
    this.#weigh(topic.cellId, replicas, 1)
  }

  #reassign(entry: Entry<'partition-reassigned'>): void {
    const topic = this.#existing(entry)
    const { index, replicas } = entry
    const before = topic.replicas[index]
    invariant(before !== undefined, 'replicas move of a partition that exists')
    const moves = new Map(topic.moves)
    moves.set(index, moveOf(entry))
    this.#replaceTopic(topic, { moves, replicas: topic.replicas.with(index, replicas) })
    if ([...moves.values()].some(isPending)) this.#movingTopics.set(topic.topicId, topic.tenantId)
    else this.#movingTopics.delete(topic.topicId)
    this.#weigh(topic.cellId, [before], -1)
    this.#weigh(topic.cellId, [replicas], 1)
  }

  #setTopicConfigs(entry: Entry<'topic-configs'>): void {
    const topic = this.#existing(entry)
    const { configs } = entry
    this.#addChars(topic.tenantId, charsOf(configs) - charsOf(topic.configs))
    this.#replaceTopic(topic, { configs })
  }

  #setBrokerConfigs({ tenantId, brokerId, configs }: Entry<'broker-configs'>): void {
    const before = this.brokerConfigs(tenantId, brokerId)
    this.#addChars(tenantId, charsOf(configs) - charsOf(before))
    setOrDelete(this.#brokerConfigs, named(tenantId, String(brokerId)), configs)
  }

  #addChars(tenantId: TenantId, more: number): void {
    if (more !== 0) addTo(this.#configChars, tenantId, more)
  }

  #setGroupConfigs({ tenantId, groupId, configs }: Entry<'group-configs'>): void {
    const had = groupChars(groupId, this.groupConfigs(tenantId, groupId))
    this.#addChars(tenantId, groupChars(groupId, configs) - had)
    const before = this.#groupConfigs.size
    setOrDelete(this.#groupConfigs, named(tenantId, groupId), configs)
    const change = this.#groupConfigs.size - before
    if (change !== 0) addTo(this.#groupCounts, tenantId, change)
  }

  #existing(entry: { readonly tenantId: TenantId; readonly topicId: TopicId }): TopicState {
    const topic = this.topicById(entry.tenantId, entry.topicId)
    invariant(topic, 'a topic that is changed exists')
    return topic
  }

  #replaceTopic(topic: TopicState, change: Parameters<typeof changedTopic>[1]): void {
    this.topicIds.set(topic.topicId, changedTopic(topic, change))
  }

  #deleteTopic(entry: Entry<'topic-deleted'>): void {
    const topic = this.#existing(entry)
    this.topicIds.delete(topic.topicId)
    this.#movingTopics.delete(topic.topicId)
    this.#addChars(topic.tenantId, -charsOf(topic.configs))
    this.#topicNames.remove(topic)
    if (hasCollisionChars(topic.name)) {
      const key = named(topic.tenantId, collisionName(topic.name))
      const left = (this.#collisions.get(key) ?? NO_NAMES).filter((name) => name !== topic.name)
      if (left.length === 0) this.#collisions.delete(key)
      else this.#collisions.set(key, left)
    }
    this.#count(topic, -1, -topic.partitionCount)
    this.#weigh(topic.cellId, topic.replicas, -1)
  }

  #weigh(cellId: CellId, lists: readonly (readonly BrokerId[])[], sign: 1 | -1): void {
    const replicas = new Map<BrokerId, number>()
    const leaders = new Map<BrokerId, number>()
    for (const list of lists) {
      for (const broker of list) replicas.set(broker, (replicas.get(broker) ?? 0) + sign)
      const leader = list[0]!
      leaders.set(leader, (leaders.get(leader) ?? 0) + sign)
    }
    for (const [broker, by] of replicas) addTo(this.#loads, brokerKey(cellId, broker), by)
    for (const [broker, by] of leaders) addTo(this.#leaderLoads, brokerKey(cellId, broker), by)
  }

  /** The lists of a topic, one object for all small topics that have equal ones. */
  #interned(placements: readonly PartitionPlacement[]): readonly (readonly BrokerId[])[] {
    const lists = placements.map(({ replicas }) => this.#lists.of(replicas.join(','), replicas))
    if (lists.length > SHARED_PARTITIONS_MAX) return lists
    return this.#topicLists.of(lists.join(';'), lists)
  }
}

const namesOf = (map: TimelineMap<string, ConfigValues>, tenantId: TenantId): string[] =>
  [...map.keys()]
    .filter((key) => key.startsWith(`${tenantId}/`))
    .map((key) => key.slice(tenantId.length + 1))

function setOrDelete(map: TimelineMap<string, ConfigValues>, key: string, configs: ConfigValues) {
  if (Object.keys(configs).length === 0) map.delete(key)
  else map.set(key, configs)
}

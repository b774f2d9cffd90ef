/** Tenants and topics of an image: one object each, partitions are columns ({@link PartitionTable}). */
import { invariant } from '../base/assert.ts'
import type {
  BrokerId,
  CellId,
  PartitionIndex,
  PartitionNumber,
  TenantId,
  TopicId,
} from '../base/ids.ts'
import type { BrokerConfigLayers } from './config-layers.ts'
import type { MetadataEntry, TenantSettings } from './entry.ts'
import { TenantAccess } from './tenant-access.ts'
import { NO_CONFIGS, TenantConfigs, type TopicConfigs } from './tenant-configs.ts'
import { defaultSettings } from './tenant-settings.ts'
import { TenantTopics } from './tenant-topics.ts'
import type { ConfigValues, TopicConfig } from './topic-config.ts'
import type { TopicRows } from './topic-rows.ts'
import type { TenantView, TopicView } from './view.ts'

const NO_TOPICS: readonly TopicRow[] = []

export class TenantRow implements TenantView {
  readonly tenantId: TenantId
  readonly name: string
  readonly clusterId: string
  readonly cellId: CellId
  #nextProducerId = 0
  #partitionCount = 0
  /** Made at the first topic: most of many tenants are idle. */
  #topics: TenantTopics | null = null
  readonly #fixed: TopicConfigs
  /** Made at the first change. */
  #configs: TenantConfigs | null = null
  #settings: TenantSettings
  #access: TenantAccess | null = null

  constructor(entry: Extract<MetadataEntry, { kind: 'tenant-created' }>, fixed: TopicConfigs) {
    this.#fixed = fixed
    this.tenantId = entry.tenantId
    this.name = entry.name
    this.clusterId = entry.clusterId
    this.cellId = entry.cellId
    this.#settings = defaultSettings(entry.name)
  }

  get settings(): TenantSettings {
    return this.#settings
  }

  setSettings(settings: TenantSettings): void {
    this.#settings = settings
  }

  /** null where it has neither keys nor users. */
  get access(): TenantAccess | null {
    return this.#access
  }

  changeAccess(change: (access: TenantAccess) => void): void {
    const access = this.#access ?? new TenantAccess()
    change(access)
    this.#access = access.isEmpty ? null : access
  }

  get topicCount(): number {
    return this.#topics?.count ?? 0
  }

  get partitionCount(): number {
    return this.#partitionCount
  }

  /** Producer ids below have been handed out. */
  get nextProducerId(): number {
    return this.#nextProducerId
  }

  handOutProducerIds(next: number): void {
    invariant(next >= this.#nextProducerId, 'producer ids are never handed out twice')
    this.#nextProducerId = next
  }

  /** What was set while running. */
  get configs(): TenantConfigs | null {
    return this.#configs
  }

  changeConfigs(): TenantConfigs {
    this.#configs ??= new TenantConfigs(this.#fixed)
    return this.#configs
  }

  topicConfigsAt(brokerId: BrokerId | 0): TopicConfigs {
    return this.#configs?.topicConfigsAt(brokerId) ?? this.#fixed
  }

  brokerConfigs(brokerId: BrokerId | 0): BrokerConfigLayers {
    return this.topicConfigsAt(brokerId).layers
  }

  groupConfigs(groupId: string): ConfigValues {
    return this.#configs?.group(groupId) ?? NO_CONFIGS
  }

  groupsWithConfigs(): string[] {
    return Array.from(this.#configs?.groups() ?? [], ([groupId]) => groupId)
  }

  topicByName(name: string): TopicRow | undefined {
    return this.#topics?.get(name)
  }

  hasTopic(name: string): boolean {
    return this.#topics?.has(name) === true
  }

  /** In name order; sorted at the first call after a change. */
  topics(): readonly TopicRow[] {
    return this.#topics?.sorted() ?? NO_TOPICS
  }

  add(rows: TopicRows, slot: number, partitionCount: number): void {
    this.#topics ??= new TenantTopics(rows)
    this.#topics.add(slot)
    this.#partitionCount += partitionCount
  }

  grow(row: TopicRow, firstPartition: PartitionNumber, count: number): void {
    row.grow(firstPartition, count)
    this.#partitionCount += count
  }

  remove(row: TopicRow): void {
    this.#topics?.remove(row.name)
    this.#partitionCount -= row.partitionCount
  }
}

/** As it was made. */
export interface BegunTopic {
  readonly topicId: TopicId
  readonly name: string
  readonly internal: boolean
  readonly cellId: CellId
  readonly firstPartition: PartitionNumber
  readonly placements: { readonly length: number }
  readonly configs: ConfigValues
}

export class TopicRow implements TopicView {
  readonly topicId: TopicId
  readonly name: string
  readonly internal: boolean
  readonly cellId: CellId
  /** Where the partition columns refer to. */
  readonly slot: number
  readonly #tenant: TenantRow
  readonly #firstPartition: number
  /**
   * Where partitions that were added later have numbers in a row: index and number of the first, two entries each, by rising
   * index. Most topics have none.
   */
  #added: number[] | null = null
  #partitionCount: number
  #configs: ConfigValues
  // what was parsed last, and over which broker configs
  #over: TopicConfigs | null = null
  #effective: TopicConfig | null = null
  #overAt: TopicConfigs | null = null
  #effectiveAt: TopicConfig | null = null

  constructor(entry: BegunTopic, tenant: TenantRow, slot: number) {
    this.topicId = entry.topicId
    this.name = entry.name
    this.internal = entry.internal
    this.cellId = entry.cellId
    this.slot = slot
    this.#partitionCount = entry.placements.length
    this.#configs = orNone(entry.configs)
    this.#tenant = tenant
    this.#firstPartition = entry.firstPartition
  }

  get tenantId(): TenantId {
    return this.#tenant.tenantId
  }

  get partitionCount(): number {
    return this.#partitionCount
  }

  get configs(): ConfigValues {
    return this.#configs
  }

  get effective(): TopicConfig {
    const over = this.#tenant.topicConfigsAt(0)
    if (this.#effective === null || this.#over !== over) {
      this.#over = over
      this.#effective = over.of(this.#configs)
    }
    return this.#effective
  }

  effectiveAt(brokerId: BrokerId | 0): TopicConfig {
    const over = this.#tenant.topicConfigsAt(brokerId)
    if (this.#effectiveAt === null || this.#overAt !== over) {
      this.#overAt = over
      this.#effectiveAt = over.of(this.#configs)
    }
    return this.#effectiveAt
  }

  numberOf(index: PartitionIndex): PartitionNumber {
    const added = this.#added
    if (added === null || index < added[0]!)
      return (this.#firstPartition + index) as PartitionNumber
    // the last that begins at `index` or before
    let low = 0
    let high = added.length >> 1
    while (high - low > 1) {
      const middle = (low + high) >> 1
      if (added[middle * 2]! <= index) low = middle
      else high = middle
    }
    return (added[low * 2 + 1]! + index - added[low * 2]!) as PartitionNumber
  }

  /** Where numbers in a row begin, by rising index: 0, and where partitions were added. */
  rangeStarts(): number[] {
    return [0, ...(this.#added ?? []).filter((_, at) => at % 2 === 0)]
  }

  setConfigs(configs: ConfigValues): void {
    this.#configs = orNone(configs)
    this.#effective = this.#effectiveAt = null
  }

  grow(firstPartition: PartitionNumber, count: number): void {
    invariant(count > 0, 'a topic grows by one partition at least')
    const firstIndex = this.#partitionCount
    const isNext = this.numberOf((firstIndex - 1) as PartitionIndex) + 1 === firstPartition
    if (!isNext) {
      this.#added ??= []
      this.#added.push(firstIndex, firstPartition)
    }
    this.#partitionCount += count
  }
}

const orNone = (configs: ConfigValues): ConfigValues =>
  Object.keys(configs).length === 0 ? NO_CONFIGS : configs

/** Tenants and topics of an image: one object each, partitions are columns ({@link PartitionTable}). */
import type { CellId, PartitionIndex, PartitionNumber, TenantId, TopicId } from '../base/ids.ts'
import type { MetadataEntry } from './entry.ts'
import { type ConfigValues, parseTopicConfig, type TopicConfig } from './topic-config.ts'
import type { TenantView, TopicView } from './view.ts'

const NO_CONFIGS: ConfigValues = Object.freeze({})
const PARSED_MAX = 1_000

/** Parsed configs, one object per distinct set of overrides: most topics have none. */
export class TopicConfigs {
  readonly #brokerConfigs: ConfigValues
  readonly #parsed = new Map<string, TopicConfig>()

  constructor(brokerConfigs: ConfigValues) {
    this.#brokerConfigs = brokerConfigs
  }

  of(overrides: ConfigValues): TopicConfig {
    const key = overrides === NO_CONFIGS ? '' : JSON.stringify(overrides)
    let config = this.#parsed.get(key)
    if (config === undefined) {
      config = parseTopicConfig(overrides, this.#brokerConfigs)
      if (this.#parsed.size >= PARSED_MAX) this.#parsed.clear()
      this.#parsed.set(key, config)
    }
    return config
  }
}

export class TenantRow implements TenantView {
  readonly tenantId: TenantId
  readonly name: string
  readonly clusterId: string
  readonly cellId: CellId
  /** Producer ids below have been handed out. */
  nextProducerId = 0
  #partitionCount = 0
  /** Made at the first topic: most of many tenants are idle. */
  #topics: Map<string, TopicRow> | null = null
  #sorted: readonly TopicRow[] | null = null

  constructor(entry: Extract<MetadataEntry, { kind: 'tenant-created' }>) {
    this.tenantId = entry.tenantId
    this.name = entry.name
    this.clusterId = entry.clusterId
    this.cellId = entry.cellId
  }

  get topicCount(): number {
    return this.#topics?.size ?? 0
  }

  get partitionCount(): number {
    return this.#partitionCount
  }

  topicByName(name: string): TopicRow | undefined {
    return this.#topics?.get(name)
  }

  /** In name order; sorted at the first call after a change. */
  topics(): readonly TopicRow[] {
    if (this.#topics === null) return []
    this.#sorted ??= [...this.#topics.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
    return this.#sorted
  }

  add(row: TopicRow): void {
    this.#topics ??= new Map()
    this.#topics.set(row.name, row)
    this.#partitionCount += row.partitionCount
    this.#sorted = null
  }

  remove(row: TopicRow): void {
    this.#topics?.delete(row.name)
    this.#partitionCount -= row.partitionCount
    this.#sorted = null
  }
}

export class TopicRow implements TopicView {
  readonly topicId: TopicId
  readonly name: string
  readonly internal: boolean
  readonly cellId: CellId
  readonly partitionCount: number
  readonly configs: ConfigValues
  /** Where the partition columns refer to. */
  readonly slot: number
  readonly #tenant: TenantRow
  readonly #firstPartition: number
  readonly #parsed: TopicConfigs
  #effective: TopicConfig | null = null

  constructor(
    entry: Extract<MetadataEntry, { kind: 'topic-created' }>,
    tenant: TenantRow,
    slot: number,
    parsed: TopicConfigs,
  ) {
    this.topicId = entry.topicId
    this.name = entry.name
    this.internal = entry.internal
    this.cellId = entry.cellId
    this.partitionCount = entry.placements.length
    this.configs = Object.keys(entry.configs).length === 0 ? NO_CONFIGS : entry.configs
    this.slot = slot
    this.#tenant = tenant
    this.#firstPartition = entry.firstPartition
    this.#parsed = parsed
  }

  get tenantId(): TenantId {
    return this.#tenant.tenantId
  }

  get effective(): TopicConfig {
    this.#effective ??= this.#parsed.of(this.configs)
    return this.#effective
  }

  numberOf(index: PartitionIndex): PartitionNumber {
    return (this.#firstPartition + index) as PartitionNumber
  }
}

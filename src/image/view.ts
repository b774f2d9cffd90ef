/** The metadata image as readers see it: nothing here changes it, and every look-up by name or topic id takes the tenant. */
import type {
  BrokerId,
  CellId,
  PartitionIndex,
  PartitionNumber,
  TenantId,
  TopicId,
} from '../base/ids.ts'
import type { BrokerConfigLayers } from './config-layers.ts'
import type { TenantSettings } from './entry.ts'
import type { PlansView } from './plan-rows.ts'
import type { Reassignment } from './replica-moves.ts'
import type { ApiKeyView, TenantAccess } from './tenant-access.ts'
import type { ConfigValues, TopicConfig } from './topic-config.ts'

export interface TenantView {
  readonly tenantId: TenantId
  readonly name: string
  /** What the tenant's clients see as their cluster id. */
  readonly clusterId: string
  readonly cellId: CellId
  readonly topicCount: number
  readonly partitionCount: number
  readonly settings: TenantSettings
  /** Its API keys, SCRAM users and ACLs; null where it has none. */
  readonly access: Pick<
    TenantAccess,
    'keyCount' | 'userCount' | 'aclCount' | 'keys' | 'key' | 'users' | 'secretsOf' | 'acls'
  > | null
  /** What broker `brokerId` goes by for this tenant; 0: a broker for which nothing was set. */
  brokerConfigs(brokerId: BrokerId | 0): BrokerConfigLayers
  /** A group's own configs by Kafka's names; empty where it has none. */
  groupConfigs(groupId: string): ConfigValues
  groupsWithConfigs(): string[]
}

/** Partition count and configs change while it lives; the object stays the same, made when somebody asks for it first. */
export interface TopicView {
  readonly tenantId: TenantId
  readonly topicId: TopicId
  readonly name: string
  readonly internal: boolean
  readonly cellId: CellId
  readonly partitionCount: number
  /** The partition's number in commands; `index` must be within [0, partitionCount). */
  numberOf(index: PartitionIndex): PartitionNumber
  /** Overrides only, by Kafka's names. */
  readonly configs: Readonly<Record<string, string>>
  /** Defaults and overrides, parsed; the same object for topics with the same overrides. */
  readonly effective: TopicConfig
  /** The same with the defaults that `brokerId` was given. */
  effectiveAt(brokerId: BrokerId | 0): TopicConfig
}

export interface PartitionView {
  readonly topic: TopicView
  readonly index: PartitionIndex
  /** 0: nobody leads it. */
  readonly leader: BrokerId | 0
  readonly leaderEpoch: number
  readonly replicas: readonly BrokerId[]
}

/** A broker's directory as it is now. */
export interface BrokerDirectory {
  readonly directoryId: string
  readonly life: number
  readonly rack: string | null
  /** Partitions from this number on were made after it came. */
  readonly firstPartition: PartitionNumber
  /** It has what the directories before it had, as its broker has said. */
  readonly isFilled: boolean
}

export interface MetadataView {
  /** Position in the metadata log after the last entry applied. */
  readonly offset: number
  /** The latest term of a controller that has been heard of. */
  readonly epoch: number
  readonly clusterId: string
  readonly cells: number
  readonly brokersPerCell: number
  readonly tenantCount: number
  readonly topicCount: number
  readonly partitionCount: number
  readonly defaultTenant: TenantView | undefined
  tenant(id: TenantId): TenantView | undefined
  tenantByName(name: string): TenantView | undefined
  tenants(): Iterable<TenantView>
  readonly plans: PlansView
  /** Whose key it is, and the key. */
  apiKey(keyId: string): { readonly tenant: TenantView; readonly key: ApiKeyView } | undefined
  topicByName(tenantId: TenantId, name: string): TopicView | undefined
  /** Never another tenant's. */
  topicById(tenantId: TenantId, topicId: TopicId): TopicView | undefined
  /** All topics of the tenant in name order (UTF-16 code units). */
  topics(tenantId: TenantId): Iterable<TopicView>
  /** Allocates a view: for the hot path use {@link leaderOf} and its like. */
  partition(number: PartitionNumber): PartitionView | undefined
  /** The same of one of many that are looked at in turn, and mostly idle: `topic` may be for this moment only. Whoever keeps it asks {@link partition}. */
  glance(number: PartitionNumber): PartitionView | undefined
  hasPartition(number: PartitionNumber): boolean
  /** 0 for an unknown partition. */
  cellOf(number: PartitionNumber): CellId | 0
  topicOf(number: PartitionNumber): TopicView | undefined
  /** 0 for nobody or an unknown partition. */
  leaderOf(number: PartitionNumber): BrokerId | 0
  /** −1 for an unknown partition. */
  leaderEpochOf(number: PartitionNumber): number
  /**
   * Brokers that hold a replica, the preferred leader first; shared: never change it. Empty for an unknown partition. While replicas move: those that
   * are to hold one, and then those that hold one until then.
   */
  replicasOf(number: PartitionNumber): readonly BrokerId[]
  /** The same, and brokers that may hold one of a move that was undone. */
  holdersOf(number: PartitionNumber): readonly BrokerId[]
  /** Brokers that are to hold a replica when nothing moves any more. */
  wantedReplicasOf(number: PartitionNumber): readonly BrokerId[]
  /** The move that is under way, as clients are told; undefined for none. */
  reassignmentOf(number: PartitionNumber): Reassignment | undefined
  /** How often what is to become of its replicas has been decided since it was made. */
  moveGenerationOf(number: PartitionNumber): number
  /** In which of these decisions `broker` was given the replica that it has, or is to have; 0 where the partition was made with it. */
  joinGenerationOf(number: PartitionNumber, broker: BrokerId): number
  /** Partitions of which replicas are to come or to go. */
  movingPartitions(): ReadonlySet<PartitionNumber>
  /** Its log is a Raft group's, which elects its leader: {@link leaderOf} is what this thread was told of that last. */
  isReplicated(number: PartitionNumber): boolean
  /** Replicas that keep up, as the leader has told; of who was told nothing, all that held one before they were to move, but those that {@link mayLack} it. */
  isrOf(number: PartitionNumber): readonly BrokerId[]
  /** The broker's directory is another than when the partition was made, nobody has said that it has all that the ones before had, and no leader that it has this: it may have nothing of the partition. */
  mayLack(number: PartitionNumber, broker: BrokerId): boolean
  /** Of a replicated partition: so few of its replicas are left that nobody can lead it, as the directories tell, or a broker has said; unless a leader has said that it leads. */
  isLost(number: PartitionNumber): boolean
  /**
   * The ids (`base/replica-id.ts`) of the replicas with which a replicated partition began: who may vote in a group that has no entries yet. None once
   * its replicas have moved: then it has entries.
   */
  firstReplicaIds(number: PartitionNumber): readonly number[]
  /** What is known of a broker's directory; undefined before it has said. */
  brokerDirectory(cellId: CellId, brokerId: BrokerId): BrokerDirectory | undefined
  /** Every partition of every tenant, in no particular order. */
  partitionNumbers(): Iterable<PartitionNumber>
  /** Equal for equal states, however they were reached. For tests and the simulator. */
  hash(): string
}

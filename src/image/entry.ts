/**
 * The entries of the metadata log: what the controller decides and every agent replays. An entry never changes
 * meaning; new kinds and new optional fields may be added, and `METADATA_FORMAT` is raised when an older reader would
 * get it wrong.
 */
import type { BrokerId, CellId, PartitionNumber, TenantId, TopicId } from '../base/ids.ts'
import type { AclBinding } from './acl-binding.ts'

/** 2: configs and partitions of topics change, brokers and groups have configs. 3: partitions have several replicas, which move, brokers' directories are known. 4: snapshots, and logs that begin with one. 5: more tenants than `default`, with settings, API keys, SCRAM users and ACLs. 6: plans, limits of bytes and groups, purges. */
export const METADATA_FORMAT = 6

export interface PartitionPlacement {
  /** Brokers of the topic's cell that hold a replica, preferred leader first. */
  readonly replicas: readonly BrokerId[]
  readonly leader: BrokerId
  readonly leaderEpoch: number
}

export type ScramMechanism = 'SCRAM-SHA-256' | 'SCRAM-SHA-512'

/** What a secret is checked against (RFC 5802), never the secret itself. Bytes are base64. */
export interface StoredSecret {
  readonly mechanism: ScramMechanism
  readonly iterations: number
  readonly salt: string
  readonly storedKey: string
  readonly serverKey: string
}

/** `deleting`: nobody gets in any more, and what it has goes bit by bit. */
export type TenantLifeState = 'active' | 'suspended' | 'deleting'

export interface TenantSettings {
  readonly state: TenantLifeState
  /** Its own bounds of what it may have, by the names of `tenant-limits.ts`: they win over its plan's. */
  readonly limits: Readonly<Record<string, number>>
  /** The plan whose limits hold where it has none of its own; left out: none. Format 6. */
  readonly plan?: string
  /** Principals that may do everything, as Kafka's `super.users`. */
  readonly superUsers: readonly string[]
  /** Kafka's `allow.everyone.if.no.acl.found`. */
  readonly allowEveryoneIfNoAcl: boolean
}

export type MetadataEntry =
  /** First of every log: the physical cluster as it was formed. */
  | {
      readonly kind: 'cluster-formed'
      readonly format: number
      readonly clusterId: string
      readonly cells: number
      readonly brokersPerCell: number
    }
  | {
      readonly kind: 'tenant-created'
      readonly tenantId: TenantId
      readonly name: string
      /** What the tenant's clients see as their cluster id: 22 characters of base64url, as Kafka's. */
      readonly clusterId: string
      readonly cellId: CellId
    }
  /** All that may change of a tenant, as it is from now on; before the first, what {@link defaultSettings} says. Format 5. */
  | ({ readonly kind: 'tenant-settings'; readonly tenantId: TenantId } & TenantSettings)
  /** Nothing of it is left in the metadata; its topics, configs, keys and users went before. Format 5. */
  | { readonly kind: 'tenant-deleted'; readonly tenantId: TenantId }
  /** A plan, as it is from now on. What it may come to hold besides limits has fields of its own. Format 6. */
  | {
      readonly kind: 'plan'
      readonly name: string
      readonly limits: Readonly<Record<string, number>>
    }
  /**
   * What was said before this is to be forgotten, where it says nothing of what there is now: each copy of the metadata takes snapshots until both of those that it keeps,
   * and its log, begin behind this. While that is under way another one means no more than that there is something to take a snapshot of. Changes nothing. Format 6.
   */
  | { readonly kind: 'metadata-purge' }
  /** No tenant has it any more. Format 6. */
  | { readonly kind: 'plan-deleted'; readonly name: string }
  /** An API key of the tenant: who proves that it has its secret is `user`. Its id belongs to no other tenant. Format 5. */
  | {
      readonly kind: 'api-key'
      readonly tenantId: TenantId
      readonly keyId: string
      readonly user: string
      readonly createdAtMs: number
      readonly secrets: readonly StoredSecret[]
    }
  | { readonly kind: 'api-key-revoked'; readonly tenantId: TenantId; readonly keyId: string }
  /** What a SCRAM user of the tenant proves itself with from now on (KIP-554); none: there is no such user any more. Format 5. */
  | {
      readonly kind: 'user-secrets'
      readonly tenantId: TenantId
      readonly user: string
      readonly secrets: readonly StoredSecret[]
    }
  /** ACLs that the tenant did not have (KIP-11). Format 5. */
  | {
      readonly kind: 'acls-added'
      readonly tenantId: TenantId
      readonly acls: readonly AclBinding[]
    }
  /** ACLs that it had. */
  | {
      readonly kind: 'acls-removed'
      readonly tenantId: TenantId
      readonly acls: readonly AclBinding[]
    }
  | {
      readonly kind: 'topic-created'
      readonly tenantId: TenantId
      readonly topicId: TopicId
      readonly name: string
      readonly internal: boolean
      readonly cellId: CellId
      /** Partition i of the topic has number firstPartition + i. */
      readonly firstPartition: PartitionNumber
      readonly placements: readonly PartitionPlacement[]
      /** Only what differs from the defaults, by Kafka's names. */
      readonly configs: Readonly<Record<string, string>>
    }
  | { readonly kind: 'topic-deleted'; readonly tenantId: TenantId; readonly topicId: TopicId }
  /** The topic has more partitions: they follow those that it has, with numbers from firstPartition on. Format 2. */
  | {
      readonly kind: 'partitions-added'
      readonly tenantId: TenantId
      readonly topicId: TopicId
      readonly firstPartition: PartitionNumber
      readonly placements: readonly PartitionPlacement[]
    }
  /** How the replicas of a partition stand from now on: whatever was said of them before counts no more. Format 3. */
  | {
      readonly kind: 'partition-reassigned'
      readonly tenantId: TenantId
      readonly topicId: TopicId
      /** Of the partition in its topic. */
      readonly index: number
      /** Those that it has, whatever is under way; the preferred leader first. */
      readonly replicas: readonly BrokerId[]
      /** Those that it is to have; null: nothing is under way. */
      readonly target: readonly BrokerId[] | null
      /** Others that may hold a replica, of a move that was undone or changed: they let go of it when this is empty. */
      readonly leaving: readonly BrokerId[]
      /** `replicas` are still those with which the partition was made: a group without entries may begin with them. */
      readonly isFirst: boolean
      /** Counts such entries of the partition: what a leader says of an earlier one is stale. */
      readonly generation: number
      /** Brokers that were given a replica later, and in which generation: each time it is another replica (`base/replica-id.ts`). */
      readonly joined?: readonly (readonly [BrokerId, number])[]
      /** Of a partition that began with one replica: the life in which its broker was when it became a group's. */
      readonly firstLife: number
    }
  /** All overrides of the topic from now on. Format 2. */
  | {
      readonly kind: 'topic-configs'
      readonly tenantId: TenantId
      readonly topicId: TopicId
      readonly configs: Readonly<Record<string, string>>
    }
  /** All dynamic configs of one of the tenant's brokers from now on; broker 0: what holds for those that do not say. Format 2. */
  | {
      readonly kind: 'broker-configs'
      readonly tenantId: TenantId
      readonly brokerId: BrokerId | 0
      readonly configs: Readonly<Record<string, string>>
    }
  /** All configs of one of the tenant's groups from now on; none: the group has none of its own. Format 2. */
  | {
      readonly kind: 'group-configs'
      readonly tenantId: TenantId
      readonly groupId: string
      readonly configs: Readonly<Record<string, string>>
    }
  /**
   * The directory of a broker, as it is from now on; with another id it is another life (`base/replica-id.ts`): what was promised in the one before may be
   * forgotten. Partitions from `firstPartition` on were made after this; of those before it, the broker has all that it is to have once `isFilled`, which entries of
   * versions without it lack. Format 3.
   */
  | {
      readonly kind: 'broker-directory'
      readonly cellId: CellId
      readonly brokerId: BrokerId
      /** UUID of the directory: 32 lower-case hex digits. */
      readonly directoryId: string
      /** From 0. */
      readonly life: number
      readonly firstPartition: PartitionNumber
      /** `broker.rack`; null for none. */
      readonly rack: string | null
      readonly isFilled?: boolean
    }
  /**
   * Partition numbers below `next` have been given, those of topics that are gone as well: of snapshots, which hold nothing else of these. Never of a
   * log. Format 4.
   */
  | { readonly kind: 'next-partition'; readonly next: PartitionNumber }
  /** Producer ids below `next` have been handed to fronts; per tenant. */
  | { readonly kind: 'producer-ids'; readonly tenantId: TenantId; readonly next: number }

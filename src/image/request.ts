/** What a front asks of the controller on behalf of one tenant, and the answers. They travel as control messages (`link/`). */
import type { AclBinding } from './acl-binding.ts'
import type { AclFilter } from './acl-filter.ts'
import type { MetadataEntry, ScramMechanism, StoredSecret, TenantSettings } from './entry.ts'

/**
 * `isRepeat`: the controller that was asked has gone without an answer, so that it may be done already, which is no error then. What needs no such word changes nothing when it
 * is done once more, or knows by the ids that it names.
 */
export type ControllerRequest =
  | {
      readonly kind: 'create-topics'
      readonly validateOnly: boolean
      readonly topics: readonly NewTopic[]
    }
  | {
      readonly kind: 'delete-topics'
      readonly topics: readonly TopicRef[]
      readonly isRepeat?: boolean
    }
  | {
      readonly kind: 'create-partitions'
      readonly validateOnly: boolean
      readonly topics: readonly MorePartitions[]
      readonly isRepeat?: boolean
    }
  | {
      readonly kind: 'alter-configs'
      /** Else what is given takes the place of all that a resource has. */
      readonly incremental: boolean
      readonly validateOnly: boolean
      /** The node that was asked: the only broker whose configs it changes. */
      readonly nodeId: number
      readonly resources: readonly ConfigResource[]
    }
  | { readonly kind: 'allocate-producer-ids'; readonly count: number }
  | {
      readonly kind: 'alter-reassignments'
      /** Else a partition keeps as many replicas as it has. */
      readonly allowReplicationFactorChange: boolean
      readonly topics: readonly ReassignedTopic[]
      readonly isRepeat?: boolean
    }
  | {
      readonly kind: 'list-reassignments'
      /** null: all of the tenant's. */
      readonly topics:
        | readonly { readonly name: string; readonly indexes: readonly number[] }[]
        | null
    }
  /** The operator's, as all of the following about tenants and keys: the tenant of the request is the one that is meant. Its id was drawn by who asks. */
  | {
      readonly kind: 'create-tenant'
      readonly name: string
      /** What differs from those that a tenant begins with. */
      readonly settings: Partial<Omit<TenantSettings, 'state'>>
    }
  | {
      readonly kind: 'alter-tenant'
      readonly settings: Partial<Omit<TenantSettings, 'limits' | 'plan' | 'state'>> & {
        readonly state?: 'active' | 'suspended'
      }
      /** null: none any more. */
      readonly plan?: string | null
      /** Those that change; null takes one away. */
      readonly limits?: Readonly<Record<string, number | null>>
    }
  | { readonly kind: 'delete-tenant'; readonly isRepeat?: boolean }
  /** The operator's as well; the tenant of the request means nothing. */
  | {
      readonly kind: 'create-plan'
      readonly name: string
      readonly limits: Readonly<Record<string, number>>
      readonly isRepeat?: boolean
    }
  | {
      readonly kind: 'alter-plan'
      readonly name: string
      /** Those that change; null takes one away. */
      readonly limits: Readonly<Record<string, number | null>>
    }
  | { readonly kind: 'delete-plan'; readonly name: string; readonly isRepeat?: boolean }
  | {
      readonly kind: 'create-key'
      readonly keyId: string
      readonly user: string
      readonly createdAtMs: number
      readonly secrets: readonly StoredSecret[]
    }
  | { readonly kind: 'revoke-key'; readonly keyId: string; readonly isRepeat?: boolean }
  /** The operator's: nothing is to be left of what is gone. Harmless again and again, and to be asked for until nothing is. */
  | { readonly kind: 'purge-metadata' }
  /** Those that the tenant has already are no error. */
  | { readonly kind: 'create-acls'; readonly acls: readonly AclBinding[] }
  | { readonly kind: 'delete-acls'; readonly filters: readonly AclFilter[] }
  /** SCRAM users of the tenant (KIP-554): a user's mechanism once at most. */
  | {
      readonly kind: 'alter-users'
      readonly users: readonly {
        readonly user: string
        readonly deleted: readonly ScramMechanism[]
        readonly set: readonly StoredSecret[]
      }[]
      readonly isRepeat?: boolean
    }
  /** Of a broker as it starts: which directory it has. Answered once that is committed; the tenant of the request means nothing. */
  | {
      readonly kind: 'register-broker'
      readonly cellId: number
      readonly brokerId: number
      readonly directoryId: string
      readonly rack: string | null
    }
  /** Of a broker whose directory is another than before: its replicas have what they had. The tenant of the request means nothing. */
  | {
      readonly kind: 'directory-filled'
      readonly cellId: number
      readonly brokerId: number
      readonly directoryId: string
    }
  /** Of the broker that leads a partition whose replicas are being moved: its group has just these voters, committed. */
  | {
      readonly kind: 'replicas-settled'
      readonly topicId: string
      readonly index: number
      /** Of the decision that is done ({@link MetadataEntry}). */
      readonly generation: number
      readonly replicas: readonly number[]
    }

export interface ReassignedTopic {
  readonly name: string
  readonly partitions: readonly {
    readonly index: number
    /** Node ids, the preferred leader first; null: what is under way is undone. */
    readonly replicas: readonly number[] | null
    /** Nobody can lead it, as who asks knows, who hears of leaders: these brokers have replicas that are left. */
    readonly leftOn?: readonly number[]
  }[]
}

/** A partition whose replicas are being moved. */
export interface OngoingReassignment {
  readonly index: number
  /** Those that are to be, and those that are to go. */
  readonly replicas: readonly number[]
  readonly adding: readonly number[]
  readonly removing: readonly number[]
}

export interface MorePartitions {
  readonly name: string
  /** Partitions that the topic is to have. */
  readonly count: number
  /** Node ids per new partition; null when the controller may choose. */
  readonly assignments: readonly (readonly number[])[] | null
}

export interface ConfigResource {
  /** Kafka's number of a resource type. */
  readonly type: number
  readonly name: string
  readonly changes: readonly ConfigChange[]
}

export interface ConfigChange {
  readonly name: string
  /** Kafka's number: 0 set, 1 delete, 2 append, 3 subtract. */
  readonly operation: number
  readonly value: string | null
}

export interface NewTopic {
  readonly name: string
  /** Drawn by who asks: a topic of that name and id was made by this very request, asked before. The controller draws one where there is none. */
  readonly topicId?: string
  /** −1: the broker's default. */
  readonly partitions: number
  /** −1: the broker's default. */
  readonly replicationFactor: number
  /** Node ids per partition, empty when the controller may choose. */
  readonly assignments: readonly { readonly partition: number; readonly nodes: readonly number[] }[]
  readonly configs: readonly { readonly name: string; readonly value: string | null }[]
}

export type TopicRef = ({ readonly name: string } | { readonly topicId: string }) & {
  /** Of the topic that is meant, as far as who asks knows. */
  readonly knownId?: string
}

export interface TopicResult {
  readonly name: string | null
  readonly topicId: string
  readonly error: number
  readonly message: string | null
  readonly partitions: number
  readonly replicationFactor: number
  /** Effective configs of a created (or validated) topic: overrides only. */
  readonly configs: Readonly<Record<string, string>>
}

/** What became of one thing that was asked for. */
export interface Outcome {
  readonly name: string
  readonly error: number
  readonly message: string | null
}

/** What one filter has removed. */
export interface DeletedAcls {
  readonly error: number
  readonly message: string | null
  readonly acls: readonly AclBinding[]
}

/** A request is answered in kind, also where all of it is refused. */
export type ResponseTo<Request extends ControllerRequest> = Extract<
  ControllerResponse,
  { readonly kind: Request['kind'] }
>

/** Requests that are answered with an error and a message alone. */
export type OnceAnswered =
  | 'register-broker'
  | 'directory-filled'
  | 'replicas-settled'
  | 'create-tenant'
  | 'alter-tenant'
  | 'delete-tenant'
  | 'create-plan'
  | 'alter-plan'
  | 'delete-plan'
  | 'purge-metadata'
  | 'create-key'
  | 'revoke-key'

export type ControllerResponse =
  | { readonly kind: 'create-partitions'; readonly results: readonly Outcome[] }
  /** In the order of the request's topics, and of their partitions. */
  | {
      readonly kind: 'alter-reassignments'
      readonly topics: readonly {
        readonly name: string
        readonly partitions: readonly {
          readonly index: number
          readonly error: number
          readonly message: string | null
        }[]
      }[]
    }
  /** Topics that are not there, or of which nothing is moved, are left out. */
  | {
      readonly kind: 'list-reassignments'
      readonly error: number
      readonly message: string | null
      readonly topics: readonly {
        readonly name: string
        readonly partitions: readonly OngoingReassignment[]
      }[]
    }
  /** In the order of the ACLs, or of the users. */
  | { readonly kind: 'create-acls'; readonly results: readonly Outcome[] }
  | { readonly kind: 'alter-users'; readonly results: readonly Outcome[] }
  /** In the order of the filters. */
  | { readonly kind: 'delete-acls'; readonly results: readonly DeletedAcls[] }
  /** In the order of the resources. */
  | { readonly kind: 'alter-configs'; readonly results: readonly Outcome[] }
  | { readonly kind: 'create-topics'; readonly results: readonly TopicResult[] }
  | { readonly kind: 'delete-topics'; readonly results: readonly TopicResult[] }
  | {
      readonly kind: OnceAnswered
      readonly error: number
      readonly message: string | null
    }
  | {
      readonly kind: 'allocate-producer-ids'
      readonly error: number
      readonly first: number
      readonly count: number
    }

/**
 * Committed entries, from the controller that leads in term `epoch`; `offset` is the position after the last of them. `first` = 0 starts an image anew. Whoever has
 * heard of a later term ignores it: it comes from a controller that does not know that it is none any more.
 */
export interface MetadataMessage {
  readonly kind: 'metadata'
  readonly epoch: number
  readonly first: number
  readonly offset: number
  readonly entries: readonly MetadataEntry[]
  /** More messages of the same snapshot follow: the image is not whole yet. */
  readonly more?: boolean
}

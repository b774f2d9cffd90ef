/** What a tenant's names and ids are: what another one may have heard of. */
export interface TopicFacts {
  readonly name: string
  readonly topicId: string
  readonly partitions: number
}

export interface GroupFacts {
  readonly groupId: string
  readonly memberId: string
  readonly instanceId: string | null
  readonly generation: number
}

export interface Facts {
  readonly tenantId: string
  readonly tenantName: string
  readonly clusterId: string
  readonly keyId: string
  readonly user: string
  /** One that no other tenant has a topic of the name of. */
  readonly own: TopicFacts
  /** One of a name that every tenant has. */
  readonly shared: TopicFacts
  /** `__consumer_offsets`. */
  readonly internal: TopicFacts
  readonly gone: TopicFacts
  /** Of a name that no other tenant has, with one member that has joined. */
  readonly group: GroupFacts
  /** Of a name that every tenant has, with a static member. */
  readonly sharedGroup: GroupFacts
  /** With committed offsets, and nobody in it. */
  readonly offsetsGroup: string
  readonly transactionalId: string
  readonly producerId: number
  readonly producerEpoch: number
  /** What comes next of that producer in partition 0 of {@link own}. */
  readonly nextSequence: number
  readonly fetchSessionId: number
  readonly fetchSessionEpoch: number
  /** The engine's own numbers of its partitions, which no client is ever told. */
  readonly partitionNumbers: readonly number[]
  readonly directoryId: string
}

export const topicsOf = ({ own, shared, internal, gone }: Facts): readonly TopicFacts[] => [
  own,
  shared,
  internal,
  gone,
]

/** Leaks that the proof must find: one place of the source each, by exact text, in a copy. */
export interface PlantedLeak {
  readonly name: string
  /** Below `src`. */
  readonly file: string
  readonly find: string
  readonly replace: string
  /** Where it shows; the proof finds it there, and need not look at the others. */
  readonly apis: readonly number[]
  /** It shows by what the other does meanwhile. */
  readonly isBusy?: true
  /** Of partitions that have three replicas. */
  readonly isReplicated?: true
  /** What the finding has in it. */
  readonly shows: RegExp
}

export const PLANTED: readonly PlantedLeak[] = [
  {
    name: 'a topic is looked up by its name among those of all tenants',
    file: 'image/image.ts',
    find: 'return this.#tenants.get(tenantId)?.topicByName(name)',
    replace:
      'for (const one of [this.#tenants.get(tenantId), ...this.#tenants.all()]) { const row = one?.topicByName(name); if (row !== undefined) return row }\n    return undefined',
    apis: [2],
    shows: /ListOffsets/,
  },
  {
    name: 'a topic is looked up by its id, whoever owns it',
    file: 'image/image.ts',
    find: 'return row?.tenantId === tenantId ? row : undefined',
    replace: 'void tenantId\n    return row',
    apis: [1],
    shows: /acme has/,
  },
  {
    name: 'the controller finds a topic by its id, whoever owns it',
    file: 'controller/state.ts',
    find: 'return topic?.tenantId === tenantId ? topic : undefined',
    replace: 'void tenantId\n    return topic',
    apis: [20],
    shows: /DeleteTopics/,
  },
  {
    name: 'a topic name that another tenant has is taken',
    file: 'controller/state.ts',
    find: 'return this.#topicNames.get(tenantId, name)',
    replace:
      'for (const topic of this.topicIds.values()) if (topic.name === name) return topic\n    return this.#topicNames.get(tenantId, name)',
    apis: [19],
    shows: /already exists/,
  },
  {
    name: 'all topics are those of all tenants',
    file: 'front/03-metadata.ts',
    find: 'const every = [...image.topics(context.session.tenantId)]',
    replace:
      'const every = [...image.tenants()].flatMap(({ tenantId }) => [...image.topics(tenantId)])',
    apis: [3],
    shows: /acme-orders/,
  },
  {
    name: 'groups are coordinated without a look at whose they are',
    file: 'front/internal-topics.ts',
    find: 'return this.#image.topicByName(tenantId, OFFSETS_TOPIC)',
    replace:
      'void tenantId\n    return [...this.#image.tenants()].map((one) => this.#image.topicByName(one.tenantId, OFFSETS_TOPIC)).find((one) => one !== undefined)',
    apis: [9, 12],
    shows: /OffsetFetch|Heartbeat/,
  },
  {
    name: 'the groups of all tenants are listed',
    file: 'front/16-list-groups.ts',
    find: 'const topic = internalTopics.findOffsets(context.session.tenantId)',
    replace:
      'const topic = [...context.services.image.tenants()].map(({ tenantId }) => internalTopics.findOffsets(tenantId)).find((one) => one !== undefined)',
    apis: [16],
    shows: /acme-group/,
  },
  {
    name: 'a fetch session is found by its id, whoever has begun it',
    file: 'front/fetch-sessions.ts',
    find: 'const sessions = this.#tenants.get(tenantId)?.sessions\n    const session',
    replace:
      'const sessions = [...this.#tenants.values()].find((one) => one.sessions.has(id))?.sessions\n    void tenantId\n    const session',
    apis: [1],
    shows: /Fetch/,
  },
  {
    name: 'a fetch session is ended by its id, whoever has begun it',
    file: 'front/fetch-sessions.ts',
    find: 'this.#tenants.get(tenantId)?.sessions.delete(id)',
    replace:
      'void tenantId\n    for (const { sessions } of this.#tenants.values()) sessions.delete(id)',
    apis: [1],
    shows: /what A has/,
  },
  {
    name: 'producer ids of all tenants are counted as one',
    file: 'controller/state.ts',
    find: 'return this.#producerIds.get(tenantId) ?? 0',
    replace:
      'void tenantId\n    return Math.max(0, ...Array.from(this.#producerIds.entries(), ([, next]) => next))',
    apis: [22],
    shows: /producerId/,
  },
  {
    name: 'member ids of all tenants come from one stream',
    file: 'broker/coordinator-kinds.ts',
    find: 'random: randomFor(tenantId)',
    replace: "random: randomFor('' as TenantId)",
    apis: [11],
    shows: /memberId/,
  },
  {
    name: 'configs of brokers are those of all tenants',
    file: 'front/context.ts',
    find: 'const tenant = image.tenant(this.session.tenantId)',
    replace: 'const tenant = [...image.tenants()][1]',
    apis: [32],
    shows: /DescribeConfigs/,
  },
  {
    name: 'a refusal tells how many partitions all tenants have',
    file: 'controller/create-partitions.ts',
    find: 'return refuse(ErrorCode.INVALID_PARTITIONS, `Topic already',
    replace:
      "return refuse(ErrorCode.INVALID_PARTITIONS, 'In all: ' + state.partitionCount.value + `Topic already",
    apis: [37],
    shows: /In all/,
  },
  {
    name: 'a topic that is deleted goes from all tenants, by its name',
    file: 'image/topic-entries.ts',
    find: 'tenants.get(entry.tenantId)!.remove(row)',
    replace: 'for (const tenant of tenants.all()) tenant.remove(row)',
    apis: [2],
    isBusy: true,
    shows: /shared/,
  },
  {
    name: 'a node tells of all listeners',
    file: 'front/32-describe-configs.ts',
    find: '{ ...fixed, ...own }',
    replace: '{ ...own, ...layers.fixed }',
    apis: [32],
    shows: /acme\.example/,
  },
  {
    name: 'the leader epoch of partitions that nobody has led is made of how many tenants there are',
    file: 'front/nodes.ts',
    find: 'image.isReplicated(partition) ? EPOCH_UNKNOWN : epoch',
    replace: 'image.isReplicated(partition) ? EPOCH_UNKNOWN - image.tenantCount : epoch',
    apis: [3],
    isReplicated: true,
    shows: /leaderEpoch/,
  },
]

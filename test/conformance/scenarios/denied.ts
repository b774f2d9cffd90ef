/** What a client is told that lacks rights: on topics, groups and transactional ids, since those on the cluster would lock out Kafka's broker as well. */
import { produce } from '../../../src/protocol/00-produce.ts'
import { fetch } from '../../../src/protocol/01-fetch.ts'
import { listOffsets } from '../../../src/protocol/02-list-offsets.ts'
import { metadata } from '../../../src/protocol/03-metadata.ts'
import { offsetCommit } from '../../../src/protocol/08-offset-commit.ts'
import { offsetFetch } from '../../../src/protocol/09-offset-fetch.ts'
import { findCoordinator } from '../../../src/protocol/10-find-coordinator.ts'
import { joinGroup } from '../../../src/protocol/11-join-group.ts'
import { heartbeat } from '../../../src/protocol/12-heartbeat.ts'
import { leaveGroup } from '../../../src/protocol/13-leave-group.ts'
import { syncGroup } from '../../../src/protocol/14-sync-group.ts'
import { describeGroups } from '../../../src/protocol/15-describe-groups.ts'
import { listGroups } from '../../../src/protocol/16-list-groups.ts'
import { createTopics } from '../../../src/protocol/19-create-topics.ts'
import { deleteTopics } from '../../../src/protocol/20-delete-topics.ts'
import { deleteRecords } from '../../../src/protocol/21-delete-records.ts'
import { initProducerId } from '../../../src/protocol/22-init-producer-id.ts'
import { offsetForLeaderEpoch } from '../../../src/protocol/23-offset-for-leader-epoch.ts'
import { createAcls } from '../../../src/protocol/30-create-acls.ts'
import { describeConfigs } from '../../../src/protocol/32-describe-configs.ts'
import { alterConfigs } from '../../../src/protocol/33-alter-configs.ts'
import { createPartitions } from '../../../src/protocol/37-create-partitions.ts'
import { deleteGroups } from '../../../src/protocol/42-delete-groups.ts'
import { incrementalAlterConfigs } from '../../../src/protocol/44-incremental-alter-configs.ts'
import { offsetDelete } from '../../../src/protocol/47-offset-delete.ts'
import { describeProducers } from '../../../src/protocol/61-describe-producers.ts'
import { describeTopicPartitions } from '../../../src/protocol/75-describe-topic-partitions.ts'
import type { Api } from '../../../src/protocol/api.ts'
import { batchOf } from '../batches.ts'
import { type AskOptions, type Scenario, type Side, versionsOf } from '../side.ts'
import { append, byId, byName, fetchRequest, newTopic, produceRequest } from './requests.ts'
import { clearAcls } from './users.ts'

/** Made before there are ACLs. */
const HIDDEN = 'denied-hidden'
const SEEN = 'denied-seen'
const READ = 'denied-read'
const WRITTEN = 'denied-written'
/** Never made. */
const ABSENT = 'denied-absent'
const SEEN_ABSENT = 'denied-seen-absent'
const TOPICS = [HIDDEN, SEEN, READ, WRITTEN]
const ALL = [...TOPICS, ABSENT, SEEN_ABSENT, 'allowed', 'allowed-absent']
const GROUPS = ['denied-g', 'denied-g-seen', 'denied-g-read', 'allowed-g']

type Grant = readonly [type: number, name: string, operation: number]

/** To the client of the comparison, by Kafka's numbers. */
const GRANTS: readonly Grant[] = [
  [2, SEEN, 8],
  [2, SEEN_ABSENT, 8],
  [2, READ, 3],
  [2, WRITTEN, 4],
  [3, 'denied-g-seen', 8],
  [3, 'denied-g-read', 3],
]

async function prepare(side: Side): Promise<void> {
  await clearAcls(side)
  for (const name of [...TOPICS, 'allowed']) {
    await side.createTopic(name, 2)
    await append(side, name, batchOf(['a', 'b']))
  }
  for (const groupId of GROUPS) {
    const partitions = [{ partitionIndex: 0, committedOffset: 1, committedMetadata: '' }]
    const topics = [HIDDEN, SEEN, 'allowed'].map((name) => ({ name, partitions }))
    const request = { groupId, generationIdOrMemberEpoch: -1, memberId: '', topics }
    await side.quietly(offsetCommit, 7, request)
  }
  const rest = { host: '*', permissionType: 3 }
  const others = [2, 3, 5].map((resourceType) => ({
    ...{ resourceType, resourceName: 'denied-', resourcePatternType: 4, principal: 'User:other' },
    ...{ ...rest, operation: resourceType === 5 ? 4 : 3 },
  }))
  const own = GRANTS.map(([resourceType, resourceName, operation]) => ({
    ...{ resourceType, resourceName, resourcePatternType: 3, principal: 'User:ANONYMOUS' },
    ...{ ...rest, operation },
  }))
  await side.quietly(createAcls, 3, { creations: [...others, ...own] })
  await new Promise((resolve) => setTimeout(resolve, 500))
}

type Ask = (step: string, api: Api, make: (version: number) => object, keep?: Keep) => Promise<void>
type Keep = NonNullable<AskOptions['keep']>

const asking =
  (side: Side): Ask =>
  async (step, api, make, keep) => {
    for (const version of versionsOf(api)) {
      await side.ask(step, api, version, make(version) as never, keep === undefined ? {} : { keep })
    }
  }

/** Of lists of all there is, what the scenario has made. */
const own =
  (list: string): Keep =>
  (path) =>
    path !== list && (!path.startsWith(`${list}[`) || /^[a-zA-Z]+\[(denied|allowed)/.test(path))

async function askData(side: Side, ask: Ask): Promise<void> {
  const records = batchOf(['c'])
  for (const topic of ALL) {
    await ask(`produced to ${topic}`, produce, () => produceRequest(side, { topic, records }))
  }
  await ask('wrong acks', produce, () => produceRequest(side, { topic: HIDDEN, records, acks: 7 }))
  await ask('fetched', fetch, () =>
    fetchRequest(
      side,
      ALL.map((topic) => ({ topic })),
    ),
  )
  const partitions = [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp: -1 }]
  await ask('offsets', listOffsets, () => ({
    ...{ replicaId: -1, isolationLevel: 0, timeoutMs: 1_000 },
    topics: ALL.map((name) => ({ name, partitions })),
  }))
  await ask('records deleted', deleteRecords, () => ({
    topics: ALL.map((name) => ({ name, partitions: [{ partitionIndex: 0, offset: 0 }] })),
    timeoutMs: 5_000,
  }))
  await ask('epochs', offsetForLeaderEpoch, (version) => ({
    ...(version < 3 ? {} : { replicaId: -1 }),
    topics: ALL.map((topic) => ({
      ...{ topic, partitions: [{ partition: 0, currentLeaderEpoch: -1, leaderEpoch: 0 }] },
    })),
  }))
  await ask('producers', describeProducers, () => ({
    topics: ALL.map((name) => ({ name, partitionIndexes: [0] })),
  }))
  await ask('a transactional producer', initProducerId, () => ({
    ...{ transactionalId: 'denied-tx', transactionTimeoutMs: 1_000 },
  }))
}

async function askTopics(side: Side, ask: Ask): Promise<void> {
  const flags = (version: number) => ({
    ...(version < 8 ? {} : { includeTopicAuthorizedOperations: true }),
    ...(version < 4 ? {} : { allowAutoTopicCreation: false }),
  })
  const existing = [...TOPICS, 'allowed']
  await ask('named', metadata, (version) => ({
    topics: (version < 4 ? existing : ALL).map(byName),
    ...flags(version),
  }))
  await ask('by id', metadata, (version) => ({
    topics: version < 12 ? [byName('allowed')] : ALL.map((name) => byId(side.topicId(name))),
    ...flags(version),
  }))
  await ask(
    'all',
    metadata,
    (version) => ({ topics: version === 0 ? [] : null, ...flags(version) }),
    own('topics'),
  )
  await ask('to be made', metadata, (version) => ({
    topics: [byName(ABSENT)],
    ...(version < 4 ? {} : { allowAutoTopicCreation: true }),
  }))
  const page = { responsePartitionLimit: 100, cursor: null }
  await ask('described', describeTopicPartitions, () => ({
    topics: ALL.map((name) => ({ name })),
    ...page,
  }))
  await ask(
    'all described',
    describeTopicPartitions,
    () => ({ topics: [], ...page }),
    own('topics'),
  )
  await ask('made', createTopics, () => ({
    topics: ['denied-new', HIDDEN, SEEN].map((name) => newTopic({ name })),
    ...{ timeoutMs: 5_000, validateOnly: false },
  }))
  await ask('grown', createPartitions, () => ({
    topics: [HIDDEN, SEEN, ABSENT].map((name) => ({ name, count: 3, assignments: null })),
    ...{ timeoutMs: 5_000, validateOnly: true },
  }))
  const doomed = [HIDDEN, SEEN, ABSENT, SEEN_ABSENT]
  await ask('deleted', deleteTopics, (version) =>
    version < 6
      ? { topicNames: doomed, timeoutMs: 5_000 }
      : { topics: doomed.map(byName), timeoutMs: 5_000 },
  )
  await ask('deleted by id', deleteTopics, (version) => ({
    ...(version < 6 ? {} : { topics: [HIDDEN, SEEN, ABSENT].map((n) => byId(side.topicId(n))) }),
    timeoutMs: 5_000,
  }))
  await ask('named twice', deleteTopics, (version) =>
    version < 6
      ? { topicNames: [HIDDEN, HIDDEN], timeoutMs: 5_000 }
      : { topics: [byName(HIDDEN), byName(HIDDEN)], timeoutMs: 5_000 },
  )
}

async function askConfigs(_side: Side, ask: Ask): Promise<void> {
  const resources = [
    ...[HIDDEN, SEEN, ABSENT].map((name) => [2, name] as const),
    ...[[32, 'denied-g'] as const, [32, 'denied-g-seen'] as const],
  ].map(([resourceType, resourceName]) => ({ resourceType, resourceName }))
  await ask('configs', describeConfigs, () => ({
    resources: resources.map((one) => ({ ...one, configurationKeys: ['retention.ms'] })),
  }))
  const set = { name: 'retention.ms', value: '1000' }
  await ask('configs altered', alterConfigs, () => ({
    resources: resources.map((one) => ({ ...one, configs: [set] })),
    validateOnly: true,
  }))
  await ask('configs changed', incrementalAlterConfigs, () => ({
    resources: resources.map((one) => ({ ...one, configs: [{ ...set, configOperation: 0 }] })),
    validateOnly: true,
  }))
}

async function askOffsets(side: Side, ask: Ask): Promise<void> {
  const partitions = [{ partitionIndex: 0, committedOffset: 1, committedMetadata: '' }]
  const named = (name: string) => ({ name, topicId: side.topicId(name) })
  for (const groupId of GROUPS) {
    const simple = { groupId, generationIdOrMemberEpoch: -1, memberId: '' }
    // what has no id is named by one id, once
    const once = [...TOPICS, 'allowed', ABSENT]
    await ask(`committed in ${groupId}`, offsetCommit, (version) => ({
      ...simple,
      topics: (version < 10 ? ALL : once).map((name) => ({ ...named(name), partitions })),
    }))
    await ask(`all refused in ${groupId}`, offsetCommit, () => ({
      ...simple,
      topics: [{ ...named(HIDDEN), partitions }],
    }))
    const topics = ALL.map((name) => ({ ...named(name), partitionIndexes: [0, 1] }))
    await ask(`offsets of ${groupId}`, offsetFetch, (version) =>
      version < 8 ? { groupId, topics } : { groups: [{ groupId, topics }] },
    )
    await ask(`all offsets of ${groupId}`, offsetFetch, (version) => {
      if (version < 2) return { groupId, topics: [] }
      return version < 8 ? { groupId, topics: null } : { groups: [{ groupId, topics: null }] }
    })
    await ask(`offsets deleted of ${groupId}`, offsetDelete, () => ({
      groupId,
      topics: ALL.map((name) => ({ name, partitions: [{ partitionIndex: 1 }] })),
    }))
  }
  await ask('offsets of several', offsetFetch, (version) =>
    version < 8
      ? { groupId: 'denied-g', topics: [] }
      : { groups: GROUPS.map((groupId) => ({ groupId, topics: null })) },
  )
}

async function askGroups(_side: Side, ask: Ask): Promise<void> {
  await ask('coordinators', findCoordinator, (version) =>
    version < 4 ? { key: 'denied-g', keyType: 0 } : { keyType: 0, coordinatorKeys: GROUPS },
  )
  await ask('a coordinator of transactions', findCoordinator, (version) =>
    version < 4
      ? { key: 'denied-tx', ...(version < 1 ? {} : { keyType: 1 }) }
      : { keyType: 1, coordinatorKeys: ['denied-tx'] },
  )
  for (const groupId of ['denied-g', 'denied-g-seen', 'denied-g-read']) {
    const member = { groupId, generationId: 1, memberId: 'nobody' }
    await ask(`${groupId} joined`, joinGroup, () => ({
      ...{ groupId, sessionTimeoutMs: 10_000, rebalanceTimeoutMs: 10_000, memberId: 'nobody' },
      ...{ protocolType: 'consumer', protocols: [{ name: 'range', metadata: new Uint8Array(0) }] },
    }))
    await ask(`${groupId} synced`, syncGroup, (version) => ({
      ...member,
      ...(version < 5 ? {} : { protocolType: 'consumer', protocolName: 'range' }),
    }))
    await ask(`a heartbeat for ${groupId}`, heartbeat, () => member)
    await ask(`${groupId} left`, leaveGroup, (version) =>
      version < 3
        ? { groupId, memberId: 'nobody' }
        : { groupId, members: [{ memberId: 'nobody' }] },
    )
  }
  await ask('described', describeGroups, (version) => ({
    groups: GROUPS,
    ...(version < 3 ? {} : { includeAuthorizedOperations: true }),
  }))
  await ask('listed', listGroups, () => ({}), own('groups'))
  await ask('deleted', deleteGroups, () => ({ groupsNames: GROUPS.slice(0, 3) }))
}

const COURSES = [askData, askTopics, askConfigs, askOffsets, askGroups]

export const deniedScenarios: readonly Scenario[] = [
  {
    name: 'denied',
    needs: [30, 31],
    async run(side) {
      await prepare(side)
      const ask = asking(side)
      for (const course of COURSES) await course(side, ask)
      await clearAcls(side)
    },
  },
]

/** Of each API, requests that ask for each of the rights that it knows: about topic `t` and group `g`, which are there. */

import { ZERO_TOPIC_ID } from '../../src/base/ids.ts'
import type { AclWorld } from './acl-world.ts'
import { batchOf } from './requests.ts'

export interface Asked {
  readonly version: number
  readonly request: object
}

type Make = (world: AclWorld) => Asked

const at =
  (version: number, request: object | ((world: AclWorld) => object)): Make =>
  (world) => ({ version, request: typeof request === 'function' ? request(world) : request })

const topicData = [{ name: 't', partitionData: [{ index: 0, records: batchOf('a') }] }]
const fetching = {
  ...{ maxWaitMs: 0, minBytes: 0, maxBytes: 1000, isolationLevel: 0, sessionId: 0 },
  ...{ sessionEpoch: -1, forgottenTopicsData: [] },
  topics: [
    {
      topic: 't',
      partitions: [
        { partition: 0, currentLeaderEpoch: -1, fetchOffset: 0, partitionMaxBytes: 1000 },
      ],
    },
  ],
}
const committing = [{ partitionIndex: 0, committedOffset: 7, committedMetadata: '' }]
const committed = { groupId: 'g', generationIdOrMemberEpoch: -1, memberId: '' }
const inGroup = { groupId: 'g', generationId: 1, memberId: 'nobody' }
const newTopic = { numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }
const anyAcl = {
  ...{ resourceTypeFilter: 1, resourceNameFilter: null, patternTypeFilter: 1 },
  ...{ principalFilter: null, hostFilter: null, operation: 1, permissionType: 1 },
}

const configsOf = (version: number, more: object) => ({
  topic: at(version, { resources: [{ resourceType: 2, resourceName: 't', ...more }] }),
  group: at(version, { resources: [{ resourceType: 32, resourceName: 'g', ...more }] }),
  cluster: at(version, { resources: [{ resourceType: 4, resourceName: '1', ...more }] }),
})

/** By the names of `requiredAcls`. */
export const askingFor: Readonly<Record<string, Readonly<Record<string, Make>>>> = {
  produce: {
    transaction: at(9, { transactionalId: 'x', acks: -1, timeoutMs: 1000, topicData }),
    topic: at(9, { transactionalId: null, acks: -1, timeoutMs: 1000, topicData }),
  },
  fetch: {
    follower: at(11, { ...fetching, replicaId: 2 }),
    topic: at(11, { ...fetching, replicaId: -1 }),
  },
  listOffsets: {
    topic: at(7, {
      ...{ replicaId: -1, isolationLevel: 0 },
      topics: [{ name: 't', partitions: [{ partitionIndex: 0, timestamp: -1 }] }],
    }),
  },
  metadata: {
    topic: at(9, { topics: [{ name: 't' }] }),
    shownTopics: at(9, { topics: null }),
    create: at(9, { topics: [{ name: 'new' }], allowAutoTopicCreation: true }),
    clusterOperations: at(9, { topics: [], includeClusterAuthorizedOperations: true }),
  },
  offsetCommit: {
    group: at(7, { ...committed, topics: [{ name: 't', partitions: committing }] }),
    topic: at(7, { ...committed, topics: [{ name: 't', partitions: committing }] }),
  },
  offsetFetch: {
    group: at(8, { groups: [{ groupId: 'g', topics: null }] }),
    topic: at(8, { groups: [{ groupId: 'g', topics: [{ name: 't', partitionIndexes: [0] }] }] }),
    shownTopics: at(8, { groups: [{ groupId: 'g', topics: null }] }),
  },
  findCoordinator: {
    group: at(4, { keyType: 0, coordinatorKeys: ['g'] }),
    transaction: at(4, { keyType: 1, coordinatorKeys: ['x'] }),
    share: at(6, { keyType: 2, coordinatorKeys: ['g:t:0'] }),
  },
  joinGroup: {
    group: at(5, {
      ...{ groupId: 'g', sessionTimeoutMs: 10_000, rebalanceTimeoutMs: 10_000 },
      ...{ memberId: 'nobody', groupInstanceId: null, protocolType: 'consumer' },
      protocols: [{ name: 'range', metadata: Buffer.from('m') }],
    }),
  },
  heartbeat: { group: at(3, inGroup) },
  leaveGroup: { group: at(3, { groupId: 'g', members: [{ memberId: 'nobody' }] }) },
  syncGroup: { group: at(3, { ...inGroup, assignments: [] }) },
  describeGroups: { group: at(5, { groups: ['g'] }) },
  listGroups: { group: at(4, { statesFilter: [] }) },
  createTopics: {
    topic: at(7, { topics: [{ name: 'new', ...newTopic }] }),
    configs: at(7, { topics: [{ name: 'new', ...newTopic }] }),
  },
  deleteTopics: {
    see: at(6, (world) => ({
      topics: [{ name: null, topicId: world.topicId('t') }],
      timeoutMs: 1000,
    })),
    topic: at(6, { topics: [{ name: 't', topicId: ZERO_TOPIC_ID }], timeoutMs: 1000 }),
  },
  deleteRecords: {
    topic: at(2, { topics: [{ name: 't', partitions: [{ partitionIndex: 0, offset: 0 }] }] }),
  },
  initProducerId: {
    transaction: at(4, { transactionalId: 'x', transactionTimeoutMs: 1000 }),
    idempotent: at(4, { transactionalId: null, transactionTimeoutMs: 1000 }),
  },
  offsetForLeaderEpoch: {
    topic: at(3, {
      replicaId: -1,
      topics: [{ topic: 't', partitions: [{ partition: 0, leaderEpoch: 0 }] }],
    }),
  },
  describeAcls: { cluster: at(3, anyAcl) },
  createAcls: {
    cluster: at(3, {
      creations: [
        {
          ...{ resourceType: 2, resourceName: 'u', resourcePatternType: 3, principal: 'User:u' },
          ...{ host: '*', operation: 3, permissionType: 3 },
        },
      ],
    }),
  },
  deleteAcls: { cluster: at(3, { filters: [{ ...anyAcl, resourceNameFilter: 'u' }] }) },
  describeConfigs: configsOf(4, { configurationKeys: null }),
  alterConfigs: configsOf(2, { configs: [] }),
  incrementalAlterConfigs: configsOf(1, { configs: [] }),
  describeLogDirs: { cluster: at(4, { topics: null }) },
  createPartitions: {
    topic: at(3, { topics: [{ name: 't', count: 3, assignments: null }], timeoutMs: 1000 }),
  },
  deleteGroups: { group: at(2, { groupsNames: ['g'] }) },
  electLeaders: {
    cluster: at(2, {
      ...{ electionType: 0, timeoutMs: 1000 },
      topicPartitions: [{ topic: 't', partitions: [0] }],
    }),
  },
  alterPartitionReassignments: {
    cluster: at(0, {
      timeoutMs: 1000,
      topics: [{ name: 't', partitions: [{ partitionIndex: 0, replicas: [1] }] }],
    }),
  },
  listPartitionReassignments: { cluster: at(0, { timeoutMs: 1000, topics: null }) },
  offsetDelete: {
    group: at(0, {
      groupId: 'g',
      topics: [{ name: 't', partitions: [{ partitionIndex: 1 }] }],
    }),
    topic: at(0, {
      groupId: 'g',
      topics: [{ name: 't', partitions: [{ partitionIndex: 1 }] }],
    }),
  },
  describeClientQuotas: { cluster: at(1, { components: [], strict: false }) },
  describeUserScramCredentials: { cluster: at(0, { users: null }) },
  alterUserScramCredentials: {
    cluster: at(0, {
      deletions: [],
      upsertions: [
        {
          ...{ name: 'u', mechanism: 1, iterations: 4096 },
          ...{ salt: Buffer.from('salt'), saltedPassword: Buffer.alloc(32, 1) },
        },
      ],
    }),
  },
  describeQuorum: {
    cluster: at(1, {
      topics: [{ topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] }],
    }),
  },
  describeCluster: {
    clusterOperations: at(1, { includeClusterAuthorizedOperations: true, endpointType: 1 }),
  },
  describeProducers: { topic: at(0, { topics: [{ name: 't', partitionIndexes: [0] }] }) },
  listConfigResources: { cluster: at(1, { resourceTypes: [] }) },
  describeTopicPartitions: {
    topic: at(0, { topics: [{ name: 't' }], responsePartitionLimit: 10, cursor: null }),
    shownTopics: at(0, { topics: [], responsePartitionLimit: 10, cursor: null }),
  },
}

/** Of each API that is served, requests that name all they can name, in the words of one tenant: whoever sends another's words asks for what is not its own. */
import { Buffer } from 'node:buffer'
import { plainToken } from '../front/tenants.ts'
import type { Facts } from './facts.ts'
import { groupBases } from './group-bases.ts'
import { markedBatch } from './tenant-life.ts'

/** A request with fields of all versions; those that a version has not are left out of it. */
export type BaseRequest = Readonly<Record<string, unknown>>

export interface ApiBase {
  /** Each names something, or all there is. */
  readonly requests: (facts: Facts, version: number) => readonly BaseRequest[]
  /** Asked on a connection of its own that has not logged in, after a handshake for that mechanism (null: without). */
  readonly mechanism?: (request: BaseRequest) => string | null
  /** It leaves something behind: no other API is asked about in the same world. */
  readonly changes?: true
  /** It makes topics, which are deleted after each request: what has another's name must not be there already. */
  readonly makesTopics?: true
}

const timeoutMs = 5_000
const ZERO_ID = '0'.repeat(32)
const partitionsOf = (of: object) => [{ partitionIndex: 0, ...of }]

const topicConfigs = (facts: Facts, config: object) =>
  [
    [2, facts.own.name, 'retention.ms', '61000000'],
    [2, facts.shared.name, 'retention.ms', '62000000'],
    [32, facts.group.groupId, 'consumer.session.timeout.ms', '49000'],
    [4, '1', 'log.retention.ms', '63000000'],
  ].map(([resourceType, resourceName, name, value]) => ({
    ...{ resourceType, resourceName },
    configs: [{ name, value, ...config }],
  }))

/** By API key. */
export const bases: Readonly<Record<number, ApiBase>> = {
  ...groupBases,
  0: {
    changes: true,
    requests: ({ own, shared, producerId, producerEpoch, nextSequence }) =>
      [
        markedBatch('more'),
        markedBatch('next', { producerId, producerEpoch, baseSequence: nextSequence }),
        markedBatch('again', { producerId, producerEpoch, baseSequence: 0 }),
      ].map((records) => ({
        ...{ transactionalId: null, acks: -1, timeoutMs },
        topicData: [own, shared].map(({ name, topicId }) => ({
          ...{ name, topicId, partitionData: [{ index: 0, records }] },
        })),
      })),
  },
  1: {
    requests({ own, shared, fetchSessionId, fetchSessionEpoch, clusterId }) {
      const topic = (facts: typeof own) => ({ topic: facts.name, topicId: facts.topicId })
      const wanted = [own, shared].map((one) => ({
        ...topic(one),
        partitions: [
          {
            ...{ partition: 0, currentLeaderEpoch: -1, fetchOffset: 0, partitionMaxBytes: 9_999 },
            replicaDirectoryId: ZERO_ID,
          },
        ],
      }))
      const common = { maxWaitMs: 0, minBytes: 1, replicaId: -1, replicaState: { replicaId: -1 } }
      const forgottenTopicsData = [{ ...topic(shared), partitions: [0] }]
      return [
        { ...common, sessionId: 0, sessionEpoch: -1, topics: wanted },
        {
          ...{ ...common, clusterId, forgottenTopicsData, topics: wanted },
          ...{ sessionId: fetchSessionId, sessionEpoch: fetchSessionEpoch },
        },
        { ...common, sessionId: fetchSessionId, sessionEpoch: fetchSessionEpoch, topics: [] },
      ]
    },
  },
  2: {
    requests: ({ own, shared }) => [
      {
        ...{ replicaId: -1, isolationLevel: 0, timeoutMs },
        topics: [own, shared].map(({ name }) => ({
          name,
          partitions: partitionsOf({ currentLeaderEpoch: -1, timestamp: -1 }),
        })),
      },
    ],
  },
  3: {
    ...{ changes: true, makesTopics: true },
    requests: ({ own, shared }, version) => [
      ...[own, shared].map(({ name, topicId }) => ({
        topics: [{ name, topicId: version < 12 ? ZERO_ID : topicId }],
        allowAutoTopicCreation: version < 4,
      })),
      {
        topics: [{ name: own.name, topicId: ZERO_ID }],
        allowAutoTopicCreation: true,
        includeTopicAuthorizedOperations: version >= 8,
      },
      { topics: version === 0 ? [] : null, allowAutoTopicCreation: version < 4 },
    ],
  },
  10: {
    requests({ group, transactionalId }) {
      const asked = (key: string, keyType: number) => ({ key, keyType, coordinatorKeys: [key] })
      return [asked(group.groupId, 0), asked(transactionalId, 1)]
    },
  },
  17: { mechanism: () => null, requests: () => [{ mechanism: 'PLAIN' }, { mechanism: 'OTHER' }] },
  18: { requests: () => [{ clientSoftwareName: 'griot', clientSoftwareVersion: '1.0' }] },
  19: {
    ...{ changes: true, makesTopics: true },
    requests: ({ own, shared }) =>
      [true, false].map((validateOnly) => ({
        topics: [
          { name: own.name, numPartitions: 2, replicationFactor: -1 },
          { name: shared.name, numPartitions: 4, replicationFactor: -1 },
          {
            ...{ name: `${own.name}-placed`, numPartitions: -1, replicationFactor: -1 },
            assignments: [
              { partitionIndex: 0, brokerIds: [1] },
              { partitionIndex: 1, brokerIds: [2] },
            ],
          },
        ],
        ...{ timeoutMs, validateOnly },
      })),
  },
  20: {
    changes: true,
    requests: ({ own, shared }, version) => [
      {
        topics:
          version < 6
            ? []
            : [
                { name: null, topicId: own.topicId },
                { name: own.name, topicId: ZERO_ID },
              ],
        ...{ topicNames: version < 6 ? [own.name, shared.name] : [], timeoutMs },
      },
    ],
  },
  21: {
    changes: true,
    requests: ({ own, shared }) => [
      {
        topics: [own, shared].map(({ name }) => ({
          name,
          partitions: partitionsOf({ offset: 1 }),
        })),
        timeoutMs,
      },
    ],
  },
  22: {
    changes: true,
    requests: ({ transactionalId, producerId, producerEpoch }) => {
      const common = { transactionTimeoutMs: timeoutMs }
      const known = { producerId, producerEpoch }
      return [
        { ...common, transactionalId: null },
        { ...common, ...known, transactionalId: null },
        { ...common, ...known, transactionalId },
      ]
    },
  },
  23: {
    requests: ({ own, shared }) => [
      {
        replicaId: -1,
        topics: [own, shared].map(({ name }) => ({
          topic: name,
          partitions: [{ partition: 0, currentLeaderEpoch: -1, leaderEpoch: 0 }],
        })),
      },
    ],
  },
  29: {
    requests: ({ own, group, user }) =>
      [
        [2, own.name, 3],
        [3, group.groupId, 4],
        [2, own.name.slice(0, 2), 2],
        [1, null, 1],
      ].map(([resourceTypeFilter, resourceNameFilter, patternTypeFilter]) => ({
        ...{ resourceTypeFilter, resourceNameFilter, patternTypeFilter },
        principalFilter: resourceNameFilter === null ? null : `User:${user}`,
        ...{ hostFilter: null, operation: 1, permissionType: 1 },
      })),
  },
  30: {
    changes: true,
    requests: ({ own, group, user }) => [
      {
        creations: [
          [2, own.name, 3],
          [3, group.groupId, 4],
        ].map(([resourceType, resourceName, resourcePatternType]) => ({
          ...{ resourceType, resourceName, resourcePatternType, principal: `User:${user}` },
          ...{ host: '*', operation: 3, permissionType: 3 },
        })),
      },
    ],
  },
  31: {
    changes: true,
    requests: ({ own, user }) => [
      {
        filters: [
          [2, own.name, 3],
          [1, null, 1],
        ].map(([resourceTypeFilter, resourceNameFilter, patternTypeFilter]) => ({
          ...{ resourceTypeFilter, resourceNameFilter, patternTypeFilter },
          principalFilter: resourceNameFilter === null ? null : `User:${user}`,
          ...{ hostFilter: null, operation: 1, permissionType: 1 },
        })),
      },
    ],
  },
  32: {
    requests: ({ own, shared, group, user }) => [
      {
        resources: (
          [
            [2, own.name],
            [2, shared.name],
            [32, group.groupId],
            [4, '1'],
            [4, ''],
            [16, user],
            [8, '1'],
          ] as const
        ).map(([resourceType, resourceName]) => ({
          ...{ resourceType, resourceName, configurationKeys: null },
        })),
        ...{ includeSynonyms: true, includeDocumentation: false },
      },
    ],
  },
  33: {
    changes: true,
    requests: (facts) =>
      [true, false].map((validateOnly) => ({ resources: topicConfigs(facts, {}), validateOnly })),
  },
  35: {
    requests: ({ own, shared }) => [
      { topics: [own, shared].map(({ name }) => ({ topic: name, partitions: [0, 1] })) },
      { topics: null },
    ],
  },
  36: {
    mechanism: ({ authBytes }) =>
      Buffer.from(authBytes as Uint8Array)
        .toString('latin1')
        .startsWith('n,,')
        ? 'SCRAM-SHA-256'
        : 'PLAIN',
    requests: ({ keyId, user, tenantName }) => [
      ...[keyId, user, `${tenantName}/${user}`].flatMap((name) => [
        { authBytes: plainToken(name, 'no such secret') },
        { authBytes: Buffer.from(`n,,n=${name},r=a-nonce-of-the-client`) },
      ]),
    ],
  },
  37: {
    changes: true,
    requests: ({ own, shared }) =>
      [true, false].map((validateOnly) => ({
        topics: [
          { name: own.name, count: 4, assignments: null },
          { name: shared.name, count: 6, assignments: [{ brokerIds: [1] }, { brokerIds: [2] }] },
        ],
        ...{ timeoutMs, validateOnly },
      })),
  },
  43: {
    requests: ({ own, shared }) => [
      {
        electionType: 0,
        topicPartitions: [own, shared].map(({ name }) => ({ topic: name, partitions: [0, 1] })),
        timeoutMs,
      },
      { electionType: 0, topicPartitions: null, timeoutMs },
    ],
  },
  44: {
    changes: true,
    requests: (facts) =>
      [true, false].map((validateOnly) => ({
        resources: topicConfigs(facts, { configOperation: 0 }),
        validateOnly,
      })),
  },
  45: {
    changes: true,
    requests: ({ own, shared }) => [
      {
        timeoutMs,
        topics: [own, shared].map(({ name }) => ({
          name,
          partitions: partitionsOf({ replicas: [1] }),
        })),
      },
    ],
  },
  46: {
    requests: ({ own, shared }) => [
      {
        topics: [own, shared].map(({ name }) => ({ name, partitionIndexes: [0, 1] })),
        timeoutMs,
      },
      { topics: null, timeoutMs },
    ],
  },
  48: {
    requests: ({ user, tenantName }) => [
      { components: [{ entityType: 'user', matchType: 0, match: user }], strict: false },
      { components: [{ entityType: 'user', matchType: 2, match: null }], strict: false },
      { components: [], strict: false },
      {
        components: [
          { entityType: 'user', matchType: 0, match: user },
          { entityType: 'client-id', matchType: 0, match: `${tenantName}-client` },
        ],
        strict: true,
      },
      {
        components: [{ entityType: 'client-id', matchType: 0, match: `${tenantName}-client` }],
        strict: false,
      },
      { components: [{ entityType: 'ip', matchType: 0, match: '10.0.0.1' }], strict: false },
    ],
  },
  50: {
    requests: ({ user }) => [{ users: [{ name: user }] }, { users: null }],
  },
  51: {
    changes: true,
    requests: ({ user }) => [
      {
        deletions: [{ name: user, mechanism: 2 }],
        upsertions: [
          {
            ...{ name: `${user}-more`, mechanism: 1, iterations: 4_096 },
            ...{ salt: Buffer.alloc(16, 1), saltedPassword: Buffer.alloc(32, 2) },
          },
        ],
      },
    ],
  },
  55: {
    requests: ({ own }) =>
      ['__cluster_metadata', own.name].map((topicName) => ({
        topics: [{ topicName, partitions: [{ partitionIndex: 0 }] }],
      })),
  },
  60: {
    requests: (_facts, version) =>
      [1, 2].map((endpointType) => ({
        includeClusterAuthorizedOperations: true,
        endpointType: version < 1 ? 1 : endpointType,
      })),
  },
  61: {
    requests: ({ own, shared }) => [
      { topics: [own, shared].map(({ name }) => ({ name, partitionIndexes: [0, 1] })) },
    ],
  },
  74: { requests: () => [{ resourceTypes: [] }, { resourceTypes: [2, 4, 8, 16, 32] }] },
  75: {
    requests: ({ own, shared }) => [
      {
        topics: [own, shared].map(({ name }) => ({ name })),
        ...{ responsePartitionLimit: 3, cursor: { topicName: own.name, partitionIndex: 1 } },
      },
      { topics: [], responsePartitionLimit: 2_000, cursor: null },
    ],
  },
}

/** Of each API, a good request from which others are derived. */
import { batchOf } from '../batches.ts'
import type { Base } from './base.ts'
import { alterationBases } from './bases-alterations.ts'
import { groupBases } from './bases-groups.ts'
import { replicaBases } from './bases-replicas.ts'
import { append, byName, FOREVER, fetchRequest, newTopic, produceRequest } from './requests.ts'

const ownTopics = (path: string) =>
  path !== 'topics' && (!path.startsWith('topics[') || path.startsWith('topics[base-'))

/** By API key. */
export const bases: Readonly<Record<number, Base>> = {
  ...groupBases,
  ...alterationBases,
  ...replicaBases,
  0: {
    prepare: (side) => side.createTopic('base-produce', 1, FOREVER),
    request: (side) => produceRequest(side, { topic: 'base-produce', records: batchOf(['a']) }),
    // Not answered, or looked at by the produce scenarios; where it lands depends on those before it.
    leave: ['topicData[].partitionData[].records'],
    skip: (step) => step === 'acks = 0',
    keep: (path) => !path.endsWith('.baseOffset'),
  },
  1: {
    async prepare(side) {
      await side.createTopic('base-fetch', 1, FOREVER)
      await append(side, 'base-fetch', batchOf(['a', 'b']))
    },
    request: (side) => fetchRequest(side, [{ topic: 'base-fetch' }]),
    // Nor how much lies in the coordinator's own topic.
    skip: (step) =>
      /^(maxWaitMs|minBytes) = (99|2147483647)/.test(step) || step.endsWith('__consumer_offsets'),
  },
  2: {
    async prepare(side) {
      await side.createTopic('base-offsets', 1, FOREVER)
      await append(side, 'base-offsets', batchOf(['a', 'b']))
    },
    skip: (step) => step.endsWith('__consumer_offsets'),
    request: () => ({
      ...{ replicaId: -1, isolationLevel: 0, timeoutMs: 1_000 },
      topics: [
        {
          name: 'base-offsets',
          partitions: [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp: -1 }],
        },
      ],
    }),
  },
  3: {
    prepare: (side) => side.createTopic('base-metadata', 2),
    request: (_side, version) => ({
      topics: [{ ...byName('base-metadata') }],
      allowAutoTopicCreation: version < 4,
    }),
    // Before version 4, names are made into topics: metadata-auto-create has that.
    skip: (step, version) => step.includes('an unknown name') && version < 4,
    keep: ownTopics,
  },
  10: {
    request: (_side, version) =>
      version < 4
        ? { key: 'base-group', keyType: 0 }
        : { key: '', keyType: 0, coordinatorKeys: ['base-group'] },
    skip: (step) => step.startsWith('keyType = 1'),
  },
  // The listeners that are compared have no SASL, and say so.
  17: { request: () => ({ mechanism: 'PLAIN' }) },
  18: { request: () => ({ clientSoftwareName: 'griot', clientSoftwareVersion: '1.0' }) },
  19: {
    request: (_side, _version, n) => ({
      topics: [
        newTopic({ name: `base-create-${n}`, configs: { 'retention.ms': '1000' } }),
        newTopic({
          ...{ name: `base-create-a-${n}`, partitions: -1, replicationFactor: -1 },
          assignments: [[0, [1]]],
        }),
      ],
      timeoutMs: 5_000,
      validateOnly: true,
    }),
    leave: ['validateOnly'],
  },
  20: {
    async prepare(side) {
      await side.createTopic('base-delete')
    },
    request: (_side, version) => ({
      topics: version < 6 ? [] : [byName('base-unknown')],
      topicNames: version < 6 ? ['base-unknown'] : [],
      timeoutMs: 5_000,
    }),
    skip: (step) => step.includes('__consumer_offsets'),
  },
  22: {
    request: () => ({ transactionalId: null, transactionTimeoutMs: 60_000 }),
    // Transactions come later: the transaction scenarios will have them.
    leave: ['transactionalId'],
  },
  30: {
    request: () => ({
      creations: [
        {
          ...{ resourceType: 2, resourceName: 'base-acl', resourcePatternType: 3 },
          ...{ principal: 'User:base', host: '*', operation: 3, permissionType: 3 },
        },
      ],
    }),
  },
  31: {
    request: () => ({
      filters: [
        {
          ...{ resourceTypeFilter: 2, resourceNameFilter: 'base-no-acl', patternTypeFilter: 3 },
          ...{ principalFilter: null, hostFilter: null, operation: 1, permissionType: 1 },
        },
      ],
    }),
  },
  32: {
    prepare: (side) => side.createTopic('base-configs', 1, { 'retention.ms': '5000' }),
    request: () => ({
      resources: [
        { resourceType: 2, resourceName: 'base-configs', configurationKeys: ['retention.ms'] },
      ],
    }),
  },
  36: { request: () => ({ authBytes: new TextEncoder().encode('\0user\0secret') }) },
  50: { request: () => ({ users: [{ name: 'base-nobody' }] }) },
  51: {
    request: () => ({ deletions: [{ name: 'base-nobody', mechanism: 1 }], upsertions: [] }),
  },
  60: { request: () => ({ includeClusterAuthorizedOperations: false }) },
  75: {
    prepare: (side) => side.createTopic('base-describe', 3),
    request: () => ({
      topics: [{ name: 'base-describe' }],
      responsePartitionLimit: 2,
      cursor: { topicName: 'base-describe', partitionIndex: 0 },
    }),
    keep: ownTopics,
  },
}

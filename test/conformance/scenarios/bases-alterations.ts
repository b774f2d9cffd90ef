/** Good requests of the APIs that change topics, configs and records. */
import { batchOf } from '../batches.ts'
import type { Base } from './base.ts'
import { append, FOREVER } from './requests.ts'

/** By API key. */
export const alterationBases: Readonly<Record<number, Base>> = {
  21: {
    async prepare(side) {
      await side.createTopic('base-records', 1, FOREVER)
      await append(side, 'base-records', batchOf(['a', 'b']))
    },
    request: () => ({
      topics: [{ name: 'base-records', partitions: [{ partitionIndex: 0, offset: 0 }] }],
      timeoutMs: 5_000,
    }),
  },
  23: {
    async prepare(side) {
      await side.createTopic('base-epochs', 1, FOREVER)
      await append(side, 'base-epochs', batchOf(['a', 'b']))
    },
    // How much lies in there is the coordinator's affair.
    skip: (step) => step.endsWith('__consumer_offsets'),
    request: (_side, version) => ({
      ...(version < 3 ? {} : { replicaId: -1 }),
      topics: [
        {
          topic: 'base-epochs',
          partitions: [{ partition: 0, currentLeaderEpoch: -1, leaderEpoch: 0 }],
        },
      ],
    }),
  },
  33: {
    prepare: (side) => side.createTopic('base-alter'),
    request: () => ({
      resources: [
        {
          ...{ resourceType: 2, resourceName: 'base-alter' },
          configs: [{ name: 'retention.ms', value: '5000' }],
        },
      ],
      validateOnly: true,
    }),
    // Kafka never answers one that names a resource twice: the scenario has it.
    skip: (step) => step === 'resources = twice the first',
    leave: ['validateOnly'],
  },
  37: {
    prepare: (side) => side.createTopic('base-more'),
    request: () => ({
      topics: [
        { name: 'base-more', count: 3, assignments: [{ brokerIds: [1] }, { brokerIds: [1] }] },
      ],
      timeoutMs: 5_000,
      validateOnly: true,
    }),
    leave: ['validateOnly'],
    // Kafka is busy for a minute with that many.
    skip: (step) => step === 'topics[0].count = 2147483647',
  },
  44: {
    prepare: (side) => side.createTopic('base-increment'),
    request: () => ({
      resources: [
        {
          ...{ resourceType: 2, resourceName: 'base-increment' },
          configs: [{ name: 'retention.ms', configOperation: 0, value: '5000' }],
        },
      ],
      validateOnly: true,
    }),
    leave: ['validateOnly'],
  },
  61: {
    async prepare(side) {
      await side.createTopic('base-producers', 1, FOREVER)
      const by = { producerId: 5, producerEpoch: 1, baseSequence: 0 }
      await append(side, 'base-producers', batchOf(['a'], by))
    },
    request: () => ({ topics: [{ name: 'base-producers', partitionIndexes: [0] }] }),
  },
  // Without an authorizer, on both sides.
  29: {
    request: () => ({
      ...{ resourceTypeFilter: 1, resourceNameFilter: null, patternTypeFilter: 1 },
      ...{ principalFilter: null, hostFilter: null, operation: 1, permissionType: 1 },
    }),
  },
  // Directories and sizes are each broker's own.
  35: {
    prepare: (side) => side.createTopic('base-log-dirs', 1),
    request: () => ({ topics: [{ topic: 'base-log-dirs', partitions: [0] }] }),
    keep: (path) =>
      !/(logDir|Bytes|partitionSize|offsetLag)$/.test(path) &&
      (!path.includes('.topics[') || path.includes('.topics[base-log-dirs]')),
  },
  48: {
    request: () => ({
      components: [{ entityType: 'user', matchType: 0, match: 'nobody' }],
      strict: false,
    }),
  },
  74: {
    request: (_side, version) => (version === 0 ? {} : { resourceTypes: [4] }),
    keep: (path) => path !== 'configResources' && !path.startsWith('configResources[2 '),
  },
}

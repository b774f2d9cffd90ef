/** Good requests of the APIs about replicas: who leads, which are moved, who keeps the metadata. */
import type { Base } from './base.ts'

/** By API key. */
export const replicaBases: Readonly<Record<number, Base>> = {
  43: {
    prepare: (side) => side.createTopic('base-elect', 2),
    request: (_side, version) => ({
      ...(version < 1 ? {} : { electionType: 0 }),
      topicPartitions: [{ topic: 'base-elect', partitions: [0] }],
      timeoutMs: 5_000,
    }),
    // of all topics each side tells of those that it has
    keep: (path) =>
      path !== 'replicaElectionResults' &&
      (!path.startsWith('replicaElectionResults[') ||
        path.startsWith('replicaElectionResults[base-')),
  },
  45: {
    prepare: (side) => side.createTopic('base-reassign', 2),
    // to where it is: nothing moves
    request: () => ({
      topics: [{ name: 'base-reassign', partitions: [{ partitionIndex: 0, replicas: [1] }] }],
      timeoutMs: 5_000,
    }),
  },
  46: {
    prepare: (side) => side.createTopic('base-moves', 2),
    request: () => ({
      topics: [{ name: 'base-moves', partitionIndexes: [0] }],
      timeoutMs: 5_000,
    }),
  },
  55: {
    request: () => ({
      topics: [{ topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] }],
    }),
    // How much lies in it, since when, and who has it is each side's own.
    keep: (path) =>
      !/(highWatermark|leaderEpoch|leaderId|currentVoters|observers|logEndOffset|nodes)/i.test(
        path,
      ),
  },
}

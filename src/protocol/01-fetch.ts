/**
 * Fetch: read record batches, waiting for some if asked to. Versions 4–18; flexible from 12.
 *
 * The order of partitions in the request is the order in which they share `maxBytes`.
 *
 * - 4: isolation level, aborted transactions; record batches (format v2)
 * - 5: log start offset, both ways; 6: KAFKA_STORAGE_ERROR may be answered
 * - 7: incremental sessions (KIP-227) and a top-level error
 * - 8: the answer comes before the throttling, not after
 * - 9: the consumer's leader epoch is checked (KIP-320); 10: zstd allowed
 * - 11: rack of the consumer, preferred read replica (KIP-392)
 * - 12: last fetched epoch, diverging epoch, current leader
 * - 13: topic ids instead of names (KIP-516); 14: OFFSET_MOVED_TO_TIERED_STORAGE
 * - 15: the replica's id moves into a tagged struct (KIP-903)
 * - 16: endpoints of new leaders (KIP-951); 17: directory id of the replica (KIP-853)
 * - 18: the follower's known high watermark (KIP-1166)
 *
 * Cluster id, replica state, directory id and high watermark are for brokers' own fetches: consumers never send them.
 */
import {
  api,
  type RequestInputOf,
  type RequestOf,
  type ResponseInputOf,
  type ResponseOf,
} from './api.ts'
import {
  array,
  INT32_MAX,
  INT64_MAX,
  int8,
  int16,
  int32,
  int64,
  records,
  string,
  struct,
  uuid,
} from './schema.ts'
import { always, between, since, until } from './version-range.ts'

export const fetch = api({
  key: 1,
  name: 'Fetch',
  versions: between(4, 18),
  flexibleFrom: 12,
  request: {
    clusterId: string({
      versions: since(12),
      nullable: always,
      tagged: 0,
      default: null,
      ignorable: true,
      entity: 'clusterId',
    }),
    replicaId: int32({ versions: until(14), default: -1, entity: 'brokerId' }),
    replicaState: struct(
      {
        replicaId: int32({ default: -1, entity: 'brokerId' }),
        replicaEpoch: int64({ default: -1 }),
      },
      { versions: since(15), tagged: 1 },
    ),
    maxWaitMs: int32(),
    minBytes: int32(),
    maxBytes: int32({ default: INT32_MAX, ignorable: true }),
    isolationLevel: int8({ default: 0, ignorable: true }),
    sessionId: int32({ versions: since(7), default: 0, ignorable: true, entity: 'fetchSessionId' }),
    sessionEpoch: int32({ versions: since(7), default: -1, ignorable: true }),
    topics: array({
      topic: string({ versions: until(12), ignorable: true, entity: 'topicName' }),
      topicId: uuid({ versions: since(13), ignorable: true, entity: 'topicId' }),
      partitions: array({
        partition: int32(),
        currentLeaderEpoch: int32({ versions: since(9), default: -1, ignorable: true }),
        fetchOffset: int64(),
        lastFetchedEpoch: int32({ versions: since(12), default: -1 }),
        logStartOffset: int64({ versions: since(5), default: -1, ignorable: true }),
        partitionMaxBytes: int32(),
        replicaDirectoryId: uuid({
          versions: since(17),
          tagged: 0,
          ignorable: true,
          entity: 'directoryId',
        }),
        highWatermark: int64({
          versions: since(18),
          tagged: 1,
          default: INT64_MAX,
          ignorable: true,
        }),
      }),
    }),
    forgottenTopicsData: array(
      {
        topic: string({ versions: until(12), ignorable: true, entity: 'topicName' }),
        topicId: uuid({ versions: since(13), ignorable: true, entity: 'topicId' }),
        partitions: array(int32()),
      },
      { versions: since(7) },
    ),
    rackId: string({ versions: since(11), default: '', ignorable: true }),
  },
  response: {
    throttleTimeMs: int32({ ignorable: true }),
    errorCode: int16({ versions: since(7), ignorable: true }),
    sessionId: int32({ versions: since(7), default: 0, entity: 'fetchSessionId' }),
    responses: array({
      topic: string({ versions: until(12), ignorable: true, entity: 'topicName' }),
      topicId: uuid({ versions: since(13), ignorable: true, entity: 'topicId' }),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        highWatermark: int64(),
        lastStableOffset: int64({ default: -1, ignorable: true }),
        logStartOffset: int64({ versions: since(5), default: -1, ignorable: true }),
        divergingEpoch: struct(
          {
            epoch: int32({ default: -1 }),
            endOffset: int64({ default: -1 }),
          },
          { versions: since(12), tagged: 0 },
        ),
        currentLeader: struct(
          {
            leaderId: int32({ default: -1, entity: 'brokerId' }),
            leaderEpoch: int32({ default: -1 }),
          },
          { versions: since(12), tagged: 1 },
        ),
        snapshotId: struct(
          {
            endOffset: int64({ default: -1 }),
            epoch: int32({ default: -1 }),
          },
          { versions: since(12), tagged: 2 },
        ),
        abortedTransactions: array(
          {
            producerId: int64({ entity: 'producerId' }),
            firstOffset: int64(),
          },
          { nullable: always, ignorable: true },
        ),
        preferredReadReplica: int32({ versions: since(11), default: -1, entity: 'brokerId' }),
        records: records({ nullable: always }),
      }),
    }),
    nodeEndpoints: array(
      {
        nodeId: int32({ entity: 'brokerId' }),
        host: string({ entity: 'brokerHost' }),
        port: int32(),
        rack: string({ nullable: always, default: null }),
      },
      { versions: since(16), tagged: 0 },
    ),
  },
})

export type FetchRequest = RequestOf<typeof fetch>
export type FetchResponse = ResponseOf<typeof fetch>
export type FetchRequestInput = RequestInputOf<typeof fetch>
export type FetchResponseInput = ResponseInputOf<typeof fetch>

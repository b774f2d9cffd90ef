/**
 * Metadata: nodes, topics and leaders. Versions 0–13; flexible from 9.
 *
 * All topics: an empty list in version 0, null from version 1 on, where empty means none.
 *
 * - 1: racks, controller, internal topics; 2: cluster id; 3: throttle time
 * - 4: the client may forbid auto-creation (older versions allow it); 5: offline replicas
 * - 6: the answer comes before the throttling; 7: leader epochs
 * - 8: authorized operations on request, of cluster (until 10) and topics
 * - 10: topic ids in the answer; the request has them too, but they are not served before 12
 * - 12: topics may be asked for by id, and the name in the answer may be null
 * - 13: a top-level error
 */
import {
  api,
  type RequestInputOf,
  type RequestOf,
  type ResponseInputOf,
  type ResponseOf,
} from './api.ts'
import { array, bool, INT32_MIN, int16, int32, string, uuid } from './schema.ts'
import { always, between, since } from './version-range.ts'

export const metadata = api({
  key: 3,
  name: 'Metadata',
  versions: between(0, 13),
  flexibleFrom: 9,
  request: {
    topics: array(
      {
        topicId: uuid({ versions: since(10), ignorable: true, entity: 'topicId' }),
        name: string({ nullable: since(10), entity: 'topicName' }),
      },
      { nullable: since(1) },
    ),
    allowAutoTopicCreation: bool({ versions: since(4), default: true }),
    includeClusterAuthorizedOperations: bool({ versions: between(8, 10) }),
    includeTopicAuthorizedOperations: bool({ versions: since(8) }),
  },
  response: {
    throttleTimeMs: int32({ versions: since(3), ignorable: true }),
    brokers: array({
      nodeId: int32({ entity: 'brokerId' }),
      host: string({ entity: 'brokerHost' }),
      port: int32(),
      rack: string({ versions: since(1), nullable: always, default: null, ignorable: true }),
    }),
    clusterId: string({
      versions: since(2),
      nullable: always,
      default: null,
      ignorable: true,
      entity: 'clusterId',
    }),
    controllerId: int32({ versions: since(1), default: -1, ignorable: true, entity: 'brokerId' }),
    topics: array({
      errorCode: int16(),
      name: string({ nullable: since(12), entity: 'topicName' }),
      topicId: uuid({ versions: since(10), ignorable: true, entity: 'topicId' }),
      isInternal: bool({ versions: since(1), default: false, ignorable: true }),
      partitions: array({
        errorCode: int16(),
        partitionIndex: int32(),
        leaderId: int32({ entity: 'brokerId' }),
        leaderEpoch: int32({ versions: since(7), default: -1, ignorable: true }),
        replicaNodes: array(int32({ entity: 'brokerId' })),
        isrNodes: array(int32({ entity: 'brokerId' })),
        offlineReplicas: array(int32({ entity: 'brokerId' }), {
          versions: since(5),
          ignorable: true,
        }),
      }),
      topicAuthorizedOperations: int32({ versions: since(8), default: INT32_MIN }),
    }),
    clusterAuthorizedOperations: int32({ versions: between(8, 10), default: INT32_MIN }),
    errorCode: int16({ versions: since(13), ignorable: true }),
  },
})

export type MetadataRequest = RequestOf<typeof metadata>
export type MetadataResponse = ResponseOf<typeof metadata>
export type MetadataRequestInput = RequestInputOf<typeof metadata>
export type MetadataResponseInput = ResponseInputOf<typeof metadata>

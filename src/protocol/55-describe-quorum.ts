/**
 * DescribeQuorum: who keeps the metadata log, and how far each is. Versions 0–2; always flexible.
 *
 * - 1: when a replica fetched last, and was at the end (KIP-836)
 * - 2: messages of errors, directories, addresses of the voters (KIP-853)
 */
import {
  api,
  type RequestInputOf,
  type RequestOf,
  type ResponseInputOf,
  type ResponseOf,
} from './api.ts'
import { array, int16, int32, int64, string, uint16, uuid } from './schema.ts'
import { between, since } from './version-range.ts'

const replicaState = {
  replicaId: int32({ entity: 'brokerId' }),
  replicaDirectoryId: uuid({ versions: since(2), entity: 'directoryId' }),
  logEndOffset: int64(),
  lastFetchTimestamp: int64({ versions: since(1), default: -1, ignorable: true }),
  lastCaughtUpTimestamp: int64({ versions: since(1), default: -1, ignorable: true }),
}

export const describeQuorum = api({
  key: 55,
  name: 'DescribeQuorum',
  versions: between(0, 2),
  flexibleFrom: 0,
  request: {
    topics: array({
      topicName: string({ entity: 'topicName' }),
      partitions: array({ partitionIndex: int32() }),
    }),
  },
  response: {
    errorCode: int16(),
    errorMessage: string({
      versions: since(2),
      nullable: since(2),
      ignorable: true,
      entity: 'errorMessage',
    }),
    topics: array({
      topicName: string({ entity: 'topicName' }),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        errorMessage: string({
          versions: since(2),
          nullable: since(2),
          ignorable: true,
          entity: 'errorMessage',
        }),
        leaderId: int32({ entity: 'brokerId' }),
        leaderEpoch: int32(),
        highWatermark: int64(),
        currentVoters: array(replicaState),
        observers: array(replicaState),
      }),
    }),
    nodes: array(
      {
        nodeId: int32({ entity: 'brokerId' }),
        listeners: array({
          name: string({ entity: 'protocolName' }),
          host: string({ entity: 'brokerHost' }),
          port: uint16(),
        }),
      },
      { versions: since(2) },
    ),
  },
})

export type DescribeQuorumRequest = RequestOf<typeof describeQuorum>
export type DescribeQuorumResponse = ResponseOf<typeof describeQuorum>
export type DescribeQuorumRequestInput = RequestInputOf<typeof describeQuorum>
export type DescribeQuorumResponseInput = ResponseInputOf<typeof describeQuorum>

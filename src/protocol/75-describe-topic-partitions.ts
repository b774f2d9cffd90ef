/**
 * DescribeTopicPartitions: topics page by page (KIP-966). Version 0; always flexible.
 *
 * The cursor names the topic and partition that the page starts with; null: from the beginning, or nothing is left.
 */
import {
  api,
  type RequestInputOf,
  type RequestOf,
  type ResponseInputOf,
  type ResponseOf,
} from './api.ts'
import { array, bool, INT32_MIN, int16, int32, string, struct, uuid } from './schema.ts'
import { always, between } from './version-range.ts'

export const describeTopicPartitions = api({
  key: 75,
  name: 'DescribeTopicPartitions',
  versions: between(0, 0),
  flexibleFrom: 0,
  request: {
    topics: array({
      name: string({ entity: 'topicName' }),
    }),
    responsePartitionLimit: int32({ default: 2000 }),
    cursor: struct(
      {
        topicName: string({ entity: 'topicName' }),
        partitionIndex: int32(),
      },
      { nullable: always, default: null },
    ),
  },
  response: {
    throttleTimeMs: int32({ ignorable: true }),
    topics: array({
      errorCode: int16(),
      name: string({ nullable: always, entity: 'topicName' }),
      topicId: uuid({ ignorable: true, entity: 'topicId' }),
      isInternal: bool({ default: false, ignorable: true }),
      partitions: array({
        errorCode: int16(),
        partitionIndex: int32(),
        leaderId: int32({ entity: 'brokerId' }),
        leaderEpoch: int32({ default: -1, ignorable: true }),
        replicaNodes: array(int32({ entity: 'brokerId' })),
        isrNodes: array(int32({ entity: 'brokerId' })),
        eligibleLeaderReplicas: array(int32({ entity: 'brokerId' }), {
          nullable: always,
          default: null,
        }),
        lastKnownElr: array(int32({ entity: 'brokerId' }), { nullable: always, default: null }),
        offlineReplicas: array(int32({ entity: 'brokerId' }), { ignorable: true }),
      }),
      topicAuthorizedOperations: int32({ default: INT32_MIN }),
    }),
    nextCursor: struct(
      {
        topicName: string({ entity: 'topicName' }),
        partitionIndex: int32(),
      },
      { nullable: always, default: null },
    ),
  },
})

export type DescribeTopicPartitionsRequest = RequestOf<typeof describeTopicPartitions>
export type DescribeTopicPartitionsResponse = ResponseOf<typeof describeTopicPartitions>
export type DescribeTopicPartitionsRequestInput = RequestInputOf<typeof describeTopicPartitions>
export type DescribeTopicPartitionsResponseInput = ResponseInputOf<typeof describeTopicPartitions>

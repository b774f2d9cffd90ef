/**
 * DescribeProducers: the producers of which partitions keep state (KIP-664). Version 0; flexible.
 */
import {
  api,
  type RequestInputOf,
  type RequestOf,
  type ResponseInputOf,
  type ResponseOf,
} from './api.ts'
import { array, int16, int32, int64, string } from './schema.ts'
import { always, between } from './version-range.ts'

export const describeProducers = api({
  key: 61,
  name: 'DescribeProducers',
  versions: between(0, 0),
  flexibleFrom: 0,
  request: {
    topics: array({ name: string({ entity: 'topicName' }), partitionIndexes: array(int32()) }),
  },
  response: {
    throttleTimeMs: int32(),
    topics: array({
      name: string({ entity: 'topicName' }),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        errorMessage: string({ nullable: always, default: null, entity: 'errorMessage' }),
        activeProducers: array({
          producerId: int64({ entity: 'producerId' }),
          producerEpoch: int32(),
          lastSequence: int32({ default: -1 }),
          lastTimestamp: int64({ default: -1 }),
          coordinatorEpoch: int32(),
          currentTxnStartOffset: int64({ default: -1 }),
        }),
      }),
    }),
  },
})

export type DescribeProducersRequest = RequestOf<typeof describeProducers>
export type DescribeProducersResponse = ResponseOf<typeof describeProducers>
export type DescribeProducersRequestInput = RequestInputOf<typeof describeProducers>
export type DescribeProducersResponseInput = ResponseInputOf<typeof describeProducers>

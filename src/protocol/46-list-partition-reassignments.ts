/** ListPartitionReassignments: which replicas are being moved (KIP-455). Version 0; always flexible. */
import {
  api,
  type RequestInputOf,
  type RequestOf,
  type ResponseInputOf,
  type ResponseOf,
} from './api.ts'
import { array, int16, int32, string } from './schema.ts'
import { always, between } from './version-range.ts'

export const listPartitionReassignments = api({
  key: 46,
  name: 'ListPartitionReassignments',
  versions: between(0, 0),
  flexibleFrom: 0,
  request: {
    timeoutMs: int32({ default: 60_000 }),
    /** null for all. */
    topics: array(
      { name: string({ entity: 'topicName' }), partitionIndexes: array(int32()) },
      { nullable: always, default: null },
    ),
  },
  response: {
    throttleTimeMs: int32(),
    errorCode: int16(),
    errorMessage: string({ nullable: always, entity: 'errorMessage' }),
    topics: array({
      name: string({ entity: 'topicName' }),
      partitions: array({
        partitionIndex: int32(),
        replicas: array(int32({ entity: 'brokerId' })),
        addingReplicas: array(int32({ entity: 'brokerId' })),
        removingReplicas: array(int32({ entity: 'brokerId' })),
      }),
    }),
  },
})

export type ListPartitionReassignmentsRequest = RequestOf<typeof listPartitionReassignments>
export type ListPartitionReassignmentsResponse = ResponseOf<typeof listPartitionReassignments>
export type ListPartitionReassignmentsRequestInput = RequestInputOf<
  typeof listPartitionReassignments
>
export type ListPartitionReassignmentsResponseInput = ResponseInputOf<
  typeof listPartitionReassignments
>

/**
 * AlterPartitionReassignments: moves replicas to other brokers, or stops such a move (KIP-455). Versions 0–1; always flexible.
 *
 * - 1: whether the number of replicas may change (KIP-860)
 */
import {
  api,
  type RequestInputOf,
  type RequestOf,
  type ResponseInputOf,
  type ResponseOf,
} from './api.ts'
import { array, bool, int16, int32, string } from './schema.ts'
import { always, between, since } from './version-range.ts'

export const alterPartitionReassignments = api({
  key: 45,
  name: 'AlterPartitionReassignments',
  versions: between(0, 1),
  flexibleFrom: 0,
  request: {
    timeoutMs: int32({ default: 60_000 }),
    allowReplicationFactorChange: bool({ versions: since(1), default: true }),
    topics: array({
      name: string({ entity: 'topicName' }),
      partitions: array({
        partitionIndex: int32(),
        /** null: what is under way is undone. */
        replicas: array(int32({ entity: 'brokerId' }), { nullable: always, default: null }),
      }),
    }),
  },
  response: {
    throttleTimeMs: int32(),
    allowReplicationFactorChange: bool({ versions: since(1), default: true, ignorable: true }),
    errorCode: int16(),
    errorMessage: string({ nullable: always, entity: 'errorMessage' }),
    responses: array({
      name: string({ entity: 'topicName' }),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        errorMessage: string({ nullable: always, entity: 'errorMessage' }),
      }),
    }),
  },
})

export type AlterPartitionReassignmentsRequest = RequestOf<typeof alterPartitionReassignments>
export type AlterPartitionReassignmentsResponse = ResponseOf<typeof alterPartitionReassignments>
export type AlterPartitionReassignmentsRequestInput = RequestInputOf<
  typeof alterPartitionReassignments
>
export type AlterPartitionReassignmentsResponseInput = ResponseInputOf<
  typeof alterPartitionReassignments
>

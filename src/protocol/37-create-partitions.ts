/**
 * CreatePartitions: `count` is the new total. Versions 0–3; flexible from 2.
 *
 * - 1: the answer comes before the throttling; 3: THROTTLING_QUOTA_EXCEEDED may be answered (KIP-599)
 *
 * Assignments, one for each new partition, are null where the controller shall choose.
 */
import {
  api,
  type RequestInputOf,
  type RequestOf,
  type ResponseInputOf,
  type ResponseOf,
} from './api.ts'
import { array, bool, int16, int32, string } from './schema.ts'
import { always, between } from './version-range.ts'

export const createPartitions = api({
  key: 37,
  name: 'CreatePartitions',
  versions: between(0, 3),
  flexibleFrom: 2,
  request: {
    topics: array({
      name: string({ entity: 'topicName' }),
      count: int32(),
      assignments: array({ brokerIds: array(int32({ entity: 'brokerId' })) }, { nullable: always }),
    }),
    timeoutMs: int32(),
    validateOnly: bool(),
  },
  response: {
    throttleTimeMs: int32(),
    results: array({
      name: string({ entity: 'topicName' }),
      errorCode: int16(),
      errorMessage: string({ nullable: always, default: null, entity: 'errorMessage' }),
    }),
  },
})

export type CreatePartitionsRequest = RequestOf<typeof createPartitions>
export type CreatePartitionsResponse = ResponseOf<typeof createPartitions>
export type CreatePartitionsRequestInput = RequestInputOf<typeof createPartitions>
export type CreatePartitionsResponseInput = ResponseInputOf<typeof createPartitions>

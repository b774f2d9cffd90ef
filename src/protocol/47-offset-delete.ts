/**
 * OffsetDelete: forgets committed offsets of partitions to which nobody in the group subscribes (KIP-496).
 * Version 0; never flexible.
 */
import {
  api,
  type RequestInputOf,
  type RequestOf,
  type ResponseInputOf,
  type ResponseOf,
} from './api.ts'
import { array, int16, int32, string } from './schema.ts'
import { between } from './version-range.ts'

export const offsetDelete = api({
  key: 47,
  name: 'OffsetDelete',
  versions: between(0, 0),
  flexibleFrom: undefined,
  request: {
    groupId: string({ entity: 'groupId' }),
    topics: array({
      name: string({ entity: 'topicName' }),
      partitions: array({ partitionIndex: int32() }),
    }),
  },
  response: {
    errorCode: int16(),
    throttleTimeMs: int32({ ignorable: true }),
    topics: array({
      name: string({ entity: 'topicName' }),
      partitions: array({ partitionIndex: int32(), errorCode: int16() }),
    }),
  },
})

export type OffsetDeleteRequest = RequestOf<typeof offsetDelete>
export type OffsetDeleteResponse = ResponseOf<typeof offsetDelete>
export type OffsetDeleteRequestInput = RequestInputOf<typeof offsetDelete>
export type OffsetDeleteResponseInput = ResponseInputOf<typeof offsetDelete>

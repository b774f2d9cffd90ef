/**
 * DeleteRecords: moves the start of partitions' logs; offset −1 is the high watermark. Versions 0–2; flexible from 2.
 *
 * - 1: the answer comes before the throttling
 */
import {
  api,
  type RequestInputOf,
  type RequestOf,
  type ResponseInputOf,
  type ResponseOf,
} from './api.ts'
import { array, int16, int32, int64, string } from './schema.ts'
import { between } from './version-range.ts'

export const deleteRecords = api({
  key: 21,
  name: 'DeleteRecords',
  versions: between(0, 2),
  flexibleFrom: 2,
  request: {
    topics: array({
      name: string({ entity: 'topicName' }),
      partitions: array({ partitionIndex: int32(), offset: int64() }),
    }),
    timeoutMs: int32(),
  },
  response: {
    throttleTimeMs: int32(),
    topics: array({
      name: string({ entity: 'topicName' }),
      partitions: array({ partitionIndex: int32(), lowWatermark: int64(), errorCode: int16() }),
    }),
  },
})

export type DeleteRecordsRequest = RequestOf<typeof deleteRecords>
export type DeleteRecordsResponse = ResponseOf<typeof deleteRecords>
export type DeleteRecordsRequestInput = RequestInputOf<typeof deleteRecords>
export type DeleteRecordsResponseInput = ResponseInputOf<typeof deleteRecords>

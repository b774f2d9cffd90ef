/**
 * OffsetForLeaderEpoch: where the log of a leader epoch ends, for consumers that look for truncation. Versions 2–4; flexible from 4.
 *
 * - 3: replica id, −1 of a consumer; −2, the default, may see beyond the high watermark
 */
import {
  api,
  type RequestInputOf,
  type RequestOf,
  type ResponseInputOf,
  type ResponseOf,
} from './api.ts'
import { array, int16, int32, int64, string } from './schema.ts'
import { between, since } from './version-range.ts'

export const offsetForLeaderEpoch = api({
  key: 23,
  name: 'OffsetForLeaderEpoch',
  versions: between(2, 4),
  flexibleFrom: 4,
  request: {
    replicaId: int32({ versions: since(3), default: -2, ignorable: true, entity: 'brokerId' }),
    topics: array({
      topic: string({ entity: 'topicName' }),
      partitions: array({
        partition: int32(),
        currentLeaderEpoch: int32({ default: -1, ignorable: true }),
        leaderEpoch: int32(),
      }),
    }),
  },
  response: {
    throttleTimeMs: int32({ ignorable: true }),
    topics: array({
      topic: string({ entity: 'topicName' }),
      partitions: array({
        errorCode: int16(),
        partition: int32(),
        leaderEpoch: int32({ default: -1, ignorable: true }),
        endOffset: int64({ default: -1 }),
      }),
    }),
  },
})

export type OffsetForLeaderEpochRequest = RequestOf<typeof offsetForLeaderEpoch>
export type OffsetForLeaderEpochResponse = ResponseOf<typeof offsetForLeaderEpoch>
export type OffsetForLeaderEpochRequestInput = RequestInputOf<typeof offsetForLeaderEpoch>
export type OffsetForLeaderEpochResponseInput = ResponseInputOf<typeof offsetForLeaderEpoch>

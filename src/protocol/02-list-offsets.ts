/**
 * ListOffsets: the offset at a timestamp, or at a named place of the log. Versions 1–11; flexible from 6.
 *
 * Negative timestamps name places: −1 latest, −2 earliest, −3 highest timestamp (v7), −4 earliest local (v8),
 * −5 last tiered (v9), −6 earliest not yet uploaded (v11).
 *
 * - 1: one offset with its timestamp; 2: isolation level; 3: the answer comes before the throttling
 * - 4: leader epoch, both ways; 5: OFFSET_NOT_AVAILABLE may be answered (KIP-207)
 * - 10: a timeout for look-ups in tiered storage (KIP-1075)
 */
import {
  api,
  type RequestInputOf,
  type RequestOf,
  type ResponseInputOf,
  type ResponseOf,
} from './api.ts'
import { array, int8, int16, int32, int64, string } from './schema.ts'
import { between, since } from './version-range.ts'

export const listOffsets = api({
  key: 2,
  name: 'ListOffsets',
  versions: between(1, 11),
  flexibleFrom: 6,
  request: {
    replicaId: int32({ entity: 'brokerId' }),
    isolationLevel: int8({ versions: since(2) }),
    topics: array({
      name: string({ entity: 'topicName' }),
      partitions: array({
        partitionIndex: int32(),
        currentLeaderEpoch: int32({ versions: since(4), default: -1, ignorable: true }),
        timestamp: int64(),
      }),
    }),
    timeoutMs: int32({ versions: since(10), ignorable: true }),
  },
  response: {
    throttleTimeMs: int32({ versions: since(2), ignorable: true }),
    topics: array({
      name: string({ entity: 'topicName' }),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        timestamp: int64({ default: -1 }),
        offset: int64({ default: -1 }),
        leaderEpoch: int32({ versions: since(4), default: -1 }),
      }),
    }),
  },
})

export type ListOffsetsRequest = RequestOf<typeof listOffsets>
export type ListOffsetsResponse = ResponseOf<typeof listOffsets>
export type ListOffsetsRequestInput = RequestInputOf<typeof listOffsets>
export type ListOffsetsResponseInput = ResponseInputOf<typeof listOffsets>

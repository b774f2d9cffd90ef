/**
 * OffsetCommit: a group's positions, kept by its coordinator. Versions 2–10; flexible from 8.
 *
 * - 3: throttle time; 4: the answer comes before the throttling
 * - 5: no retention time any more: the broker's configuration decides
 * - 6: leader epoch of the committed position (KIP-320)
 * - 7: group instance id (KIP-345)
 * - 9: may come from a member of a consumer group, with its epoch (KIP-848); GROUP_ID_NOT_FOUND and
 *   STALE_MEMBER_EPOCH may be answered
 * - 10: topics by id instead of by name; UNKNOWN_TOPIC_ID may be answered
 *
 * The generation is the member's epoch if the group is a consumer group; −1 with an empty member id: from outside.
 */
import {
  api,
  type RequestInputOf,
  type RequestOf,
  type ResponseInputOf,
  type ResponseOf,
} from './api.ts'
import { array, int16, int32, int64, string, uuid } from './schema.ts'
import { always, between, since, until } from './version-range.ts'

export const offsetCommit = api({
  key: 8,
  name: 'OffsetCommit',
  versions: between(2, 10),
  flexibleFrom: 8,
  request: {
    groupId: string({ entity: 'groupId' }),
    generationIdOrMemberEpoch: int32({ default: -1, ignorable: true }),
    memberId: string({ ignorable: true, entity: 'memberId' }),
    groupInstanceId: string({
      versions: since(7),
      nullable: always,
      default: null,
      entity: 'groupInstanceId',
    }),
    retentionTimeMs: int64({ versions: until(4), default: -1, ignorable: true }),
    topics: array({
      name: string({ versions: until(9), ignorable: true, entity: 'topicName' }),
      topicId: uuid({ versions: since(10), ignorable: true, entity: 'topicId' }),
      partitions: array({
        partitionIndex: int32(),
        committedOffset: int64(),
        committedLeaderEpoch: int32({ versions: since(6), default: -1, ignorable: true }),
        committedMetadata: string({ nullable: always }),
      }),
    }),
  },
  response: {
    throttleTimeMs: int32({ versions: since(3), ignorable: true }),
    topics: array({
      name: string({ versions: until(9), ignorable: true, entity: 'topicName' }),
      topicId: uuid({ versions: since(10), ignorable: true, entity: 'topicId' }),
      partitions: array({ partitionIndex: int32(), errorCode: int16() }),
    }),
  },
})

export type OffsetCommitRequest = RequestOf<typeof offsetCommit>
export type OffsetCommitResponse = ResponseOf<typeof offsetCommit>
export type OffsetCommitRequestInput = RequestInputOf<typeof offsetCommit>
export type OffsetCommitResponseInput = ResponseInputOf<typeof offsetCommit>

/**
 * OffsetFetch: what a group has committed; offset −1 where it has not. Versions 1–10; flexible from 6.
 *
 * - 2: null asks for all topics; an error of its own for the whole answer
 * - 3: throttle time; 4: the answer comes before the throttling; 5: leader epoch (KIP-320)
 * - 7: require stable: UNSTABLE_OFFSET_COMMIT while a transaction is open on the partition (KIP-447)
 * - 8: several groups at once (KIP-709), so the fields of the single group end at 7
 * - 9: member id and epoch, checked if the group is a consumer group (KIP-848)
 * - 10: topics by id instead of by name; UNKNOWN_TOPIC_ID may be answered
 */
import {
  api,
  type RequestInputOf,
  type RequestOf,
  type ResponseInputOf,
  type ResponseOf,
} from './api.ts'
import { array, bool, int16, int32, int64, string, uuid } from './schema.ts'
import { always, between, since, until } from './version-range.ts'

export const offsetFetch = api({
  key: 9,
  name: 'OffsetFetch',
  versions: between(1, 10),
  flexibleFrom: 6,
  request: {
    groupId: string({ versions: until(7), entity: 'groupId' }),
    topics: array(
      { name: string({ entity: 'topicName' }), partitionIndexes: array(int32()) },
      { versions: until(7), nullable: between(2, 7) },
    ),
    groups: array(
      {
        groupId: string({ entity: 'groupId' }),
        memberId: string({
          versions: since(9),
          nullable: always,
          default: null,
          ignorable: true,
          entity: 'memberId',
        }),
        memberEpoch: int32({ versions: since(9), default: -1, ignorable: true }),
        topics: array(
          {
            name: string({ versions: between(8, 9), ignorable: true, entity: 'topicName' }),
            topicId: uuid({ versions: since(10), ignorable: true, entity: 'topicId' }),
            partitionIndexes: array(int32()),
          },
          { nullable: always },
        ),
      },
      { versions: since(8) },
    ),
    requireStable: bool({ versions: since(7), default: false }),
  },
  response: {
    throttleTimeMs: int32({ versions: since(3), ignorable: true }),
    topics: array(
      {
        name: string({ entity: 'topicName' }),
        partitions: array({
          partitionIndex: int32(),
          committedOffset: int64(),
          committedLeaderEpoch: int32({ versions: between(5, 7), default: -1, ignorable: true }),
          metadata: string({ nullable: always }),
          errorCode: int16(),
        }),
      },
      { versions: until(7) },
    ),
    errorCode: int16({ versions: between(2, 7), default: 0, ignorable: true }),
    groups: array(
      {
        groupId: string({ entity: 'groupId' }),
        topics: array({
          name: string({ versions: between(8, 9), ignorable: true, entity: 'topicName' }),
          topicId: uuid({ versions: since(10), ignorable: true, entity: 'topicId' }),
          partitions: array({
            partitionIndex: int32(),
            committedOffset: int64(),
            committedLeaderEpoch: int32({ default: -1, ignorable: true }),
            metadata: string({ nullable: always }),
            errorCode: int16(),
          }),
        }),
        errorCode: int16({ default: 0 }),
      },
      { versions: since(8) },
    ),
  },
})

export type OffsetFetchRequest = RequestOf<typeof offsetFetch>
export type OffsetFetchResponse = ResponseOf<typeof offsetFetch>
export type OffsetFetchRequestInput = RequestInputOf<typeof offsetFetch>
export type OffsetFetchResponseInput = ResponseInputOf<typeof offsetFetch>

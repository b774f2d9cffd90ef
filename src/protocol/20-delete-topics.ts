/**
 * DeleteTopics. Versions 1–6; flexible from 4.
 *
 * - 2: the answer comes before the throttling; 3: TOPIC_DELETION_DISABLED may be answered
 * - 5: error messages; THROTTLING_QUOTA_EXCEEDED may be answered (KIP-599)
 * - 6: each topic by name or by id (KIP-516), so the plain list of names ends at 5
 */
import {
  api,
  type RequestInputOf,
  type RequestOf,
  type ResponseInputOf,
  type ResponseOf,
} from './api.ts'
import { array, int16, int32, string, uuid } from './schema.ts'
import { always, between, since, until } from './version-range.ts'

export const deleteTopics = api({
  key: 20,
  name: 'DeleteTopics',
  versions: between(1, 6),
  flexibleFrom: 4,
  request: {
    topics: array(
      {
        name: string({ nullable: always, default: null, entity: 'topicName' }),
        topicId: uuid({ entity: 'topicId' }),
      },
      { versions: since(6) },
    ),
    topicNames: array(string({ entity: 'topicName' }), { versions: until(5), ignorable: true }),
    timeoutMs: int32(),
  },
  response: {
    throttleTimeMs: int32({ ignorable: true }),
    responses: array({
      name: string({ nullable: since(6), entity: 'topicName' }),
      topicId: uuid({ versions: since(6), ignorable: true, entity: 'topicId' }),
      errorCode: int16(),
      errorMessage: string({
        versions: since(5),
        nullable: always,
        default: null,
        ignorable: true,
        entity: 'errorMessage',
      }),
    }),
  },
})

export type DeleteTopicsRequest = RequestOf<typeof deleteTopics>
export type DeleteTopicsResponse = ResponseOf<typeof deleteTopics>
export type DeleteTopicsRequestInput = RequestInputOf<typeof deleteTopics>
export type DeleteTopicsResponseInput = ResponseInputOf<typeof deleteTopics>

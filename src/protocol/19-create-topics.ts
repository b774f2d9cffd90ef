/**
 * CreateTopics. Versions 2–7; flexible from 5.
 *
 * - 2: error messages, validate-only; 3: the answer comes before the throttling
 * - 4: −1 partitions or replicas means the broker's default (KIP-464)
 * - 5: the answer tells partitions, replication factor and configs (KIP-525)
 * - 6: THROTTLING_QUOTA_EXCEEDED may be answered (KIP-599); 7: the answer tells the topic id
 */
import {
  api,
  type RequestInputOf,
  type RequestOf,
  type ResponseInputOf,
  type ResponseOf,
} from './api.ts'
import { array, bool, int8, int16, int32, string, uuid } from './schema.ts'
import { always, between, since } from './version-range.ts'

export const createTopics = api({
  key: 19,
  name: 'CreateTopics',
  versions: between(2, 7),
  flexibleFrom: 5,
  request: {
    topics: array({
      name: string({ entity: 'topicName' }),
      numPartitions: int32(),
      replicationFactor: int16(),
      assignments: array({
        partitionIndex: int32(),
        brokerIds: array(int32({ entity: 'brokerId' })),
      }),
      configs: array({
        name: string({ entity: 'configName' }),
        value: string({ nullable: always }),
      }),
    }),
    timeoutMs: int32({ default: 60000 }),
    validateOnly: bool({ default: false }),
  },
  response: {
    throttleTimeMs: int32({ ignorable: true }),
    topics: array({
      name: string({ entity: 'topicName' }),
      topicId: uuid({ versions: since(7), ignorable: true, entity: 'topicId' }),
      errorCode: int16(),
      errorMessage: string({ nullable: always, ignorable: true, entity: 'errorMessage' }),
      topicConfigErrorCode: int16({ versions: since(5), tagged: 0, ignorable: true }),
      numPartitions: int32({ versions: since(5), default: -1, ignorable: true }),
      replicationFactor: int16({ versions: since(5), default: -1, ignorable: true }),
      configs: array(
        {
          name: string({ entity: 'configName' }),
          value: string({ nullable: always }),
          readOnly: bool(),
          configSource: int8({ default: -1, ignorable: true }),
          isSensitive: bool(),
        },
        { versions: since(5), nullable: always, ignorable: true },
      ),
    }),
  },
})

export type CreateTopicsRequest = RequestOf<typeof createTopics>
export type CreateTopicsResponse = ResponseOf<typeof createTopics>
export type CreateTopicsRequestInput = RequestInputOf<typeof createTopics>
export type CreateTopicsResponseInput = ResponseInputOf<typeof createTopics>

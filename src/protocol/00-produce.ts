/**
 * Produce: append record batches. Versions 3–13; flexible from 9.
 *
 * Advertised from 0 because librdkafka up to 2.10 looks for exact old versions before it trusts a broker; a
 * request of version 0–2 is nevertheless refused, since those carry message formats that no longer exist.
 *
 * - 3: transactional id; record batches (format v2) only
 * - 4: KAFKA_STORAGE_ERROR may be answered
 * - 5: the answer tells the log start offset
 * - 7: zstd allowed
 * - 8: the answer names the records that sank a batch (KIP-467)
 * - 10: the answer may name the new leader and its endpoint, as tagged fields (KIP-951)
 * - 11: TRANSACTION_ABORTABLE may be answered; 12: a transactional produce adds its partition to the transaction by itself (KIP-890)
 * - 13: topic ids instead of names; UNKNOWN_TOPIC_ID may be answered (KIP-516)
 */
import {
  api,
  type RequestInputOf,
  type RequestOf,
  type ResponseInputOf,
  type ResponseOf,
} from './api.ts'
import { array, int16, int32, int64, records, string, struct, uuid } from './schema.ts'
import { always, between, since, until } from './version-range.ts'

export const produce = api({
  key: 0,
  name: 'Produce',
  versions: between(3, 13),
  advertisedVersions: between(0, 13),
  flexibleFrom: 9,
  request: {
    transactionalId: string({ nullable: always, default: null, entity: 'transactionalId' }),
    acks: int16(),
    timeoutMs: int32(),
    topicData: array({
      name: string({ versions: until(12), ignorable: true, entity: 'topicName' }),
      topicId: uuid({ versions: since(13), ignorable: true, entity: 'topicId' }),
      partitionData: array({
        index: int32(),
        records: records({ nullable: always }),
      }),
    }),
  },
  response: {
    responses: array({
      name: string({ versions: until(12), ignorable: true, entity: 'topicName' }),
      topicId: uuid({ versions: since(13), ignorable: true, entity: 'topicId' }),
      partitionResponses: array({
        index: int32(),
        errorCode: int16(),
        baseOffset: int64(),
        logAppendTimeMs: int64({ default: -1, ignorable: true }),
        logStartOffset: int64({ versions: since(5), default: -1, ignorable: true }),
        recordErrors: array(
          {
            batchIndex: int32(),
            batchIndexErrorMessage: string({
              nullable: always,
              default: null,
              entity: 'errorMessage',
            }),
          },
          { versions: since(8), ignorable: true },
        ),
        errorMessage: string({
          versions: since(8),
          nullable: always,
          default: null,
          ignorable: true,
          entity: 'errorMessage',
        }),
        currentLeader: struct(
          {
            leaderId: int32({ default: -1, entity: 'brokerId' }),
            leaderEpoch: int32({ default: -1 }),
          },
          { versions: since(10), tagged: 0 },
        ),
      }),
    }),
    throttleTimeMs: int32({ default: 0, ignorable: true }),
    nodeEndpoints: array(
      {
        nodeId: int32({ entity: 'brokerId' }),
        host: string({ entity: 'brokerHost' }),
        port: int32(),
        rack: string({ nullable: always, default: null }),
      },
      { versions: since(10), tagged: 0 },
    ),
  },
})

export type ProduceRequest = RequestOf<typeof produce>
export type ProduceResponse = ResponseOf<typeof produce>
export type ProduceRequestInput = RequestInputOf<typeof produce>
export type ProduceResponseInput = ResponseInputOf<typeof produce>

/**
 * InitProducerId: a producer id and epoch, for idempotence or for a transactional id. Versions 0–5; flexible from 2.
 *
 * - 1: the answer comes before the throttling
 * - 3: an id and epoch to go on with (KIP-360); 4: PRODUCER_FENCED may be answered
 * - 5: TRANSACTION_ABORTABLE may be answered (KIP-890)
 */
import {
  api,
  type RequestInputOf,
  type RequestOf,
  type ResponseInputOf,
  type ResponseOf,
} from './api.ts'
import { int16, int32, int64, string } from './schema.ts'
import { always, between, since } from './version-range.ts'

export const initProducerId = api({
  key: 22,
  name: 'InitProducerId',
  versions: between(0, 5),
  flexibleFrom: 2,
  request: {
    transactionalId: string({ nullable: always, entity: 'transactionalId' }),
    transactionTimeoutMs: int32(),
    producerId: int64({ versions: since(3), default: -1, entity: 'producerId' }),
    producerEpoch: int16({ versions: since(3), default: -1 }),
  },
  response: {
    throttleTimeMs: int32({ ignorable: true }),
    errorCode: int16(),
    producerId: int64({ default: -1, entity: 'producerId' }),
    producerEpoch: int16(),
  },
})

export type InitProducerIdRequest = RequestOf<typeof initProducerId>
export type InitProducerIdResponse = ResponseOf<typeof initProducerId>
export type InitProducerIdRequestInput = RequestInputOf<typeof initProducerId>
export type InitProducerIdResponseInput = ResponseInputOf<typeof initProducerId>

/**
 * FindCoordinator: which node coordinates a group, a transactional id or a share partition. Versions 0–6; flexible from 3.
 *
 * - 0: groups only; 1: key type (0 group, 1 transaction), error message; 2: the answer comes before the throttling
 * - 4: several keys at once (KIP-699), so the single-key fields end at 3
 * - 5: TRANSACTION_ABORTABLE may be answered (KIP-890)
 * - 6: key type 2, share partitions, with the key `groupId:topicId:partition` (KIP-932)
 */
import {
  api,
  type RequestInputOf,
  type RequestOf,
  type ResponseInputOf,
  type ResponseOf,
} from './api.ts'
import { array, int8, int16, int32, string } from './schema.ts'
import { always, between, since, until } from './version-range.ts'

export const findCoordinator = api({
  key: 10,
  name: 'FindCoordinator',
  versions: between(0, 6),
  flexibleFrom: 3,
  request: {
    key: string({ versions: until(3), entity: 'coordinatorKey' }),
    keyType: int8({ versions: since(1), default: 0 }),
    coordinatorKeys: array(string({ entity: 'coordinatorKey' }), { versions: since(4) }),
  },
  response: {
    throttleTimeMs: int32({ versions: since(1), ignorable: true }),
    errorCode: int16({ versions: until(3) }),
    errorMessage: string({
      versions: between(1, 3),
      nullable: always,
      ignorable: true,
      entity: 'errorMessage',
    }),
    nodeId: int32({ versions: until(3), entity: 'brokerId' }),
    host: string({ versions: until(3), entity: 'brokerHost' }),
    port: int32({ versions: until(3) }),
    coordinators: array(
      {
        key: string({ entity: 'coordinatorKey' }),
        nodeId: int32({ entity: 'brokerId' }),
        host: string({ entity: 'brokerHost' }),
        port: int32(),
        errorCode: int16(),
        errorMessage: string({ nullable: always, ignorable: true, entity: 'errorMessage' }),
      },
      { versions: since(4) },
    ),
  },
})

export type FindCoordinatorRequest = RequestOf<typeof findCoordinator>
export type FindCoordinatorResponse = ResponseOf<typeof findCoordinator>
export type FindCoordinatorRequestInput = RequestInputOf<typeof findCoordinator>
export type FindCoordinatorResponseInput = ResponseInputOf<typeof findCoordinator>

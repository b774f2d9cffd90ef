/**
 * JoinGroup: enters a classic group, or comes back to it for a rebalance. Versions 0–9; flexible from 6.
 *
 * The protocols' metadata is opaque here; of consumers it is a subscription (`consumer-protocol.ts`).
 *
 * - 1: rebalance timeout; before that the session timeout counts
 * - 2: throttle time; 3: the answer comes before the throttling
 * - 4: who joins without a member id is answered MEMBER_ID_REQUIRED with one, and joins again (KIP-394)
 * - 5: group instance id, of static members (KIP-345)
 * - 7: the answer tells the protocol type, and protocol name may be null (KIP-559)
 * - 8: why it joins (KIP-800)
 * - 9: the leader may be told not to assign (KIP-814)
 */
import {
  api,
  type RequestInputOf,
  type RequestOf,
  type ResponseInputOf,
  type ResponseOf,
} from './api.ts'
import { array, bool, bytes, int16, int32, string } from './schema.ts'
import { always, between, since } from './version-range.ts'

export const joinGroup = api({
  key: 11,
  name: 'JoinGroup',
  versions: between(0, 9),
  flexibleFrom: 6,
  request: {
    groupId: string({ entity: 'groupId' }),
    sessionTimeoutMs: int32(),
    rebalanceTimeoutMs: int32({ versions: since(1), default: -1, ignorable: true }),
    memberId: string({ entity: 'memberId' }),
    groupInstanceId: string({
      versions: since(5),
      nullable: always,
      default: null,
      entity: 'groupInstanceId',
    }),
    protocolType: string(),
    protocols: array({ name: string({ entity: 'protocolName' }), metadata: bytes() }),
    reason: string({ versions: since(8), nullable: always, default: null, ignorable: true }),
  },
  response: {
    throttleTimeMs: int32({ versions: since(2), ignorable: true }),
    errorCode: int16(),
    generationId: int32({ default: -1 }),
    protocolType: string({ versions: since(7), nullable: always, default: null, ignorable: true }),
    protocolName: string({ nullable: since(7), entity: 'protocolName' }),
    leader: string({ entity: 'memberId' }),
    skipAssignment: bool({ versions: since(9), default: false }),
    memberId: string({ entity: 'memberId' }),
    members: array({
      memberId: string({ entity: 'memberId' }),
      groupInstanceId: string({
        versions: since(5),
        nullable: always,
        default: null,
        ignorable: true,
        entity: 'groupInstanceId',
      }),
      metadata: bytes(),
    }),
  },
})

export type JoinGroupRequest = RequestOf<typeof joinGroup>
export type JoinGroupResponse = ResponseOf<typeof joinGroup>
export type JoinGroupRequestInput = RequestInputOf<typeof joinGroup>
export type JoinGroupResponseInput = ResponseInputOf<typeof joinGroup>

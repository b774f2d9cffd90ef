/**
 * SyncGroup: the leader's assignments in, each member's own out. Versions 0–5; flexible from 4.
 *
 * The assignments are opaque here; of consumers see `consumer-protocol.ts`.
 *
 * - 1: throttle time; 2: the answer comes before the throttling; 3: group instance id (KIP-345)
 * - 5: protocol type and name both ways; INCONSISTENT_GROUP_PROTOCOL if they are not the group's (KIP-559)
 */
import {
  api,
  type RequestInputOf,
  type RequestOf,
  type ResponseInputOf,
  type ResponseOf,
} from './api.ts'
import { array, bytes, int16, int32, string } from './schema.ts'
import { always, between, since } from './version-range.ts'

export const syncGroup = api({
  key: 14,
  name: 'SyncGroup',
  versions: between(0, 5),
  flexibleFrom: 4,
  request: {
    groupId: string({ entity: 'groupId' }),
    generationId: int32(),
    memberId: string({ entity: 'memberId' }),
    groupInstanceId: string({
      versions: since(3),
      nullable: always,
      default: null,
      entity: 'groupInstanceId',
    }),
    protocolType: string({ versions: since(5), nullable: always, default: null, ignorable: true }),
    protocolName: string({
      versions: since(5),
      nullable: always,
      default: null,
      ignorable: true,
      entity: 'protocolName',
    }),
    assignments: array({ memberId: string({ entity: 'memberId' }), assignment: bytes() }),
  },
  response: {
    throttleTimeMs: int32({ versions: since(1), ignorable: true }),
    errorCode: int16(),
    protocolType: string({ versions: since(5), nullable: always, default: null, ignorable: true }),
    protocolName: string({
      versions: since(5),
      nullable: always,
      default: null,
      ignorable: true,
      entity: 'protocolName',
    }),
    assignment: bytes(),
  },
})

export type SyncGroupRequest = RequestOf<typeof syncGroup>
export type SyncGroupResponse = ResponseOf<typeof syncGroup>
export type SyncGroupRequestInput = RequestInputOf<typeof syncGroup>
export type SyncGroupResponseInput = ResponseInputOf<typeof syncGroup>

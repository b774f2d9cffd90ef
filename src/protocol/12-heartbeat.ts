/**
 * Heartbeat: keeps a member in its classic group, and tells it of rebalances. Versions 0–4; flexible from 4.
 *
 * - 1: throttle time; 2: the answer comes before the throttling; 3: group instance id (KIP-345)
 */
import {
  api,
  type RequestInputOf,
  type RequestOf,
  type ResponseInputOf,
  type ResponseOf,
} from './api.ts'
import { int16, int32, string } from './schema.ts'
import { always, between, since } from './version-range.ts'

export const heartbeat = api({
  key: 12,
  name: 'Heartbeat',
  versions: between(0, 4),
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
  },
  response: { throttleTimeMs: int32({ versions: since(1), ignorable: true }), errorCode: int16() },
})

export type HeartbeatRequest = RequestOf<typeof heartbeat>
export type HeartbeatResponse = ResponseOf<typeof heartbeat>
export type HeartbeatRequestInput = RequestInputOf<typeof heartbeat>
export type HeartbeatResponseInput = ResponseInputOf<typeof heartbeat>

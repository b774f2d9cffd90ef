/**
 * LeaveGroup. Versions 0–5; flexible from 4.
 *
 * - 1: throttle time; 2: the answer comes before the throttling
 * - 3: several members at once, also by group instance id (KIP-345), so the single member id ends at 2
 * - 5: why each leaves (KIP-800)
 */
import {
  api,
  type RequestInputOf,
  type RequestOf,
  type ResponseInputOf,
  type ResponseOf,
} from './api.ts'
import { array, int16, int32, string } from './schema.ts'
import { always, between, since, until } from './version-range.ts'

export const leaveGroup = api({
  key: 13,
  name: 'LeaveGroup',
  versions: between(0, 5),
  flexibleFrom: 4,
  request: {
    groupId: string({ entity: 'groupId' }),
    memberId: string({ versions: until(2), entity: 'memberId' }),
    members: array(
      {
        memberId: string({ entity: 'memberId' }),
        groupInstanceId: string({ nullable: always, default: null, entity: 'groupInstanceId' }),
        reason: string({ versions: since(5), nullable: always, default: null, ignorable: true }),
      },
      { versions: since(3) },
    ),
  },
  response: {
    throttleTimeMs: int32({ versions: since(1), ignorable: true }),
    errorCode: int16(),
    members: array(
      {
        memberId: string({ entity: 'memberId' }),
        groupInstanceId: string({ nullable: always, entity: 'groupInstanceId' }),
        errorCode: int16(),
      },
      { versions: since(3) },
    ),
  },
})

export type LeaveGroupRequest = RequestOf<typeof leaveGroup>
export type LeaveGroupResponse = ResponseOf<typeof leaveGroup>
export type LeaveGroupRequestInput = RequestInputOf<typeof leaveGroup>
export type LeaveGroupResponseInput = ResponseInputOf<typeof leaveGroup>

/**
 * DescribeGroups: classic groups with their members. Versions 0–6; flexible from 5.
 *
 * - 1: throttle time; 2: the answer comes before the throttling
 * - 3: authorized operations as a bit field, INT32_MIN if not asked for (KIP-430)
 * - 4: group instance ids (KIP-345)
 * - 6: GROUP_ID_NOT_FOUND with a message, where before a group in state Dead was answered (KIP-1043)
 */
import {
  api,
  type RequestInputOf,
  type RequestOf,
  type ResponseInputOf,
  type ResponseOf,
} from './api.ts'
import { array, bool, bytes, INT32_MIN, int16, int32, string } from './schema.ts'
import { always, between, since } from './version-range.ts'

export const describeGroups = api({
  key: 15,
  name: 'DescribeGroups',
  versions: between(0, 6),
  flexibleFrom: 5,
  request: {
    groups: array(string({ entity: 'groupId' })),
    includeAuthorizedOperations: bool({ versions: since(3) }),
  },
  response: {
    throttleTimeMs: int32({ versions: since(1), ignorable: true }),
    groups: array({
      errorCode: int16(),
      errorMessage: string({
        versions: since(6),
        nullable: always,
        default: null,
        entity: 'errorMessage',
      }),
      groupId: string({ entity: 'groupId' }),
      groupState: string(),
      protocolType: string(),
      protocolData: string({ entity: 'protocolName' }),
      members: array({
        memberId: string({ entity: 'memberId' }),
        groupInstanceId: string({
          versions: since(4),
          nullable: always,
          default: null,
          ignorable: true,
          entity: 'groupInstanceId',
        }),
        clientId: string({ entity: 'clientId' }),
        clientHost: string({ entity: 'clientHost' }),
        memberMetadata: bytes(),
        memberAssignment: bytes(),
      }),
      authorizedOperations: int32({ versions: since(3), default: INT32_MIN }),
    }),
  },
})

export type DescribeGroupsRequest = RequestOf<typeof describeGroups>
export type DescribeGroupsResponse = ResponseOf<typeof describeGroups>
export type DescribeGroupsRequestInput = RequestInputOf<typeof describeGroups>
export type DescribeGroupsResponseInput = ResponseInputOf<typeof describeGroups>

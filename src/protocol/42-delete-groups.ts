/**
 * DeleteGroups: of groups without members, with their offsets. Versions 0–2; flexible from 2.
 *
 * - 1: the answer comes before the throttling
 */
import {
  api,
  type RequestInputOf,
  type RequestOf,
  type ResponseInputOf,
  type ResponseOf,
} from './api.ts'
import { array, int16, int32, string } from './schema.ts'
import { between } from './version-range.ts'

export const deleteGroups = api({
  key: 42,
  name: 'DeleteGroups',
  versions: between(0, 2),
  flexibleFrom: 2,
  request: { groupsNames: array(string({ entity: 'groupId' })) },
  response: {
    throttleTimeMs: int32(),
    results: array({ groupId: string({ entity: 'groupId' }), errorCode: int16() }),
  },
})

export type DeleteGroupsRequest = RequestOf<typeof deleteGroups>
export type DeleteGroupsResponse = ResponseOf<typeof deleteGroups>
export type DeleteGroupsRequestInput = RequestInputOf<typeof deleteGroups>
export type DeleteGroupsResponseInput = ResponseInputOf<typeof deleteGroups>

/**
 * ListGroups: the groups that this node coordinates. Versions 0–5; flexible from 3.
 *
 * - 1: throttle time; 2: the answer comes before the throttling
 * - 4: states, and a filter by state (KIP-518); 5: types, and a filter by type (KIP-848)
 *
 * An empty filter lets all through.
 */
import {
  api,
  type RequestInputOf,
  type RequestOf,
  type ResponseInputOf,
  type ResponseOf,
} from './api.ts'
import { array, int16, int32, string } from './schema.ts'
import { between, since } from './version-range.ts'

export const listGroups = api({
  key: 16,
  name: 'ListGroups',
  versions: between(0, 5),
  flexibleFrom: 3,
  request: {
    statesFilter: array(string(), { versions: since(4) }),
    typesFilter: array(string(), { versions: since(5) }),
  },
  response: {
    throttleTimeMs: int32({ versions: since(1), ignorable: true }),
    errorCode: int16(),
    groups: array({
      groupId: string({ entity: 'groupId' }),
      protocolType: string(),
      groupState: string({ versions: since(4), ignorable: true }),
      groupType: string({ versions: since(5), ignorable: true }),
    }),
  },
})

export type ListGroupsRequest = RequestOf<typeof listGroups>
export type ListGroupsResponse = ResponseOf<typeof listGroups>
export type ListGroupsRequestInput = RequestInputOf<typeof listGroups>
export type ListGroupsResponseInput = ResponseInputOf<typeof listGroups>

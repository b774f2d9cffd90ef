/**
 * DeleteAcls: removes the ACLs that match filters, and names them. Versions 1–3; flexible from 2.
 *
 * - 1: pattern types (KIP-290)
 * - 3: users as resources, for delegation tokens
 */
import {
  api,
  type RequestInputOf,
  type RequestOf,
  type ResponseInputOf,
  type ResponseOf,
} from './api.ts'
import { array, int8, int16, int32, string } from './schema.ts'
import { always, between } from './version-range.ts'

export const deleteAcls = api({
  key: 31,
  name: 'DeleteAcls',
  versions: between(1, 3),
  flexibleFrom: 2,
  request: {
    filters: array({
      resourceTypeFilter: int8(),
      resourceNameFilter: string({ nullable: always, entity: 'aclResource' }),
      patternTypeFilter: int8({ default: 3 }),
      principalFilter: string({ nullable: always, entity: 'principal' }),
      hostFilter: string({ nullable: always, entity: 'clientHost' }),
      operation: int8(),
      permissionType: int8(),
    }),
  },
  response: {
    throttleTimeMs: int32(),
    filterResults: array({
      errorCode: int16(),
      errorMessage: string({ nullable: always, entity: 'errorMessage' }),
      matchingAcls: array({
        errorCode: int16(),
        errorMessage: string({ nullable: always, entity: 'errorMessage' }),
        resourceType: int8(),
        resourceName: string({ entity: 'aclResource' }),
        patternType: int8({ default: 3 }),
        principal: string({ entity: 'principal' }),
        host: string({ entity: 'clientHost' }),
        operation: int8(),
        permissionType: int8(),
      }),
    }),
  },
})

export type DeleteAclsRequest = RequestOf<typeof deleteAcls>
export type DeleteAclsResponse = ResponseOf<typeof deleteAcls>
export type DeleteAclsRequestInput = RequestInputOf<typeof deleteAcls>
export type DeleteAclsResponseInput = ResponseInputOf<typeof deleteAcls>

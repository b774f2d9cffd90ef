/**
 * DescribeAcls: the ACLs that match a filter. Versions 1–3; flexible from 2.
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

export const describeAcls = api({
  key: 29,
  name: 'DescribeAcls',
  versions: between(1, 3),
  flexibleFrom: 2,
  request: {
    resourceTypeFilter: int8(),
    resourceNameFilter: string({ nullable: always, entity: 'aclResource' }),
    patternTypeFilter: int8({ default: 3 }),
    principalFilter: string({ nullable: always, entity: 'principal' }),
    hostFilter: string({ nullable: always, entity: 'clientHost' }),
    operation: int8(),
    permissionType: int8(),
  },
  response: {
    throttleTimeMs: int32(),
    errorCode: int16(),
    errorMessage: string({ nullable: always, entity: 'errorMessage' }),
    resources: array({
      resourceType: int8(),
      resourceName: string({ entity: 'aclResource' }),
      patternType: int8({ default: 3 }),
      acls: array({
        principal: string({ entity: 'principal' }),
        host: string({ entity: 'clientHost' }),
        operation: int8(),
        permissionType: int8(),
      }),
    }),
  },
})

export type DescribeAclsRequest = RequestOf<typeof describeAcls>
export type DescribeAclsResponse = ResponseOf<typeof describeAcls>
export type DescribeAclsRequestInput = RequestInputOf<typeof describeAcls>
export type DescribeAclsResponseInput = ResponseInputOf<typeof describeAcls>

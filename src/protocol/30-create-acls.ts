/**
 * CreateAcls: ACLs to add, each with a result of its own. Versions 1–3; flexible from 2.
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

export const createAcls = api({
  key: 30,
  name: 'CreateAcls',
  versions: between(1, 3),
  flexibleFrom: 2,
  request: {
    creations: array({
      resourceType: int8(),
      resourceName: string({ entity: 'aclResource' }),
      resourcePatternType: int8({ default: 3 }),
      principal: string({ entity: 'principal' }),
      host: string({ entity: 'clientHost' }),
      operation: int8(),
      permissionType: int8(),
    }),
  },
  response: {
    throttleTimeMs: int32(),
    results: array({
      errorCode: int16(),
      errorMessage: string({ nullable: always, entity: 'errorMessage' }),
    }),
  },
})

export type CreateAclsRequest = RequestOf<typeof createAcls>
export type CreateAclsResponse = ResponseOf<typeof createAcls>
export type CreateAclsRequestInput = RequestInputOf<typeof createAcls>
export type CreateAclsResponseInput = ResponseInputOf<typeof createAcls>

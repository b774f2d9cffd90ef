/**
 * AlterConfigs: replaces all dynamic configuration of a resource; null resets a value. Versions 0–2; flexible from 2.
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
import { array, bool, int8, int16, int32, string } from './schema.ts'
import { always, between } from './version-range.ts'

export const alterConfigs = api({
  key: 33,
  name: 'AlterConfigs',
  versions: between(0, 2),
  flexibleFrom: 2,
  request: {
    resources: array({
      resourceType: int8(),
      resourceName: string({ entity: 'configResource' }),
      configs: array({
        name: string({ entity: 'configName' }),
        value: string({ nullable: always }),
      }),
    }),
    validateOnly: bool(),
  },
  response: {
    throttleTimeMs: int32(),
    responses: array({
      errorCode: int16(),
      errorMessage: string({ nullable: always, entity: 'errorMessage' }),
      resourceType: int8(),
      resourceName: string({ entity: 'configResource' }),
    }),
  },
})

export type AlterConfigsRequest = RequestOf<typeof alterConfigs>
export type AlterConfigsResponse = ResponseOf<typeof alterConfigs>
export type AlterConfigsRequestInput = RequestInputOf<typeof alterConfigs>
export type AlterConfigsResponseInput = ResponseInputOf<typeof alterConfigs>

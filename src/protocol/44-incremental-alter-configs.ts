/**
 * IncrementalAlterConfigs: changes single values (KIP-339). Versions 0–1; flexible from 1.
 *
 * Operations: 0 set, 1 delete, 2 append to a list, 3 subtract from it.
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

export const incrementalAlterConfigs = api({
  key: 44,
  name: 'IncrementalAlterConfigs',
  versions: between(0, 1),
  flexibleFrom: 1,
  request: {
    resources: array({
      resourceType: int8(),
      resourceName: string({ entity: 'configResource' }),
      configs: array({
        name: string({ entity: 'configName' }),
        configOperation: int8(),
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

export type IncrementalAlterConfigsRequest = RequestOf<typeof incrementalAlterConfigs>
export type IncrementalAlterConfigsResponse = ResponseOf<typeof incrementalAlterConfigs>
export type IncrementalAlterConfigsRequestInput = RequestInputOf<typeof incrementalAlterConfigs>
export type IncrementalAlterConfigsResponseInput = ResponseInputOf<typeof incrementalAlterConfigs>

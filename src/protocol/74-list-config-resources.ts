/**
 * ListConfigResources: names of resources that can be configured. Versions 0–1; flexible.
 *
 * - 0: client metrics only, under the name ListClientMetricsResources
 * - 1: of the types asked for, or of all if none is named (KIP-1142)
 */
import {
  api,
  type RequestInputOf,
  type RequestOf,
  type ResponseInputOf,
  type ResponseOf,
} from './api.ts'
import { array, int8, int16, int32, string } from './schema.ts'
import { between, since } from './version-range.ts'

export const listConfigResources = api({
  key: 74,
  name: 'ListConfigResources',
  versions: between(0, 1),
  flexibleFrom: 0,
  request: { resourceTypes: array(int8(), { versions: since(1) }) },
  response: {
    throttleTimeMs: int32(),
    errorCode: int16(),
    configResources: array({
      resourceName: string({ entity: 'configResource' }),
      resourceType: int8({ versions: since(1), default: 16, ignorable: true }),
    }),
  },
})

export type ListConfigResourcesRequest = RequestOf<typeof listConfigResources>
export type ListConfigResourcesResponse = ResponseOf<typeof listConfigResources>
export type ListConfigResourcesRequestInput = RequestInputOf<typeof listConfigResources>
export type ListConfigResourcesResponseInput = ResponseInputOf<typeof listConfigResources>

/**
 * DescribeConfigs. Versions 1–4; flexible from 4.
 *
 * - 1: where each value comes from, and its synonyms; 2: the answer comes before the throttling
 * - 3: types and documentation
 */
import {
  api,
  type RequestInputOf,
  type RequestOf,
  type ResponseInputOf,
  type ResponseOf,
} from './api.ts'
import { array, bool, int8, int16, int32, string } from './schema.ts'
import { always, between, since } from './version-range.ts'

export const describeConfigs = api({
  key: 32,
  name: 'DescribeConfigs',
  versions: between(1, 4),
  flexibleFrom: 4,
  request: {
    resources: array({
      resourceType: int8(),
      resourceName: string({ entity: 'configResource' }),
      configurationKeys: array(string({ entity: 'configName' }), { nullable: always }),
    }),
    includeSynonyms: bool({ default: false }),
    includeDocumentation: bool({ versions: since(3), default: false }),
  },
  response: {
    throttleTimeMs: int32(),
    results: array({
      errorCode: int16(),
      errorMessage: string({ nullable: always, entity: 'errorMessage' }),
      resourceType: int8(),
      resourceName: string({ entity: 'configResource' }),
      configs: array({
        name: string({ entity: 'configName' }),
        value: string({ nullable: always }),
        readOnly: bool(),
        configSource: int8({ default: -1, ignorable: true }),
        isSensitive: bool(),
        synonyms: array(
          {
            name: string({ entity: 'configName' }),
            value: string({ nullable: always }),
            source: int8(),
          },
          { ignorable: true },
        ),
        configType: int8({ versions: since(3), default: 0, ignorable: true }),
        documentation: string({ versions: since(3), nullable: always, ignorable: true }),
      }),
    }),
  },
})

export type DescribeConfigsRequest = RequestOf<typeof describeConfigs>
export type DescribeConfigsResponse = ResponseOf<typeof describeConfigs>
export type DescribeConfigsRequestInput = RequestInputOf<typeof describeConfigs>
export type DescribeConfigsResponseInput = ResponseInputOf<typeof describeConfigs>

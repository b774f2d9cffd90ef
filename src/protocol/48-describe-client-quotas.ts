/**
 * DescribeClientQuotas: the quotas that match a filter (KIP-546). Versions 0–1; flexible from 1.
 */
import {
  api,
  type RequestInputOf,
  type RequestOf,
  type ResponseInputOf,
  type ResponseOf,
} from './api.ts'
import { array, bool, float64, int8, int16, int32, string } from './schema.ts'
import { always, between } from './version-range.ts'

export const describeClientQuotas = api({
  key: 48,
  name: 'DescribeClientQuotas',
  versions: between(0, 1),
  flexibleFrom: 1,
  request: {
    components: array({
      entityType: string({ entity: 'configName' }),
      matchType: int8(),
      match: string({ nullable: always, entity: 'quotaEntity' }),
    }),
    strict: bool(),
  },
  response: {
    throttleTimeMs: int32(),
    errorCode: int16(),
    errorMessage: string({ nullable: always, entity: 'errorMessage' }),
    entries: array(
      {
        entity: array({
          entityType: string({ entity: 'configName' }),
          entityName: string({ nullable: always, entity: 'quotaEntity' }),
        }),
        values: array({ key: string({ entity: 'configName' }), value: float64() }),
      },
      { nullable: always },
    ),
  },
})

export type DescribeClientQuotasRequest = RequestOf<typeof describeClientQuotas>
export type DescribeClientQuotasResponse = ResponseOf<typeof describeClientQuotas>
export type DescribeClientQuotasRequestInput = RequestInputOf<typeof describeClientQuotas>
export type DescribeClientQuotasResponseInput = ResponseInputOf<typeof describeClientQuotas>

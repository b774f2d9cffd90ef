/**
 * DescribeUserScramCredentials: which SCRAM mechanisms users have, and with how many iterations (KIP-554). Version 0,
 * flexible.
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

export const describeUserScramCredentials = api({
  key: 50,
  name: 'DescribeUserScramCredentials',
  versions: between(0, 0),
  flexibleFrom: 0,
  request: {
    users: array({ name: string({ entity: 'userName' }) }, { nullable: always }),
  },
  response: {
    throttleTimeMs: int32(),
    errorCode: int16(),
    errorMessage: string({ nullable: always, entity: 'errorMessage' }),
    results: array({
      user: string({ entity: 'userName' }),
      errorCode: int16(),
      errorMessage: string({ nullable: always, entity: 'errorMessage' }),
      credentialInfos: array({ mechanism: int8(), iterations: int32() }),
    }),
  },
})

export type DescribeUserScramCredentialsRequest = RequestOf<typeof describeUserScramCredentials>
export type DescribeUserScramCredentialsResponse = ResponseOf<typeof describeUserScramCredentials>
export type DescribeUserScramCredentialsRequestInput = RequestInputOf<
  typeof describeUserScramCredentials
>
export type DescribeUserScramCredentialsResponseInput = ResponseInputOf<
  typeof describeUserScramCredentials
>

/**
 * AlterUserScramCredentials: sets and removes SCRAM credentials of users (KIP-554). The salted password is a secret: it
 * must get into no log and no error. Version 0, flexible.
 */
import {
  api,
  type RequestInputOf,
  type RequestOf,
  type ResponseInputOf,
  type ResponseOf,
} from './api.ts'
import { array, bytes, int8, int16, int32, string } from './schema.ts'
import { always, between } from './version-range.ts'

export const alterUserScramCredentials = api({
  key: 51,
  name: 'AlterUserScramCredentials',
  versions: between(0, 0),
  flexibleFrom: 0,
  request: {
    deletions: array({ name: string({ entity: 'userName' }), mechanism: int8() }),
    upsertions: array({
      name: string({ entity: 'userName' }),
      mechanism: int8(),
      iterations: int32(),
      salt: bytes(),
      saltedPassword: bytes(),
    }),
  },
  response: {
    throttleTimeMs: int32(),
    results: array({
      user: string({ entity: 'userName' }),
      errorCode: int16(),
      errorMessage: string({ nullable: always, entity: 'errorMessage' }),
    }),
  },
})

export type AlterUserScramCredentialsRequest = RequestOf<typeof alterUserScramCredentials>
export type AlterUserScramCredentialsResponse = ResponseOf<typeof alterUserScramCredentials>
export type AlterUserScramCredentialsRequestInput = RequestInputOf<typeof alterUserScramCredentials>
export type AlterUserScramCredentialsResponseInput = ResponseInputOf<
  typeof alterUserScramCredentials
>

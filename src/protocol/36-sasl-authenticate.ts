/**
 * SaslAuthenticate: one token of the mechanism that SaslHandshake chose, and the one that answers it. Versions 0–2;
 * flexible from 2.
 *
 * - 1: how long the session lasts before the client must authenticate again (KIP-368)
 */
import {
  api,
  type RequestInputOf,
  type RequestOf,
  type ResponseInputOf,
  type ResponseOf,
} from './api.ts'
import { bytes, int16, int64, string } from './schema.ts'
import { always, between, since } from './version-range.ts'

export const saslAuthenticate = api({
  key: 36,
  name: 'SaslAuthenticate',
  versions: between(0, 2),
  flexibleFrom: 2,
  request: { authBytes: bytes() },
  response: {
    errorCode: int16(),
    errorMessage: string({ nullable: always, entity: 'errorMessage' }),
    authBytes: bytes(),
    sessionLifetimeMs: int64({ versions: since(1), default: 0, ignorable: true }),
  },
})

export type SaslAuthenticateRequest = RequestOf<typeof saslAuthenticate>
export type SaslAuthenticateResponse = ResponseOf<typeof saslAuthenticate>
export type SaslAuthenticateRequestInput = RequestInputOf<typeof saslAuthenticate>
export type SaslAuthenticateResponseInput = ResponseInputOf<typeof saslAuthenticate>

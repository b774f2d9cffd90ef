/**
 * SaslHandshake: which SASL mechanism the connection will use. Versions 0–1; never flexible.
 *
 * - 0: the tokens follow as bare frames
 * - 1: the tokens follow in SaslAuthenticate (KIP-152)
 */
import {
  api,
  type RequestInputOf,
  type RequestOf,
  type ResponseInputOf,
  type ResponseOf,
} from './api.ts'
import { array, int16, string } from './schema.ts'
import { between } from './version-range.ts'

export const saslHandshake = api({
  key: 17,
  name: 'SaslHandshake',
  versions: between(0, 1),
  flexibleFrom: undefined,
  request: { mechanism: string({ entity: 'saslMechanism' }) },
  response: {
    errorCode: int16(),
    mechanisms: array(string({ entity: 'saslMechanism' })),
  },
})

export type SaslHandshakeRequest = RequestOf<typeof saslHandshake>
export type SaslHandshakeResponse = ResponseOf<typeof saslHandshake>
export type SaslHandshakeRequestInput = RequestInputOf<typeof saslHandshake>
export type SaslHandshakeResponseInput = ResponseInputOf<typeof saslHandshake>

/** What may differ between an engine with another tenant and one without: all of it, each with the reason. */
import { saslAuthenticate } from '../../src/protocol/36-sasl-authenticate.ts'
import type { Api } from '../../src/protocol/api.ts'
import { decodeResponse } from '../../src/protocol/codec.ts'

export interface Mask {
  readonly name: string
  readonly reason: string
  readonly apiKey: number
  /** What is left of an answer. */
  readonly apply: (api: Api, version: number, frame: Buffer) => string
}

export const MASKS: readonly Mask[] = [
  {
    name: 'the salt of a SCRAM challenge',
    reason:
      'a salt is random: that of a key is drawn with it, that of a name that nobody has is made from the name and a secret; both have as many bytes, and are the same from try to try',
    apiKey: saslAuthenticate.key,
    apply(_api, version, frame) {
      const { response } = decodeResponse(saslAuthenticate, version, frame)
      const challenge = Buffer.from(response.authBytes).toString('latin1')
      const masked = challenge.replace(/,s=([^,]+),/, (_, salt: string) => {
        return `,s=${Buffer.from(salt, 'base64').length} bytes,`
      })
      return JSON.stringify({ ...response, authBytes: masked })
    },
  },
]

/**
 * What a tenant can see of others all the same, and no answer of the proof shows since its worlds are made so: the load is even, nothing is full, nobody fails to log in
 * where others do. `exceptions.test.ts` shows of each that it is so, and that it is no more.
 */
export const EXCEPTIONS = {
  placement:
    'new replicas go where the fewest are, of all tenants: where a new partition is put tells a little of what the machine carries',
  room: 'partitions of all tenants together are bounded: when the machine is full, nobody makes more',
  quorum:
    'DescribeQuorum tells the tenant `default`, whoever runs the engine, how far the one metadata log is, and all others that they may not know',
  address:
    'a login that fails is told so later where others have failed from its address: who that was is not asked, or guessing would be free under another name',
} as const

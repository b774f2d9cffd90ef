import { describe, expect, it } from 'vitest'
import { apis } from '../../src/protocol/apis.ts'
import {
  decodeBody,
  encodeBody,
  plain,
  readVectors,
  vectorFiles,
  withoutDefaults,
} from './vectors.ts'

describe('vectors made with Apache Kafka 4.3.1', () => {
  it('exist for every API that we speak', () => {
    expect(vectorFiles()).toHaveLength(apis.length)
  })

  for (const api of apis) {
    describe(`${api.name} (${api.key})`, () => {
      const { cases, lowest, highest } = readVectors(api.key)
      const title = (c: (typeof cases)[number]) => `${c.d} v${c.v} ${c.kind}`

      it('has the versions of Kafka', () => {
        expect(api.validVersions).toEqual({ min: lowest, max: highest })
        expect(new Set(cases.map((c) => `${c.d}${c.v}`)).size).toBe(2 * (highest - lowest + 1))
      })

      it('decodes to the same values', () => {
        for (const c of cases) {
          const decoded = decodeBody(api, c.d, c.v, Buffer.from(c.bytes, 'hex'))
          expect(plain(decoded), title(c)).toEqual(c.value)
        }
      })

      it('encodes to the same bytes', () => {
        for (const c of cases) {
          const decoded = decodeBody(api, c.d, c.v, Buffer.from(c.bytes, 'hex'))
          expect(encodeBody(api, c.d, c.v, decoded).toString('hex'), title(c)).toBe(c.bytes)
        }
      })

      it('encodes to the same bytes when optional fields at their default are left out', () => {
        for (const c of cases) {
          const decoded = decodeBody(api, c.d, c.v, Buffer.from(c.bytes, 'hex'))
          const sparse = withoutDefaults(api[c.d], decoded)
          expect(encodeBody(api, c.d, c.v, sparse).toString('hex'), title(c)).toBe(c.bytes)
        }
      })

      it('passes over tagged fields that it does not know', () => {
        for (const c of cases) {
          if (c.unknown === undefined) continue
          const decoded = decodeBody(api, c.d, c.v, Buffer.from(c.unknown, 'hex'))
          expect(plain(decoded), title(c)).toEqual(c.value)
          expect(encodeBody(api, c.d, c.v, decoded).toString('hex'), title(c)).toBe(c.bytes)
        }
      })
    })
  }
})

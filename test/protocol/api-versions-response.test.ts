import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import { produce } from '../../src/protocol/00-produce.ts'
import { metadata } from '../../src/protocol/03-metadata.ts'
import { apiVersions } from '../../src/protocol/18-api-versions.ts'
import {
  advertise,
  apiVersionsResponse,
  encodeUnsupportedApiVersions,
} from '../../src/protocol/api-versions-response.ts'
import { decodeResponse, encodeResponse, joinFrame } from '../../src/protocol/codec.ts'

const advertised = advertise([metadata, apiVersions, produce])

describe('the answer to ApiVersions', () => {
  it('lists what is served, by rising key, as advertised', () => {
    expect(advertised).toEqual([
      { apiKey: 0, minVersion: 0, maxVersion: 13 },
      { apiKey: 3, minVersion: 0, maxVersion: 13 },
      { apiKey: 18, minVersion: 0, maxVersion: 4 },
    ])
  })

  it('to an unknown version is error 35 in the body of version 0, with key 18', () => {
    const frame = joinFrame(encodeUnsupportedApiVersions(7, advertised))
    expect(frame.toString('hex')).toBe(
      ['00000010', '00000007', '0023', '00000001', '0012', '0000', '0004'].join(''),
    )
  })

  it('has a header without a tagged section in every version', () => {
    for (const version of [0, 1, 2, 3, 4]) {
      const frame = joinFrame(
        encodeResponse(apiVersions, version, 7, apiVersionsResponse(version, advertised)),
      )
      // The error code follows the correlation id at once.
      expect(frame.readInt32BE(4)).toBe(7)
      expect(frame.readInt16BE(8)).toBe(ErrorCode.NONE)
      const { response } = decodeResponse(apiVersions, version, frame.subarray(4))
      expect(response.apiKeys).toEqual(advertised)
    }
  })

  it('carries features from version 3, those that start at 0 from version 4', () => {
    const features = {
      supported: [
        { name: 'group.version', minVersion: 0, maxVersion: 1 },
        { name: 'metadata.version', minVersion: 7, maxVersion: 27 },
      ],
      finalized: [{ name: 'metadata.version', minVersionLevel: 27, maxVersionLevel: 27 }],
      finalizedEpoch: 5,
    }
    const seen = (version: number) => {
      const response = apiVersionsResponse(version, advertised, features)
      const frame = joinFrame(encodeResponse(apiVersions, version, 7, response))
      return decodeResponse(apiVersions, version, frame.subarray(4)).response
    }
    expect(seen(4)).toMatchObject({
      supportedFeatures: features.supported,
      finalizedFeaturesEpoch: 5,
      finalizedFeatures: features.finalized,
      zkMigrationReady: false,
    })
    expect(seen(3).supportedFeatures).toEqual(features.supported.slice(1))
    expect(seen(2)).toMatchObject({ supportedFeatures: [], finalizedFeaturesEpoch: -1 })
  })
})

/**
 * ApiVersions: which APIs and versions are spoken here. Versions 0–4; flexible from 3.
 *
 * The response header is never flexible, and an unknown version is answered with UNSUPPORTED_VERSION in the body
 * of version 0: the client cannot know yet what it may send (KIP-511).
 *
 * - 1: throttle time; 2: the answer comes before the throttling
 * - 3: the client names its software; features come as tagged fields (KIP-584)
 * - 4: a supported feature may start at level 0; older versions leave such features out
 */
import {
  api,
  type RequestInputOf,
  type RequestOf,
  type ResponseInputOf,
  type ResponseOf,
} from './api.ts'
import { array, bool, int16, int32, int64, string } from './schema.ts'
import { between, since } from './version-range.ts'

export const apiVersions = api({
  key: 18,
  name: 'ApiVersions',
  versions: between(0, 4),
  flexibleFrom: 3,
  plainResponseHeader: true,
  request: {
    clientSoftwareName: string({ versions: since(3), ignorable: true, entity: 'clientSoftware' }),
    clientSoftwareVersion: string({
      versions: since(3),
      ignorable: true,
      entity: 'clientSoftware',
    }),
  },
  response: {
    errorCode: int16(),
    apiKeys: array({
      apiKey: int16(),
      minVersion: int16(),
      maxVersion: int16(),
    }),
    throttleTimeMs: int32({ versions: since(1), ignorable: true }),
    supportedFeatures: array(
      {
        name: string({ entity: 'featureName' }),
        minVersion: int16(),
        maxVersion: int16(),
      },
      { versions: since(3), tagged: 0, ignorable: true },
    ),
    finalizedFeaturesEpoch: int64({ versions: since(3), tagged: 1, default: -1, ignorable: true }),
    finalizedFeatures: array(
      {
        name: string({ entity: 'featureName' }),
        maxVersionLevel: int16(),
        minVersionLevel: int16(),
      },
      { versions: since(3), tagged: 2, ignorable: true },
    ),
    zkMigrationReady: bool({ versions: since(3), tagged: 3, default: false, ignorable: true }),
  },
})

export type ApiVersionsRequest = RequestOf<typeof apiVersions>
export type ApiVersionsResponse = ResponseOf<typeof apiVersions>
export type ApiVersionsRequestInput = RequestInputOf<typeof apiVersions>
export type ApiVersionsResponseInput = ResponseInputOf<typeof apiVersions>

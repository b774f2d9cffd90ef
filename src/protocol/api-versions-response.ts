import { ErrorCode } from '../base/error-code.ts'
import { type ApiVersionsResponseInput, apiVersions } from './18-api-versions.ts'
import type { Api } from './api.ts'
import { encodeResponse } from './codec.ts'
import type { EncodedFrame } from './frame-writer.ts'

/** A line of the list that ApiVersions answers. */
export interface AdvertisedApi {
  readonly apiKey: number
  readonly minVersion: number
  readonly maxVersion: number
}

export interface SupportedFeature {
  readonly name: string
  readonly minVersion: number
  readonly maxVersion: number
}

export interface FinalizedFeature {
  readonly name: string
  readonly minVersionLevel: number
  readonly maxVersionLevel: number
}

export interface Features {
  readonly supported: readonly SupportedFeature[]
  readonly finalized: readonly FinalizedFeature[]
  /** −1: unknown, then clients disregard what is finalized. */
  readonly finalizedEpoch: number
}

/** The list for the APIs that have a handler, by rising key. */
export function advertise(served: readonly Api[]): AdvertisedApi[] {
  return served
    .map(({ key, advertisedVersions: { min, max } }) => {
      return { apiKey: key, minVersion: min, maxVersion: max }
    })
    .sort((a, b) => a.apiKey - b.apiKey)
}

/** The answer to an ApiVersions request of `version`. Before version 4, features that start at level 0 are left out. */
export function apiVersionsResponse(
  version: number,
  advertised: readonly AdvertisedApi[],
  features?: Features,
  throttleTimeMs = 0,
): ApiVersionsResponseInput {
  const supported = features?.supported ?? []
  return {
    errorCode: ErrorCode.NONE,
    apiKeys: advertised,
    throttleTimeMs,
    supportedFeatures: version >= 4 ? supported : supported.filter((f) => f.minVersion > 0),
    finalizedFeaturesEpoch: features?.finalizedEpoch ?? -1,
    finalizedFeatures: features?.finalized ?? [],
    zkMigrationReady: false,
  }
}

/**
 * The answer to an ApiVersions request of a version that we do not speak: UNSUPPORTED_VERSION in the body of
 * version 0, naming the versions of ApiVersions itself (KIP-511); the client asks again with one of those.
 */
export function encodeUnsupportedApiVersions(
  correlationId: number,
  advertised: readonly AdvertisedApi[],
): EncodedFrame {
  return encodeResponse(apiVersions, 0, correlationId, {
    errorCode: ErrorCode.UNSUPPORTED_VERSION,
    apiKeys: advertised.filter((line) => line.apiKey === apiVersions.key),
    throttleTimeMs: 0,
  })
}

import { ErrorCode } from '../base/error-code.ts'
import { apiVersions } from '../protocol/18-api-versions.ts'
import type { Api, ResponseInputOf } from '../protocol/api.ts'
import { handler } from './context.ts'

/** Kafka 4.3's `metadata.version` level: tools take it for the release. */
const METADATA_VERSION = { name: 'metadata.version', min: 7, level: 30 } as const

/** What is served, as clients are told. */
function apiVersionsBody(served: readonly Api[]): ResponseInputOf<typeof apiVersions> {
  return {
    errorCode: ErrorCode.NONE,
    apiKeys: served.map(keyOf),
    throttleTimeMs: 0,
    // No group.version and no transaction.version: what they switch on is not here yet.
    supportedFeatures: [
      {
        name: METADATA_VERSION.name,
        minVersion: METADATA_VERSION.min,
        maxVersion: METADATA_VERSION.level,
      },
    ],
    finalizedFeaturesEpoch: 0,
    finalizedFeatures: [
      {
        name: METADATA_VERSION.name,
        maxVersionLevel: METADATA_VERSION.level,
        minVersionLevel: METADATA_VERSION.level,
      },
    ],
  }
}

/** What a client is told whose version of this API is unknown: which it may ask in. */
export const unsupportedVersionBody = (): ResponseInputOf<typeof apiVersions> => ({
  errorCode: ErrorCode.UNSUPPORTED_VERSION,
  apiKeys: [keyOf(apiVersions)],
  throttleTimeMs: 0,
})

export const apiVersionsHandler = handler({
  api: apiVersions,
  scopes: [],
  handle(request, context) {
    const valid =
      context.version < 3 ||
      (isSoftwareName(request.clientSoftwareName) && isSoftwareName(request.clientSoftwareVersion))
    context.reply(
      valid
        ? apiVersionsBody(context.services.served)
        : { errorCode: ErrorCode.INVALID_REQUEST, apiKeys: [], throttleTimeMs: 0 },
    )
  },
})

const keyOf = (api: Api) => ({
  apiKey: api.key,
  minVersion: api.advertisedVersions.min,
  maxVersion: api.advertisedVersions.max,
})

/** KIP-511: letters, digits, `-` and `.`, beginning and ending with a letter or digit. */
const isSoftwareName = (name: string): boolean =>
  /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/.test(name)

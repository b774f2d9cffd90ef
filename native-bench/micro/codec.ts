import { servedApis } from '../../src/front/handlers.ts'
import type { Api } from '../../src/protocol/api.ts'
import {
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
  joinFrame,
} from '../../src/protocol/codec.ts'
import { decodeRequestHeader } from '../../src/protocol/header.ts'
import type { Case, Subject } from './case.ts'
import { typicalMessage } from './typical.ts'

const CLIENT = 'billing-service-7c9f'
const SIZE_BYTES = 4

/** Both directions of every served API in its newest version: what a front does first, then what a client does. */
export function codecSubject(): Subject {
  return { cases: servedApis.flatMap(casesOf) }
}

function casesOf(api: Api): Case[] {
  const version = api.validVersions.max
  const request = typicalMessage(api.request, version)
  const response = typicalMessage(api.response, version)
  const asked = joinFrame(encodeRequest(api, version, 1, CLIENT, request)).subarray(SIZE_BYTES)
  const answer = joinFrame(encodeResponse(api, version, 1, response)).subarray(SIZE_BYTES)
  const named = (what: string, bytes: Uint8Array, run: () => unknown): Case => ({
    name: `codec ${api.name} v${version} ${what}`,
    bytes: bytes.length,
    run,
  })
  return [
    named('decode request', asked, () =>
      decodeRequest(api, version, asked, decodeRequestHeader(asked).bodyOffset),
    ),
    named('encode response', answer, () => encodeResponse(api, version, 1, response)),
    named('encode request', asked, () => encodeRequest(api, version, 1, CLIENT, request)),
    named('decode response', answer, () => decodeResponse(api, version, answer)),
  ]
}

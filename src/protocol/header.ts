import type { Api, Direction } from './api.ts'
import { apiByKey } from './apis.ts'
import { DecodeContext } from './decode-context.ts'
import { type FrameWriter, putUvarint } from './frame-writer.ts'
import { decodeName } from './string-cache.ts'
import { WireFormatError } from './wire-format-error.ts'
import { STRING_BYTES_MAX } from './wire-layout.ts'

/*
 *   request header   int16 API key | int16 version | int32 correlation id | client id | tagged section, if flexible
 *   response header  int32 correlation id | tagged section, if flexible (never for ApiVersions)
 *
 * The client id is a classic nullable string in every version, so that a broker can read the header of an
 * ApiVersions request from the future.
 */

export interface RequestHeader {
  readonly apiKey: number
  readonly apiVersion: number
  readonly correlationId: number
  /** Null counts as empty, as in Kafka. */
  readonly clientId: string
  /** Undefined for a key that we do not know; then the rest of the header has not been looked at. */
  readonly api: Api | undefined
  /** Where the body begins. */
  readonly bodyOffset: number
}

/** Decodes the header of a request frame (without its size). A version is not judged here, see {@link Api.isValid}. */
export function decodeRequestHeader(frame: Uint8Array): RequestHeader {
  if (frame.length < 8) {
    throw new WireFormatError(`request header: 8 bytes needed, ${frame.length} in the frame`)
  }
  const apiKey = ((frame[0]! << 24) >> 16) | frame[1]!
  const apiVersion = ((frame[2]! << 24) >> 16) | frame[3]!
  const correlationId = int32At(frame, 4)
  const api = apiByKey(apiKey)
  if (api === undefined) {
    return { apiKey, apiVersion, correlationId, clientId: '', api, bodyOffset: 8 }
  }
  // The title of an error is made in `fail`: this runs for every request.
  if (frame.length < 10) fail(api, 'request', apiVersion, 'clientId: the frame ends here')
  const length = ((frame[8]! << 24) >> 16) | frame[9]!
  if (length < -1) fail(api, 'request', apiVersion, `clientId: negative length ${length}`)
  const end = 10 + Math.max(0, length)
  if (end > frame.length) {
    const left = frame.length - 10
    fail(
      api,
      'request',
      apiVersion,
      `clientId: ${length} bytes announced, ${left} left in the frame`,
    )
  }
  const clientId = decodeName(frame, 10, end - 10)
  const bodyOffset = api.isFlexible(apiVersion)
    ? skipTaggedSection(api, 'request', apiVersion, frame, end)
    : end
  return { apiKey, apiVersion, correlationId, clientId, api, bodyOffset }
}

export function decodeResponseHeader(
  api: Api,
  version: number,
  frame: Uint8Array,
): { correlationId: number; bodyOffset: number } {
  if (frame.length < 4) {
    fail(api, 'response', version, `4 bytes needed, ${frame.length} in the frame`)
  }
  const flexible = api.isFlexible(version) && !api.plainResponseHeader
  const bodyOffset = flexible ? skipTaggedSection(api, 'response', version, frame, 4) : 4
  return { correlationId: int32At(frame, 0), bodyOffset }
}

export function encodeRequestHeader(
  api: Api,
  version: number,
  correlationId: number,
  clientId: string | null,
  writer: FrameWriter,
): void {
  const size = clientId === null ? -1 : Buffer.byteLength(clientId)
  if (size > STRING_BYTES_MAX) {
    const limit = `more than the limit of ${STRING_BYTES_MAX}`
    fail(api, 'request', version, `clientId: a string of ${size} bytes, ${limit}`)
  }
  if (writer.pos + 11 + size > writer.buf.length) writer.grow(11 + size)
  const b = writer.buf
  const start = writer.pos
  b.writeInt16BE(api.key, start)
  b.writeInt16BE(version, start + 2)
  b.writeInt32BE(correlationId, start + 4)
  b.writeInt16BE(size, start + 8)
  let p = start + 10
  if (clientId !== null) p += b.write(clientId, p)
  if (api.isFlexible(version)) b[p++] = 0
  writer.pos = p
}

export function encodeResponseHeader(
  api: Api,
  version: number,
  correlationId: number,
  writer: FrameWriter,
): void {
  // A frame begins with more room than this.
  const b = writer.buf
  let p = writer.pos
  b[p] = correlationId >>> 24
  b[p + 1] = correlationId >>> 16
  b[p + 2] = correlationId >>> 8
  b[p + 3] = correlationId
  p += 4
  if (api.isFlexible(version) && !api.plainResponseHeader) p = putUvarint(b, p, 0)
  writer.pos = p
}

const int32At = (b: Uint8Array, p: number): number =>
  (b[p]! << 24) | (b[p + 1]! << 16) | (b[p + 2]! << 8) | b[p + 3]!

/** Passes over tagged fields, none of which we know in a header; returns where they end. */
function skipTaggedSection(
  api: Api,
  direction: Direction,
  version: number,
  frame: Uint8Array,
  start: number,
): number {
  if (frame[start] === 0) return start + 1
  const title = titleOf(api, direction, version)
  const context = new DecodeContext(title, ['tagged section'], [])
  return context.skipTaggedSection(frame, start, frame.length, 0)
}

const titleOf = (api: Api, direction: Direction, version: number): string =>
  `${api.name} ${direction} header v${version}`

function fail(api: Api, direction: Direction, version: number, what: string): never {
  throw new WireFormatError(`${titleOf(api, direction, version)}: ${what}`)
}

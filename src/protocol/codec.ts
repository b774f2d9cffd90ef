import type {
  Api,
  Direction,
  RequestInputOf,
  RequestOf,
  ResponseInputOf,
  ResponseOf,
} from './api.ts'
import { compileDecoder, type DecodeFunction } from './compile-decoder.ts'
import { compileEncoder, type EncodeFunction } from './compile-encoder.ts'
import { type EncodedFrame, FrameWriter } from './frame-writer.ts'
import { decodeResponseHeader, encodeRequestHeader, encodeResponseHeader } from './header.ts'
import { WireFormatError } from './wire-format-error.ts'
import { REQUEST_ELEMENTS_MAX } from './wire-layout.ts'

/*
 * Encoders and decoders are compiled at first use, per API, version and direction: nothing at import. All run on
 * the thread that calls them, share that thread's one writer, and throw WireFormatError and nothing else for bytes
 * that are no message or values that the version cannot carry.
 */

const writer = new FrameWriter()

/** Decodes a request's body, at `offset` behind its header, from a frame without its size. Views share its memory. */
export function decodeRequest<A extends Api>(
  api: A,
  version: number,
  frame: Uint8Array,
  offset: number,
): RequestOf<A> {
  const decode = api.decoders.request[version] ?? decoderFor(api, version, 'request')
  return decode(frame, offset, frame.length) as RequestOf<A>
}

/** Elements of all arrays of the request that {@link decodeRequest} decoded last, of this API and version. */
export const elementsDecoded = (api: Api, version: number): number =>
  api.decoders.request[version]?.context.elementCount ?? 0

/** A response with its header, as a frame with its size. Records of 1 KB and more are views of the caller's memory. */
export function encodeResponse<A extends Api>(
  api: A,
  version: number,
  correlationId: number,
  response: ResponseInputOf<A>,
): EncodedFrame {
  const encode = api.encoders.response[version] ?? encoderFor(api, version, 'response')
  writer.begin()
  encodeResponseHeader(api, version, correlationId, writer)
  encode(response, writer)
  return writer.finish()
}

/** A request with its header, as a frame with its size; for clients. */
export function encodeRequest<A extends Api>(
  api: A,
  version: number,
  correlationId: number,
  clientId: string | null,
  request: RequestInputOf<A>,
): EncodedFrame {
  const encode = api.encoders.request[version] ?? encoderFor(api, version, 'request')
  writer.begin()
  encodeRequestHeader(api, version, correlationId, clientId, writer)
  encode(request, writer)
  return writer.finish()
}

/** Decodes a response with its header from a frame without its size; for clients. */
export function decodeResponse<A extends Api>(
  api: A,
  version: number,
  frame: Uint8Array,
): { correlationId: number; response: ResponseOf<A> } {
  const decode = api.decoders.response[version] ?? decoderFor(api, version, 'response')
  const { correlationId, bodyOffset } = decodeResponseHeader(api, version, frame)
  return { correlationId, response: decode(frame, bodyOffset, frame.length) as ResponseOf<A> }
}

/** One buffer with the whole frame; copies. */
export function joinFrame(frame: EncodedFrame): Buffer {
  return Buffer.concat(frame.chunks, frame.byteLength)
}

function decoderFor(api: Api, version: number, direction: Direction): DecodeFunction {
  const title = titleOf(api, version, direction)
  const layout = { version, flexible: api.isFlexible(version) }
  const elementsMax = direction === 'request' ? REQUEST_ELEMENTS_MAX : undefined
  return (api.decoders[direction][version] = compileDecoder(
    title,
    api[direction],
    layout,
    elementsMax,
  ))
}

function encoderFor(api: Api, version: number, direction: Direction): EncodeFunction {
  const title = titleOf(api, version, direction)
  const layout = { version, flexible: api.isFlexible(version) }
  return (api.encoders[direction][version] = compileEncoder(title, api[direction], layout))
}

function titleOf(api: Api, version: number, direction: Direction): string {
  const title = `${api.name} ${direction} v${version}`
  if (!api.isValid(version)) {
    const { min, max } = api.validVersions
    throw new WireFormatError(`${title}: version not spoken here, only ${min} to ${max}`)
  }
  return title
}

import { compileDecoder, type DecodeFunction } from './compile-decoder.ts'
import { compileEncoder, type EncodeFunction } from './compile-encoder.ts'
import { FrameWriter } from './frame-writer.ts'
import type { Fields, InOf, OutOf } from './schema.ts'
import { includes, type VersionRange } from './version-range.ts'
import { WireFormatError } from './wire-format-error.ts'

/*
 * Messages that are no requests and travel as bytes inside others: int16 version | fields. The same vocabulary and
 * compilers as those of the APIs, compiled at first use by version, with the same limits and errors.
 */

export interface VersionedMessageDefinition<F extends Fields> {
  readonly name: string
  /** Versions that we encode and decode. */
  readonly versions: VersionRange
  /** First version with compact types and tagged fields; undefined: none. */
  readonly flexibleFrom: number | undefined
  /** Newer versions than ours only add fields behind those that we know: they are read as our highest. */
  readonly newerOnlyAppend?: true
  readonly fields: F
}

export class VersionedMessage<F extends Fields = Fields> {
  readonly name: string
  readonly versions: VersionRange
  readonly flexibleFrom: number | undefined
  readonly newerOnlyAppend: boolean
  readonly fields: F
  /** Compiled at first use, by version. Filled by this file alone. */
  readonly decoders: (DecodeFunction | undefined)[] = []
  readonly encoders: (EncodeFunction | undefined)[] = []

  constructor(definition: VersionedMessageDefinition<F>) {
    this.name = definition.name
    this.versions = definition.versions
    this.flexibleFrom = definition.flexibleFrom
    this.newerOnlyAppend = definition.newerOnlyAppend ?? false
    this.fields = definition.fields
  }
}

/** Describes one message. */
export const versionedMessage = <const F extends Fields>(
  definition: VersionedMessageDefinition<F>,
): VersionedMessage<F> => new VersionedMessage(definition)

/** A decoded message: every field present. */
export type MessageOf<M extends VersionedMessage> = OutOf<M['fields']>
/** A message to encode: fields with a default may be left out. */
export type MessageInputOf<M extends VersionedMessage> = InOf<M['fields']>

const VERSION_BYTES = 2
const writer = new FrameWriter()

/** The version before a message's bytes; throws {@link WireFormatError} for fewer than 2 bytes. */
export function versionBefore(name: string, bytes: Uint8Array): number {
  if (bytes.length < VERSION_BYTES) {
    throw new WireFormatError(
      `${name}: version: ${VERSION_BYTES} bytes needed, ${bytes.length} are there`,
    )
  }
  return ((bytes[0]! << 24) >> 16) | bytes[1]!
}

/**
 * Decodes a message; bytes behind it are ignored. Views share the memory of `bytes`. `version` is the one that was
 * written, though a newer one may have been read as our highest. Throws {@link WireFormatError}.
 */
export function decodeVersioned<M extends VersionedMessage>(
  message: M,
  bytes: Uint8Array,
): { version: number; value: MessageOf<M> } {
  const version = versionBefore(message.name, bytes)
  const { max } = message.versions
  const known = message.newerOnlyAppend && version > max ? max : version
  const decode = message.decoders[known] ?? decoderFor(message, known)
  return { version, value: decode(bytes, VERSION_BYTES, bytes.length) as MessageOf<M> }
}

/** Encodes a message of this version, the version before it, in memory of its own. Throws {@link WireFormatError}. */
export function encodeVersioned<M extends VersionedMessage>(
  message: M,
  version: number,
  value: MessageInputOf<M>,
): Uint8Array {
  const encode = message.encoders[version] ?? encoderFor(message, version)
  writer.begin()
  // A frame begins with more room than this.
  writer.buf.writeInt16BE(version, writer.pos)
  writer.pos += VERSION_BYTES
  encode(value, writer)
  const frame = writer.finish()
  const { chunks, byteLength } = frame
  const joined = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, byteLength)
  const copy = new Uint8Array(joined.subarray(4))
  frame.release?.()
  return copy
}

function decoderFor(message: VersionedMessage, version: number): DecodeFunction {
  const title = titleOf(message, version)
  return (message.decoders[version] = compileDecoder(
    title,
    message.fields,
    layoutOf(message, version),
  ))
}

function encoderFor(message: VersionedMessage, version: number): EncodeFunction {
  const title = titleOf(message, version)
  return (message.encoders[version] = compileEncoder(
    title,
    message.fields,
    layoutOf(message, version),
  ))
}

const layoutOf = ({ flexibleFrom }: VersionedMessage, version: number) => ({
  version,
  flexible: flexibleFrom !== undefined && version >= flexibleFrom,
})

function titleOf({ name, versions }: VersionedMessage, version: number): string {
  const title = `${name} v${version}`
  if (!includes(versions, version)) {
    const { min, max } = versions
    throw new WireFormatError(`${title}: version not known here, only ${min} to ${max}`)
  }
  return title
}

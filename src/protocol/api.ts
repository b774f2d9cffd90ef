import type { DecodeFunction } from './compile-decoder.ts'
import type { EncodeFunction } from './compile-encoder.ts'
import type { Fields, InOf, OutOf } from './schema.ts'
import { includes, type VersionRange } from './version-range.ts'

export type Direction = 'request' | 'response'

export interface ApiDefinition<Request extends Fields, Response extends Fields> {
  readonly key: number
  readonly name: string
  /** Versions whose bodies we encode and decode. */
  readonly versions: VersionRange
  /** What ApiVersions tells clients, where it differs from `versions`. */
  readonly advertisedVersions?: VersionRange
  /** First version with compact types and tagged fields; undefined: none. */
  readonly flexibleFrom: number | undefined
  /** The response header never has tagged fields, so that a client can read it before versions are settled. */
  readonly plainResponseHeader?: true
  readonly request: Request
  readonly response: Response
}

/** One API of the protocol, with what has been compiled for it so far. */
export class Api<Request extends Fields = Fields, Response extends Fields = Fields> {
  readonly key: number
  readonly name: string
  readonly validVersions: VersionRange
  readonly advertisedVersions: VersionRange
  readonly flexibleFrom: number | undefined
  readonly plainResponseHeader: boolean
  readonly request: Request
  readonly response: Response
  /** Compiled at first use, by version: request and response, decoder and encoder. Filled by `codec.ts` alone. */
  readonly decoders: Record<Direction, (DecodeFunction | undefined)[]>
  readonly encoders: Record<Direction, (EncodeFunction | undefined)[]>

  constructor(definition: ApiDefinition<Request, Response>) {
    this.key = definition.key
    this.name = definition.name
    this.validVersions = definition.versions
    this.advertisedVersions = definition.advertisedVersions ?? definition.versions
    this.flexibleFrom = definition.flexibleFrom
    this.plainResponseHeader = definition.plainResponseHeader ?? false
    this.request = definition.request
    this.response = definition.response
    this.decoders = { request: [], response: [] }
    this.encoders = { request: [], response: [] }
  }

  isValid(version: number): boolean {
    return includes(this.validVersions, version)
  }

  isFlexible(version: number): boolean {
    return this.flexibleFrom !== undefined && version >= this.flexibleFrom
  }
}

/** Describes one API, request beside response. */
export const api = <const Request extends Fields, const Response extends Fields>(
  definition: ApiDefinition<Request, Response>,
): Api<Request, Response> => new Api(definition)

/** A decoded request: every field present. */
export type RequestOf<A extends Api> = OutOf<A['request']>
/** A decoded response: every field present. */
export type ResponseOf<A extends Api> = OutOf<A['response']>
/** A request to encode: fields with a default may be left out. */
export type RequestInputOf<A extends Api> = InOf<A['request']>
/** A response to encode: fields with a default may be left out. */
export type ResponseInputOf<A extends Api> = InOf<A['response']>

import { readdirSync, readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import type { Api, Direction } from '../../src/protocol/api.ts'
import {
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
  joinFrame,
} from '../../src/protocol/codec.ts'
import type { EncodedFrame } from '../../src/protocol/frame-writer.ts'
import type { Field, Fields } from '../../src/protocol/schema.ts'

const DIRECTORY = new URL('../fixtures/protocol/', import.meta.url)

export interface VectorCase {
  /** Direction. */
  readonly d: Direction
  /** Version. */
  readonly v: number
  readonly kind: string
  readonly value: unknown
  readonly bytes: string
  /** As `bytes`, with tagged fields that nobody knows. */
  readonly unknown?: string
}

export interface VectorFile {
  readonly key: number
  readonly lowest: number
  readonly highest: number
  readonly cases: readonly VectorCase[]
}

const fileOf = (key: number): string => `vectors-${String(key).padStart(2, '0')}.json.gz`

export const vectorFiles = (): string[] => readdirSync(DIRECTORY).filter((f) => /^vectors-/.test(f))

export function readVectors(key: number): VectorFile {
  const text = gunzipSync(readFileSync(new URL(fileOf(key), DIRECTORY))).toString()
  return JSON.parse(text) as VectorFile
}

export type MessageCase = Omit<VectorCase, 'd'>

/** As {@link readVectors}, of a message that is no API; `bytes` begin with its version. */
export function readMessageVectors(name: string): Omit<VectorFile, 'key' | 'cases'> & {
  readonly cases: readonly MessageCase[]
} {
  return JSON.parse(
    gunzipSync(readFileSync(new URL(`message-${name}.json.gz`, DIRECTORY))).toString(),
  )
}

/** The message in `body`, by our decoder. */
export function decodeBody(api: Api, direction: Direction, version: number, body: Uint8Array) {
  if (direction === 'request') return decodeRequest(api, version, body, 0)
  const plain = api.plainResponseHeader || !api.isFlexible(version)
  const header = Buffer.alloc(plain ? 4 : 5)
  return decodeResponse(api, version, Buffer.concat([header, body])).response
}

export function encodeAny(
  api: Api,
  direction: Direction,
  version: number,
  value: unknown,
): EncodedFrame {
  return direction === 'request'
    ? encodeRequest(api, version, 1, 'c', value as never)
    : encodeResponse(api, version, 1, value as never)
}

/** The body that our encoder makes of `value`. */
export function encodeBody(api: Api, direction: Direction, version: number, value: unknown) {
  const frame = joinFrame(encodeAny(api, direction, version, value))
  const tags = api.isFlexible(version) ? 1 : 0
  if (direction === 'request') return frame.subarray(4 + 11 + tags)
  return frame.subarray(4 + 4 + (api.plainResponseHeader ? 0 : tags))
}

/** A decoded message in the form that the vectors have: bytes as base64. */
export function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]))
}

/** A decoded message without the optional fields that are at their default. */
export function withoutDefaults(fields: Fields, value: unknown): unknown {
  const struct = value as Record<string, unknown>
  const kept: Record<string, unknown> = {}
  for (const [name, field] of Object.entries(fields)) {
    const inner = struct[name]
    if (field.optional && isAtDefault(field, inner)) continue
    kept[name] = pruned(field, inner)
  }
  return kept
}

function pruned(field: Field, value: unknown): unknown {
  if (value === null) return null
  if (field.kind === 'struct') return withoutDefaults(field.fields!, value)
  if (field.kind !== 'array') return value
  return (value as unknown[]).map((element) => pruned(field.element!, element))
}

function isAtDefault(field: Field, value: unknown): boolean {
  if (value === null || field.defaultValue === null) return value === field.defaultValue
  if (field.kind === 'array' || field.kind === 'bytes') return (value as unknown[]).length === 0
  if (field.kind !== 'struct') return value === field.defaultValue
  return Object.entries(field.fields!).every(([name, inner]) =>
    isAtDefault(inner, (value as Record<string, unknown>)[name]),
  )
}

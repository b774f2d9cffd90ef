/** Cuts a stream of bytes into records by `-f`, `-K` and `-D`. Holds one chunk and one unfinished record. */
import type { RecordToSend } from '../kafka-client/producer.ts'
import { FailedError, UsageError } from './failure.ts'
import { parseFormat } from './format-text.ts'

/** One record of the input may be this long. */
export const INPUT_RECORD_BYTES_MAX = 64 * 2 ** 20

/** What a piece of the input is: `skip` is read and thrown away. */
type FieldName = 'key' | 'value' | 'topic' | 'partition' | 'time'

export interface InputShape {
  /** Before the first field. */
  readonly lead: Buffer
  /** Each with the text that ends it; the last one ends the record. */
  readonly fields: readonly { readonly name: FieldName; readonly end: Buffer }[]
  /** A record without the first inner text is all value, as kcat has it. */
  readonly keyMayMiss: boolean
}

const FIELD_NAMES: Readonly<Record<string, FieldName>> = {
  k: 'key',
  v: 'value',
  s: 'value',
  t: 'topic',
  p: 'partition',
  T: 'time',
  d: 'time',
}

const LINE_END = Buffer.from('\n')

/** Lines of values, or of key, delimiter, value. */
export function shapeOfDelimiters(
  keyDelimiter: Buffer | null,
  delimiter: Buffer | null,
): InputShape {
  const value = { name: 'value', end: delimiter ?? LINE_END } as const
  const fields =
    keyDelimiter === null ? [value] : [{ name: 'key', end: keyDelimiter } as const, value]
  return { lead: Buffer.of(), fields, keyMayMiss: keyDelimiter !== null }
}

/** Throws a {@link UsageError} for fields that cannot be told apart. */
export function shapeOfFormat(format: string): InputShape {
  const parts = parseFormat(format)
  const fields: { name: FieldName; end: Buffer }[] = []
  let lead: Buffer = Buffer.of()
  for (const part of parts) {
    if (part.kind === 'text') {
      if (fields.length === 0) lead = part.bytes
      else fields.at(-1)!.end = part.bytes
      continue
    }
    const name = FIELD_NAMES[part.name]
    if (name === undefined || part.modifier !== null) {
      throw new UsageError(`-f: %${part.name} is not read; there are %k %v %t %p %T, and json`)
    }
    if (fields.at(-1)?.end.length === 0) {
      throw new UsageError(
        `-f "${format}": text between %${part.name} and what is before it is wanted`,
      )
    }
    if (fields.some((field) => field.name === name)) {
      throw new UsageError(`-f "${format}": %${part.name} is there twice`)
    }
    fields.push({ name, end: Buffer.of() })
  }
  if (fields.length === 0) throw new UsageError(`-f "${format}": has no %v or other field`)
  if (fields.at(-1)!.end.length === 0) fields.at(-1)!.end = LINE_END
  return { lead, fields, keyMayMiss: false }
}

/** Records of the stream, each as the bytes between two ends. */
export async function* cutRecords(
  chunks: AsyncIterable<Buffer>,
  end: Buffer,
): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.of()
  let searched = 0
  for await (const chunk of chunks) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let at = 0
    for (;;) {
      const found = rest.indexOf(end, Math.max(at, searched))
      if (found < 0) break
      yield rest.subarray(at, found)
      at = found + end.length
      searched = 0
    }
    rest = rest.subarray(at)
    // an end may begin in this chunk and go on in the next
    searched = Math.max(0, rest.length - end.length + 1)
    if (rest.length > INPUT_RECORD_BYTES_MAX) {
      throw new FailedError(
        `a record of the input is longer than ${INPUT_RECORD_BYTES_MAX / 2 ** 20} MB: is -D right?`,
      )
    }
  }
  if (rest.length > 0) yield rest
}

export interface InputDefaults {
  readonly topic: string | null
  readonly partition: number | null
  readonly key: Buffer | null
  readonly headers: readonly { readonly key: string; readonly value: Uint8Array | null }[]
  /** Empty keys and values are null. */
  readonly emptyIsNull: boolean
}

/** What reads one piece of input; `number` is its place, for errors. */
export type ReadRecord = (bytes: Buffer, number: number) => RecordToSend

export function readerOfShape(shape: InputShape, defaults: InputDefaults): ReadRecord {
  return (bytes, number) => {
    const fields = splitFields(bytes, shape, number)
    const blank = (field: Buffer | null) =>
      field !== null && field.length === 0 && defaults.emptyIsNull ? null : field
    const partition =
      fields.partition === undefined ? defaults.partition : intOf(fields, 'partition', number)
    return {
      topic: topicOf(fields.topic?.toString() ?? defaults.topic, number),
      ...(partition === null ? {} : { partition }),
      key: blank(fields.key ?? defaults.key),
      value: blank(fields.value ?? (fields.key === undefined ? Buffer.of() : null)),
      headers: defaults.headers,
      timestampMs: fields.time === undefined ? Date.now() : intOf(fields, 'time', number),
    }
  }
}

type Fields = { [Name in FieldName]?: Buffer }

function splitFields(bytes: Buffer, shape: InputShape, number: number): Fields {
  const fields: Fields = {}
  let at = 0
  if (shape.lead.length > 0) {
    if (!bytes.subarray(0, shape.lead.length).equals(shape.lead)) {
      throw new FailedError(`record ${number}: does not begin with ${quoted(shape.lead)}`)
    }
    at = shape.lead.length
  }
  const last = shape.fields.length - 1
  for (const [i, { name, end }] of shape.fields.entries()) {
    if (i === last) {
      fields[name] = bytes.subarray(at)
      continue
    }
    const found = bytes.indexOf(end, at)
    if (found < 0) {
      if (shape.keyMayMiss) continue
      throw new FailedError(`record ${number}: has no ${quoted(end)} after its ${name}`)
    }
    fields[name] = bytes.subarray(at, found)
    at = found + end.length
  }
  return fields
}

const quoted = (bytes: Buffer): string => JSON.stringify(bytes.toString())

function intOf(fields: Fields, name: 'partition' | 'time', number: number): number {
  const text = fields[name]!.toString()
  if (!/^\d{1,15}$/.test(text)) {
    throw new FailedError(`record ${number}: ${name} ${JSON.stringify(text)} is no whole number`)
  }
  return Number(text)
}

function topicOf(topic: string | null, number: number): string {
  if (topic === null || topic === '') throw new FailedError(`record ${number}: has no topic`)
  return topic
}

/** Reads lines as `griot consume --json` prints them; the topic and partition given win over theirs. */
export function readerOfJson(defaults: InputDefaults): ReadRecord {
  return (bytes, number) => {
    const json = objectOf(bytes, number)
    const headers = Array.isArray(json.headers) ? json.headers : []
    const timestampMs = json.timestamp
    return {
      topic: topicOf(defaults.topic ?? textOrNull(json.topic), number),
      ...(defaults.partition === null ? {} : { partition: defaults.partition }),
      key: 'key' in json ? bytesOf(json, 'key', number) : defaults.key,
      value: bytesOf(json, 'value', number),
      headers: [
        ...defaults.headers,
        ...headers.map((header: Record<string, unknown>) => ({
          key: String(header.key),
          value: bytesOf(header, 'value', number),
        })),
      ],
      timestampMs: Number.isSafeInteger(timestampMs) ? (timestampMs as number) : Date.now(),
    }
  }
}

function objectOf(bytes: Buffer, number: number): Record<string, unknown> {
  let json: unknown
  try {
    json = JSON.parse(bytes.toString())
  } catch (error) {
    throw new FailedError(`record ${number}: ${(error as Error).message}`)
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new FailedError(`record ${number}: is no JSON object`)
  }
  const { error, ...others } = json as Record<string, unknown>
  if (error !== undefined && Object.keys(others).length === 0) throw brokenOff(error, number)
  return json as Record<string, unknown>
}

/** The last line of `griot consume --json` when it failed: no record. */
function brokenOff(error: unknown, number: number): FailedError {
  const { message } = Object(error) as { readonly message?: unknown }
  return new FailedError(`record ${number}: the input ends with an error: ${String(message)}`)
}

const textOrNull = (value: unknown): string | null => (typeof value === 'string' ? value : null)

/** Text, base64 where the field's `Encoding` says so; other JSON is kept as JSON. */
function bytesOf(json: Record<string, unknown>, name: string, number: number): Buffer | null {
  const value = json[name]
  if (value === null || value === undefined) return null
  const encoding = json[`${name}Encoding`]
  if (typeof value !== 'string') return Buffer.from(JSON.stringify(value))
  if (encoding === undefined) return Buffer.from(value)
  if (encoding !== 'base64') {
    throw new FailedError(
      `record ${number}: ${name}Encoding is ${JSON.stringify(encoding)}, not base64`,
    )
  }
  return Buffer.from(value, 'base64')
}

/** How `griot consume` prints a record: by a format of kcat's and rpk's tokens, or as a line of JSON. */
import { isUtf8 } from 'node:buffer'
import type { ConsumedRecord } from '../kafka-client/batches.ts'
import { nearest } from '../server/nearest.ts'
import { type FormatPart, parseFormat } from './format-text.ts'
import type { OutputBuffer } from './output-buffer.ts'

export type PrintRecord = (record: ConsumedRecord, out: OutputBuffer) => void

export interface PrintOptions {
  /** What stands for a key or value that is null; nothing by default. */
  readonly nullText?: string
}

type Field = (record: ConsumedRecord, out: OutputBuffer, nullText: string) => void

const lengthOf = (bytes: Uint8Array | null): number => bytes?.length ?? -1

/** Fields without a modifier. %T is kcat's time, not rpk's length of the topic. */
const FIELDS: Readonly<Record<string, Field>> = {
  t: ({ topic }, out) => out.text(topic),
  p: ({ partition }, out) => out.text(String(partition)),
  o: ({ offset }, out) => out.text(String(offset)),
  k: ({ key }, out, nullText) => printBytes(key, out, nullText),
  v: ({ value }, out, nullText) => printBytes(value, out, nullText),
  s: ({ value }, out, nullText) => printBytes(value, out, nullText),
  K: ({ key }, out) => out.text(String(lengthOf(key))),
  V: ({ value }, out) => out.text(String(lengthOf(value))),
  S: ({ value }, out) => out.text(String(lengthOf(value))),
  R: ({ value }, out) => {
    const size = Buffer.alloc(4)
    size.writeInt32BE(lengthOf(value))
    out.bytes(size)
  },
  h: printHeaders,
  H: ({ headers }, out) => out.text(String(headers.length)),
  T: ({ timestampMs }, out) => out.text(String(timestampMs)),
  d: ({ timestampMs }, out) => out.text(String(timestampMs)),
  e: ({ leaderEpoch }, out) => out.text(String(leaderEpoch)),
}

const ENCODINGS: Readonly<Record<string, BufferEncoding>> = { hex: 'hex', base64: 'base64' }

function printBytes(bytes: Uint8Array | null, out: OutputBuffer, nullText: string): void {
  if (bytes === null) out.text(nullText)
  else out.bytes(bytes)
}

function printHeaders({ headers }: ConsumedRecord, out: OutputBuffer, nullText: string): void {
  for (const [i, { key, value }] of headers.entries()) {
    out.text(`${i === 0 ? '' : ','}${key}=`)
    printBytes(value, out, nullText === '' ? 'NULL' : nullText)
  }
}

/** Throws a RangeError that names the token which is none. */
export function compileFormat(format: string, { nullText = '' }: PrintOptions = {}): PrintRecord {
  const printers = parseFormat(format).map((part) => printerOf(part))
  return (record, out) => {
    for (const print of printers) print(record, out, nullText)
  }
}

function printerOf(part: FormatPart): Field {
  if (part.kind === 'text') return (_, out) => out.bytes(part.bytes)
  const { name, modifier } = part
  const field = FIELDS[name]
  if (field === undefined) {
    const known = Object.keys(FIELDS).map((letter) => `%${letter}`)
    throw new RangeError(`-f: there is no %${name}, there are ${known.join(' ')} and %%`)
  }
  if (modifier === null) return field
  const encoding = ENCODINGS[modifier]
  if ('kvs'.includes(name) && encoding !== undefined) {
    return (record, out, nullText) => {
      const bytes = name === 'k' ? record.key : record.value
      out.text(bytes === null ? nullText : bufferOf(bytes).toString(encoding))
    }
  }
  if ('Td'.includes(name) && modifier === 'iso') {
    return ({ timestampMs }, out) => out.text(isoTime(timestampMs))
  }
  if ('Td'.includes(name) && modifier === 's') {
    return ({ timestampMs }, out) => out.text(String(Math.floor(timestampMs / 1_000)))
  }
  const wanted = 'kvs'.includes(name) ? '{hex} or {base64}' : '{iso} or {s}'
  const may = 'kvsTd'.includes(name) ? `%${name} takes ${wanted}` : `%${name} takes no braces`
  throw new RangeError(`-f: %${name}{${modifier}}: ${may}`)
}

const isoTime = (timestampMs: number): string => {
  const date = new Date(timestampMs)
  return Number.isNaN(date.getTime()) ? String(timestampMs) : date.toISOString()
}

const bufferOf = (bytes: Uint8Array): Buffer =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** Text as it is; bytes that are none as base64, and then `Encoding` says so. */
function jsonText(bytes: Uint8Array | null): { text: string | null; isBase64: boolean } {
  if (bytes === null) return { text: null, isBase64: false }
  const isBase64 = !isUtf8(bytes)
  return { text: bufferOf(bytes).toString(isBase64 ? 'base64' : 'utf8'), isBase64 }
}

/** One object a record, names as in rpk; `metaOnly` leaves keys, values and headers out. */
export function jsonOf(record: ConsumedRecord, metaOnly = false): object {
  const { topic, partition, offset, timestampMs, timestampType } = record
  const place = { topic, partition, offset, timestamp: timestampMs, timestampType }
  if (metaOnly) {
    return { ...place, keyBytes: lengthOf(record.key), valueBytes: lengthOf(record.value) }
  }
  return {
    ...place,
    ...jsonField('key', record.key),
    ...jsonField('value', record.value),
    headers: record.headers.map(({ key, value }) => ({ key, ...jsonField('value', value) })),
  }
}

function jsonField(name: string, bytes: Uint8Array | null): object {
  const { text, isBase64 } = jsonText(bytes)
  return { [name]: text, ...(isBase64 ? { [`${name}Encoding`]: 'base64' } : {}) }
}

export const printJson =
  (metaOnly: boolean): PrintRecord =>
  (record, out) =>
    out.text(`${JSON.stringify(jsonOf(record, metaOnly))}\n`)

/** Formats that have a name of their own. */
export function printerFor(format: string, options: PrintOptions & { metaOnly?: boolean }) {
  if (format === 'json') return printJson(options.metaOnly ?? false)
  if (!format.includes('%') && nearest(format, ['json']) !== null) {
    throw new RangeError(`-f: "${format}" has no %; did you mean json?`)
  }
  return compileFormat(format, options)
}

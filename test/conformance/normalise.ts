/** An answer as text by path, with all that must differ between two engines (ids, times, addresses) replaced by words. */
import { ErrorCode } from '../../src/base/error-code.ts'
import type { Field, Fields } from '../../src/protocol/schema.ts'
import { describeRecords } from './describe-records.ts'

/** What one engine calls things, so that two can be compared. */
export interface Names {
  /** Learns that a topic has this id. */
  readonly learnTopic: (id: string, name: string) => void
  /** The word for a value of its own: the same word for the same thing on both sides. */
  readonly topicId: (id: string) => string
  readonly producerId: (id: number) => string
  readonly sessionId: (id: number) => string
  readonly clusterId: (id: string) => string
  readonly host: (host: string) => string
  readonly port: (port: number) => string
  /** Free text, with every id and address in it replaced. */
  readonly text: (text: string) => string
  /** The same word each time for one random id, such as those at the end of member ids. */
  readonly uuid: (uuid: string) => string
  readonly nowMs: () => number
}

/** Path → value as text. */
export type Flat = ReadonlyMap<string, string>

/** What tells the elements of an array apart: the first of these that says something. */
const LABEL_FIELDS = [
  ...['resourceName', 'groupId', 'topicName', 'topic', 'name', 'topicId', 'key', 'configName'],
  'principal',
  ...['partitionIndex', 'partition', 'index', 'apiKey', 'brokerId', 'nodeId', 'memberId'],
  ...['producerId', 'batchIndex', 'transactionalId'],
]

const errorNames = new Map(Object.entries(ErrorCode).map(([name, code]) => [code as number, name]))
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g
const JAVA_UUID = /(?<![\w-])[\w-]{22}(?![\w-])/g
const NOW_WITHIN_MS = 600_000
const TIMES_WITHIN_MS = 3 * 86_400_000

/** `response` as paths and texts. Elements of arrays are named by what tells them apart, and sorted by it. */
export function flatten(fields: Fields, response: object, names: Names): Flat {
  const flat = new Map<string, string>()
  learn(fields, response, names)
  putFields(flat, '', fields, response as Row, names)
  return flat
}

type Row = Readonly<Record<string, unknown>>

/** Learns topic ids before anything is named by them. */
function learn(fields: Fields, row: object, names: Names): void {
  const values = row as Row
  const name = values.name ?? values.topicName ?? values.topic
  if (typeof values.topicId === 'string' && typeof name === 'string' && name !== '') {
    names.learnTopic(values.topicId, name)
  }
  for (const [key, field] of Object.entries(fields)) {
    const value = values[key]
    if (field.kind === 'array' && field.element?.fields !== undefined && Array.isArray(value)) {
      for (const one of value) learn(field.element.fields, one, names)
    }
  }
}

function putFields(
  flat: Map<string, string>,
  prefix: string,
  fields: Fields,
  row: Row,
  names: Names,
): void {
  const hasHost = Object.values(fields).some((field) => field.entity === 'brokerHost')
  for (const [name, field] of Object.entries(fields)) {
    const path = prefix === '' ? name : `${prefix}.${name}`
    const value = row[name]
    if (hasHost && name === 'port') flat.set(path, names.port(value as number))
    else put(flat, path, name, field, value, names)
  }
}

function put(
  flat: Map<string, string>,
  path: string,
  name: string,
  field: Field,
  value: unknown,
  names: Names,
): void {
  if (value === null || value === undefined) flat.set(path, 'null')
  else if (field.kind === 'struct') putFields(flat, path, field.fields!, value as Row, names)
  else if (field.kind === 'array') putArray(flat, path, name, field, value as unknown[], names)
  else flat.set(path, scalar(name, field, value, names))
}

function putArray(
  flat: Map<string, string>,
  path: string,
  name: string,
  field: Field,
  values: readonly unknown[],
  names: Names,
): void {
  const element = field.element!
  if (element.fields === undefined) {
    flat.set(path, `[${values.map((one) => scalar(name, element, one, names)).join(', ')}]`)
    return
  }
  const { fields } = element
  const inners = values.map((one) => {
    const inner = new Map<string, string>()
    putFields(inner, '', fields, one as Row, names)
    return inner
  })
  const isNamed = inners.some((inner) => labelOf(inner) !== '')
  const rows = inners.map((inner) => ({
    label: labelOf(inner) || (isNamed ? 'nameless' : ''),
    inner,
  }))
  // What has no name is told apart by its place; of two with one name, by what they say.
  const sortKey = ({ label, inner }: (typeof rows)[number]) => label + JSON.stringify([...inner])
  if (isNamed) rows.sort((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1))
  const seen = new Map<string, number>()
  rows.forEach(({ label, inner }, i) => {
    const times = (seen.get(label) ?? 0) + 1
    seen.set(label, times)
    const key = label === '' ? String(i) : times === 1 ? label : `${label}#${times}`
    for (const [rest, text] of inner) flat.set(`${path}[${key}].${rest}`, text)
  })
  flat.set(path, `${values.length} of them`)
}

function labelOf(inner: Flat): string {
  const found = LABEL_FIELDS.map((name) => inner.get(name)).find(
    (text) => text !== undefined && text !== '""' && text !== 'null' && text !== 'zero-id',
  )
  const type = inner.get('resourceType')
  const label = `${type === undefined ? '' : `${type} `}${found ?? ''}`.replaceAll('"', '')
  return label.length > 40 ? `${label.slice(0, 20)}…` : label
}

function scalar(name: string, field: Field, value: unknown, names: Names): string {
  switch (field.kind) {
    case 'records':
      return describeRecords(value as Uint8Array)
    case 'bytes':
      return JSON.stringify(Buffer.from(value as Uint8Array).toString('latin1'))
    case 'string':
      return text(field, value as string, names)
    case 'uuid':
      return names.topicId(value as string)
    case 'int16':
      return /errorCode$/i.test(name) ? errorName(value as number) : String(value)
    case 'int64':
      return int64(field, value as number, names)
    case 'int32':
      return field.entity === 'fetchSessionId' ? names.sessionId(value as number) : String(value)
    default:
      return String(value)
  }
}

const errorName = (code: number): string => `${code} ${errorNames.get(code) ?? '?'}`

function int64(field: Field, value: number, names: Names): string {
  if (field.entity === 'producerId') return names.producerId(value)
  if (Math.abs(value - names.nowMs()) < NOW_WITHIN_MS) return '<now>'
  return String(value)
}

function text(field: Field, value: string, names: Names): string {
  if (field.entity === 'clusterId') return names.clusterId(value)
  if (field.entity === 'brokerHost') return names.host(value)
  return JSON.stringify(maskTimes(maskIds(names.text(value), names.uuid), names.nowMs()))
}

/** Moments around now, in milliseconds, inside texts. */
export const maskTimes = (value: string, nowMs: number): string =>
  value.replace(/\b\d{13}\b/g, (digits) =>
    Math.abs(Number(digits) - nowMs) < TIMES_WITHIN_MS ? '<time>' : digits,
  )

/** Random ids inside names and texts: member ids end with a UUID, texts name topic ids in Kafka's short form. */
export const maskIds = (value: string, word: (uuid: string) => string): string =>
  value
    .replace(UUID, word)
    .replace(JAVA_UUID, (id) => (/[A-Z]/.test(id) && /[a-z]/.test(id) ? '<id>' : id))

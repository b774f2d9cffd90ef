/** Requests derived from a good one: each field in turn set to each value that might be treated in a way of its own. */
import type { Field, Fields } from '../../src/protocol/schema.ts'
import { includes } from '../../src/protocol/version-range.ts'
import { badBatches } from './batches.ts'

export interface Mutation {
  /** `topics[0].name = null`. */
  readonly step: string
  readonly request: object
}

type Row = Readonly<Record<string, unknown>>
type Value = readonly [label: string, value: unknown]

const INTEGERS: Readonly<Record<string, readonly number[]>> = {
  int8: [-128, -2, -1, 0, 1, 2, 3, 5, 127],
  int16: [-32_768, -2, -1, 0, 1, 2, 99, 32_767],
  uint16: [0, 1, 65_535],
  int32: [-(2 ** 31), -2, -1, 0, 1, 99, 2 ** 31 - 1],
  uint32: [0, 1, 2 ** 32 - 1],
  int64: [-(2 ** 63), -6, -2, -1, 0, 1, 99, 2 ** 53, 2 ** 63],
  float64: [-1, 0, 1.5],
}

const LONG = 'x'.repeat(250)

/**
 * All mutations of `base` that `version` can carry. `unknown` is a name that nothing has; fields whose path (`topics[].name`)
 * is in `leave` stay as they are.
 */
export function mutations(
  fields: Fields,
  version: number,
  base: object,
  unknown: string,
  leave: ReadonlySet<string> = new Set(),
): Mutation[] {
  const found: Mutation[] = []
  walk(fields, base as Row, '', (request) => request)
  return found

  function walk(inside: Fields, row: Row, prefix: string, rebuild: (changed: Row) => object): void {
    for (const [name, field] of Object.entries(inside)) {
      if (!includes(field.versions, version)) continue
      const path = prefix + name
      if (leave.has(path.replaceAll('[0]', '[]'))) continue
      const value = row[name] === undefined ? field.defaultValue : row[name]
      const withValue = (changed: unknown) => rebuild({ ...row, [name]: changed })
      for (const [label, other] of valuesOf(field, version, value, unknown)) {
        if (!Object.is(other, value)) {
          found.push({ step: `${path} = ${label}`, request: withValue(other) })
        }
      }
      descend(field, value, path, withValue)
    }
  }

  function descend(
    field: Field,
    value: unknown,
    path: string,
    withValue: (changed: unknown) => object,
  ): void {
    if (field.kind === 'struct' && value !== null && value !== undefined) {
      walk(field.fields!, value as Row, `${path}.`, withValue)
    }
    const { element } = field
    if (element === undefined || !Array.isArray(value) || value.length === 0) return
    const [first, ...rest] = value as unknown[]
    const withFirst = (changed: unknown) => withValue([changed, ...rest])
    if (element.fields !== undefined) walk(element.fields, first as Row, `${path}[0].`, withFirst)
    else {
      for (const [label, other] of valuesOf(element, version, first, unknown)) {
        if (other !== first) {
          found.push({ step: `${path}[0] = ${label}`, request: withFirst(other) })
        }
      }
    }
  }
}

function valuesOf(field: Field, version: number, value: unknown, unknown: string): Value[] {
  const values: Value[] = []
  if (includes(field.nullable, version)) values.push(['null', null])
  switch (field.kind) {
    case 'bool':
      return [[String(!value), !value]]
    case 'string':
      return [...values, ...stringsFor(field, unknown)]
    case 'uuid':
      return [
        ['zero', '0'.repeat(32)],
        ['an unknown id', 'e'.repeat(32)],
      ]
    case 'bytes':
      return [...values, ['empty', new Uint8Array(0)], ['noise', Uint8Array.of(1, 2, 3)]]
    case 'records':
      return Object.entries(badBatches).map(([label, make]) => [label, make()])
    case 'array':
      return [...values, ...arraysFor(value)]
    case 'struct':
      return values
    default:
      return INTEGERS[field.kind]!.map((one) => [String(one), one])
  }
}

function stringsFor(field: Field, unknown: string): Value[] {
  const values: Value[] = [
    ['empty', ''],
    ['an unknown name', unknown],
    ['250 letters', LONG],
    ['a bad name', 'a bad/name ü'],
  ]
  if (field.entity === 'topicName') {
    values.push(['.', '.'], ['__consumer_offsets', '__consumer_offsets'])
  }
  return values
}

function arraysFor(value: unknown): Value[] {
  const values: Value[] = [['[]', []]]
  if (Array.isArray(value) && value.length > 0)
    values.push(['twice the first', [value[0], ...value]])
  return values
}

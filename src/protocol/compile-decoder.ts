import { DecodeContext, type Run } from './decode-context.ts'
import type { Field, Fields } from './schema.ts'
import { decodeName, decodeUtf8 } from './string-cache.ts'
import { decodeUuid } from './uuid-bytes.ts'
import { includes } from './version-range.ts'
import {
  ARRAY_ELEMENTS_MAX,
  FIXED_SIZE,
  type Layout,
  lengthSize,
  minimumSize,
  plainFields,
  STRING_BYTES_MAX,
  TAGGED_FIELDS_MAX,
  taggedFields,
} from './wire-layout.ts'

/** Decodes the message in `frame[start, end)`; what follows the message is ignored, as Kafka does. */
export interface DecodeFunction {
  (frame: Uint8Array, start: number, end: number): unknown
  /** Knows of the message that was decoded last. */
  readonly context: DecodeContext
}

/**
 * Makes the decoder of one version of one message; `title` begins its error messages, `elementsMax` bounds all its arrays
 * together.
 */
export function compileDecoder(
  title: string,
  fields: Fields,
  layout: Layout,
  elementsMax = Number.POSITIVE_INFINITY,
): DecodeFunction {
  const compiler = new DecoderCompiler(layout, elementsMax)
  const result = compiler.struct(fields, '')
  const source = `'use strict'
return function decode(b, p, end) {
const view = b.buffer, viewStart = b.byteOffset
let n = 0, x = 0, elements = 0
${compiler.lines.join('\n')}
c.elementCount = elements
return ${result}
}`
  const context = new DecodeContext(title, compiler.paths, compiler.runs)
  const decode = new Function('c', 'text', 'name', 'uuid', source)(
    context,
    decodeUtf8,
    decodeName,
    decodeUuid,
  ) as (frame: Uint8Array, start: number, end: number) => unknown
  return Object.assign(decode, { context })
}

/** Source of the byte at `p + offset`. */
const byte = (offset: number): string => (offset === 0 ? 'b[p]' : `b[p + ${offset}]`)
const int16At = (at: number): string => `(${byte(at)} << 24 >> 16 | ${byte(at + 1)})`
const int32At = (at: number): string =>
  `(${byte(at)} << 24 | ${byte(at + 1)} << 16 | ${byte(at + 2)} << 8 | ${byte(at + 3)})`

/** Source that reads a value of fixed size at `p + offset`. */
function fixedAt(field: Field, offset: number): string {
  switch (field.kind) {
    case 'bool':
      return `${byte(offset)} !== 0`
    case 'int8':
      return `${byte(offset)} << 24 >> 24`
    case 'int16':
      return int16At(offset)
    case 'uint16':
      return `(${byte(offset)} << 8 | ${byte(offset + 1)})`
    case 'int32':
      return int32At(offset)
    case 'uint32':
      return `${int32At(offset)} >>> 0`
    case 'int64':
      return `${int32At(offset)} * 4294967296 + (${int32At(offset + 4)} >>> 0)`
    case 'float64':
      return `c.float64(b, p + ${offset})`
    default:
      return `uuid(b, p + ${offset})`
  }
}

/** Source of a field's default; arrays and structs are made anew, since callers may keep and change them. */
export function defaultSource(field: Field): string {
  if (field.defaultValue === null) return 'null'
  switch (field.kind) {
    case 'array':
      return '[]'
    case 'bytes':
      return 'new Uint8Array(0)'
    case 'struct': {
      const inner = Object.entries(field.fields!)
      return `{ ${inner.map(([name, f]) => `${name}: ${defaultSource(f)}`).join(', ')} }`
    }
    default:
      return JSON.stringify(field.defaultValue)
  }
}

class DecoderCompiler {
  readonly lines: string[] = []
  readonly paths: string[] = []
  readonly runs: Run[] = []
  readonly #layout: Layout
  readonly #elementsMax: number
  #variables = 0

  constructor(layout: Layout, elementsMax: number) {
    this.#layout = layout
    this.#elementsMax = elementsMax
  }

  /** Emits the reading of a struct; returns the source of its object, every field present, in schema order. */
  struct(fields: Fields, path: string): string {
    const values = new Map<string, string>()
    const plain = plainFields(fields, this.#layout)
    for (let next = 0; next < plain.length; ) next = this.#run(plain, next, path, values)
    if (this.#layout.flexible) this.#taggedSection(fields, path, values)
    const inner = Object.entries(fields).map(([name, field]) => {
      return `${name}: ${values.get(name) ?? defaultSource(field)}`
    })
    return `{ ${inner.join(', ')} }`
  }

  /** Emits fields from `first` up to and including one of variable size: one check for all; returns the next. */
  #run(
    plain: readonly [string, Field][],
    first: number,
    path: string,
    values: Map<string, string>,
  ): number {
    const run: [number, number][] = []
    let last = first
    for (; last < plain.length; last++) {
      const [name, field] = plain[last]!
      run.push([this.#path(path + name), this.#headSize(field)])
      if (!this.#isFixed(field)) break
    }
    this.#check(run)
    let offset = 0
    for (let at = first; at < plain.length && at <= last; at++) {
      const [name, field] = plain[at]!
      const variable = this.#variable()
      values.set(name, variable)
      if (this.#isFixed(field)) {
        this.lines.push(`const ${variable} = ${fixedAt(field, offset)}`)
        offset += FIXED_SIZE[field.kind]!
        continue
      }
      if (offset > 0) this.lines.push(`p += ${offset}`)
      this.#variableSized(field, variable, path + name)
      return at + 1
    }
    if (offset > 0) this.lines.push(`p += ${offset}`)
    return last
  }

  #isFixed(field: Field): boolean {
    return FIXED_SIZE[field.kind] !== undefined
  }

  /** Bytes to check for before the field can be begun. */
  #headSize(field: Field): number {
    const fixed = FIXED_SIZE[field.kind]
    if (fixed !== undefined) return fixed
    if (field.kind === 'struct') return this.#isNullable(field) ? 1 : 0
    return lengthSize(field.kind, this.#layout)
  }

  #isNullable(field: Field): boolean {
    return includes(field.nullable, this.#layout.version)
  }

  #check(run: Run): void {
    const size = run.reduce((sum, [, bytes]) => sum + bytes, 0)
    if (size === 0) return
    this.runs.push(run)
    this.lines.push(`if (end - p < ${size}) c.short(${this.runs.length - 1}, p, end)`)
  }

  #path(path: string): number {
    const known = this.paths.indexOf(path)
    return known >= 0 ? known : this.paths.push(path) - 1
  }

  #variable(): string {
    return `v${this.#variables++}`
  }

  /** Emits `let variable` and the reading of a value whose head has been checked for already. */
  #variableSized(field: Field, variable: string, path: string): void {
    this.lines.push(`let ${variable} = null`)
    if (field.kind === 'struct') {
      this.#structValue(field, variable, path)
      return
    }
    const id = this.#path(path)
    this.#length(field, id)
    const rest: string[] = []
    if (field.kind === 'string') {
      const decode = field.entity === undefined ? 'text' : 'name'
      rest.push(
        `if (n > end - p || n > ${STRING_BYTES_MAX}) c.string(${id}, n, end - p)`,
        `${variable} = ${decode}(b, p, n)`,
        'p += n',
      )
    } else if (field.kind !== 'array') {
      rest.push(
        `if (n > end - p) c.bytes(${id}, n, end - p)`,
        `${variable} = new Uint8Array(view, viewStart + p, n)`,
        'p += n',
      )
    }
    this.lines.push('if (n >= 0) {', ...rest)
    if (field.kind === 'array') this.#arrayValue(field, variable, path, id)
    const otherwise = this.#isNullable(field) ? 'else if (n !== -1)' : 'else'
    this.lines.push(`} ${otherwise} c.negative(${id}, n)`)
  }

  /** Emits `n = ` the length at `p`, −1 for null. */
  #length(field: Field, id: number): void {
    if (this.#layout.flexible) {
      this.#uvarint('n', id)
      this.lines.push('n--')
    } else if (field.kind === 'string') {
      this.lines.push(`n = ${int16At(0)}`, 'p += 2')
    } else {
      this.lines.push(`n = ${int32At(0)}`, 'p += 4')
    }
  }

  /** Emits `variable = ` the varint at `p`, whose first byte is known to be there. */
  #uvarint(variable: string, id: number): void {
    this.lines.push(
      `${variable} = b[p++]`,
      `if (${variable} > 127) { ${variable} = c.uvarint(b, p, end, ${variable}, ${id}); p = c.pos }`,
    )
  }

  #arrayValue(field: Field, variable: string, path: string, id: number): void {
    const element = field.element!
    const size = Math.max(1, minimumSize(element, this.#layout))
    const count = `${variable}n`
    this.lines.push(
      `if (n > ${ARRAY_ELEMENTS_MAX} || n * ${size} > end - p) c.count(${id}, n, ${size}, end - p)`,
      `if ((elements += n) > ${this.#elementsMax}) c.elements(${id}, elements, ${this.#elementsMax})`,
      // most have one element, for which a push would make room for seventeen
      `if (n === 0) ${variable} = []`,
      `for (let ${count} = n; ${count} > 0; ${count}--) {`,
    )
    const value = this.#value(element, `${path}[]`)
    const made = this.#variable()
    this.lines.push(
      `const ${made} = ${value}`,
      `if (${variable} === null) ${variable} = [${made}]`,
      `else ${variable}.push(${made})`,
      '}',
    )
  }

  #structValue(field: Field, variable: string, path: string): void {
    if (this.#isNullable(field)) this.lines.push('x = b[p++]', 'if (x < 128) {')
    else this.lines.push('{')
    const value = this.struct(field.fields!, `${path}.`)
    this.lines.push(`${variable} = ${value}`, '}')
  }

  /** Emits the reading of one value on its own; returns its source. */
  #value(field: Field, path: string): string {
    if (field.kind === 'struct' && !this.#isNullable(field)) {
      return this.struct(field.fields!, `${path}.`)
    }
    this.#check([[this.#path(path), this.#headSize(field)]])
    const variable = this.#variable()
    if (this.#isFixed(field)) {
      this.lines.push(`const ${variable} = ${fixedAt(field, 0)}`, `p += ${FIXED_SIZE[field.kind]!}`)
    } else {
      this.#variableSized(field, variable, path)
    }
    return variable
  }

  #taggedSection(fields: Fields, path: string, values: Map<string, string>): void {
    const tagged = taggedFields(fields, this.#layout)
    for (const [name, field] of tagged) {
      const variable = this.#variable()
      values.set(name, variable)
      this.lines.push(`let ${variable} = ${defaultSource(field)}`)
    }
    const id = this.#path(`${path}tagged section`)
    this.#check([[id, 1]])
    this.#uvarint('n', id)
    if (tagged.length === 0) this.lines.push(`if (n > 0) p = c.skipTags(b, p, end, n, ${id})`)
    else this.#knownTags(tagged, path, id, values)
  }

  #knownTags(
    tagged: readonly [string, Field][],
    path: string,
    id: number,
    values: ReadonlyMap<string, string>,
  ): void {
    const count = this.#variable()
    const stop = this.#variable()
    this.lines.push(
      'if (n > 0) {',
      `if (n > ${TAGGED_FIELDS_MAX}) c.tags(${id}, n)`,
      `for (let ${count} = n; ${count} > 0; ${count}--) {`,
    )
    this.#check([[id, 2]])
    this.#uvarint('x', id)
    this.#check([[id, 1]])
    this.#uvarint('n', id)
    this.lines.push(
      `if (n > end - p) c.bytes(${id}, n, end - p)`,
      `const ${stop} = p + n`,
      'switch (x) {',
    )
    for (const [name, field] of tagged) {
      const inner = this.#path(path + name)
      this.lines.push(`case ${field.tag}: {`, `const start = p`)
      const value = this.#value(field, path + name)
      this.lines.push(
        `if (p !== ${stop}) c.tagSize(${inner}, ${stop} - start, p - start)`,
        `${values.get(name)!} = ${value}`,
        'break',
        '}',
      )
    }
    this.lines.push(`default: p = ${stop}`, '}', '}', '}')
  }
}

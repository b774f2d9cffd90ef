import { EncodeContext, putFloat64, putInt64 } from './encode-context.ts'
import { byteLengthOf, type FrameWriter, putUvarint } from './frame-writer.ts'
import type { Field, Fields } from './schema.ts'
import { encodeUuid } from './uuid-bytes.ts'
import { includes } from './version-range.ts'
import {
  absentFields,
  FIXED_SIZE,
  type Layout,
  MESSAGE_CHARS_MAX,
  plainFields,
  STRING_BYTES_MAX,
  taggedFields,
} from './wire-layout.ts'

/** Appends the message to the writer's frame. */
export type EncodeFunction = (value: unknown, writer: FrameWriter) => void

/** Makes the encoder of one version of one message; `title` begins its error messages. */
export function compileEncoder(title: string, fields: Fields, layout: Layout): EncodeFunction {
  const compiler = new EncoderCompiler(layout)
  compiler.struct(fields, 'value', '')
  const source = `'use strict'
const none = []
return function encode(value, w) {
let b = w.buf, p = w.pos, n = 0
${compiler.lines.join('\n')}
w.pos = p
}`
  const context = new EncodeContext(title, compiler.paths)
  return new Function('c', 'uvarint', 'int64', 'float64', 'uuid', 'byteLengthOf', source)(
    context,
    putUvarint,
    putInt64,
    putFloat64,
    encodeUuid,
    byteLengthOf,
  ) as EncodeFunction
}

/** Source of the condition that `value` is the field's default, as Kafka's generated classes tell it. */
function isDefault(field: Field, value: string, layout: Layout): string {
  if (field.defaultValue === null) return `${value} === null`
  const notNull = includes(field.nullable, layout.version) ? `${value} !== null && ` : ''
  switch (field.kind) {
    case 'array':
    case 'bytes':
      return `${notNull}${value}.length === 0`
    case 'struct': {
      const inner = Object.entries(field.fields!).map(([name, f]) => {
        return `(${value}.${name} === undefined || ${isDefault(f, `${value}.${name}`, layout)})`
      })
      return notNull + inner.join(' && ')
    }
    default:
      return `${value} === ${JSON.stringify(field.defaultValue)}`
  }
}

/** Source of what an omitted field is encoded as; shared, since an encoder changes nothing. */
function fallback(field: Field): string {
  if (field.defaultValue === null) return 'null'
  switch (field.kind) {
    case 'array':
    case 'bytes':
      return 'none'
    case 'struct':
      return '{}'
    default:
      return JSON.stringify(field.defaultValue)
  }
}

class EncoderCompiler {
  readonly lines: string[] = []
  readonly paths: string[] = []
  readonly #layout: Layout
  #variables = 0
  #tagDepth = 0

  constructor(layout: Layout) {
    this.#layout = layout
  }

  /** Emits the writing of the struct in the variable `from`. */
  struct(fields: Fields, from: string, path: string): void {
    for (const [name, field] of absentFields(fields, this.#layout)) {
      if (field.ignorable) continue
      const value = `${from}.${name}`
      const same = isDefault(field, value, this.#layout)
      this.lines.push(
        `if (${value} !== undefined && !(${same})) c.unsupported(${this.#path(path + name)})`,
      )
    }
    const plain = plainFields(fields, this.#layout)
    for (let next = 0; next < plain.length; ) next = this.#run(plain, next, from, path)
    if (this.#layout.flexible) this.#taggedSection(fields, from, path)
  }

  /** Emits a run of fields of fixed size with one check for room, or one field of another kind; returns the next. */
  #run(plain: readonly [string, Field][], first: number, from: string, path: string): number {
    const [name, field] = plain[first]!
    if (FIXED_SIZE[field.kind] === undefined) {
      this.#variableSized(field, this.#read(field, `${from}.${name}`), path + name)
      return first + 1
    }
    let next = first
    let size = 0
    for (; next < plain.length; next++) {
      const fixed = FIXED_SIZE[plain[next]![1].kind]
      if (fixed === undefined) break
      size += fixed
    }
    this.#room(`${size}`)
    let offset = 0
    for (const [name, field] of plain.slice(first, next)) {
      this.#fixed(field, this.#read(field, `${from}.${name}`), offset, path + name)
      offset += FIXED_SIZE[field.kind]!
    }
    this.lines.push(`p += ${size}`)
    return next
  }

  /** Emits reading a property into a variable, with its default if it may be left out; returns the variable. */
  #read(field: Field, source: string): string {
    const variable = this.#variable()
    if (field.optional) {
      this.lines.push(
        `let ${variable} = ${source}`,
        `if (${variable} === undefined) ${variable} = ${fallback(field)}`,
      )
    } else {
      this.lines.push(`const ${variable} = ${source}`)
    }
    return variable
  }

  #variable(): string {
    return `v${this.#variables++}`
  }

  #path(path: string): number {
    const known = this.paths.indexOf(path)
    return known >= 0 ? known : this.paths.push(path) - 1
  }

  #room(size: string): void {
    // where a tagged field's size goes must stay within reach
    const grow = this.#tagDepth === 0 ? 'grow' : 'growWhole'
    this.lines.push(
      `if (p + ${size} > b.length) { w.pos = p; w.${grow}(${size}); b = w.buf; p = w.pos }`,
    )
  }

  /** Emits a value of fixed size at `p + offset`, where there is room. */
  #fixed(field: Field, value: string, offset: number, path: string): void {
    const at = (i: number): string => `b[p + ${offset + i}]`
    switch (field.kind) {
      case 'bool':
        this.lines.push(`${at(0)} = ${value} ? 1 : 0`)
        break
      case 'int8':
        this.lines.push(`${at(0)} = ${value}`)
        break
      case 'int16':
      case 'uint16':
        this.lines.push(`${at(0)} = ${value} >>> 8; ${at(1)} = ${value}`)
        break
      case 'int32':
      case 'uint32':
        this.lines.push(
          `${at(0)} = ${value} >>> 24; ${at(1)} = ${value} >>> 16`,
          `${at(2)} = ${value} >>> 8; ${at(3)} = ${value}`,
        )
        break
      case 'int64':
        this.lines.push(`int64(b, p + ${offset}, ${value})`)
        break
      case 'float64':
        this.lines.push(`float64(b, p + ${offset}, ${value})`)
        break
      default:
        this.lines.push(`if (!uuid(b, p + ${offset}, ${value})) c.badUuid(${this.#path(path)})`)
    }
  }

  #variableSized(field: Field, value: string, path: string): void {
    const nullable = includes(field.nullable, this.#layout.version)
    if (field.kind === 'struct' && !nullable) {
      this.lines.push(`if (${value} == null) c.missing(${this.#path(path)})`, '{')
      this.struct(field.fields!, value, `${path}.`)
      this.lines.push('}')
      return
    }
    this.lines.push(`if (${value} == null) {`)
    if (nullable) this.#null(field)
    else this.lines.push(`c.missing(${this.#path(path)})`)
    this.lines.push('} else {')
    if (field.kind === 'string') this.#string(field, value, path)
    else if (field.kind === 'array') this.#array(field, value, path)
    else if (field.kind === 'struct') this.#nullableStruct(field, value, path)
    else this.#bytes(field, value)
    this.lines.push('}')
  }

  #null(field: Field): void {
    this.#room('4')
    if (field.kind === 'struct') this.lines.push('b[p++] = 255')
    else if (this.#layout.flexible) this.lines.push('b[p++] = 0')
    else for (let i = field.kind === 'string' ? 2 : 4; i > 0; i--) this.lines.push('b[p++] = 255')
  }

  #string(field: Field, text: string, path: string): void {
    const id = this.#path(path)
    let value = text
    if (field.entity === 'errorMessage') {
      // What a client sent may be quoted in it: a text that is cut off is better than no answer.
      value = this.#variable()
      const cut = `${text}.length > ${MESSAGE_CHARS_MAX} ? c.message(${text}) : ${text}`
      this.lines.push(`const ${value} = ${cut}`)
    }
    const method = this.#layout.flexible ? 'compactString' : 'classicString'
    this.lines.push(
      `n = ${value}.length * 3 + 5`,
      `if (${value}.length > ${STRING_BYTES_MAX}) c.tooLong(${id}, ${value}.length)`,
    )
    this.#room('n')
    this.lines.push(`p = c.${method}(b, p, ${value}, ${id})`)
  }

  /** Emits the length or count `n`. */
  #length(): void {
    this.#room('5')
    if (this.#layout.flexible) {
      this.lines.push('if (n < 127) b[p++] = n + 1; else p = uvarint(b, p, n + 1)')
    } else {
      this.lines.push(
        'b[p] = n >>> 24; b[p + 1] = n >>> 16; b[p + 2] = n >>> 8; b[p + 3] = n',
        'p += 4',
      )
    }
  }

  #bytes(field: Field, value: string): void {
    this.lines.push(`n = byteLengthOf(${value})`)
    this.#length()
    const method = field.kind === 'records' && this.#tagDepth === 0 ? 'splice' : 'copy'
    this.lines.push(`w.pos = p; w.${method}(${value}); b = w.buf; p = w.pos`)
  }

  #array(field: Field, value: string, path: string): void {
    const element = field.element!
    const index = this.#variable()
    const item = this.#variable()
    this.lines.push(`n = ${value}.length`)
    this.#length()
    this.lines.push(
      `for (let ${index} = 0; ${index} < ${value}.length; ${index}++) {`,
      `const ${item} = ${value}[${index}]`,
    )
    this.#value(element, item, `${path}[]`)
    this.lines.push('}')
  }

  #nullableStruct(field: Field, value: string, path: string): void {
    this.#room('1')
    this.lines.push('b[p++] = 1')
    this.struct(field.fields!, value, `${path}.`)
  }

  #value(field: Field, value: string, path: string): void {
    const size = FIXED_SIZE[field.kind]
    if (size === undefined) {
      this.#variableSized(field, value, path)
      return
    }
    this.#room(`${size}`)
    this.#fixed(field, value, 0, path)
    this.lines.push(`p += ${size}`)
  }

  #taggedSection(fields: Fields, from: string, path: string): void {
    const tagged = taggedFields(fields, this.#layout)
    this.#room('5')
    if (tagged.length === 0) {
      this.lines.push('b[p++] = 0')
      return
    }
    const written = tagged.map(([name, field]) => {
      const value = this.#read(field, `${from}.${name}`)
      const flag = this.#variable()
      this.lines.push(`const ${flag} = !(${isDefault(field, value, this.#layout)})`)
      return { name, field, value, flag }
    })
    this.lines.push(`p = uvarint(b, p, ${written.map(({ flag }) => `+${flag}`).join(' + ')})`)
    for (const { name, field, value, flag } of written) {
      const start = this.#variable()
      this.lines.push(`if (${flag}) {`)
      this.#room('10')
      this.lines.push(`p = uvarint(b, p, ${field.tag})`, `const ${start} = p++ - w.start`)
      this.#tagDepth++
      this.#value(field, value, path + name)
      this.#tagDepth--
      this.lines.push(`w.pos = p; w.closeTag(${start}); b = w.buf; p = w.pos`, '}')
    }
  }
}

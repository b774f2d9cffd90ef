import type { TopicId } from '../base/ids.ts'
import { ZERO_TOPIC_ID } from '../base/ids.ts'
import type { Entity } from './entity.ts'
import { always, never, type VersionRange } from './version-range.ts'

/**
 * The vocabulary in which messages are described. A schema is data: the codec is compiled from it, the
 * TypeScript types are inferred from it, and tests and tenant scoping walk it.
 */

export type NumberKind = 'int8' | 'int16' | 'uint16' | 'int32' | 'uint32' | 'int64' | 'float64'
export type Kind =
  | NumberKind
  | 'bool'
  | 'string'
  | 'uuid'
  | 'bytes'
  | 'records'
  | 'array'
  | 'struct'

export interface FieldOptions<Value> {
  /** Versions that carry the field; all of them if left out. */
  readonly versions?: VersionRange
  /** Versions in which null is allowed. */
  readonly nullable?: VersionRange
  /** The field's number in the tagged section of a flexible version. */
  readonly tagged?: number
  /** What a decoder fills in where the field is absent. Naming it makes the field optional to encode. */
  readonly default?: Value | null
  /** A value that the version cannot carry is dropped silently; otherwise encoding it fails. */
  readonly ignorable?: true
  readonly entity?: Entity
}

/** One field, read by the compiler and by {@link walkFields}. The type arguments exist for inference only. */
export class Field<Out = unknown, In = unknown, Optional extends boolean = boolean> {
  declare readonly out: Out
  declare readonly in: In
  declare readonly isOptional: Optional
  readonly kind: Kind
  readonly versions: VersionRange
  readonly nullable: VersionRange
  /** −1: not tagged. */
  readonly tag: number
  readonly defaultValue: unknown
  readonly optional: boolean
  readonly ignorable: boolean
  readonly entity: Entity | undefined
  /** Of an array. */
  readonly element: Field | undefined
  /** Of a struct. */
  readonly fields: Fields | undefined

  constructor(
    kind: Kind,
    zero: unknown,
    options: FieldOptions<unknown> = {},
    inner: { readonly element?: Field; readonly fields?: Fields } = {},
  ) {
    this.kind = kind
    this.versions = options.versions ?? always
    this.nullable = options.nullable ?? never
    this.tag = options.tagged ?? -1
    this.defaultValue = options.default === undefined ? zero : options.default
    this.optional = options.default !== undefined || options.tagged !== undefined
    this.ignorable = options.ignorable ?? false
    this.entity = options.entity
    this.element = inner.element
    this.fields = inner.fields
  }
}

/** The fields of a struct, in wire order. */
export type Fields = { readonly [name: string]: Field }

type Nullable<Value, Options> = Options extends { readonly nullable: VersionRange }
  ? Value | null
  : Value
type IsOptional<Options> = Options extends { readonly default: unknown }
  ? true
  : Options extends { readonly tagged: number }
    ? true
    : false
type NoOthers<Options> = {
  readonly [K in Exclude<keyof Options, keyof FieldOptions<unknown>>]: never
}
type NoOptions = Record<never, never>

type NumberOptions = Omit<FieldOptions<number>, 'nullable'>
const numeric =
  (kind: NumberKind) =>
  <const O extends NumberOptions = NoOptions>(
    options?: O & NoOthers<O>,
  ): Field<number, number, IsOptional<O>> =>
    new Field(kind, 0, options)

export const int8 = numeric('int8')
export const int16 = numeric('int16')
export const uint16 = numeric('uint16')
export const int32 = numeric('int32')
export const uint32 = numeric('uint32')
/** A number: exact within ±2^53, beyond that the nearest double. */
export const int64 = numeric('int64')
export const float64 = numeric('float64')

/** Long.MAX_VALUE as the double that it decodes to; the encoder saturates it back. */
export const INT64_MAX = 2 ** 63
export const INT32_MIN = -(2 ** 31)
export const INT32_MAX = 2 ** 31 - 1

export const bool = <const O extends Omit<FieldOptions<boolean>, 'nullable'> = NoOptions>(
  options?: O & NoOthers<O>,
): Field<boolean, boolean, IsOptional<O>> => new Field('bool', false, options)

export const string = <const O extends FieldOptions<string> = NoOptions>(
  options?: O & NoOthers<O>,
): Field<Nullable<string, O>, Nullable<string, O>, IsOptional<O>> =>
  new Field('string', '', options)

type UuidValue<O> = O extends { readonly entity: 'topicId' } ? TopicId : string
/** 32 lower-case hex digits; all zero means none. */
export const uuid = <const O extends Omit<FieldOptions<string>, 'nullable'> = NoOptions>(
  options?: O & NoOthers<O>,
): Field<UuidValue<O>, UuidValue<O>, IsOptional<O>> => new Field('uuid', ZERO_TOPIC_ID, options)

/** Decoded as a view of the frame. */
export const bytes = <const O extends FieldOptions<Uint8Array> = NoOptions>(
  options?: O & NoOthers<O>,
): Field<Nullable<Uint8Array, O>, Nullable<Uint8Array, O>, IsOptional<O>> =>
  new Field('bytes', new Uint8Array(0), options)

type RecordsInput = Uint8Array | readonly Uint8Array[]
/** Record batches: decoded as a view of the frame, encoded from one view or several in a row. */
export const records = <const O extends Omit<FieldOptions<null>, 'default'> = NoOptions>(
  options?: O & NoOthers<O>,
): Field<Nullable<Uint8Array, O>, Nullable<RecordsInput, O>, IsOptional<O>> =>
  new Field('records', null, options)

type ElementField<E extends Field | Fields> = E extends Field
  ? E
  : E extends Fields
    ? Field<OutOf<E>, InOf<E>, false>
    : never
type ArrayOut<E extends Field | Fields> = ElementField<E>['out'][]
type ArrayIn<E extends Field | Fields> = readonly ElementField<E>['in'][]

/** An array of a scalar field, or of the struct with these fields. */
export const array = <
  const E extends Field | Fields,
  const O extends FieldOptions<null> = NoOptions,
>(
  element: E,
  options?: O & NoOthers<O>,
): Field<Nullable<ArrayOut<E>, O>, Nullable<ArrayIn<E>, O>, IsOptional<O>> =>
  new Field('array', [], options, {
    element:
      element instanceof Field ? element : new Field('struct', undefined, {}, { fields: element }),
  })

/** A struct; where it is absent, one with every field at its default, unless the default is null. */
export const struct = <const F extends Fields, const O extends FieldOptions<null> = NoOptions>(
  fields: F,
  options?: O & NoOthers<O>,
): Field<Nullable<OutOf<F>, O>, Nullable<InOf<F>, O>, IsOptional<O>> =>
  new Field('struct', undefined, options, { fields })

type OptionalNames<F extends Fields> = {
  [K in keyof F]: F[K]['isOptional'] extends true ? K : never
}[keyof F]

/** What a decoder makes of these fields: every field present, in schema order. */
export type OutOf<F extends Fields> = { -readonly [K in keyof F]: F[K]['out'] }

/** What an encoder takes: fields with a default of their own, and tagged ones, may be left out. */
export type InOf<F extends Fields> = {
  readonly [K in Exclude<keyof F, OptionalNames<F>>]: F[K]['in']
} & { readonly [K in OptionalNames<F>]?: F[K]['in'] | undefined }

/** Called for a field at `path` (`topics[].name`); an element of an array comes after the array itself. */
export type FieldVisitor = (path: string, name: string, field: Field) => void

/** Visits every field below `fields`, parents first, in wire order. */
export function walkFields(fields: Fields, visit: FieldVisitor, prefix = ''): void {
  for (const [name, field] of Object.entries(fields)) walkField(prefix + name, name, field, visit)
}

function walkField(path: string, name: string, field: Field, visit: FieldVisitor): void {
  visit(path, name, field)
  if (field.element !== undefined) walkField(`${path}[]`, name, field.element, visit)
  if (field.fields !== undefined) walkFields(field.fields, visit, `${path}.`)
}

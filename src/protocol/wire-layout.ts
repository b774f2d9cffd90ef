import type { Field, Fields, Kind } from './schema.ts'
import { includes } from './version-range.ts'

/*
 * The encodings, as both compilers see them. Integers are big-endian.
 *
 *              classic                            compact (flexible versions)
 *   string     int16 length | UTF-8               uvarint length + 1 | UTF-8
 *   bytes      int32 length | bytes               uvarint length + 1 | bytes
 *   array      int32 count | elements             uvarint count + 1 | elements
 *   null       length −1                          0
 *   struct     fields                             fields, tagged section
 *   nullable struct: int8 −1 (null) or 1, then the struct; in both encodings
 *   tagged section: uvarint count | { uvarint tag | uvarint size | value } …, tags rising
 */

/** Kafka 4.4's decoder refuses more, whatever the frame holds. */
export const ARRAY_ELEMENTS_MAX = 1_000_000
/** All arrays of a request together: Kafka has no such limit, but one request may not cost everybody seconds and gigabytes. */
export const REQUEST_ELEMENTS_MAX = 250_000
export const TAGGED_FIELDS_MAX = 10_000
export const STRING_BYTES_MAX = 32_767
/** UTF-16 units of an error message that would not fit into a string otherwise. */
export const MESSAGE_CHARS_MAX = 10_000

/** Bytes of what is always the same size; undefined for the rest. */
export const FIXED_SIZE: { readonly [K in Kind]?: number } = {
  bool: 1,
  int8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  float64: 8,
  uuid: 16,
}

/** One version of one message, as a compiler works through it. */
export interface Layout {
  readonly version: number
  readonly flexible: boolean
}

export const isPresent = (field: Field, layout: Layout): boolean =>
  includes(field.versions, layout.version)

export const isTagged = (field: Field): boolean => field.tag >= 0

/** Fields in the plain part of this version's struct, in wire order. */
export const plainFields = (fields: Fields, layout: Layout): [string, Field][] =>
  Object.entries(fields).filter(([, field]) => isPresent(field, layout) && !isTagged(field))

/** Fields in the tagged section of this version's struct, by rising tag. */
export const taggedFields = (fields: Fields, layout: Layout): [string, Field][] =>
  Object.entries(fields)
    .filter(([, field]) => layout.flexible && isPresent(field, layout) && isTagged(field))
    .sort(([, a], [, b]) => a.tag - b.tag)

/** Fields that this version's struct has no place for. */
export const absentFields = (fields: Fields, layout: Layout): [string, Field][] =>
  Object.entries(fields).filter(
    ([, field]) => !isPresent(field, layout) || (isTagged(field) && !layout.flexible),
  )

/** Bytes that a value takes at least, before anything of variable length has been read. */
export function minimumSize(field: Field, layout: Layout): number {
  const fixed = FIXED_SIZE[field.kind]
  if (fixed !== undefined) return fixed
  if (field.kind !== 'struct') return lengthSize(field.kind, layout)
  if (includes(field.nullable, layout.version)) return 1
  const plain = plainFields(field.fields!, layout)
  return plain.reduce((sum, [, f]) => sum + minimumSize(f, layout), layout.flexible ? 1 : 0)
}

/** Bytes of a length before a value of variable size: of a uvarint the first. */
export function lengthSize(kind: Kind, layout: Layout): number {
  if (layout.flexible) return 1
  return kind === 'string' ? 2 : 4
}

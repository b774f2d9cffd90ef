/** Requests that name only what they are about; the rest is the schema's default. */
import type { Api, RequestInputOf } from '../../src/protocol/api.ts'
import type { Fields } from '../../src/protocol/schema.ts'

/** Every field may be left out, at every depth; ids need no brand. */
export type Loose<T> = T extends Uint8Array
  ? T
  : T extends string
    ? string
    : T extends readonly (infer E)[]
      ? readonly Loose<E>[]
      : T extends object
        ? { readonly [K in keyof T]?: Loose<T[K]> | undefined }
        : T

export type LooseRequest<A extends Api> = Loose<RequestInputOf<A>>

type Row = Readonly<Record<string, unknown>>

/** `row` with every field that it does not name at its default. */
export function withDefaults(fields: Fields, row: Row): object {
  const full: Record<string, unknown> = {}
  for (const [name, field] of Object.entries(fields)) {
    const value = row[name] === undefined ? field.defaultValue : row[name]
    const inner = field.element?.fields
    if (field.kind === 'array' && inner !== undefined && Array.isArray(value)) {
      full[name] = value.map((one) => withDefaults(inner, one))
    } else if (field.kind === 'struct' && value !== null) {
      // A struct that is left out stays out: its own encoder knows what that means.
      full[name] = value === undefined ? undefined : withDefaults(field.fields!, value as Row)
    } else full[name] = value
  }
  return full
}

/** JSON Schema (2020-12), as much of it as the admin API needs: what OpenAPI tells and what requests are checked by is the same. */

export type JsonType = 'object' | 'array' | 'string' | 'integer' | 'boolean' | 'null'

export interface JsonSchema {
  readonly $ref?: string
  readonly description?: string
  readonly type?: JsonType | readonly JsonType[]
  readonly enum?: readonly string[]
  readonly format?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly default?: string | number | boolean
  readonly items?: JsonSchema
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: false
}

const SHOWN_MAX = 100

/** What is wrong with `value`, with the name of its field in front, or null; `at` is its own name, '' for a whole body. */
export function faultOf(schema: JsonSchema, value: unknown, at: string): string | null {
  if (!isOfType(schema, value)) return `${at || 'the body'}: ${refusal(schema, value)}`
  if (Array.isArray(value)) return faultOfItems(schema, value, at)
  if (typeof value === 'object' && value !== null) return faultOfFields(schema, value, at)
  return null
}

function faultOfItems({ items }: JsonSchema, value: readonly unknown[], at: string): string | null {
  for (const [index, item] of value.entries()) {
    const fault = faultOf(items ?? {}, item, `${at}[${index}]`)
    if (fault !== null) return fault
  }
  return null
}

function faultOfFields(schema: JsonSchema, value: object, at: string): string | null {
  const { properties = {}, required = [] } = schema
  const nameOf = (name: string) => (at === '' ? name : `${at}.${name}`)
  for (const [name, field] of Object.entries(value)) {
    if (!Object.hasOwn(properties, name)) {
      const known = Object.keys(properties).join(', ')
      return `${nameOf(shown(name))}: there is no such field; there is ${known}`
    }
    const fault = faultOf(properties[name]!, field, nameOf(name))
    if (fault !== null) return fault
  }
  const missing = required.find((name) => !Object.hasOwn(value, name))
  if (missing === undefined) return null
  return `${nameOf(missing)}: is missing, it wants ${wish(properties[missing]!)}`
}

function isOfType({ type, enum: values, minimum, maximum }: JsonSchema, value: unknown): boolean {
  if (type === undefined) return true
  const types: readonly JsonType[] = typeof type === 'string' ? [type] : type
  if (!types.some((one) => IS[one](value))) return false
  if (values !== undefined) return values.includes(value as string)
  if (typeof value !== 'number') return true
  return value >= (minimum ?? value) && value <= (maximum ?? value)
}

const IS: Readonly<Record<JsonType, (value: unknown) => boolean>> = {
  object: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  array: (value) => Array.isArray(value),
  string: (value) => typeof value === 'string',
  integer: (value) => Number.isSafeInteger(value),
  boolean: (value) => typeof value === 'boolean',
  null: (value) => value === null,
}

const refusal = (schema: JsonSchema, value: unknown): string =>
  `${shown(JSON.stringify(value) ?? 'nothing')} is refused, it wants ${wish(schema)}`

const shown = (text: string): string =>
  text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text

/** In words. */
function wish({ type = [], enum: values, minimum, maximum, items }: JsonSchema): string {
  if (values !== undefined) return values.map((value) => JSON.stringify(value)).join(' or ')
  const types: readonly JsonType[] = typeof type === 'string' ? [type] : type
  const words: Readonly<Record<JsonType, string>> = {
    object: 'an object',
    array: items === undefined ? 'a list' : `a list, each of it ${wish(items)}`,
    string: 'a string',
    integer:
      minimum === undefined ? 'a whole number' : `a whole number from ${minimum} to ${maximum}`,
    boolean: 'true or false',
    null: 'null',
  }
  return types.map((one) => words[one]).join(', or ')
}

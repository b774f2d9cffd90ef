/** What a configuration is: type, default, limits; and Kafka's way of parsing and refusing values. */

/** Kafka's ConfigDef types with their numbers in DescribeConfigs (v3+). */
export const ConfigType = {
  UNKNOWN: 0,
  BOOLEAN: 1,
  STRING: 2,
  INT: 3,
  SHORT: 4,
  LONG: 5,
  DOUBLE: 6,
  LIST: 7,
  CLASS: 8,
  PASSWORD: 9,
} as const
export type ConfigType = keyof typeof ConfigType

/** Where a value comes from, with Kafka's numbers in DescribeConfigs (v1+). */
export const ConfigSource = {
  UNKNOWN: 0,
  TOPIC: 1,
  DYNAMIC_BROKER: 2,
  DYNAMIC_DEFAULT_BROKER: 3,
  STATIC_BROKER: 4,
  DEFAULT: 5,
  DYNAMIC_BROKER_LOGGER: 6,
  CLIENT_METRICS: 7,
  GROUP: 8,
} as const

/** The broker config that sets a topic config's default; its value times `factor` is the topic's. */
export interface ConfigSynonym {
  readonly name: string
  readonly factor: number
}

export interface ConfigDefinition {
  readonly name: string
  readonly type: ConfigType
  /** As DescribeConfigs prints it; null where Kafka has none. */
  readonly default: string | null
  readonly documentation: string
  /** Numbers only, inclusive. */
  readonly min?: number
  readonly max?: number
  /** Allowed beside min … max. */
  readonly or?: number
  /** Strings, and the elements of lists. */
  readonly values?: readonly string[]
  /** Kafka's throttled-replica lists: `*`, or partition:broker pairs. */
  readonly throttledReplicas?: boolean
  /** Kafka's share.auto.offset.reset: earliest, latest, or by_duration: and an ISO 8601 duration. */
  readonly offsetReset?: boolean
  /** Broker configs that give a topic config its default, the strongest first. */
  readonly synonyms?: readonly ConfigSynonym[]
  /** Cannot be changed while running. */
  readonly readOnly?: boolean
  /** Accepted but never listed. */
  readonly hidden?: boolean
}

export interface DescribedSynonym {
  readonly name: string
  readonly value: string | null
  readonly source: number
}

/** One config as DescribeConfigs answers it. */
export interface DescribedConfig {
  readonly name: string
  readonly value: string | null
  readonly source: number
  readonly readOnly: boolean
  readonly sensitive: boolean
  readonly synonyms: readonly DescribedSynonym[]
  /** Of {@link ConfigType}. */
  readonly type: number
  readonly documentation: string | null
}

export type ParsedValue = number | boolean | string | readonly string[]

const INTEGER_BITS: Partial<Record<ConfigType, bigint>> = { SHORT: 16n, INT: 32n, LONG: 64n }

/** Why a value is refused; `shown` is the value as Kafka's message has it, where that is not as it was given. */
interface Refused {
  readonly reason: string
  readonly shown?: string
}

/** The value, or Kafka's reason for refusing it. Long values beyond 2^53 − 1 are cut to that. */
export function parseConfigValue(
  definition: ConfigDefinition,
  raw: string,
): { readonly value: ParsedValue } | Refused {
  const text = raw.trim()
  switch (definition.type) {
    case 'BOOLEAN': {
      const lower = text.toLowerCase()
      if (lower === 'true' || lower === 'false') return { value: lower === 'true' }
      return { reason: 'Expected value to be either true or false' }
    }
    case 'SHORT':
    case 'INT':
    case 'LONG':
    case 'DOUBLE':
      return parseNumber(definition, text)
    case 'LIST': {
      const list = text === '' ? [] : [...new Set(text.split(/\s*,\s*/))]
      const bad = definition.values ? list.find((one) => !definition.values?.includes(one)) : null
      if (bad !== null && bad !== undefined) return { reason: oneOf(definition), shown: bad }
      if (definition.throttledReplicas && !isThrottledReplicas(list)) {
        return {
          reason: `${definition.name} must be the literal '*' or a list of replicas in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],...`,
          shown: `[${list.join(', ')}]`,
        }
      }
      return { value: list }
    }
    default:
      if (definition.values && !definition.values.includes(text)) {
        return { reason: oneOf(definition), shown: text }
      }
      if (definition.offsetReset && !isOffsetReset(text)) {
        return {
          reason: `Invalid value \`${text}\` for configuration ${definition.name}. The value must be either 'earliest', 'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'.`,
        }
      }
      return { value: text }
  }
}

/** Null when `value` may be set, else a message that names config, value and limit. */
export function refuseConfigValue(definition: ConfigDefinition, value: string): string | null {
  const parsed = parseConfigValue(definition, value)
  if (!('reason' in parsed)) return null
  return `Invalid value ${parsed.shown ?? value} for configuration ${definition.name}: ${parsed.reason}`
}

/** `raw` as DescribeConfigs prints it: trimmed, booleans in lower case, lists without blanks or repetition. */
export function printConfigValue(definition: ConfigDefinition, raw: string): string {
  const parsed = parseConfigValue(definition, raw)
  if ('reason' in parsed) return raw
  if (typeof parsed.value === 'boolean') return String(parsed.value)
  if (typeof parsed.value === 'object') return parsed.value.join(',')
  if (definition.type in INTEGER_BITS) return BigInt(raw.trim().replace(/^\+/, '')).toString()
  return typeof parsed.value === 'number' ? printDouble(parsed.value) : parsed.value
}

/** As Java prints a double of ordinary size. */
const printDouble = (n: number): string => (Number.isInteger(n) ? n.toFixed(1) : String(n))

function parseNumber(
  definition: ConfigDefinition,
  text: string,
): { readonly value: number } | Refused {
  const value = definition.type === 'DOUBLE' ? parseDouble(text) : parseInteger(definition, text)
  if (value === null) return { reason: `Not a number of type ${definition.type}` }
  const { min, max, or } = definition
  if (or !== undefined && value === or) return { value }
  const isLow = min !== undefined && value < min
  const isHigh = max !== undefined && value > max
  if (!isLow && !isHigh) return { value }
  const shown =
    definition.type === 'DOUBLE' ? printDouble(value) : BigInt(text.replace(/^\+/, '')).toString()
  if (or !== undefined) {
    return { reason: `Value must be between ${min} and ${max} or equal to ${or}`, shown }
  }
  const reason = isLow ? `Value must be at least ${min}` : `Value must be no more than ${max}`
  return { reason, shown }
}

function parseInteger(definition: ConfigDefinition, text: string): number | null {
  if (!/^[+-]?\d{1,20}$/.test(text)) return null
  const exact = BigInt(text.replace(/^\+/, ''))
  const bits = INTEGER_BITS[definition.type] ?? 64n
  const limit = 1n << (bits - 1n)
  if (exact < -limit || exact >= limit) return null
  const value = Number(exact)
  return Math.max(-Number.MAX_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, value))
}

function parseDouble(text: string): number | null {
  if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) return null
  return Number(text)
}

const oneOf = (definition: ConfigDefinition): string =>
  `String must be one of: ${definition.values?.join(', ')}`

/** Java's Duration.parse, without a sign. */
const DURATION =
  /^by_duration:P(?=\d|T\d)(?:\d+D)?(?:T(?=\d)(?:\d+H)?(?:\d+M)?(?:\d+(?:[.,]\d{0,9})?S)?)?$/i

const isOffsetReset = (text: string): boolean =>
  text === 'earliest' || text === 'latest' || DURATION.test(text)

const isThrottledReplicas = (list: readonly string[]): boolean =>
  (list.length === 1 && list[0] === '*') || list.every((one) => /^\d+:\d+$/.test(one))

/** The broker configs that DescribeConfigs reports, and the values that the engine was started with. */
import { BROKER_CONFIG_DEFINITIONS } from './broker-config-defs.ts'
import {
  type ConfigDefinition,
  ConfigSource,
  ConfigType,
  type DescribedConfig,
  printConfigValue,
  refuseConfigValue,
} from './config-def.ts'
import type { ConfigValues } from './topic-config.ts'
import { TOPIC_CONFIG_DEFINITIONS } from './topic-config-defs.ts'

const definitions = new Map(BROKER_CONFIG_DEFINITIONS.map((one) => [one.name, one]))
const sorted = [...BROKER_CONFIG_DEFINITIONS].sort((a, b) => (a.name < b.name ? -1 : 1))

/** The definition of a broker config by Kafka's name. */
export const brokerConfigDefinition = (name: string): ConfigDefinition | undefined =>
  definitions.get(name)

/** Null when the engine may start with `name` = `value`, else a message that names config, value and limit. */
export function validateBrokerConfig(name: string, value: string): string | null {
  const definition = definitions.get(name)
  if (definition === undefined) return `Unknown broker config name: ${name}`
  return refuseConfigValue(definition, value)
}

/** Broker configs that an engine heeds when it is started with them, besides those that its own options stand for. */
const HEEDED: ReadonlySet<string> = new Set([
  ...TOPIC_CONFIG_DEFINITIONS.flatMap(({ synonyms }) => (synonyms ?? []).map(({ name }) => name)),
  'group.initial.rebalance.delay.ms',
  'group.max.session.timeout.ms',
  'group.max.size',
  'group.min.session.timeout.ms',
  'offset.metadata.max.bytes',
  'offsets.retention.check.interval.ms',
  'offsets.retention.minutes',
  'offsets.topic.num.partitions',
  'offsets.topic.segment.bytes',
])

/** Names that may be given at the start, sorted. */
export const heededBrokerConfigs = (): readonly string[] => [...HEEDED].sort()

/** The value in force as text, null where there is none. */
export const brokerConfigValue = (name: string, values: ConfigValues): string | null =>
  values[name] ?? definitions.get(name)?.default ?? null

/** As {@link brokerConfigValue} for a config that is a whole number. */
export const brokerConfigNumber = (name: string, values: ConfigValues): number =>
  Number(brokerConfigValue(name, values))

/** All broker configs in name order; `values` are what the engine was started with (listeners, ids, options). */
export function describeBrokerConfigs(values: ConfigValues): DescribedConfig[] {
  return sorted.map((definition) => {
    const { name } = definition
    const own = values[name]
    const synonyms = []
    if (own !== undefined) {
      const value = printConfigValue(definition, own)
      synonyms.push({ name, value, source: ConfigSource.STATIC_BROKER })
    }
    if (definition.default !== null) {
      synonyms.push({ name, value: definition.default, source: ConfigSource.DEFAULT })
    }
    const sensitive = definition.type === 'PASSWORD'
    return {
      name,
      value: sensitive ? null : (synonyms[0]?.value ?? null),
      source: synonyms[0]?.source ?? ConfigSource.DEFAULT,
      readOnly: definition.readOnly === true,
      sensitive,
      synonyms: sensitive ? [] : synonyms,
      type: ConfigType[definition.type],
      documentation: definition.documentation,
    }
  })
}

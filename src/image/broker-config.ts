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

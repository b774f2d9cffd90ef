/** The configs of groups (Kafka 4.3.1's GroupConfig): validated, and described as DescribeConfigs answers them. */
import {
  type ConfigDefinition,
  ConfigSource,
  ConfigType,
  type DescribedConfig,
  parseConfigValue,
  printConfigValue,
  refuseConfigValue,
} from './config-def.ts'
import { type BrokerConfigLayers, brokerSynonyms } from './config-layers.ts'
import { GROUP_CONFIG_DEFINITIONS, type GroupConfigDefinition } from './group-config-defs.ts'
import type { ConfigValues } from './topic-config.ts'

const definitions = new Map(GROUP_CONFIG_DEFINITIONS.map((one) => [one.name, one]))

export const groupConfigDefinition = (name: string): ConfigDefinition | undefined =>
  definitions.get(name)

/** Null when a group may have `configs`, else Kafka's reason. */
export function validateGroupConfigs(configs: ConfigValues): string | null {
  for (const name of Object.keys(configs)) {
    if (!definitions.has(name)) return `Unknown group config name: ${name}`
  }
  for (const definition of GROUP_CONFIG_DEFINITIONS) {
    const value = configs[definition.name]
    const reason = value === undefined ? null : refuseConfigValue(definition, value)
    if (reason !== null) return reason
  }
  for (const definition of GROUP_CONFIG_DEFINITIONS) {
    const reason = refuseBounds(definition, configs)
    if (reason !== null) return reason
  }
  for (const protocol of ['consumer', 'share', 'streams']) {
    const timeout = `${protocol}.session.timeout.ms`
    const interval = `${protocol}.heartbeat.interval.ms`
    if (numberOf(timeout, configs) <= numberOf(interval, configs)) {
      return `${timeout} must be greater than ${interval}`
    }
  }
  return null
}

/** All configs of a group in name order: its own, else what the broker gives. */
export function describeGroupConfigs(
  configs: ConfigValues,
  layers: BrokerConfigLayers,
): DescribedConfig[] {
  return GROUP_CONFIG_DEFINITIONS.map((definition) => {
    const { name, broker } = definition
    const own = configs[name]
    const given = broker === null ? [] : brokerSynonyms(broker, layers)
    const synonyms = given.length > 0 ? given : [defaultOf(definition)]
    if (own !== undefined) {
      const value = printConfigValue(definition, own)
      synonyms.unshift({ name, value, source: ConfigSource.GROUP })
    }
    return {
      name,
      value: synonyms[0]?.value ?? definition.default,
      source: synonyms[0]?.source ?? ConfigSource.DEFAULT,
      readOnly: false,
      sensitive: false,
      synonyms,
      type: ConfigType[definition.type],
      documentation: definition.documentation,
    }
  })
}

const defaultOf = (definition: GroupConfigDefinition) => ({
  name: definition.broker ?? definition.name,
  value: definition.default,
  source: ConfigSource.DEFAULT as number,
})

function refuseBounds(definition: GroupConfigDefinition, configs: ConfigValues): string | null {
  const { name, atLeast, atMost } = definition
  const value = numberOf(name, configs)
  if (atLeast !== undefined && value < atLeast[0]) {
    return `${name} must be greater than or equal to ${atLeast[1]}`
  }
  if (atMost !== undefined && value > atMost[0]) {
    return `${name} must be less than or equal to ${atMost[1]}`
  }
  return null
}

function numberOf(name: string, configs: ConfigValues): number {
  const definition = definitions.get(name)!
  const parsed = parseConfigValue(definition, configs[name] ?? definition.default)
  return 'value' in parsed ? Number(parsed.value) : Number.NaN
}

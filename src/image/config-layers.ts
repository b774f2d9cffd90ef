/** Where a broker config's value comes from, strongest first: set for one broker, set for all brokers, given at the start, default. */
import { BROKER_CONFIG_DEFINITIONS } from './broker-config-defs.ts'
import { ConfigSource, type DescribedSynonym, printConfigValue } from './config-def.ts'
import type { ConfigValues } from './topic-config.ts'

export interface BrokerConfigLayers {
  /** Set for this broker. */
  readonly broker: ConfigValues
  /** Set for all brokers. */
  readonly defaults: ConfigValues
  /** What the engine was started with. */
  readonly fixed: ConfigValues
}

const NONE: ConfigValues = Object.freeze({})
const definitions = new Map(BROKER_CONFIG_DEFINITIONS.map((one) => [one.name, one]))

/** Nothing was set while running. */
export const fixedLayers = (fixed: ConfigValues): BrokerConfigLayers => ({
  broker: NONE,
  defaults: NONE,
  fixed,
})

/** The values in force, by name. */
export const valuesInForce = ({ broker, defaults, fixed }: BrokerConfigLayers): ConfigValues => ({
  ...fixed,
  ...defaults,
  ...broker,
})

/** Names that say the same thing, the strongest first. */
const SAME = [
  ['log.roll.ms', 'log.roll.hours'],
  ['log.roll.jitter.ms', 'log.roll.jitter.hours'],
  ['log.retention.ms', 'log.retention.minutes', 'log.retention.hours'],
]

function namesOf(name: string): readonly string[] {
  if (name === 'log.flush.interval.ms') return [name, 'log.flush.scheduler.interval.ms']
  return SAME.find((names) => names.includes(name)) ?? [name]
}

/** What `name` may take its value from, the strongest first; as Kafka, none at all before the first of its own name. */
export function brokerSynonyms(name: string, layers: BrokerConfigLayers): DescribedSynonym[] {
  const names = namesOf(name)
  const all: DescribedSynonym[] = []
  const add = (values: ConfigValues, source: number) => {
    for (const one of names) {
      // own ones: a client may have named it `constructor`
      const raw = Object.hasOwn(values, one) ? values[one] : undefined
      if (raw !== undefined) all.push({ name: one, value: shown(one, raw), source })
    }
  }
  add(layers.broker, ConfigSource.DYNAMIC_BROKER)
  add(layers.defaults, ConfigSource.DYNAMIC_DEFAULT_BROKER)
  add(layers.fixed, ConfigSource.STATIC_BROKER)
  for (const one of names) {
    const value = definitions.get(one)?.default ?? null
    if (value !== null) all.push({ name: one, value, source: ConfigSource.DEFAULT })
  }
  const first = all.findIndex((one) => one.name === name)
  return first < 0 ? [] : all.slice(first)
}

/** As it may be told: what is not known may be a secret. */
function shown(name: string, raw: string): string | null {
  const definition = definitions.get(name)
  if (definition === undefined || definition.type === 'PASSWORD') return null
  return printConfigValue(definition, raw)
}

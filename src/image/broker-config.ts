/** Broker configs: what may be set, at the start and while running, and how DescribeConfigs reports them. */
import { BROKER_CONFIG_DEFINITIONS, REPLICA_SELECTOR } from './broker-config-defs.ts'
import { UNSERVED_BROKER_CONFIGS } from './broker-config-names.ts'
import {
  type ConfigDefinition,
  ConfigSource,
  ConfigType,
  type DescribedConfig,
  type DescribedSynonym,
  printConfigValue,
  refuseConfigValue,
} from './config-def.ts'
import { type BrokerConfigLayers, brokerSynonyms, valuesInForce } from './config-layers.ts'
import { FOLLOWER_THROTTLED_RATE, LEADER_THROTTLED_RATE } from './replication-throttle.ts'
import type { ConfigValues } from './topic-config.ts'
import { TOPIC_CONFIG_DEFINITIONS } from './topic-config-defs.ts'

const throttledRate = (name: string, documentation: string): ConfigDefinition => ({
  ...{ name, type: 'LONG', default: null, min: 0, documentation },
})

/** Set while running or not at all; listed only then, as by Kafka. */
const DYNAMIC_DEFINITIONS: readonly ConfigDefinition[] = [
  throttledRate(
    LEADER_THROTTLED_RATE,
    'Bytes a second that replicas which do not keep up copy from this broker, of the replicas that leader.replication.throttled.replicas names.',
  ),
  throttledRate(
    FOLLOWER_THROTTLED_RATE,
    'Bytes a second that this broker copies for replicas which do not keep up, of those that follower.replication.throttled.replicas names.',
  ),
]

const listed = new Set(BROKER_CONFIG_DEFINITIONS.map(({ name }) => name))
const definitions = new Map(
  [...BROKER_CONFIG_DEFINITIONS, ...DYNAMIC_DEFINITIONS].map((one) => [one.name, one]),
)

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
  'connections.max.reauth.ms',
  'default.replication.factor',
  'group.initial.rebalance.delay.ms',
  'group.max.session.timeout.ms',
  'group.max.size',
  'group.min.session.timeout.ms',
  'metadata.log.max.record.bytes.between.snapshots',
  'metadata.log.max.snapshot.interval.ms',
  'offset.metadata.max.bytes',
  'offsets.retention.check.interval.ms',
  'offsets.retention.minutes',
  'offsets.topic.num.partitions',
  'offsets.topic.replication.factor',
  'offsets.topic.segment.bytes',
  'producer.id.expiration.ms',
  REPLICA_SELECTOR,
])

/** Names that may be given at the start, sorted. */
export const heededBrokerConfigs = (): readonly string[] => [...HEEDED].sort()

/** The value in force as text, null where there is none. */
export const brokerConfigValue = (name: string, values: ConfigValues): string | null =>
  values[name] ?? definitions.get(name)?.default ?? null

/** As {@link brokerConfigValue} for a config that is a whole number. */
export const brokerConfigNumber = (name: string, values: ConfigValues): number =>
  Number(brokerConfigValue(name, values))

/**
 * Null when `changed`, all that is set for one broker or for all, may be set while running, else Kafka's reason. `before` and `after`:
 * what is in force.
 */
export function validateDynamicBrokerConfigs(
  changed: ConfigValues,
  before: ConfigValues,
  after: ConfigValues,
): string | null {
  const names = Object.keys(changed)
  const odd = names.find((name) => !/^[\w.-]+$/.test(name) || name === '__proto__')
  if (odd !== undefined) return `Invalid config name: ${odd}`
  const fixed = names.filter((name) => isFixed(name))
  if (fixed.length > 0) return `Cannot update these configs dynamically: [${fixed.join(', ')}]`
  const perListener = names.filter((name) => name.startsWith('ssl.') && isUnserved(name))
  if (perListener.length > 0) {
    return `These security configs can be dynamically updated only per-listener using the listener prefix: [${perListener.join(', ')}]`
  }
  for (const name of names) {
    const definition = definitions.get(name)
    const reason = definition === undefined ? null : refuseConfigValue(definition, changed[name]!)
    if (reason !== null) return reason
  }
  return refuseTogether(before, after)
}

const isUnserved = (name: string): boolean => UNSERVED_BROKER_CONFIGS.has(name)

const isFixed = (name: string): boolean => {
  const definition = definitions.get(name)
  if (definition !== undefined) return definition.readOnly === true
  return isUnserved(name) && !name.startsWith('ssl.')
}

/** What Kafka asks of the values in force together. */
function refuseTogether(before: ConfigValues, after: ConfigValues): string | null {
  for (const name of ['log.retention.ms', 'log.retention.minutes', 'log.retention.hours']) {
    const value = after[name]
    if (value !== undefined && (Number(value) === 0 || Number(value) < -1)) {
      return `requirement failed: ${name} must be unlimited (-1) or, greater than or equal to 1`
    }
  }
  for (const name of ['num.io.threads', 'num.network.threads', 'log.cleaner.threads']) {
    const was = brokerConfigNumber(name, before)
    const now = brokerConfigNumber(name, after)
    if (now === was) continue
    const failed = `Dynamic thread count update validation failed for ${name}=${now}`
    if (now < 1) return wrapped(`${failed}, value should be at least 1`)
    if (now < was / 2) {
      return wrapped(`${failed}, value should be at least half the current value ${was}`)
    }
    if (now > was * 2) {
      return wrapped(`${failed}, value should not be greater than double the current value ${was}`)
    }
  }
  if (brokerConfigNumber('max.connections', after) < 1) {
    return wrapped(`Invalid max.connections ${after['max.connections']}`)
  }
  return null
}

/** Kafka wraps an exception into another there. */
const wrapped = (message: string): string =>
  `Invalid value org.apache.kafka.common.config.ConfigException: ${message} for configuration Invalid dynamic configuration`

/** All broker configs in name order. */
export function describeBrokerConfigs(layers: BrokerConfigLayers): DescribedConfig[] {
  const values = valuesInForce(layers)
  const names = new Set([...listed, ...Object.keys(values)])
  return [...names].sort().map((name) => {
    const definition = definitions.get(name)
    const raw = brokerConfigValue(name, values)
    const value = raw === null || definition === undefined ? raw : printConfigValue(definition, raw)
    return describe(name, value, brokerSynonyms(name, layers))
  })
}

/** What was set for all brokers, in name order. */
export function describeDefaultBrokerConfigs(layers: BrokerConfigLayers): DescribedConfig[] {
  const source = ConfigSource.DYNAMIC_DEFAULT_BROKER
  return Object.entries(layers.defaults)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => {
      const synonyms = brokerSynonyms(name, layers).filter((one) => one.source === source)
      return describe(name, value, synonyms)
    })
}

function describe(
  name: string,
  value: string | null,
  synonyms: readonly DescribedSynonym[],
): DescribedConfig {
  const definition = definitions.get(name)
  // what is not known may be a secret
  const sensitive = definition === undefined || definition.type === 'PASSWORD'
  return {
    name,
    value: sensitive ? null : value,
    source: synonyms[0]?.source ?? ConfigSource.DEFAULT,
    readOnly: definition === undefined || definition.readOnly === true,
    sensitive,
    synonyms,
    type: definition === undefined ? ConfigType.UNKNOWN : ConfigType[definition.type],
    documentation: definition?.documentation ?? null,
  }
}

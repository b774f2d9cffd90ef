/** The broker configs, by Kafka's names, that an engine's options set; what is not here has its default. Any thread. */
import { usualReplicas } from '../controller/placement.ts'
import type { ConfigValues } from '../image/topic-config.ts'
import { advertisedOf } from './listeners.ts'
import type { EngineSettings } from './options.ts'
import { formatHostPort, RefusedPartError } from './units.ts'

export function brokerConfigValues(settings: EngineSettings): ConfigValues {
  return {
    ...replicationConfig(settings),
    ...settings.brokerConfig,
    'num.partitions': String(settings.defaultPartitions),
    'auto.create.topics.enable': String(settings.autoCreateTopics),
    'log.dirs': settings.dataDir,
    ...idleConfig(settings),
    listeners: settings.kafkaListen
      .map((address) => `PLAINTEXT://${formatHostPort(address)}`)
      .join(','),
    ...advertisedListeners(settings),
  }
}

/** What is made without saying how many replicas, unless it is given; nothing where that is Kafka's default. */
function replicationConfig({ brokers }: EngineSettings): ConfigValues {
  const replicas = usualReplicas(brokers)
  if (replicas === 1) return {}
  const factor = String(replicas)
  return { 'default.replication.factor': factor, 'offsets.topic.replication.factor': factor }
}

/** Kafka's default is ours, and shows as such. */
const idleConfig = ({ connectionsMaxIdleMs }: EngineSettings): ConfigValues =>
  connectionsMaxIdleMs === 600_000
    ? {}
    : { 'connections.max.idle.ms': String(connectionsMaxIdleMs) }

/** Nothing where no listener names an address; one of several that names none is told as it is bound. */
function advertisedListeners(settings: EngineSettings): ConfigValues {
  const advertised = advertisedOf(settings)
  if (advertised.every((address) => address === null)) return {}
  const told = settings.kafkaListen.map(({ host, port }, index) => {
    const address = advertised[index] ?? null
    return `PLAINTEXT://${formatHostPort({ host: address?.host ?? host, port: address?.port ?? port })}`
  })
  return { 'advertised.listeners': told.join(',') }
}

/**
 * Broker configs as an option gives them: a mapping, or `NAME=VALUE` once or several times, separated by commas (a value may hold
 * commas, too). Throws a RangeError for anything else; what they mean is for `checkBrokerConfig`, where the definitions are.
 */
export const parseBrokerConfig = (value: unknown): ConfigValues =>
  Object.fromEntries(pairsOf(value))

function pairsOf(value: unknown): [name: string, value: string][] {
  if (Array.isArray(value)) return value.flatMap(pairsOf)
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value).map(([name, one]) => [name, String(one)])
  }
  return String(value)
    .split(/,(?=[\w.]+=)/)
    .filter((pair) => pair !== '')
    .map((pair) => {
      const at = pair.indexOf('=')
      if (at < 1) {
        throw new RefusedPartError(pair, 'wants NAME=VALUE, such as log.retention.hours=24')
      }
      return [pair.slice(0, at).trim(), pair.slice(at + 1).trim()]
    })
}

/** The broker configs, by Kafka's names, that an engine's options set; what is not here has its default. Any thread. */
import type { ConfigValues } from '../image/topic-config.ts'
import { advertisedOf } from './listeners.ts'
import type { EngineSettings } from './options.ts'
import { formatHostPort } from './units.ts'

export function brokerConfigValues(settings: EngineSettings): ConfigValues {
  return {
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

/** The broker configs, by Kafka's names, that an engine's options set; what is not here has its default. Any thread. */
import type { ConfigValues } from '../image/topic-config.ts'
import type { EngineSettings } from './options.ts'
import { formatHostPort } from './units.ts'

export function brokerConfigValues(settings: EngineSettings): ConfigValues {
  return {
    'num.partitions': String(settings.defaultPartitions),
    'auto.create.topics.enable': String(settings.autoCreateTopics),
    'log.dirs': settings.dataDir,
    listeners: settings.kafkaListen
      .map((address) => `PLAINTEXT://${formatHostPort(address)}`)
      .join(','),
  }
}

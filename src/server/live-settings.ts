/** What of an engine's options can change while it runs, as it is told to its agents. Server's thread. */
import type { LiveSettings } from '../link/control.ts'
import { brokerConfigValues } from './broker-configs.ts'
import { advertisedOf } from './listeners.ts'
import type { EngineSettings } from './options.ts'

export const liveSettings = (settings: EngineSettings): LiveSettings => ({
  autoCreateTopics: settings.autoCreateTopics,
  defaultPartitions: settings.defaultPartitions,
  connectionsMaxIdleMs: settings.connectionsMaxIdleMs,
  diskReserve: settings.diskReserve,
  advertised: advertisedOf(settings),
  brokerConfigs: brokerConfigValues(settings),
})

/** What a tenant has set for its brokers and groups while running, and the topic configs that follow from it. */
import type { BrokerId } from '../base/ids.ts'
import { type BrokerConfigLayers, fixedLayers, valuesInForce } from './config-layers.ts'
import { type ConfigValues, parseTopicConfig, type TopicConfig } from './topic-config.ts'

export const NO_CONFIGS: ConfigValues = Object.freeze({})
const PARSED_MAX = 1_000

/** Parsed configs over one set of broker configs, one object per distinct set of overrides: most topics have none. */
export class TopicConfigs {
  readonly layers: BrokerConfigLayers
  readonly #brokerConfigs: ConfigValues
  readonly #parsed = new Map<string, TopicConfig>()

  constructor(layers: BrokerConfigLayers) {
    this.layers = layers
    this.#brokerConfigs = valuesInForce(layers)
  }

  of(overrides: ConfigValues): TopicConfig {
    const key = overrides === NO_CONFIGS ? '' : JSON.stringify(overrides)
    let config = this.#parsed.get(key)
    if (config === undefined) {
      config = parseTopicConfig(overrides, this.#brokerConfigs)
      if (this.#parsed.size >= PARSED_MAX) this.#parsed.clear()
      this.#parsed.set(key, config)
    }
    return config
  }
}

export const fixedTopicConfigs = (fixed: ConfigValues): TopicConfigs =>
  new TopicConfigs(fixedLayers(fixed))

/** One tenant's; broker 0 stands for all brokers. */
export class TenantConfigs {
  readonly #fixed: TopicConfigs
  readonly #brokers = new Map<BrokerId | 0, ConfigValues>()
  readonly #groups = new Map<string, ConfigValues>()
  /** Made when they are asked for, and anew after a change. */
  readonly #topicConfigs = new Map<BrokerId | 0, TopicConfigs>()

  constructor(fixed: TopicConfigs) {
    this.#fixed = fixed
  }

  brokers(): Iterable<readonly [BrokerId | 0, ConfigValues]> {
    return this.#brokers
  }

  groups(): Iterable<readonly [string, ConfigValues]> {
    return this.#groups
  }

  group(groupId: string): ConfigValues {
    return this.#groups.get(groupId) ?? NO_CONFIGS
  }

  broker(brokerId: BrokerId | 0): ConfigValues {
    return this.#brokers.get(brokerId) ?? NO_CONFIGS
  }

  /** Where topics on `brokerId` take their defaults from. */
  topicConfigsAt(brokerId: BrokerId | 0): TopicConfigs {
    const at = this.#brokers.has(brokerId) ? brokerId : 0
    if (at === 0 && !this.#brokers.has(0)) return this.#fixed
    let configs = this.#topicConfigs.get(at)
    if (configs === undefined) {
      const broker = at === 0 ? NO_CONFIGS : this.broker(at)
      const { fixed } = this.#fixed.layers
      configs = new TopicConfigs({ broker, defaults: this.broker(0), fixed })
      this.#topicConfigs.set(at, configs)
    }
    return configs
  }

  setBroker(brokerId: BrokerId | 0, configs: ConfigValues): void {
    this.#topicConfigs.clear()
    if (Object.keys(configs).length === 0) this.#brokers.delete(brokerId)
    else this.#brokers.set(brokerId, configs)
  }

  setGroup(groupId: string, configs: ConfigValues): void {
    if (Object.keys(configs).length === 0) this.#groups.delete(groupId)
    else this.#groups.set(groupId, configs)
  }
}

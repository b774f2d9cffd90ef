/** A topic's configuration: validated, parsed, and described as DescribeConfigs answers it. */
import {
  type ConfigDefinition,
  ConfigSource,
  ConfigType,
  type DescribedConfig,
  type DescribedSynonym,
  type ParsedValue,
  parseConfigValue,
  printConfigValue,
  refuseConfigValue,
} from './config-def.ts'
import {
  type BrokerConfigLayers,
  brokerSynonyms,
  fixedLayers,
  valuesInForce,
} from './config-layers.ts'
import { TOPIC_CONFIG_DEFINITIONS } from './topic-config-defs.ts'

/** Configs by Kafka's names, as text. */
export type ConfigValues = Readonly<Record<string, string>>

/** Stands for Kafka's Long.MAX_VALUE ("never"): numbers above it are cut to it. */
export const UNLIMITED = Number.MAX_SAFE_INTEGER

export type TimestampType = 'CreateTime' | 'LogAppendTime'
export type CompressionType = 'uncompressed' | 'zstd' | 'lz4' | 'snappy' | 'gzip' | 'producer'

/** Times in ms, sizes in bytes; −1 means no limit where Kafka says so, {@link UNLIMITED} stands for Long.MAX_VALUE. */
export interface TopicConfig {
  readonly cleanupPolicy: { readonly delete: boolean; readonly compact: boolean }
  readonly compressionType: CompressionType
  readonly compressionGzipLevel: number
  readonly compressionLz4Level: number
  readonly compressionZstdLevel: number
  readonly deleteRetentionMs: number
  readonly fileDeleteDelayMs: number
  readonly flushMessages: number
  readonly flushMs: number
  /** `*`, or partition:broker pairs. */
  readonly followerReplicationThrottledReplicas: readonly string[]
  readonly indexIntervalBytes: number
  /** `*`, or partition:broker pairs. */
  readonly leaderReplicationThrottledReplicas: readonly string[]
  /** −2: as retentionBytes. */
  readonly localRetentionBytes: number
  /** −2: as retentionMs. */
  readonly localRetentionMs: number
  readonly maxCompactionLagMs: number
  readonly maxMessageBytes: number
  readonly messageTimestampAfterMaxMs: number
  readonly messageTimestampBeforeMaxMs: number
  readonly messageTimestampType: TimestampType
  readonly minCleanableDirtyRatio: number
  readonly minCompactionLagMs: number
  readonly minInsyncReplicas: number
  readonly preallocate: boolean
  readonly remoteLogCopyDisable: boolean
  readonly remoteLogDeleteOnDisable: boolean
  readonly remoteStorageEnable: boolean
  /** −1: no limit. */
  readonly retentionBytes: number
  /** −1: no limit. */
  readonly retentionMs: number
  readonly segmentBytes: number
  readonly segmentIndexBytes: number
  readonly segmentJitterMs: number
  readonly segmentMs: number
  /** Of the broker: how long an idle producer is remembered. */
  readonly producerIdExpirationMs: number
  readonly uncleanLeaderElectionEnable: boolean
}

const NONE: ConfigValues = Object.freeze({})
const definitions = new Map(TOPIC_CONFIG_DEFINITIONS.map((one) => [one.name, one]))
const fields = TOPIC_CONFIG_DEFINITIONS.filter((one) => !one.hidden).map(
  (one) => [one, camelCase(one.name)] as const,
)

/** The definition of a topic config by Kafka's name. */
export const topicConfigDefinition = (name: string): ConfigDefinition | undefined =>
  definitions.get(name)

/**
 * The typed form of `overrides` over `brokerConfigs` (static broker configs such as `log.retention.hours`) over Kafka's defaults.
 * What cannot be parsed, or is unknown (written by a newer version), counts as not set.
 */
export function parseTopicConfig(
  overrides: ConfigValues,
  brokerConfigs: ConfigValues = NONE,
): TopicConfig {
  const config: Record<string, unknown> = {}
  for (const [definition, field] of fields) {
    config[field] = typed(definition, overrides[definition.name], brokerConfigs)
  }
  config.producerIdExpirationMs = Number(brokerConfigs['producer.id.expiration.ms'] ?? 86_400_000)
  const internalBytes = overrides['internal.segment.bytes']
  if (internalBytes !== undefined) {
    config.segmentBytes = typed(definitions.get('internal.segment.bytes')!, internalBytes, NONE)
  }
  return Object.freeze(config) as unknown as TopicConfig
}

/** Null when a topic may set `name` to `value`, else a message that names config, value and limit. */
export function validateTopicConfig(name: string, value: string | null): string | null {
  const definition = definitions.get(name)
  if (definition === undefined) return `Unknown topic config name: ${name}`
  if (value === null) return `Null value not supported for topic configs: ${name}`
  return refuseConfigValue(definition, value)
}

/** As {@link validateTopicConfig} for all of a topic's overrides, and what they must keep among themselves. */
export function validateTopicConfigs(
  overrides: Readonly<Record<string, string | null>>,
  brokerConfigs: ConfigValues = NONE,
): string | null {
  const names = Object.keys(overrides)
  if (names.length === 0) return null
  for (const name of names) {
    const refused = validateTopicConfig(name, overrides[name] ?? null)
    if (refused !== null) return refused
  }
  const config = parseTopicConfig(overrides as ConfigValues, brokerConfigs)
  if (config.minCompactionLagMs > config.maxCompactionLagMs) {
    return (
      `conflict topic config setting min.compaction.lag.ms (${config.minCompactionLagMs}) > ` +
      `max.compaction.lag.ms (${config.maxCompactionLagMs})`
    )
  }
  if (config.remoteStorageEnable) {
    return 'Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.'
  }
  return null
}

/** All configs of a topic in name order, with synonyms and sources, as DescribeConfigs answers them. */
export function describeTopicConfigs(
  overrides: ConfigValues,
  layers: BrokerConfigLayers = fixedLayers(NONE),
): DescribedConfig[] {
  const inForce = valuesInForce(layers)
  const shown = TOPIC_CONFIG_DEFINITIONS.filter(
    ({ name, hidden }) => !hidden || overrides[name] !== undefined,
  )
  return shown.map((definition) => describe(definition, overrides, layers, inForce))
}

function describe(
  definition: ConfigDefinition,
  overrides: ConfigValues,
  layers: BrokerConfigLayers,
  inForce: ConfigValues,
): DescribedConfig {
  const { name } = definition
  const synonyms: DescribedSynonym[] = []
  const own = overrides[name]
  const value =
    own !== undefined
      ? printConfigValue(definition, own)
      : (brokerDefault(definition, inForce) ?? definition.default)
  if (own !== undefined) synonyms.push({ name, value, source: ConfigSource.TOPIC })
  const first = definition.synonyms?.[0]
  if (first !== undefined) synonyms.push(...brokerSynonyms(first.name, layers))
  return {
    name,
    value,
    source: synonyms[0]?.source ?? ConfigSource.DEFAULT,
    readOnly: false,
    sensitive: false,
    synonyms,
    type: ConfigType[definition.type],
    documentation: definition.documentation,
  }
}

/** What the broker's own configs make of the topic's default, as text; undefined when they say nothing valid. */
function brokerDefault(definition: ConfigDefinition, brokerConfigs: ConfigValues) {
  for (const { name, factor } of definition.synonyms ?? []) {
    const raw = brokerConfigs[name]
    if (raw === undefined) continue
    const text = factor === 1 || raw.trim() === '-1' ? raw : String(Number(raw) * factor)
    if (refuseConfigValue(definition, text) === null) return printConfigValue(definition, text)
  }
  return undefined
}

function typed(definition: ConfigDefinition, own: string | undefined, broker: ConfigValues) {
  const candidates = [own, brokerDefault(definition, broker), definition.default]
  for (const raw of candidates) {
    if (raw === undefined || raw === null) continue
    const parsed = parseConfigValue(definition, raw)
    if ('value' in parsed) return shape(definition.name, parsed.value)
  }
  return undefined
}

function shape(name: string, value: ParsedValue) {
  if (name !== 'cleanup.policy') return value
  const policies = value as readonly string[]
  return Object.freeze({
    delete: policies.includes('delete'),
    compact: policies.includes('compact'),
  })
}

function camelCase(name: string): string {
  return name.replace(/[.](.)/g, (_, letter: string) => letter.toUpperCase())
}

export const DEFAULT_TOPIC_CONFIG: TopicConfig = parseTopicConfig(NONE)

import { describe, expect, it } from 'vitest'
import { describeBrokerConfigs, validateBrokerConfig } from '../../src/image/broker-config.ts'
import { UNSERVED_BROKER_CONFIGS } from '../../src/image/broker-config-names.ts'
import { ConfigSource, ConfigType } from '../../src/image/config-def.ts'
import { fixedLayers } from '../../src/image/config-layers.ts'
import {
  DEFAULT_TOPIC_CONFIG,
  describeTopicConfigs,
  parseTopicConfig,
  UNLIMITED,
  validateTopicConfig,
  validateTopicConfigs,
} from '../../src/image/topic-config.ts'

/** What Apache Kafka 4.3.1 answers to CreateTopics with each of these configs (null: accepted). */
const VERDICTS: readonly (readonly [string, string, string | null])[] = [
  ['nope', '1', 'Unknown topic config name: nope'],
  ['__proto__', '1', 'Unknown topic config name: __proto__'],
  ['message.format.version', '3.0', 'Unknown topic config name: message.format.version'],
  ['retention.ms', '-2', 'Value must be at least -1'],
  ['retention.ms', 'abc', 'Not a number of type LONG'],
  ['retention.ms', '', 'Not a number of type LONG'],
  ['retention.ms', '0x10', 'Not a number of type LONG'],
  ['retention.ms', '+5', null],
  ['retention.ms', ' 7 ', null],
  ['retention.bytes', '-5', null],
  ['flush.messages', '99999999999999999999', 'Not a number of type LONG'],
  ['flush.messages', '9223372036854775807', null],
  ['segment.bytes', '100', 'Value must be at least 1048576'],
  ['internal.segment.bytes', '5000', null],
  ['cleanup.policy', 'foo', 'String must be one of: compact, delete'],
  ['cleanup.policy', '', null],
  ['cleanup.policy', 'delete,delete', null],
  ['cleanup.policy', ' delete , compact ', null],
  ['min.insync.replicas', '0', 'Value must be at least 1'],
  ['preallocate', 'maybe', 'Expected value to be either true or false'],
  ['preallocate', 'TRUE', null],
  ['compression.type', 'brotli', 'uncompressed, zstd, lz4, snappy, gzip, producer'],
  ['compression.gzip.level', '0', 'Value must be between 1 and 9 or equal to -1'],
  ['compression.gzip.level', '10', 'Value must be between 1 and 9 or equal to -1'],
  ['compression.gzip.level', '-1', null],
  ['compression.zstd.level', '23', 'Value must be no more than 22'],
  ['max.message.bytes', '99999999999', 'Not a number of type INT'],
  ['min.cleanable.dirty.ratio', '1.5', 'Value must be no more than 1'],
  ['min.cleanable.dirty.ratio', 'x', 'Not a number of type DOUBLE'],
  ['message.timestamp.type', 'x', 'String must be one of: CreateTime, LogAppendTime'],
  ['leader.replication.throttled.replicas', 'a', "must be the literal '*' or a list"],
  ['leader.replication.throttled.replicas', '*', null],
  ['leader.replication.throttled.replicas', '0:1,1:2', null],
  ['local.retention.ms', '-3', 'Value must be at least -2'],
  ['max.compaction.lag.ms', '0', 'Value must be at least 1'],
  ['segment.ms', '0', 'Value must be at least 1'],
]

describe('topic configs', () => {
  it.each(VERDICTS)('%s = %j is judged as Kafka does', (name, value, verdict) => {
    const message = validateTopicConfig(name, value)
    if (verdict === null) expect(message).toBeNull()
    else expect(message).toContain(verdict)
    if (message?.startsWith('Invalid value')) {
      // Kafka prints what it has parsed
      const shown = name.endsWith('throttled.replicas') ? `[${value}]` : value
      expect(message).toContain(`Invalid value ${shown} for configuration ${name}: `)
    }
  })

  it('refuses null, and what contradicts itself', () => {
    expect(validateTopicConfig('retention.ms', null)).toMatch(/Null value not supported/)
    expect(
      validateTopicConfigs({ 'min.compaction.lag.ms': '10', 'max.compaction.lag.ms': '5' }),
    ).toBe('conflict topic config setting min.compaction.lag.ms (10) > max.compaction.lag.ms (5)')
    expect(validateTopicConfigs({ 'remote.storage.enable': 'true' })).toMatch(/Tiered Storage/)
    expect(validateTopicConfigs({ 'retention.ms': '5' })).toBeNull()
  })

  it('parses to types, with Kafka’s defaults', () => {
    expect(DEFAULT_TOPIC_CONFIG).toMatchObject({
      cleanupPolicy: { delete: true, compact: false },
      compressionType: 'producer',
      flushMessages: UNLIMITED,
      maxMessageBytes: 1_048_588,
      messageTimestampAfterMaxMs: 3_600_000,
      messageTimestampType: 'CreateTime',
      minCleanableDirtyRatio: 0.5,
      preallocate: false,
      retentionBytes: -1,
      retentionMs: 604_800_000,
      segmentBytes: 1_073_741_824,
    })
    expect(Object.values(DEFAULT_TOPIC_CONFIG)).not.toContain(undefined)
    const config = parseTopicConfig({
      'cleanup.policy': 'compact,delete',
      'internal.segment.bytes': '5000',
      preallocate: 'True',
      'retention.ms': ' +7 ',
    })
    expect(config).toMatchObject({
      cleanupPolicy: { delete: true, compact: true },
      preallocate: true,
      retentionMs: 7,
      segmentBytes: 5000,
    })
  })

  it('takes the strongest of the broker’s synonyms, and its own value before that', () => {
    const broker = { 'log.retention.hours': '2', 'log.retention.minutes': '3' }
    expect(parseTopicConfig({}, broker).retentionMs).toBe(180_000)
    expect(parseTopicConfig({ 'retention.ms': '9' }, broker).retentionMs).toBe(9)
    expect(parseTopicConfig({ 'retention.ms': 'rubbish' }, broker).retentionMs).toBe(180_000)
    expect(parseTopicConfig({}, { 'log.retention.hours': '-1' }).retentionMs).toBe(-1)
  })

  it('describes all 33 with value, source, type, documentation and synonyms', () => {
    const described = describeTopicConfigs({ 'cleanup.policy': ' compact , delete ' })
    expect(described).toHaveLength(33)
    expect(described.every((one) => one.documentation!.length > 20)).toBe(true)
    const named = new Map(described.map((one) => [one.name, one]))
    expect(named.get('cleanup.policy')).toMatchObject({
      value: 'compact,delete',
      source: ConfigSource.TOPIC,
      type: ConfigType.LIST,
      readOnly: false,
      synonyms: [
        { name: 'cleanup.policy', value: 'compact,delete', source: ConfigSource.TOPIC },
        { name: 'log.cleanup.policy', value: 'delete', source: ConfigSource.DEFAULT },
      ],
    })
    expect(named.get('retention.ms')).toMatchObject({
      value: '604800000',
      source: ConfigSource.DEFAULT,
      synonyms: [],
    })
    expect(named.get('flush.messages')).toMatchObject({ value: '9223372036854775807' })
    const hours = describeTopicConfigs({}, fixedLayers({ 'log.retention.hours': '1' }))
    expect(hours.find((one) => one.name === 'retention.ms')).toMatchObject({
      value: '3600000',
      // Kafka drops synonyms before the first of the broker's own name, which is in ms
      source: ConfigSource.DEFAULT,
      synonyms: [],
    })
  })
})

describe('broker configs', () => {
  it('describes defaults and what the engine was started with', () => {
    const described = describeBrokerConfigs(
      fixedLayers({ 'broker.id': '2', 'num.partitions': '7' }),
    )
    const named = new Map(described.map((one) => [one.name, one]))
    expect(named.get('broker.id')).toMatchObject({
      value: '2',
      source: ConfigSource.STATIC_BROKER,
      readOnly: true,
    })
    expect(named.get('num.partitions')).toMatchObject({
      value: '7',
      synonyms: [{ value: '7' }, { value: '4', source: ConfigSource.DEFAULT }],
    })
    expect(described.map((one) => one.name)).toEqual([...named.keys()].sort())
    expect(named.size).toBe(described.length)
  })

  it('every default passes its own check, and every topic synonym exists', () => {
    const names = new Set<string>()
    for (const one of describeBrokerConfigs(fixedLayers({}))) {
      names.add(one.name)
      expect(UNSERVED_BROKER_CONFIGS.has(one.name), one.name).toBe(false)
      if (one.value !== null) expect(validateBrokerConfig(one.name, one.value)).toBeNull()
    }
    for (const one of describeTopicConfigs({})) {
      expect(validateTopicConfig(one.name, one.value)).toBeNull()
      for (const synonym of one.synonyms) expect(names).toContain(synonym.name)
    }
    expect(validateBrokerConfig('num.partitions', '0')).toContain('at least 1')
    expect(validateBrokerConfig('nope', '0')).toContain('nope')
  })
})

import { describe, expect, it } from 'vitest'
import { GROUPS_WITH_CONFIGS_MAX } from '../../src/controller/alter-configs.ts'
import { CONFIG_CHARS_MAX, CONFIGS_MAX } from '../../src/controller/config-sizes.ts'
import type { ConfigResource, MorePartitions } from '../../src/image/request.ts'
import {
  APPEND,
  BROKER,
  type Change,
  controller,
  DELETE,
  GROUP,
  LOGGER,
  METRICS,
  OTHER,
  resource,
  SET,
  SUBTRACT,
  TOPIC,
} from './controller.ts'

const more = (
  name: string,
  count: number,
  assignments: readonly (readonly number[])[] | null = null,
): MorePartitions => ({ name, count, assignments })

/** What Apache Kafka 4.3.1 says to the same request; but for the last ones, which it takes and we do not have. */
const VERDICTS: readonly (readonly [ConfigResource, string])[] = [
  [resource(TOPIC, 't', ['retention.ms', SET, '7']), 'NONE'],
  [resource(TOPIC, 't', ['retention.ms', DELETE]), 'NONE'],
  [resource(TOPIC, 't', ['nope', DELETE]), 'NONE'],
  [resource(TOPIC, 't'), 'NONE'],
  [resource(TOPIC, 't', ['nope', SET, '1']), 'INVALID_CONFIG: Unknown topic config name: nope'],
  [
    resource(TOPIC, 'nowhere', ['nope', SET, '1']),
    'INVALID_CONFIG: Unknown topic config name: nope',
  ],
  [
    resource(TOPIC, 'nowhere', ['retention.ms', SET, '1']),
    "UNKNOWN_TOPIC_OR_PARTITION: The topic 'nowhere' does not exist.",
  ],
  [
    resource(TOPIC, 'theirs', ['retention.ms', SET, '1']),
    "UNKNOWN_TOPIC_OR_PARTITION: The topic 'theirs' does not exist.",
  ],
  [resource(TOPIC, ''), 'INVALID_REQUEST: Default topic resources are not allowed.'],
  [
    resource(TOPIC, 'a b', ['retention.ms', SET, '1']),
    "INVALID_TOPIC_EXCEPTION: Topic name is invalid: 'a b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
  ],
  [
    resource(TOPIC, 't', ['retention.ms', SET, 'x']),
    'INVALID_CONFIG: Invalid value x for configuration retention.ms: Not a number of type LONG',
  ],
  [
    resource(TOPIC, 't', ['min.cleanable.dirty.ratio', SET, '2']),
    'INVALID_CONFIG: Invalid value 2.0 for configuration min.cleanable.dirty.ratio: Value must be no more than 1',
  ],
  [
    resource(TOPIC, 't', ['cleanup.policy', APPEND, 'bogus']),
    'INVALID_CONFIG: Invalid value bogus for configuration cleanup.policy: String must be one of: compact, delete',
  ],
  [
    resource(TOPIC, 't', ['retention.ms', APPEND, '1']),
    "INVALID_CONFIG: Can't APPEND to key retention.ms because its type is not LIST.",
  ],
  [
    resource(TOPIC, 't', ['nope', SUBTRACT, '1']),
    "INVALID_CONFIG: Can't SUBTRACT to key nope because its type is not LIST.",
  ],
  [
    resource(TOPIC, 't', ['min.compaction.lag.ms', SET, '5'], ['max.compaction.lag.ms', SET, '4']),
    'INVALID_CONFIG: conflict topic config setting min.compaction.lag.ms (5) > max.compaction.lag.ms (4)',
  ],
  [
    resource(TOPIC, 't', ['remote.storage.enable', SET, 'true']),
    'INVALID_CONFIG: Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.',
  ],
  [
    resource(TOPIC, 't', ['retention.ms', SET, '1'], ['retention.ms', SET, '2']),
    'INVALID_REQUEST: Error due to duplicate config keys',
  ],
  [
    resource(TOPIC, 't', ['retention.ms', SET], ['segment.ms', APPEND], ['flush.ms', DELETE]),
    'INVALID_REQUEST: Null value not supported for : retention.ms, segment.ms',
  ],
  [resource(BROKER, '1', ['log.retention.ms', SET, '5']), 'NONE'],
  [resource(BROKER, '', ['log.retention.ms', SET, '5']), 'NONE'],
  [resource(BROKER, '1', ['node.id', DELETE]), 'NONE'],
  [resource(BROKER, '1', ['some.plugin', SET, '5']), 'NONE'],
  [
    resource(BROKER, '2', ['log.retention.ms', SET, '5']),
    'INVALID_REQUEST: Unexpected broker id, expected 1, but received 2',
  ],
  [
    resource(BROKER, 'x', ['log.retention.ms', SET, '5']),
    'INVALID_REQUEST: Node id must be an integer, but it is: x',
  ],
  [
    resource(BROKER, '1', ['log.retention.hours', SET, '5']),
    'INVALID_REQUEST: Cannot update these configs dynamically: [log.retention.hours]',
  ],
  [
    resource(BROKER, '', ['auto.create.topics.enable', SET, 'false']),
    'INVALID_REQUEST: Cannot update these configs dynamically: [auto.create.topics.enable]',
  ],
  [
    resource(BROKER, '1', ['ssl.keystore.location', SET, 'x']),
    'INVALID_REQUEST: These security configs can be dynamically updated only per-listener using the listener prefix: [ssl.keystore.location]',
  ],
  [
    resource(BROKER, '1', ['message.max.bytes', SET, '-1']),
    'INVALID_REQUEST: Invalid value -1 for configuration message.max.bytes: Value must be at least 0',
  ],
  [
    resource(BROKER, '1', ['log.retention.ms', SET, '0']),
    'INVALID_REQUEST: requirement failed: log.retention.ms must be unlimited (-1) or, greater than or equal to 1',
  ],
  [
    resource(BROKER, '1', ['num.io.threads', SET, '100']),
    'INVALID_REQUEST: Invalid value org.apache.kafka.common.config.ConfigException: Dynamic thread count update validation failed for num.io.threads=100, value should not be greater than double the current value 8 for configuration Invalid dynamic configuration',
  ],
  [
    resource(BROKER, '1', ['message.max.bytes', APPEND, '1']),
    'INVALID_CONFIG: Config value append is not allowed for config key: message.max.bytes',
  ],
  [resource(BROKER, '1', ['nope', APPEND, '1']), 'INVALID_CONFIG: Unknown config name: nope'],
  [
    resource(BROKER, '1', ['log.retention.ms', 9, '5']),
    'INVALID_REQUEST: Unknown operations type 9',
  ],
  [resource(GROUP, 'g', ['consumer.session.timeout.ms', SET, '46000']), 'NONE'],
  [resource(GROUP, 'g', ['share.auto.offset.reset', SET, 'by_duration:PT1H']), 'NONE'],
  [
    resource(GROUP, 'g', ['share.auto.offset.reset', SET, 'Earliest']),
    "INVALID_CONFIG: Invalid value Earliest for configuration share.auto.offset.reset: Invalid value `Earliest` for configuration share.auto.offset.reset. The value must be either 'earliest', 'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'.",
  ],
  [
    resource(GROUP, 'g', ['consumer.session.timeout.ms', SET, '1']),
    'INVALID_CONFIG: consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms',
  ],
  [
    resource(GROUP, 'g', ['consumer.session.timeout.ms', SET, '0']),
    'INVALID_CONFIG: Invalid value 0 for configuration consumer.session.timeout.ms: Value must be at least 1',
  ],
  [
    resource(GROUP, 'g', ['streams.num.standby.replicas', SET, '100']),
    'INVALID_CONFIG: streams.num.standby.replicas must be less than or equal to group.streams.max.standby.replicas',
  ],
  [resource(GROUP, 'g', ['nope', SET, '1']), 'INVALID_CONFIG: Unknown group config name: nope'],
  [
    resource(GROUP, 'g', ['nope', APPEND, '1']),
    "INVALID_CONFIG: Can't APPEND to key nope because its type is not LIST.",
  ],
  [resource(GROUP, ''), 'INVALID_REQUEST: Default group resources are not allowed.'],
  [resource(LOGGER, '1', ['nope', SET, 'INFO']), 'INVALID_CONFIG: Logger nope does not exist!'],
  [
    resource(LOGGER, '2', ['root', SET, 'INFO']),
    'INVALID_REQUEST: Unexpected node id. Expected 1, but received 2',
  ],
  [
    resource(LOGGER, '1', ['root', SUBTRACT, 'INFO']),
    'INVALID_REQUEST: SUBTRACT operation is not allowed for the BROKER_LOGGER resource',
  ],
  [resource(3, 'x'), 'INVALID_REQUEST: Unknown resource type 3'],
  // Kafka has these:
  [
    resource(METRICS, 'm', ['interval.ms', SET, '100']),
    'INVALID_REQUEST: Unknown resource type 16',
  ],
  [
    resource(BROKER, '1', ['listeners', SET, 'x']),
    'INVALID_REQUEST: Cannot update these configs dynamically: [listeners]',
  ],
]

describe('IncrementalAlterConfigs', () => {
  it.each(VERDICTS)('judges as Kafka does: %j', (asked, said) => {
    expect(controller().alter([asked]).said).toEqual([said])
  })

  it('sets, deletes, appends and subtracts', () => {
    const one = controller()
    one.alter([resource(TOPIC, 't', ['retention.ms', SET, '7'], ['flush.messages', SET, '1'])])
    expect(one.configs('t')).toEqual({ 'retention.ms': '7', 'flush.messages': '1' })
    expect(one.image.topicByName(one.tenantId, 't')?.effective.flushMessages).toBe(1)
    one.alter([
      resource(TOPIC, 't', ['retention.ms', DELETE], ['cleanup.policy', APPEND, 'compact,delete']),
    ])
    expect(one.configs('t')).toEqual({ 'flush.messages': '1', 'cleanup.policy': 'delete,compact' })
    one.alter([resource(TOPIC, 't', ['cleanup.policy', SUBTRACT, 'delete,nope'])])
    expect(one.configs('t')?.['cleanup.policy']).toBe('compact')
    expect(one.configs('u')).toEqual({})
  })

  it('validates without a change when it is asked to, and writes nothing where nothing changes', () => {
    const one = controller()
    const change = resource(TOPIC, 't', ['retention.ms', SET, '7'])
    expect(one.alter([change], { validateOnly: true })).toEqual({ entries: [], said: ['NONE'] })
    expect(one.alter([change]).entries).toHaveLength(1)
    expect(one.alter([change]).entries).toHaveLength(0)
  })

  it('refuses what is named twice, and nothing else', () => {
    const twice = resource(TOPIC, 't', ['retention.ms', SET, '7'])
    const { said } = controller().alter([
      twice,
      resource(TOPIC, 'u', ['segment.ms', SET, '9']),
      twice,
    ])
    const refused = 'INVALID_REQUEST: Each resource must appear at most once.'
    expect(said).toEqual([refused, 'NONE', refused])
  })

  it('bounds what is kept', () => {
    const one = controller()
    const long = resource(BROKER, '1', ['some.plugin', SET, 'x'.repeat(CONFIG_CHARS_MAX)])
    expect(one.alter([long]).said[0]).toContain(`the limit is ${CONFIG_CHARS_MAX}`)
    const groups = Array.from({ length: GROUPS_WITH_CONFIGS_MAX + 1 }, (_, i) =>
      resource(GROUP, `g${i}`, ['consumer.session.timeout.ms', SET, '46000']),
    )
    const { said } = one.alter(groups)
    expect(said.filter((verdict) => verdict === 'NONE')).toHaveLength(GROUPS_WITH_CONFIGS_MAX)
    expect(said.at(-1)).toContain(`the limit is ${GROUPS_WITH_CONFIGS_MAX}`)
    // what is given back makes room, and other tenants have theirs
    one.alter([resource(GROUP, 'g0', ['consumer.session.timeout.ms', DELETE])])
    expect(one.alter([groups.at(-1)!]).said).toEqual(['NONE'])
    expect(one.alter([groups[0]!], { tenant: OTHER }).said).toEqual(['NONE'])
  })
})

describe('AlterConfigs', () => {
  it('puts what is given in the place of all', () => {
    const one = controller()
    one.alter([resource(TOPIC, 't', ['retention.ms', SET, '7'], ['segment.ms', SET, '8'])])
    const replace = resource(TOPIC, 't', ['flush.ms', SET, '9'])
    expect(one.alter([replace], { incremental: false }).said).toEqual(['NONE'])
    expect(one.configs('t')).toEqual({ 'flush.ms': '9' })
    one.alter([resource(TOPIC, 't')], { incremental: false })
    expect(one.configs('t')).toEqual({})
  })

  it('knows no loggers', () => {
    const { said } = controller().alter([resource(LOGGER, '1')], { incremental: false })
    expect(said).toEqual(['INVALID_REQUEST: Unknown resource type 8'])
  })
})

describe('broker configs', () => {
  const RETENTION = 'log.retention.ms'
  it('are topics’ defaults, of one broker before those of all, within the tenant', () => {
    const one = controller({ 'log.retention.hours': '2' })
    const topic = one.image.topicByName(one.tenantId, 't')!
    const theirs = one.image.topicByName(OTHER, 'theirs')!
    const seen = () => [1, 2].map((id) => topic.effectiveAt(id as never).retentionMs)
    expect(seen()).toEqual([7_200_000, 7_200_000])
    one.alter([resource(BROKER, '', [RETENTION, SET, '5'])])
    expect([topic.effective.retentionMs, ...seen()]).toEqual([5, 5, 5])
    one.alter([resource(BROKER, '2', [RETENTION, SET, '6'])], { nodeId: 2 })
    expect([topic.effective.retentionMs, ...seen()]).toEqual([5, 5, 6])
    one.alter([resource(TOPIC, 't', ['retention.ms', SET, '7'])])
    expect(seen()).toEqual([7, 7])
    expect(theirs.effectiveAt(2 as never).retentionMs).toBe(7_200_000)
    one.alter([resource(TOPIC, 't'), resource(BROKER, '')], { incremental: false })
    expect(seen()).toEqual([7_200_000, 6])
  })
})

describe('CreatePartitions', () => {
  it.each([
    [more('t', 2), 't INVALID_PARTITIONS: Topic already has 2 partition(s).'],
    [
      more('t', 1),
      't INVALID_PARTITIONS: The topic t currently has 2 partition(s); 1 would not be an increase.',
    ],
    [
      more('t', -1),
      't INVALID_PARTITIONS: The topic t currently has 2 partition(s); -1 would not be an increase.',
    ],
    [more('nowhere', 3), 'nowhere UNKNOWN_TOPIC_OR_PARTITION: null'],
    [more('theirs', 3), 'theirs UNKNOWN_TOPIC_OR_PARTITION: null'],
    [
      more('t', 4, [[1]]),
      't INVALID_REPLICA_ASSIGNMENT: Attempted to add 2 additional partition(s), but only 1 assignment(s) were specified.',
    ],
    [
      more('t', 3, [[]]),
      't INVALID_REPLICA_ASSIGNMENT: The manual partition assignment includes an empty replica list.',
    ],
    [
      more('t', 3, [[9]]),
      't INVALID_REPLICA_ASSIGNMENT: The manual partition assignment includes broker 9, but no such broker is registered.',
    ],
    [
      more('t', 3, [[1, 2]]),
      't INVALID_REPLICA_ASSIGNMENT: The manual partition assignment includes a partition with 2 replica(s), but this is not consistent with previous partitions, which have 1 replica(s).',
    ],
    [
      more('t', 10_003),
      't POLICY_VIOLATION: Excessively large number of partitions per request: 10001, the limit is 10000.',
    ],
  ])('judges as Kafka does: %j', (asked, said) => {
    const one = controller()
    expect(one.grow([asked])).toEqual({ entries: [], said: [said] })
  })

  it('adds partitions that the image finds, whatever was created meanwhile', () => {
    const one = controller()
    const topic = one.image.topicByName(one.tenantId, 't')!
    expect(one.grow([more('t', 5, [[3], [1], [3]])]).said).toEqual(['t NONE'])
    one.create('between', one.tenantId)
    expect(one.grow([more('t', 7), more('u', 3)]).said).toEqual(['t NONE', 'u NONE'])
    expect([topic.partitionCount, one.image.partitionCount]).toEqual([7, 7 + 3 + 2 + 2])
    const numbers = Array.from({ length: 7 }, (_, i) => topic.numberOf(i as never))
    expect(new Set(numbers).size).toBe(7)
    numbers.forEach((number, index) => {
      expect(one.image.partition(number)).toMatchObject({ index, topic: { name: 't' } })
    })
    expect(numbers.slice(2, 5).map((number) => one.image.leaderOf(number))).toEqual([3, 1, 3])
    expect(one.machine.state.partitionCount.value).toBe(one.image.partitionCount)
  })

  it('makes nothing when it only validates, or when a topic is named twice', () => {
    const one = controller()
    expect(one.grow([more('t', 3)], true)).toEqual({ entries: [], said: ['t NONE'] })
    const { said } = one.grow([more('t', 3), more('u', 3), more('t', 4)])
    expect(said).toEqual(['t INVALID_REQUEST: Duplicate topic name.', 'u NONE'])
    expect(one.image.topicByName(one.tenantId, 't')!.partitionCount).toBe(2)
  })

  it('does not grow an internal topic: which group lives where depends on its partitions', () => {
    const one = controller()
    one.create('__consumer_offsets', one.tenantId)
    expect(one.grow([more('__consumer_offsets', 3)]).said[0]).toContain(
      'INVALID_TOPIC_EXCEPTION: The number of partitions of the internal topic',
    )
  })

  it('keeps the limit of all partitions', () => {
    const one = controller({}, 8)
    expect(one.grow([more('t', 4), more('u', 3)]).said).toEqual([
      't NONE',
      'u POLICY_VIOLATION: Cannot create 1 partitions: the brokers have no room for as many.',
    ])
  })
})

describe('one request', () => {
  it('of long lists that are appended to and taken from does not hold up the controller', () => {
    const { alter } = controller()
    const lists = [
      'leader.replication.throttled.replicas',
      'follower.replication.throttled.replicas',
    ]
    const list = (part: string) => Array(8_000).fill(part).join(',')
    const change = (operation: number, part: string) =>
      ['t', 'u'].map((name) =>
        resource(TOPIC, name, ...lists.map((one): Change => [one, operation, list(part)])),
      )
    for (const one of change(SET, '0:1')) alter([one])
    const startMs = performance.now()
    for (const operation of [APPEND, SUBTRACT]) {
      for (let i = 0; i < 3; i++) alter(change(operation, '0:2'), { validateOnly: true })
    }
    expect(performance.now() - startMs).toBeLessThan(1_500)
  })

  it('looks at the broker configs once, however many topics it names', () => {
    let looks = 0
    const fixed = new Proxy<Record<string, string>>(
      {},
      {
        ownKeys: () => {
          looks++
          return []
        },
      },
    )
    const { alter } = controller(fixed)
    looks = 0
    alter(Array.from({ length: 1_000 }, (_, i) => resource(TOPIC, `nowhere${i}`)))
    expect(looks).toBeLessThan(10)
  })

  it('cannot give a broker configs without end', () => {
    const { alter } = controller()
    const set = (count: number) =>
      resource(BROKER, '', ...Array.from({ length: count }, (_, i): Change => [`x${i}`, SET, '']))
    expect(alter([set(CONFIGS_MAX)]).said).toEqual(['NONE'])
    expect(alter([set(CONFIGS_MAX + 1)]).said[0]).toMatch(/^POLICY_VIOLATION: .*1001.*1000/)
  })
})

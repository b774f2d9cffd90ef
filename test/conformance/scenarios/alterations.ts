/** DeleteRecords, OffsetForLeaderEpoch, AlterConfigs, CreatePartitions, IncrementalAlterConfigs, DescribeProducers, ListConfigResources. */
import { deleteRecords } from '../../../src/protocol/21-delete-records.ts'
import { offsetForLeaderEpoch } from '../../../src/protocol/23-offset-for-leader-epoch.ts'
import { describeConfigs } from '../../../src/protocol/32-describe-configs.ts'
import { alterConfigs } from '../../../src/protocol/33-alter-configs.ts'
import { createPartitions } from '../../../src/protocol/37-create-partitions.ts'
import { incrementalAlterConfigs } from '../../../src/protocol/44-incremental-alter-configs.ts'
import { describeProducers } from '../../../src/protocol/61-describe-producers.ts'
import { listConfigResources } from '../../../src/protocol/74-list-config-resources.ts'
import { batchOf } from '../batches.ts'
import { type Scenario, type Side, versionsOf } from '../side.ts'
import { append, FOREVER } from './requests.ts'

const TOPIC = 2
const BROKER = 4
const LOGGER = 8
const METRICS = 16
const GROUP = 32

async function recordDeletions(side: Side): Promise<void> {
  for (const version of versionsOf(deleteRecords)) {
    const topic = `records-${version}`
    await side.createTopic(topic, 2, FOREVER)
    for (let i = 0; i < 5; i++) await append(side, topic, batchOf(['a', 'b', 'c']))
    const ask = (step: string, asked: readonly (readonly [string, number, number])[]) =>
      side.ask(step, deleteRecords, version, {
        timeoutMs: 5_000,
        topics: asked.map(([name, partitionIndex, offset]) => ({
          name,
          partitions: [{ partitionIndex, offset }],
        })),
      })
    for (const offset of [0, 4, 3, 6, -2, 16, 2 ** 40])
      await ask(`before ${offset}`, [[topic, 0, offset]])
    await ask('all', [[topic, 0, -1]])
    await ask('all again', [[topic, 0, -1]])
    await ask('before the start', [[topic, 0, 1]])
    await ask('an empty partition', [[topic, 1, 0]])
    await ask('unknown partition', [[topic, 7, 0]])
    await ask('partition -1', [[topic, -1, 0]])
    await ask('unknown topic', [['records-unknown', 0, 0]])
    await ask('bad topic', [['a bad/name', 0, 0]])
    await ask('internal topic', [['__consumer_offsets', 0, 0]])
    await ask('two', [
      [topic, 0, 15],
      [topic, 1, 0],
    ])
    await ask('the same twice', [
      [topic, 0, 15],
      [topic, 0, 15],
    ])
    await ask('none', [])
    await side.ask('no partition', deleteRecords, version, { topics: [{ name: topic }] })
    await side.createTopic(`${topic}-compacted`, 1, { 'cleanup.policy': 'compact' })
    await append(side, `${topic}-compacted`, batchOf(['a']))
    await ask('a compacted topic', [[`${topic}-compacted`, 0, 1]])
  }
}

async function epochEnds(side: Side): Promise<void> {
  await side.createTopic('epochs', 2, FOREVER)
  await append(side, 'epochs', batchOf(['a', 'b', 'c']))
  for (const version of versionsOf(offsetForLeaderEpoch)) {
    const ask = (
      step: string,
      topic: string,
      partition: number,
      leaderEpoch: number,
      current = -1,
    ) =>
      side.ask(step, offsetForLeaderEpoch, version, {
        ...(version >= 3 ? { replicaId: -1 } : {}),
        topics: [{ topic, partitions: [{ partition, leaderEpoch, currentLeaderEpoch: current }] }],
      })
    for (const epoch of [0, 1, -1, -2, 99]) await ask(`epoch ${epoch}`, 'epochs', 0, epoch)
    for (const epoch of [0, 1, -1]) await ask(`epoch ${epoch}, empty`, 'epochs', 1, epoch)
    for (const current of [0, 1, -2, 99]) await ask(`current ${current}`, 'epochs', 0, 0, current)
    await ask('unknown partition', 'epochs', 7, 0)
    await ask('partition -1', 'epochs', -1, 0)
    await ask('unknown topic', 'epochs-unknown', 0, 0)
    await ask('bad topic', 'a bad/name', 0, 0)
    await side.ask('none', offsetForLeaderEpoch, version, { topics: [] })
    const one = { partition: 0, leaderEpoch: 0 }
    await side.ask('twice the same', offsetForLeaderEpoch, version, {
      topics: [{ topic: 'epochs', partitions: [one, one] }],
    })
    if (version < 3) continue
    for (const replicaId of [-2, -3, 0, 1, 9]) {
      await side.ask(`replica ${replicaId}`, offsetForLeaderEpoch, version, {
        replicaId,
        topics: [{ topic: 'epochs', partitions: [one] }],
      })
    }
  }
}

type Change = readonly [name: string, value: string | null, operation?: number]
type Target = readonly [type: number, name: string, changes: readonly Change[]]

/** What is set → on what; `T` is a topic of the version's own. */
const settings: Readonly<Record<string, readonly Target[]>> = {
  'one config': [[TOPIC, 'T', [['retention.ms', '5000']]]],
  'two configs': [
    [
      TOPIC,
      'T',
      [
        ['retention.ms', '6000'],
        ['cleanup.policy', 'compact'],
      ],
    ],
  ],
  'the same config twice': [
    [
      TOPIC,
      'T',
      [
        ['retention.ms', '1'],
        ['retention.ms', '2'],
      ],
    ],
  ],
  'no config': [[TOPIC, 'T', []]],
  'unknown config': [[TOPIC, 'T', [['no.such', '1']]]],
  'bad value': [[TOPIC, 'T', [['retention.ms', 'soon']]]],
  'out of range': [[TOPIC, 'T', [['segment.bytes', '1']]]],
  'null value': [[TOPIC, 'T', [['retention.ms', null]]]],
  'empty value': [[TOPIC, 'T', [['retention.ms', '']]]],
  'configs at odds': [
    [
      TOPIC,
      'T',
      [
        ['min.compaction.lag.ms', '9'],
        ['max.compaction.lag.ms', '5'],
      ],
    ],
  ],
  'unknown topic': [[TOPIC, 'alter-unknown', [['retention.ms', '1']]]],
  'bad topic': [[TOPIC, 'a bad/name', [['retention.ms', '1']]]],
  'empty topic': [[TOPIC, '', [['retention.ms', '1']]]],
  'a resource twice': [
    [TOPIC, 'T', [['retention.ms', '1']]],
    [TOPIC, 'T', [['segment.ms', '1']]],
  ],
  'one good, one unknown': [
    [TOPIC, 'T', [['retention.ms', '7000']]],
    [TOPIC, 'alter-unknown', [['retention.ms', '1']]],
  ],
  'no resource': [],
  'a broker': [[BROKER, '1', [['log.cleaner.threads', '2']]]],
  'all brokers': [[BROKER, '', [['log.retention.ms', '700000']]]],
  'all brokers, back': [[BROKER, '', []]],
  'a broker, read-only': [[BROKER, '1', [['broker.rack', 'r']]]],
  'a broker, unknown config': [[BROKER, '1', [['no.such', '1']]]],
  'a broker, bad value': [[BROKER, '1', [['log.cleaner.threads', 'many']]]],
  'another broker': [[BROKER, '77', [['log.cleaner.threads', '2']]]],
  'no broker': [[BROKER, 'abc', [['log.cleaner.threads', '2']]]],
  'a group': [[GROUP, 'alter-group', [['consumer.session.timeout.ms', '50000']]]],
  'a group, unknown config': [[GROUP, 'alter-group', [['no.such', '1']]]],
  'a group, out of range': [[GROUP, 'alter-group', [['consumer.session.timeout.ms', '1']]]],
  'an empty group': [[GROUP, '', [['consumer.session.timeout.ms', '50000']]]],
  'type 0': [[0, 'x', [['a', '1']]]],
  'type 1': [[1, 'x', [['a', '1']]]],
  'type 3': [[3, 'x', [['a', '1']]]],
  'type 99': [[99, 'x', [['a', '1']]]],
  'type -1': [[-1, 'x', [['a', '1']]]],
}

/** What only IncrementalAlterConfigs can do: 0 set, 1 delete, 2 append, 3 subtract. */
const operations: Readonly<Record<string, readonly Target[]>> = {
  'append to a list': [[TOPIC, 'T', [['cleanup.policy', 'compact', 2]]]],
  'append what is there': [[TOPIC, 'T', [['cleanup.policy', 'compact', 2]]]],
  'append two': [[TOPIC, 'T', [['follower.replication.throttled.replicas', '0:1,1:1', 2]]]],
  'subtract one': [[TOPIC, 'T', [['follower.replication.throttled.replicas', '0:1', 3]]]],
  'subtract from a list': [[TOPIC, 'T', [['cleanup.policy', 'delete', 3]]]],
  'subtract what is not there': [[TOPIC, 'T', [['cleanup.policy', 'delete', 3]]]],
  'subtract the last': [[TOPIC, 'T', [['cleanup.policy', 'compact', 3]]]],
  'append to no list': [[TOPIC, 'T', [['retention.ms', '1', 2]]]],
  'subtract from no list': [[TOPIC, 'T', [['retention.ms', '1', 3]]]],
  'append a bad value': [[TOPIC, 'T', [['cleanup.policy', 'burn', 2]]]],
  'append nothing': [[TOPIC, 'T', [['cleanup.policy', '', 2]]]],
  'append null': [[TOPIC, 'T', [['cleanup.policy', null, 2]]]],
  delete: [[TOPIC, 'T', [['retention.ms', null, 1]]]],
  'delete with a value': [[TOPIC, 'T', [['retention.ms', '7', 1]]]],
  'delete what is not set': [[TOPIC, 'T', [['flush.ms', null, 1]]]],
  'delete unknown': [[TOPIC, 'T', [['no.such', null, 1]]]],
  'operation 4': [[TOPIC, 'T', [['retention.ms', '1', 4]]]],
  'operation -1': [[TOPIC, 'T', [['retention.ms', '1', -1]]]],
  'delete all brokers': [[BROKER, '', [['log.retention.ms', null, 1]]]],
  'delete a broker config': [[BROKER, '1', [['log.cleaner.threads', null, 1]]]],
  'delete of a group': [[GROUP, 'alter-group', [['consumer.session.timeout.ms', null, 1]]]],
  'a logger': [[LOGGER, '1', [['no.such.logger', 'DEBUG', 0]]]],
  'a logger level': [[LOGGER, '1', [['root', 'LOUD', 0]]]],
  'client metrics': [[METRICS, 'alter-metrics', [['interval.ms', '60000', 0]]]],
  'client metrics, unknown config': [[METRICS, 'alter-metrics', [['no.such', '1', 0]]]],
}

async function alter(side: Side, incremental: boolean): Promise<void> {
  const api = incremental ? incrementalAlterConfigs : alterConfigs
  const all = incremental ? { ...settings, ...operations } : settings
  for (const version of versionsOf(api)) {
    const topic = `alter-${incremental ? 'i' : 'a'}-${version}`
    await side.createTopic(topic)
    for (const [step, targets] of Object.entries(all)) {
      for (const validateOnly of [true, false]) {
        // Kafka never answers that one: once is enough.
        if (!incremental && step === 'a resource twice' && (version < 2 || validateOnly)) continue
        const resources = targets.map(([resourceType, name, changes]) => ({
          ...{ resourceType, resourceName: name === 'T' ? topic : name },
          configs: changes.map(([name, value, configOperation = 0]) => ({
            ...{ name, value },
            ...(incremental ? { configOperation } : {}),
          })),
        }))
        const what = validateOnly ? `${step} (validate)` : step
        await side.ask(what, api, version, { resources, validateOnly })
      }
      if (targets[0]?.[1] !== 'T' || !/^(one|two|no) config|^append|^subtract|^delete/.test(step)) {
        continue
      }
      // Kafka's broker hears of it a moment after its controller has answered.
      await new Promise((resolve) => setTimeout(resolve, 150))
      const resources = [{ resourceType: TOPIC, resourceName: topic, configurationKeys: null }]
      const isSet = (path: string) => !path.includes('.configs[') || path.endsWith('.value')
      await side.ask(`${step}, then`, describeConfigs, 4, { resources }, { keep: isSet })
    }
  }
}

async function morePartitions(side: Side): Promise<void> {
  for (const version of versionsOf(createPartitions)) {
    const topic = `more-${version}`
    await side.createTopic(topic, 2)
    type Wanted = readonly [
      name: string,
      count: number,
      assignments?: readonly (readonly number[])[],
    ]
    // Not too many: Kafka takes that, and is busy for a minute.
    const cases: Record<string, readonly Wanted[]> = {
      'to 3': [[topic, 3]],
      'to as many': [[topic, 3]],
      'to fewer': [[topic, 2]],
      'to 0': [[topic, 0]],
      'to -1': [[topic, -1]],
      'unknown topic': [['more-unknown', 3]],
      'bad topic': [['a bad/name', 3]],
      'empty topic': [['', 3]],
      'the same twice': [
        [topic, 4],
        [topic, 5],
      ],
      'one good, one unknown': [
        [topic, 4],
        ['more-unknown', 4],
      ],
      assigned: [[topic, 5, [[1]]]],
      'assigned, too few': [[topic, 8, [[1]]]],
      'assigned, too many': [[topic, 6, [[1], [1]]]],
      'assigned to nobody': [[topic, 6, [[]]]],
      'assigned to a stranger': [[topic, 6, [[77]]]],
      'assigned twice to one': [[topic, 6, [[1, 1]]]],
      'no assignment': [[topic, 6, []]],
      none: [],
    }
    for (const [step, wanted] of Object.entries(cases)) {
      for (const validateOnly of [true, false]) {
        const topics = wanted.map(([name, count, assignments]) => ({
          ...{ name, count },
          assignments: assignments?.map((brokerIds) => ({ brokerIds: [...brokerIds] })) ?? null,
        }))
        const what = validateOnly ? `${step} (validate)` : step
        await side.ask(what, createPartitions, version, { topics, timeoutMs: 5_000, validateOnly })
      }
    }
  }
}

async function producers(side: Side): Promise<void> {
  await side.createTopic('producers', 2, FOREVER)
  const written = batchOf(['a', 'b'], { producerId: 77, producerEpoch: 3, baseSequence: 0 })
  await append(side, 'producers', written)
  const ask = (step: string, name: string, partitionIndexes: number[]) =>
    side.ask(step, describeProducers, 0, { topics: [{ name, partitionIndexes }] })
  await ask('one', 'producers', [0])
  await ask('none', 'producers', [1])
  await ask('both', 'producers', [0, 1])
  await ask('unknown partition', 'producers', [7, -1])
  await ask('no partition', 'producers', [])
  await ask('twice the same', 'producers', [0, 0])
  await ask('unknown topic', 'producers-unknown', [0])
  await ask('bad topic', 'a bad/name', [0])
  await side.ask('no topic', describeProducers, 0, { topics: [] })
}

export const alterationScenarios: readonly Scenario[] = [
  { name: 'delete-records', needs: [21], run: recordDeletions },
  { name: 'offset-for-leader-epoch', needs: [23], run: epochEnds },
  { name: 'alter-configs', needs: [33], run: (side) => alter(side, false) },
  { name: 'incremental-alter-configs', needs: [44], run: (side) => alter(side, true) },
  { name: 'create-partitions', needs: [37], run: morePartitions },
  { name: 'describe-producers', needs: [61], run: producers },
  {
    name: 'list-config-resources',
    needs: [74],
    async run(side) {
      const own = {
        keep: (path: string) => !/\[2 (?!alter-)/.test(path) && path !== 'configResources',
      }
      await side.ask('version 0', listConfigResources, 0, {}, own)
      for (const types of [[], [2], [4], [8], [16], [32], [2, 4], [2, 2], [0], [1], [99], [-1]]) {
        await side.ask(`types [${types}]`, listConfigResources, 1, { resourceTypes: types }, own)
      }
    },
  },
]

/** CreateTopics, DeleteTopics, InitProducerId, FindCoordinator. */
import { findCoordinator } from '../../../src/protocol/10-find-coordinator.ts'
import { createTopics } from '../../../src/protocol/19-create-topics.ts'
import { deleteTopics } from '../../../src/protocol/20-delete-topics.ts'
import { initProducerId } from '../../../src/protocol/22-init-producer-id.ts'
import { type Scenario, type Side, versionsOf } from '../side.ts'
import { byId, byName, type NewTopicInput, newTopic } from './requests.ts'

const timeoutMs = 10_000

/** What is asked → topics in one request; `N` in a name becomes the version. */
const creations: Readonly<Record<string, readonly NewTopicInput[]>> = {
  plain: [{ name: 'create-N', partitions: 3 }],
  'again, it exists': [{ name: 'create-N' }],
  'defaults (-1)': [{ name: 'create-N-defaults', partitions: -1, replicationFactor: -1 }],
  'with configs': [
    {
      name: 'create-N-configs',
      configs: { 'retention.ms': '1000', 'cleanup.policy': 'compact', 'segment.bytes': '2097152' },
    },
  ],
  'no topic': [],
  'twice the same': [{ name: 'create-N-twice' }, { name: 'create-N-twice' }],
  'one good, one bad': [{ name: 'create-N-good' }, { name: 'a bad/name' }],
  'an empty name': [{ name: '' }],
  'a dot': [{ name: '.' }],
  'two dots': [{ name: '..' }],
  'bad characters': [{ name: 'a bad/name' }],
  'many letters': [{ name: `long-N-${'x'.repeat(242)}` }],
  '250 letters': [{ name: 'x'.repeat(250) }],
  'collides with another': [{ name: 'create.N' }, { name: 'create_N' }],
  'collides with an existing one': [{ name: 'create_N' }],
  'no partitions': [{ name: 'create-N-0', partitions: 0 }],
  '-2 partitions': [{ name: 'create-N-2', partitions: -2 }],
  'factor 0': [{ name: 'create-N-f0', replicationFactor: 0 }],
  'factor -2': [{ name: 'create-N-f2', replicationFactor: -2 }],
  'too many partitions': [{ name: 'create-N-many', partitions: 2_000_000 }],
  'unknown config': [{ name: 'create-N-c1', configs: { 'no.such.config': '1' } }],
  'bad config value': [{ name: 'create-N-c2', configs: { 'retention.ms': 'soon' } }],
  'config out of range': [{ name: 'create-N-c3', configs: { 'segment.bytes': '1' } }],
  'config of a wrong word': [{ name: 'create-N-c4', configs: { 'cleanup.policy': 'burn' } }],
  'config null': [{ name: 'create-N-c5', configs: { 'retention.ms': null } }],
  'config empty': [{ name: 'create-N-c6', configs: { 'retention.ms': '' } }],
  'configs at odds': [
    {
      name: 'create-N-c7',
      configs: { 'min.compaction.lag.ms': '10', 'max.compaction.lag.ms': '5' },
    },
  ],
  'min.insync.replicas 0': [{ name: 'create-N-c8', configs: { 'min.insync.replicas': '0' } }],
  'policy of two': [{ name: 'create-N-c9', configs: { 'cleanup.policy': 'compact, delete' } }],
  'policy empty': [{ name: 'create-N-c10', configs: { 'cleanup.policy': '' } }],
  'internal config': [{ name: 'create-N-c11', configs: { 'internal.segment.bytes': '1024' } }],
  'value with spaces': [{ name: 'create-N-c12', configs: { 'retention.ms': ' 5000 ' } }],
  'gone config': [{ name: 'create-N-c13', configs: { 'message.format.version': '3.0' } }],
  'gone config 2': [{ name: 'create-N-c14', configs: { 'message.downconversion.enable': 'true' } }],
  'throttled replicas': [
    { name: 'create-N-c15', configs: { 'leader.replication.throttled.replicas': 'x' } },
  ],
  assigned: [
    {
      ...{ name: 'create-N-a1', partitions: -1, replicationFactor: -1 },
      assignments: [
        [0, [1]],
        [1, [1]],
      ],
    },
  ],
  'assigned, with a count': [
    { name: 'create-N-a2', partitions: 1, replicationFactor: -1, assignments: [[0, [1]]] },
  ],
  'assigned, with a factor': [
    { name: 'create-N-a3', partitions: -1, replicationFactor: 1, assignments: [[0, [1]]] },
  ],
  'assigned to nobody': [
    { name: 'create-N-a4', partitions: -1, replicationFactor: -1, assignments: [[0, []]] },
  ],
  'assigned to a stranger': [
    { name: 'create-N-a5', partitions: -1, replicationFactor: -1, assignments: [[0, [77]]] },
  ],
  'assigned twice to one': [
    { name: 'create-N-a6', partitions: -1, replicationFactor: -1, assignments: [[0, [1, 1]]] },
  ],
  'assigned with a gap': [
    {
      ...{ name: 'create-N-a7', partitions: -1, replicationFactor: -1 },
      assignments: [
        [0, [1]],
        [2, [1]],
      ],
    },
  ],
  'assigned one partition twice': [
    {
      ...{ name: 'create-N-a8', partitions: -1, replicationFactor: -1 },
      assignments: [
        [0, [1]],
        [0, [1]],
      ],
    },
  ],
  'assigned to unequal many': [
    {
      ...{ name: 'create-N-a9', partitions: -1, replicationFactor: -1 },
      assignments: [
        [0, [1]],
        [1, []],
      ],
    },
  ],
  'assigned from -1': [
    { name: 'create-N-a10', partitions: -1, replicationFactor: -1, assignments: [[-1, [1]]] },
  ],
}

async function createEverything(side: Side): Promise<void> {
  for (const version of versionsOf(createTopics)) {
    for (const validateOnly of [true, false]) {
      for (const [step, inputs] of Object.entries(creations)) {
        const topics = inputs.map((one) =>
          newTopic({ ...one, name: one.name.replaceAll('N', String(version)) }),
        )
        const what = validateOnly ? `${step} (validate)` : step
        await side.ask(what, createTopics, version, { topics, timeoutMs, validateOnly })
      }
    }
    const topics = [newTopic({ name: `create-${version}-t0` })]
    await side.ask('timeout 0', createTopics, version, { topics, timeoutMs: 0 })
  }
}

async function deleteEverything(side: Side): Promise<void> {
  for (const version of versionsOf(deleteTopics)) {
    const names = ['a', 'b', 'c', 'd'].map((one) => `delete-${version}-${one}`)
    for (const name of names) await side.createTopic(name)
    const [a, b, c, d] = names as [string, string, string, string]
    const lists: Record<string, readonly string[]> = {
      one: [a],
      again: [a],
      'an unknown one': ['delete-unknown'],
      'two, one unknown': [b, 'delete-unknown'],
      'the same twice': [c, c],
      'an unknown one twice': ['delete-unknown', 'delete-unknown'],
      'a bad name': ['a bad/name'],
      'an empty name': [''],
      none: [],
    }
    for (const [step, list] of Object.entries(lists)) {
      const request =
        version < 6 ? { topicNames: [...list], timeoutMs } : { topics: list.map(byName), timeoutMs }
      await side.ask(step, deleteTopics, version, request)
    }
    if (version < 6) continue
    const id = side.topicId(d)
    const odd = {
      'unknown id': [byId('e'.repeat(32))],
      'unknown id twice': [byId('e'.repeat(32)), byId('e'.repeat(32))],
      'zero id': [byId('0'.repeat(32))],
      'name and id': [{ ...byId(id), name: d }],
      'name and id apart': [byName(d), byId(id)],
      'by id': [byId(id)],
      'by id again': [byId(id)],
    }
    for (const [step, topics] of Object.entries(odd)) {
      await side.ask(step, deleteTopics, version, { topics, timeoutMs })
    }
  }
}

export const adminScenarios: readonly Scenario[] = [
  { name: 'create-topics', run: createEverything },
  { name: 'delete-topics', run: deleteEverything },
  {
    name: 'init-producer-id',
    async run(side) {
      for (const version of versionsOf(initProducerId)) {
        const ask = (step: string, request: object) =>
          side.ask(step, initProducerId, version, {
            ...{ transactionalId: null, transactionTimeoutMs: 60_000 },
            ...request,
          })
        await ask('plain', {})
        await ask('timeout 0', { transactionTimeoutMs: 0 })
        await ask('timeout -1', { transactionTimeoutMs: -1 })
        if (version < 3) continue
        await ask('id without epoch', { producerId: 5 })
        await ask('epoch without id', { producerEpoch: 5 })
        await ask('id and epoch', { producerId: 5, producerEpoch: 5 })
      }
    },
  },
  {
    name: 'find-coordinator',
    async run(side) {
      for (const version of versionsOf(findCoordinator)) {
        const cases: [string, number, string[]][] = [
          ['a group', 0, ['group-a']],
          ['an empty group', 0, ['']],
          ['an unknown type', 9, ['x']],
          ['type -1', -1, ['x']],
          ['a bad share key', 2, ['no share key']],
        ]
        if (version >= 4) cases.push(['two groups', 0, ['group-a', 'group-b']], ['none', 0, []])
        for (const [step, keyType, coordinatorKeys] of cases) {
          if (version === 0 && keyType !== 0) continue
          const request = { key: coordinatorKeys[0] ?? '', keyType, coordinatorKeys }
          await side.ask(
            step,
            findCoordinator,
            version,
            version < 4 ? { ...request, coordinatorKeys: [] } : { ...request, key: '' },
          )
        }
      }
    },
  },
]

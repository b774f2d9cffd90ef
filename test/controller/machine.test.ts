import { describe, expect, it } from 'vitest'
import { ErrorCode, errorName } from '../../src/base/error-code.ts'
import type { CellId, TenantId } from '../../src/base/ids.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { ControllerMachine } from '../../src/controller/machine.ts'
import type { MetadataEntry } from '../../src/image/entry.ts'
import type { ControllerRequest, NewTopic, TopicRef, TopicResult } from '../../src/image/request.ts'
import { TimelineRegistry } from '../../src/machine/timeline.ts'

const OTHER = 'bbbbbbbbbbbbbbbb' as TenantId

/** A machine that replays what it decides, as a leader whose log never fails. */
function controller(brokersPerCell = 3, partitionsMax = 1_000_000) {
  const registry = new TimelineRegistry()
  const settings = {
    ...{ cells: 1, brokersPerCell, defaultPartitions: 4, partitionsMax },
    isReplicated: false,
  }
  const machine = new ControllerMachine(registry, settings, { random: new SeededRandom(42) })
  const log: MetadataEntry[] = []
  const append = (entries: readonly MetadataEntry[]) => {
    for (const entry of entries) {
      registry.replaying(log.length)
      machine.replay(entry)
      log.push(entry)
    }
  }
  append(machine.form())
  append([
    { kind: 'tenant-created', tenantId: OTHER, name: 'other', clusterId: 'x', cellId: 1 as CellId },
  ])
  const tenantId = machine.state.tenants.byName.get('default')!
  const ask = (request: ControllerRequest, tenant = tenantId) => {
    const decision = machine.decide({ tenantId: tenant, request })
    append(decision.entries)
    return decision
  }
  const create = (topics: readonly NewTopic[], validateOnly = false, tenant = tenantId) => {
    const { entries, response } = ask({ kind: 'create-topics', validateOnly, topics }, tenant)
    if (response.kind !== 'create-topics') throw new Error('another kind of answer')
    return { entries, results: response.results, said: response.results.map(verdict) }
  }
  const remove = (topics: readonly TopicRef[], tenant = tenantId) => {
    const { entries, response } = ask({ kind: 'delete-topics', topics }, tenant)
    if (response.kind !== 'delete-topics') throw new Error('another kind of answer')
    return { entries, results: response.results, said: response.results.map(verdict) }
  }
  return { machine, registry, log, tenantId, ask, create, remove }
}

const verdict = (result: TopicResult): string =>
  result.error === ErrorCode.NONE ? 'NONE' : `${errorName(result.error)}: ${result.message}`

const topic = (name: string, overrides: Partial<NewTopic> = {}): NewTopic => ({
  name,
  partitions: 1,
  replicationFactor: 1,
  assignments: [],
  configs: [],
  ...overrides,
})
const assigned = (...nodes: readonly number[][]): Partial<NewTopic> => ({
  partitions: -1,
  replicationFactor: -1,
  assignments: nodes.map((one, partition) => ({ partition, nodes: one })),
})
const config = (name: string, value: string | null) => ({ configs: [{ name, value }] })

/** What Apache Kafka 4.3.1 says to the same request (three brokers). */
const REFUSED: readonly (readonly [string, NewTopic, string])[] = [
  [
    'empty name',
    topic(''),
    'INVALID_TOPIC_EXCEPTION: Topic name is invalid: the empty string is not allowed',
  ],
  ['dot', topic('.'), "INVALID_TOPIC_EXCEPTION: Topic name is invalid: '.' is not allowed"],
  ['dots', topic('..'), "INVALID_TOPIC_EXCEPTION: Topic name is invalid: '..' is not allowed"],
  ['too long', topic('a'.repeat(250)), 'longer than the max allowed length 249'],
  ['illegal', topic('a/b'), "other than ASCII alphanumerics, '.', '_' and '-'"],
  ['not ASCII', topic('tôpic'), "other than ASCII alphanumerics, '.', '_' and '-'"],
  ['exists', topic('there'), "TOPIC_ALREADY_EXISTS: Topic 'there' already exists."],
  [
    'collides',
    topic('a_b'),
    "INVALID_TOPIC_EXCEPTION: Topic 'a_b' collides with existing topic: a.b",
  ],
  [
    'no partitions',
    topic('x', { partitions: 0 }),
    'INVALID_PARTITIONS: Number of partitions was set',
  ],
  [
    'negative partitions',
    topic('x', { partitions: -2 }),
    'INVALID_PARTITIONS: Number of partitions',
  ],
  [
    'no replicas',
    topic('x', { replicationFactor: 0 }),
    'INVALID_REPLICATION_FACTOR: Replication factor must be',
  ],
  [
    'negative replicas',
    topic('x', { replicationFactor: -2 }),
    'INVALID_REPLICATION_FACTOR: Replication',
  ],
  [
    'too many partitions',
    topic('x', { partitions: 20_000 }),
    'POLICY_VIOLATION: Excessively large number of partitions per request',
  ],
  [
    'unknown config',
    topic('x', config('nope', '1')),
    'INVALID_CONFIG: Unknown topic config name: nope',
  ],
  [
    'config by a trick',
    topic('x', config('__proto__', '1')),
    'INVALID_CONFIG: Unknown topic config name: __proto__',
  ],
  [
    'null config',
    topic('x', config('retention.ms', null)),
    'INVALID_CONFIG: Null value not supported for topic configs: retention.ms',
  ],
  [
    'bad config',
    topic('x', config('segment.bytes', '100')),
    'INVALID_CONFIG: Invalid value 100 for configuration segment.bytes: Value must be at least 1048576',
  ],
  [
    'gap',
    topic('x', { ...assigned([1]), assignments: [{ partition: 1, nodes: [1] }] }),
    'INVALID_REPLICA_ASSIGNMENT: partitions should be a consecutive 0-based integer sequence',
  ],
  [
    'unknown node',
    topic('x', assigned([9])),
    'INVALID_REPLICA_ASSIGNMENT: The manual partition assignment includes broker 9, but no such broker is registered.',
  ],
  [
    'node twice',
    topic('x', assigned([1, 1])),
    'INVALID_REPLICA_ASSIGNMENT: The manual partition assignment includes the broker 1 more than once.',
  ],
  [
    'no nodes',
    topic('x', assigned([])),
    'INVALID_REPLICA_ASSIGNMENT: The manual partition assignment includes an empty replica list.',
  ],
  [
    'uneven',
    topic('x', assigned([1, 2], [3])),
    'INVALID_REPLICA_ASSIGNMENT: The manual partition assignment includes a partition with 1 replica(s), but this is not consistent with previous partitions, which have 2 replica(s).',
  ],
  [
    'partition twice',
    topic('x', {
      ...assigned([1]),
      assignments: [
        { partition: 0, nodes: [1] },
        { partition: 0, nodes: [2] },
      ],
    }),
    'INVALID_REPLICA_ASSIGNMENT: Found multiple manual partition assignments for partition 0',
  ],
  [
    'count and assignment',
    topic('x', { ...assigned([1]), partitions: 1 }),
    'INVALID_REQUEST: A manual partition assignment was specified, but numPartitions was not set to -1.',
  ],
  [
    'factor and assignment',
    topic('x', { ...assigned([1]), replicationFactor: 1 }),
    'INVALID_REQUEST: A manual partition assignment was specified, but replication factor was not set to -1.',
  ],
]

describe('CreateTopics', () => {
  it.each(REFUSED)('is refused as Kafka does: %s', (_why, asked, said) => {
    const one = controller()
    one.create([topic('there'), topic('a.b')])
    const answer = one.create([asked])
    expect(answer.said[0]).toContain(said)
    expect(answer.entries).toEqual([])
    expect(answer.results[0]).toMatchObject({ topicId: '0'.repeat(32), partitions: -1 })
  })

  it('writes one entry per topic and answers what was made', () => {
    const one = controller()
    const asked = topic('orders', { partitions: 4, ...config('retention.ms', '1000') })
    const { entries, results } = one.create([asked])
    const topicId = results[0]!.topicId
    expect(entries).toEqual([
      {
        kind: 'topic-created',
        tenantId: one.tenantId,
        topicId,
        name: 'orders',
        internal: false,
        cellId: 1,
        firstPartition: 1,
        placements: [1, 2, 3, 1].map((b) => ({ replicas: [b], leader: b, leaderEpoch: 0 })),
        configs: { 'retention.ms': '1000' },
      },
    ])
    expect(results).toEqual([
      {
        name: 'orders',
        topicId,
        error: 0,
        message: null,
        partitions: 4,
        replicationFactor: 1,
        configs: { 'retention.ms': '1000' },
      },
    ])
    // A version 4 UUID.
    expect(topicId).toMatch(/^[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}$/)
  })

  it('makes the default number of partitions, and one replica whatever was asked', () => {
    const one = controller()
    const { results } = one.create([topic('x', { partitions: -1, replicationFactor: 3 })])
    expect(results[0]).toMatchObject({ error: 0, partitions: 4, replicationFactor: 1 })
  })

  it('follows a manual assignment and keeps the first node of each', () => {
    const one = controller()
    const { entries } = one.create([topic('x', assigned([3, 1], [2, 3]))])
    expect(entries[0]).toMatchObject({
      placements: [
        { replicas: [3], leader: 3 },
        { replicas: [2], leader: 2 },
      ],
    })
  })

  it('refuses duplicates in one request, all of them, and makes the rest', () => {
    const one = controller()
    const { said, entries } = one.create([topic('a'), topic('b'), topic('a')])
    const twice = 'INVALID_REQUEST: Duplicate topic name: a'
    expect(said).toEqual([twice, 'NONE', twice])
    expect(entries).toHaveLength(1)
  })

  it('sees collisions within one request, and none between tenants or after deletion', () => {
    const one = controller()
    expect(one.create([topic('a.b'), topic('a_b')]).said).toEqual([
      'NONE',
      "INVALID_TOPIC_EXCEPTION: Topic 'a_b' collides with existing topic: a.b",
    ])
    expect(one.create([topic('a_b')], false, OTHER).said).toEqual(['NONE'])
    one.remove([{ name: 'a.b' }])
    expect(one.create([topic('a_b')]).said).toEqual(['NONE'])
  })

  it('validates only, when asked: the answer without the entries', () => {
    const one = controller()
    const { entries, said } = one.create([topic('x'), topic('')], true)
    expect(entries).toEqual([])
    expect(said[0]).toBe('NONE')
    expect(said[1]).toContain('INVALID_TOPIC_EXCEPTION')
    expect(one.create([topic('x')]).said).toEqual(['NONE'])
  })

  it('marks Kafka’s own topics as internal', () => {
    const { entries } = controller().create([topic('__consumer_offsets')])
    expect(entries[0]).toMatchObject({ internal: true })
  })

  it('counts the partitions of the whole request, and of the whole engine', () => {
    const one = controller(3, 25)
    const many = [topic('a', { partitions: 6000 }), topic('b', { partitions: 6000 })]
    expect(one.create(many).said.every((said) => said.includes('12000'))).toBe(true)
    const { said } = one.create([topic('a', { partitions: 20 }), topic('b', { partitions: 6 })])
    expect(said).toEqual([
      'NONE',
      'POLICY_VIOLATION: Cannot create 6 partitions: the brokers have no room for as many.',
    ])
  })

  it('spreads: each topic evenly, the remainder where there is least', () => {
    const one = controller()
    const loads = () => [1, 2, 3].map((b) => one.machine.state.loadOf(1 as CellId, b as never))
    for (let i = 0; i < 100; i++) one.create([topic(`one-${i}`)])
    expect(Math.max(...loads()) - Math.min(...loads())).toBeLessThanOrEqual(1)
    one.create([topic('skewed', assigned([1], [1], [1], [1], [1]))])
    const { entries } = one.create([topic('wide', { partitions: 6 })])
    const leaders = (entries[0] as unknown as { placements: { leader: number }[] }).placements.map(
      (placement) => placement.leader,
    )
    expect([...leaders].sort()).toEqual([1, 1, 2, 2, 3, 3])
    for (let i = 0; i < 20; i++) one.create([topic(`level-${i}`)])
    expect(Math.max(...loads()) - Math.min(...loads())).toBeLessThanOrEqual(1)
    for (let i = 0; i < 100; i++) one.remove([{ name: `one-${i}` }])
    expect(loads().reduce((sum, load) => sum + load)).toBe(5 + 6 + 20)
  })
})

describe('DeleteTopics', () => {
  it('deletes by name and by id', () => {
    const one = controller()
    const [a, b] = one.create([topic('a', { partitions: 2 }), topic('b')]).results
    const { said, entries, results } = one.remove([{ name: 'a' }, { topicId: b!.topicId }])
    expect(said).toEqual(['NONE', 'NONE'])
    expect(entries).toEqual([
      { kind: 'topic-deleted', tenantId: one.tenantId, topicId: a!.topicId },
      { kind: 'topic-deleted', tenantId: one.tenantId, topicId: b!.topicId },
    ])
    expect(results[1]).toMatchObject({ name: 'b', topicId: b!.topicId })
    expect(one.machine.state.partitionCount.value).toBe(0)
  })

  it('knows no other tenant’s topics', () => {
    const one = controller()
    const foreign = one.create([topic('theirs')], false, OTHER).results[0]!
    const { said, entries, results } = one.remove([
      { name: 'theirs' },
      { topicId: foreign.topicId },
      { topicId: '0'.repeat(32) },
    ])
    expect(said).toEqual([
      'UNKNOWN_TOPIC_OR_PARTITION: This server does not host this topic-partition.',
      'UNKNOWN_TOPIC_ID: This server does not host this topic ID.',
      'UNKNOWN_TOPIC_ID: This server does not host this topic ID.',
    ])
    expect(entries).toEqual([])
    expect(results[1]).toMatchObject({ name: null, topicId: foreign.topicId })
  })

  it('refuses a topic that is given twice, by whatever name', () => {
    const one = controller()
    const { topicId } = one.create([topic('a')]).results[0]!
    const { said, entries } = one.remove([{ name: 'a' }, { topicId }, { name: 'x' }, { name: 'x' }])
    expect(said.every((one) => one.startsWith('INVALID_REQUEST'))).toBe(true)
    expect(entries).toEqual([])
  })

  it('never uses a partition number again', () => {
    const one = controller()
    one.create([topic('a', { partitions: 5 })])
    one.remove([{ name: 'a' }])
    expect(one.create([topic('a')]).entries[0]).toMatchObject({ firstPartition: 6 })
  })
})

describe('producer ids', () => {
  it('are handed out in blocks from 0, each tenant its own', () => {
    const one = controller()
    const take = (count: number, tenant = one.tenantId) =>
      one.ask({ kind: 'allocate-producer-ids', count }, tenant)
    expect(take(1000).response).toMatchObject({ error: 0, first: 0, count: 1000 })
    expect(take(1000)).toEqual({
      entries: [{ kind: 'producer-ids', tenantId: one.tenantId, next: 2000 }],
      response: { kind: 'allocate-producer-ids', error: 0, first: 1000, count: 1000 },
    })
    expect(take(1, OTHER).response).toMatchObject({ first: 0 })
    for (const count of [0, -1, 0.5, 1e9]) {
      const refused = take(count)
      expect(refused.entries).toEqual([])
      expect(refused.response).toMatchObject({ error: ErrorCode.INVALID_REQUEST })
    }
  })
})

describe('a tenant that is gone', () => {
  it('is refused, topic by topic', () => {
    const gone = 'ffffffffffffffff' as TenantId
    const { said, entries } = controller().create([topic('a'), topic('b')], false, gone)
    expect(said).toEqual(Array(2).fill('UNKNOWN_SERVER_ERROR: The tenant does not exist.'))
    expect(entries).toEqual([])
  })
})

describe('a term that is lost', () => {
  it('takes back all that was not committed', () => {
    const one = controller()
    one.create([topic('kept.one', { partitions: 3 })])
    one.registry.commit(one.log.length)
    const numbers = one.machine.state.nextPartition.value
    one.create([topic('lost_one', { partitions: 2 })])
    one.remove([{ name: 'kept.one' }])
    one.ask({ kind: 'allocate-producer-ids', count: 10 })
    one.registry.revert()
    const { state } = one.machine
    expect(state.topicByName(one.tenantId, 'kept.one')).toBeDefined()
    expect(state.topicByName(one.tenantId, 'lost_one')).toBeUndefined()
    expect(state.collisionsOf(one.tenantId, 'kept_one')).toEqual(['kept.one'])
    expect(state.collisionsOf(one.tenantId, 'lost.one')).toEqual([])
    expect(state.nextPartition.value).toBe(numbers)
    expect(state.partitionCount.value).toBe(3)
    expect(state.nextProducerId(one.tenantId)).toBe(0)
    expect([1, 2, 3].map((b) => state.loadOf(1 as CellId, b as never))).toEqual([1, 1, 1])
  })
})

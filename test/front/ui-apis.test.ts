/** What web UIs ask that has no answer of its own yet, or one of a single node: ACLs, quotas, log directories. */
import { describe, expect, test } from 'vitest'
import type { ListenerInfo } from '../../src/net/listener-info.ts'
import { describeAcls } from '../../src/protocol/29-describe-acls.ts'
import { describeConfigs } from '../../src/protocol/32-describe-configs.ts'
import { describeLogDirs } from '../../src/protocol/35-describe-log-dirs.ts'
import { describeClientQuotas } from '../../src/protocol/48-describe-client-quotas.ts'
import type { Api, ResponseOf } from '../../src/protocol/api.ts'
import type { Asking, FakeClient } from './fake-client.ts'
import { Harness } from './harness.ts'
import { bigBatch, produced, sendProduce } from './requests.ts'
import { type Key, login, Operator } from './tenants.ts'

function answered<A extends Api>(
  world: Harness,
  client: FakeClient,
  api: A,
  version: number,
  request: Asking<A>,
): ResponseOf<A> {
  const correlation = client.send(api, version, request)
  world.run()
  const response = client.answer(api, correlation)
  if (response === undefined) throw new Error(`${api.name} v${version}: no answer`)
  return response
}

test('DescribeAcls says, in every version, that there are none', () => {
  const world = new Harness()
  const client = world.connect()
  for (const version of [1, 2, 3]) {
    const told = answered(world, client, describeAcls, version, {
      resourceTypeFilter: 1,
      resourceNameFilter: null,
      patternTypeFilter: 1,
      principalFilter: null,
      hostFilter: null,
      operation: 1,
      permissionType: 1,
    })
    expect(told).toMatchObject({
      errorCode: 0,
      errorMessage: '',
      resources: [],
    })
  }
})

describe('DescribeClientQuotas', () => {
  const world = new Harness()
  const client = world.connect()
  type Component = readonly [entityType: string, matchType: number, match: string | null]
  const ask = (version: number, ...components: Component[]) =>
    answered(world, client, describeClientQuotas, version, {
      components: components.map(([entityType, matchType, match]) => ({
        entityType,
        matchType,
        match,
      })),
      strict: false,
    })

  test('finds none', () => {
    for (const version of [0, 1]) {
      for (const components of [
        [],
        [['user', 2, null]],
        [
          ['user', 0, 'alice'],
          ['client-id', 1, null],
        ],
        [['ip', 2, null]],
      ] as Component[][]) {
        expect(ask(version, ...components)).toMatchObject({ errorCode: 0, entries: [] })
      }
    }
  })

  test('refuses what Kafka refuses', () => {
    const refusal = (...components: Component[]) => {
      const { errorCode, errorMessage, entries } = ask(1, ...components)
      expect(entries).toBe(null)
      return [errorCode, errorMessage]
    }
    expect(refusal(['', 0, 'x'])).toEqual([42, 'Invalid empty entity type.'])
    expect(refusal(['user', 2, null], ['user', 2, null])).toEqual([
      42,
      'Entity type user cannot appear more than once in the filter.',
    ])
    expect(refusal(['colour', 0, 'red'])).toEqual([35, 'Unsupported entity type colour'])
    expect(refusal(['user', 0, null])[1]).toMatch(/MATCH_TYPE_EXACT/)
    expect(refusal(['user', 1, 'x'])[1]).toMatch(/MATCH_TYPE_DEFAULT/)
    expect(refusal(['user', 2, 'x'])[1]).toMatch(/MATCH_TYPE_SPECIFIED/)
    expect(refusal(['user', 9, null])).toEqual([42, 'Unknown match type 9'])
    expect(refusal(['ip', 2, null], ['user', 2, null])[1]).toMatch(
      /^Invalid entity filter component combination/,
    )
  })
})

describe('DescribeLogDirs', () => {
  /** Sizes by topic and partition, as the node with this id tells. */
  const sizes = (
    world: Harness,
    nodeId: number,
    topics: Asking<typeof describeLogDirs>['topics'],
  ) =>
    dirOf(world, nodeId, topics).topics.flatMap(({ name, partitions }) =>
      partitions.map((one) => [`${name}-${one.partitionIndex}`, one.partitionSize] as const),
    )
  const dirOf = (
    world: Harness,
    nodeId: number,
    topics: Asking<typeof describeLogDirs>['topics'] = null,
    version = 5,
  ) => answered(world, world.connectTo(nodeId), describeLogDirs, version, { topics }).results[0]!

  function written(): Harness {
    const world = new Harness({ brokers: 2 })
    world.createTopic('t', 4)
    world.createTopic('empty', 1)
    const client = world.connect()
    for (let index = 0; index < 4; index++) {
      const sent = sendProduce(client, 't', bigBatch('x', 1_000 * (index + 1)), { index })
      world.run()
      expect(produced(client, sent)).toMatchObject({ errorCode: 0 })
    }
    return world
  }

  test('tells, node by node, how large what it leads is', () => {
    const world = written()
    const here = sizes(world, 1, null)
    const there = sizes(world, 2, null)
    expect([...here, ...there].map(([name]) => name).sort()).toEqual([
      'empty-0',
      ...[0, 1, 2, 3].map((index) => `t-${index}`),
    ])
    const all = new Map([...here, ...there])
    expect(all.get('empty-0')).toBe(0)
    for (let index = 0; index < 4; index++) {
      const directory = world.directoryOf('t', index)
      const onDisk = world.disk.size(`${directory}/00000000000000000000.log`)
      expect(onDisk).toBeGreaterThan(1_000 * (index + 1))
      expect(all.get(`t-${index}`)).toBe(onDisk)
    }
    expect(here.length).toBeGreaterThan(0)
    expect(there.length).toBeGreaterThan(0)
  })

  test('in every version, and says nothing of the machine', () => {
    const world = written()
    for (const version of [1, 2, 3, 4, 5]) {
      const told = dirOf(world, 1, null, version)
      expect(told).toMatchObject({ errorCode: 0, logDir: '/broker-1' })
      if (version >= 4) expect(told).toMatchObject({ totalBytes: -1, usableBytes: -1 })
    }
  })

  test('DescribeConfigs tells the same place, wherever the engine was started', () => {
    const world = new Harness({ brokers: 2, brokerConfigs: { 'log.dirs': '/home/somebody/data' } })
    const told = (resourceName: string) =>
      answered(world, world.connectTo(2), describeConfigs, 4, {
        resources: [{ resourceType: 4, resourceName, configurationKeys: null }],
        includeSynonyms: true,
      })
    const { configs } = told('2').results[0]!
    expect(configs.find(({ name }) => name === 'log.dirs')?.value).toBe('/broker-2')
    expect(JSON.stringify([told('2'), told('')])).not.toContain('somebody')
  })

  test('DescribeConfigs tells the address that the client uses, and of no other listener', () => {
    const brokerConfigs = {
      listeners: 'PLAINTEXT://0.0.0.0:9092,PLAINTEXT://10.0.0.7:19092',
      'advertised.listeners': 'PLAINTEXT://one.example:9092,PLAINTEXT://two.example:19092',
    }
    const world = new Harness({ brokers: 2, brokerConfigs })
    const told = (listener: Partial<ListenerInfo> = {}, key: Key | null = null) => {
      const client = world.connectTo(2, listener)
      if (key !== null) login(world, client, key)
      return answered(world, client, describeConfigs, 4, {
        resources: [{ resourceType: 4, resourceName: '2', configurationKeys: null }],
        includeSynonyms: true,
      })
    }
    const valueIn = (answer: ReturnType<typeof told>, name: string) =>
      answer.results[0]!.configs.find((config) => config.name === name)!
    const plain = told()
    expect(valueIn(plain, 'listeners')).toMatchObject({
      ...{ value: 'PLAINTEXT://127.0.0.1:9093', configSource: 4, readOnly: true },
      synonyms: [{ name: 'listeners', value: 'PLAINTEXT://127.0.0.1:9093', source: 4 }],
    })
    expect(valueIn(plain, 'advertised.listeners')).toMatchObject({ value: null, configSource: 5 })
    expect(JSON.stringify(plain)).not.toMatch(/example|19092|10\.0\.0\.7/)
    const operator = new Operator(world)
    const key = operator.key(operator.tenant('acme'))
    const own = { advertisedHost: 'acme.kafka.example', advertisedPorts: [443, 444], isTls: true }
    const byName = valueIn(told(own, key), 'listeners')
    expect(byName.value).toBe('SASL_SSL://acme.kafka.example:444')
    expect(valueIn(told({ ...own, advertisedHost: '::1' }), 'listeners').value).toBe(
      'SSL://[::1]:444',
    )
  })

  test('of what is asked for: the rest, and what is not there, is left out', () => {
    const world = written()
    const asked = [
      { topic: 't', partitions: [0, 1, 2, 3, 3, 4, -1] },
      { topic: 'nowhere', partitions: [0] },
    ]
    const told = [...sizes(world, 1, asked), ...sizes(world, 2, asked)].map(([name]) => name)
    expect(told.sort()).toEqual(['t-0', 't-1', 't-2', 't-3'])
  })

  test('of more partitions than are asked about at a time', () => {
    const world = new Harness()
    world.createTopic('wide', 100)
    expect(sizes(world, 1, null).length).toBe(100)
  })

  test('of a node that is gone: an error in the directory', () => {
    const world = written()
    world.tellGone(2)
    world.run()
    expect(dirOf(world, 2)).toMatchObject({ errorCode: 56, topics: [] })
  })

  describe('of a topic with several replicas', () => {
    /** What each node says of its replica of `t-0`; `answers`: what brokers say in whose place the test answers. */
    function told(nodeId: number, answers: Readonly<Record<number, object | null>> = {}) {
      const world = new Harness({ brokers: 3, isReplicated: true })
      world.createTopic('t', 1)
      world.tellLeader('t', 0, 1, 5)
      const client = world.connectTo(nodeId)
      for (const id of Object.keys(answers)) world.hung.add(Number(id))
      const correlation = client.send(describeLogDirs, 5, { topics: null })
      for (let round = 0; round < 10; round++) {
        world.pass(100)
        for (const [id, log] of Object.entries(answers)) {
          const port = world.portOf(Number(id))
          for (let envelope = port.poll(); envelope !== undefined; envelope = port.poll()) {
            const { from, message } = envelope
            if (message.kind !== 'describe-log-sizes' || log === null) continue
            const { correlation: token } = message
            const logs = [log as never]
            port.post(from, { kind: 'log-sizes', correlation: token, logs })
          }
        }
      }
      const [topic] = client.answer(describeLogDirs, correlation)!.results[0]!.topics
      return topic?.partitions
    }

    const leader = { sizeBytes: 900, logEndOffset: 12, highWatermark: 10 }

    test('each node tells of its own replica', () => {
      for (const nodeId of [1, 2, 3]) {
        expect(told(nodeId)).toEqual([
          { partitionIndex: 0, partitionSize: 0, offsetLag: 0, isFutureKey: false },
        ])
      }
    })

    test('one that follows is behind by what it lacks of what the leader knows to be on most', () => {
      const behind = { sizeBytes: 500, logEndOffset: 7, highWatermark: 6 }
      expect(told(2, { 1: leader, 2: behind })).toMatchObject([
        { partitionSize: 500, offsetLag: 3 },
      ])
      const ahead = { ...behind, logEndOffset: 11 }
      expect(told(2, { 1: leader, 2: ahead })).toMatchObject([{ offsetLag: 0 }])
      expect(told(1, { 1: leader, 2: behind })).toMatchObject([
        { partitionSize: 900, offsetLag: 0 },
      ])
    })

    test('and not known to be, where one of the two logs is closed, or the leader hangs', () => {
      const closed = { sizeBytes: 500, logEndOffset: Number.NaN, highWatermark: Number.NaN }
      expect(told(2, { 1: leader, 2: closed })).toMatchObject([{ offsetLag: 0 }])
      expect(told(2, { 1: closed, 2: leader })).toMatchObject([{ offsetLag: 0 }])
      expect(told(2, { 1: null, 2: leader })).toMatchObject([{ partitionSize: 900, offsetLag: 0 }])
    })

    /** Broker 1 leads all of 100 partitions, and takes no turns. */
    function besideHung() {
      const world = new Harness({ brokers: 3, isReplicated: true })
      world.createTopic('wide', 100)
      for (let index = 0; index < 100; index++) world.tellLeader('wide', index, 1, 5)
      world.hung.add(1)
      const client = world.connectTo(2)
      const correlation = client.send(describeLogDirs, 5, { topics: null })
      world.run()
      const partitions = () =>
        client.answer(describeLogDirs, correlation)?.results[0]?.topics[0]?.partitions.length
      const asked = () => {
        let count = 0
        const port = world.portOf(1)
        for (let envelope = port.poll(); envelope !== undefined; envelope = port.poll()) {
          if (envelope.message.kind === 'describe-log-sizes') count++
        }
        return count
      }
      return { world, client, partitions, asked }
    }

    test('waits for a leader that does not answer once, and leaves no question behind', () => {
      const { world, partitions, asked } = besideHung()
      expect(partitions()).toBeUndefined()
      world.pass(800, 50)
      expect(partitions()).toBe(100)
      expect(asked()).toBe(1)
      expect(world.front.services.logSizes.size).toBe(0)
    })

    test('does not ask a leader that is known to hang', () => {
      const { world, client, asked } = besideHung()
      world.pass(3_000, 50)
      asked()
      world.front.services.dispatcher.setHung(1 as never, 1 as never, true)
      const correlation = client.send(describeLogDirs, 5, { topics: null })
      world.run()
      expect(client.answer(describeLogDirs, correlation)).toBeDefined()
      expect(asked()).toBe(0)
    })
  })
})

import { describe, expect, test } from 'vitest'
import { ZERO_TOPIC_ID } from '../../src/base/ids.ts'
import { metadata } from '../../src/protocol/03-metadata.ts'
import { createTopics } from '../../src/protocol/19-create-topics.ts'
import { deleteTopics } from '../../src/protocol/20-delete-topics.ts'
import { describeConfigs } from '../../src/protocol/32-describe-configs.ts'
import { alterConfigs } from '../../src/protocol/33-alter-configs.ts'
import { createPartitions } from '../../src/protocol/37-create-partitions.ts'
import { incrementalAlterConfigs } from '../../src/protocol/44-incremental-alter-configs.ts'
import { describeProducers } from '../../src/protocol/61-describe-producers.ts'
import type { Api, ResponseOf } from '../../src/protocol/api.ts'
import type { Asking, FakeClient } from './fake-client.ts'
import { Harness } from './harness.ts'
import { fetched, sendFetch } from './requests.ts'

function call<A extends Api>(
  world: Harness,
  client: FakeClient,
  api: A,
  version: number,
  request: Asking<A>,
): ResponseOf<A> {
  const correlation = client.send(api, version, request)
  world.run()
  return client.answer(api, correlation)!
}

const times = <T>(count: number, make: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i))

describe('a few bytes that ask for a lot', () => {
  test('a topic named a thousand times is described once, by name and by id', () => {
    const world = new Harness()
    world.createTopic('t', 100)
    const client = world.connect()
    const named = times(1000, () => ({ name: 't', topicId: ZERO_TOPIC_ID }))
    const answer = call(world, client, metadata, 12, {
      ...{ topics: named, allowAutoTopicCreation: false },
      includeTopicAuthorizedOperations: false,
    })
    expect(answer.topics.map(({ name, partitions }) => [name, partitions.length])).toEqual([
      ['t', 100],
    ])
    const { topicId } = answer.topics[0]!
    const byId = call(world, client, metadata, 12, {
      ...{ topics: times(1000, () => ({ name: null, topicId })), allowAutoTopicCreation: false },
      includeTopicAuthorizedOperations: false,
    })
    expect(byId.topics).toHaveLength(1)
  })

  test('a resource given over and over is described a hundred times more at most', () => {
    const world = new Harness()
    world.createTopic('t')
    const { results } = call(world, world.connect(), describeConfigs, 4, {
      resources: times(1000, () => ({
        ...{ resourceType: 2, resourceName: 't', configurationKeys: null },
      })),
      ...{ includeSynonyms: true, includeDocumentation: true },
    })
    const told = results.filter(({ errorCode, configs }) => errorCode === 0 && configs.length > 20)
    expect(told).toHaveLength(101)
    expect(results[500]).toMatchObject({ errorCode: 42, configs: [] })
  })

  test('a partition named over and over is asked for its producers once', () => {
    const world = new Harness()
    world.createTopic('t')
    const { topics } = call(world, world.connect(), describeProducers, 0, {
      topics: times(1000, () => ({ name: 't', partitionIndexes: [0, 0] })),
    })
    expect(topics.map(({ name, partitions }) => [name, partitions.length])).toEqual([['t', 1]])
  })

  test('groups that are asked for a config that there is not are described only so often', () => {
    const world = new Harness()
    const { results } = call(world, world.connect(), describeConfigs, 4, {
      resources: times(100_000, (i) => ({
        ...{ resourceType: 32, resourceName: `g${i}`, configurationKeys: ['x'] },
      })),
      ...{ includeSynonyms: false, includeDocumentation: false },
    })
    expect(results[1000]).toMatchObject({ errorCode: 0, configs: [] })
    expect(results[99_999]).toMatchObject({ errorCode: 42, configs: [] })
  })

  test('more than 10,000 topics to create or delete are refused before the controller sees them', () => {
    const world = new Harness()
    world.hung.add(1)
    const client = world.connect()
    const topic = { numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }
    const created = call(world, client, createTopics, 5, {
      topics: times(10_001, (i) => ({ name: `t${i}`, ...topic })),
      ...{ timeoutMs: 1000, validateOnly: false },
    })
    expect(created.topics).toHaveLength(10_001)
    expect(created.topics[10_000]).toMatchObject({ name: 't10000', errorCode: 44 })
    expect(created.topics[0]!.errorMessage).toContain('10001, the limit is 10000')
    const deleted = call(world, client, deleteTopics, 4, {
      ...{ topicNames: times(10_001, (i) => `t${i}`), timeoutMs: 1000 },
    })
    expect(deleted.responses[10_000]).toMatchObject({ name: 't10000', errorCode: 44 })
    const asked = call(world, client, metadata, 5, {
      topics: times(10_001, (i) => ({ name: `t${i}` })),
      allowAutoTopicCreation: true,
    })
    expect(asked.topics[10_000]).toMatchObject({ name: 't10000', errorCode: 3 })
  })

  test('more than 10,000 topics to grow, or resources to configure, are refused as well', () => {
    const world = new Harness()
    world.hung.add(1)
    const client = world.connect()
    const grown = call(world, client, createPartitions, 3, {
      topics: times(10_001, (i) => ({ name: `t${i}`, count: 2, assignments: null })),
      ...{ timeoutMs: 1000, validateOnly: false },
    })
    expect(grown.results).toHaveLength(10_001)
    expect(grown.results[10_000]).toMatchObject({ name: 't10000', errorCode: 44 })
    expect(grown.results[0]!.errorMessage).toContain('topics per request: 10001, the limit is')
    const resources = times(10_001, (i) => ({ resourceType: 2, resourceName: `t${i}` }))
    const set = call(world, client, alterConfigs, 2, {
      resources: resources.map((one) => ({ ...one, configs: [] })),
      validateOnly: false,
    })
    const changed = call(world, client, incrementalAlterConfigs, 1, {
      resources: resources.map((one) => ({ ...one, configs: [] })),
      validateOnly: false,
    })
    for (const { responses } of [set, changed]) {
      expect(responses).toHaveLength(10_001)
      expect(responses[10_000]).toMatchObject({ resourceName: 't10000', errorCode: 44 })
      expect(responses[0]!.errorMessage).toContain('resources per request: 10001, the limit is')
    }
  })

  test('neither are more assignments or configs carried to the controller than it would take', () => {
    const world = new Harness()
    world.hung.add(1)
    const client = world.connect()
    const brokerIds = [1]
    const assignments = times(10_001, (partitionIndex) => ({ partitionIndex, brokerIds }))
    const topic = { numPartitions: -1, replicationFactor: -1, assignments: [], configs: [] }
    const asked = { timeoutMs: 1000, validateOnly: false }
    const configs = times(100_001, (i) => ({ name: `c${i}`, value: 'v' }))
    const assigned = call(world, client, createTopics, 5, {
      ...{ topics: [{ ...topic, name: 't', assignments }], ...asked },
    })
    const configured = call(world, client, createTopics, 5, {
      ...{ topics: [{ ...topic, name: 't', configs }], ...asked },
    })
    const grown = call(world, client, createPartitions, 3, {
      topics: [{ name: 't', count: 20_000, assignments }],
      ...asked,
    })
    const changed = call(world, client, incrementalAlterConfigs, 1, {
      resources: [
        {
          ...{ resourceType: 2, resourceName: 't' },
          configs: configs.map((one) => ({ ...one, configOperation: 0 })),
        },
      ],
      validateOnly: false,
    })
    const partitions = 'partitions per request: 10001, the limit is 10000'
    const named = 'configs per request: 100001, the limit is 100000'
    const answers = [
      [assigned.topics[0], partitions],
      [configured.topics[0], named],
      [grown.results[0], partitions],
      [changed.responses[0], named],
    ] as const
    for (const [answer, message] of answers) {
      expect(answer).toMatchObject({ errorCode: 44 })
      expect(answer!.errorMessage).toContain(message)
    }
  })

  test('the sessions of a tenant have a bound of partitions together, and who is beyond it does without', () => {
    const world = new Harness()
    world.createTopic('t')
    const client = world.connect()
    const open = (count: number, from = 0) => {
      const correlation = sendFetch(
        client,
        { t: Object.fromEntries(times(count, (i) => [from + i, 0])) },
        { maxWaitMs: 0, sessionEpoch: 0 },
      )
      world.run()
      return fetched(client, correlation)!.sessionId
    }
    const sessions = times(20, () => open(5_000))
    expect(sessions.every((id) => id !== 0)).toBe(true)
    expect(open(1)).toBe(0)
    expect(world.front.services.fetchSessions.size).toBe(20)
    // One that grows beyond it ends, as one does that is too large by itself.
    const grown = sendFetch(
      client,
      { t: { 6000: 0 } },
      { maxWaitMs: 0, sessionId: sessions[0]!, sessionEpoch: 1 },
    )
    world.run()
    expect(fetched(client, grown)!.errorCode).toBe(70)
    expect(open(1)).not.toBe(0)
    // Unused for long they give way.
    world.pass(130_000)
    expect(open(5_000)).not.toBe(0)
  })
})

describe('what versions before 12 cannot say', () => {
  test.each([10, 11])('a topic without a name in Metadata v%i is an invalid request', (version) => {
    const world = new Harness()
    world.createTopic('t')
    const client = world.connect()
    const topicId = '0123456789abcdef0123456789abcdef' as typeof ZERO_TOPIC_ID
    const answer = call(world, client, metadata, version, {
      topics: [
        { name: null, topicId },
        { name: 't', topicId: ZERO_TOPIC_ID },
      ],
      ...{ allowAutoTopicCreation: true, includeTopicAuthorizedOperations: false },
      includeClusterAuthorizedOperations: false,
    })
    expect(answer.topics.map(({ name, errorCode }) => [name, errorCode])).toEqual([
      ['', 42],
      ['t', 42],
    ])
    expect(world.lines.filter(({ level }) => level === 'error')).toEqual([])
  })
})

describe('a name of 32 KB', () => {
  test('is refused with a message that fits', () => {
    const world = new Harness()
    const name = 'ä'.repeat(16_383)
    const topic = { numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }
    const answer = call(world, world.connect(), createTopics, 5, {
      ...{ topics: [{ name, ...topic }], timeoutMs: 1000, validateOnly: false },
    })
    expect(answer.topics[0]).toMatchObject({ name, errorCode: 17 })
    expect(answer.topics[0]!.errorMessage!.length).toBeLessThanOrEqual(10_001)
  })
})

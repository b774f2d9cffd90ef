/** What Metadata and DescribeTopicPartitions tell of topics that are there, are made by the question, or cannot be. */
import { describe, expect, test } from 'vitest'
import { metadata } from '../../src/protocol/03-metadata.ts'
import { describeTopicPartitions } from '../../src/protocol/75-describe-topic-partitions.ts'
import type { ResponseOf } from '../../src/protocol/api.ts'
import { call } from './call.ts'
import { Harness } from './harness.ts'
import { login, Operator } from './tenants.ts'

describe('Metadata', () => {
  test('of all topics lists them by name, none for an empty list', () => {
    const world = new Harness()
    for (const name of ['b', 'a', 'c']) world.createTopic(name)
    const client = world.connect()
    const names = (version: number, topics: { name: string }[] | null) =>
      call(world, client, metadata, version, { topics }).topics.map(({ name }) => name)
    expect(names(9, null)).toEqual(['a', 'b', 'c'])
    expect(names(9, [])).toEqual([])
    expect(names(0, [])).toEqual(['a', 'b', 'c'])
  })

  test('by id finds the tenant’s own', () => {
    const world = new Harness()
    world.createTopic('t')
    const { topicId } = world.image.topicByName(world.image.defaultTenant!.tenantId, 't')!
    const strange = 'f'.repeat(32) as typeof topicId
    const { topics } = call(world, world.connect(), metadata, 12, {
      topics: [
        { topicId, name: null },
        { topicId: strange, name: null },
      ],
    })
    expect(topics.map(({ name, errorCode }) => [name, errorCode])).toEqual([
      ['t', 0],
      [null, 100],
    ])
  })

  test('makes no topic when it is told not to, or when that is switched off', () => {
    const world = new Harness()
    const ask = { topics: [{ name: 'x' }], allowAutoTopicCreation: false }
    expect(call(world, world.connect(), metadata, 9, ask).topics[0]!.errorCode).toBe(3)
    const off = new Harness({ settings: { autoCreateTopics: false } })
    expect(
      call(off, off.connect(), metadata, 9, { topics: [{ name: 'x' }] }).topics[0]!.errorCode,
    ).toBe(3)
  })

  test('of a topic that no controller makes says that it has no leader yet, before its client gives up', () => {
    const world = new Harness({ brokers: 2 })
    world.createTopic('there')
    world.hung.add(1)
    const client = world.connect()
    const topics = [{ name: 'x' }, { name: 'there' }]
    const correlation = client.send(metadata, 9, { topics })
    world.pass(4_000, 50)
    expect(client.answer(metadata, correlation)).toBeUndefined()
    world.pass(1_100, 50)
    const told = client.answer(metadata, correlation)!.topics
    expect(told.map(({ name, errorCode }) => [name, errorCode])).toEqual([
      ['x', 5],
      ['there', 0],
    ])
    world.hung.delete(1)
    world.run()
    const again = call(world, client, metadata, 9, { topics })
    expect(again.topics.map(({ errorCode }) => errorCode)).toEqual([0, 0])
  })

  test('of a topic that cannot be made, whatever the reason, says that it is not there, and the log why', () => {
    const world = new Harness()
    const operator = new Operator(world)
    const key = operator.key(operator.tenant('acme', { topics: 1 }))
    const client = world.connect()
    login(world, client, key)
    const ask = (name: string) =>
      call(world, client, metadata, 9, { topics: [{ name }] }).topics[0]!.errorCode
    operator.ask(world.image.tenantByName('acme')!.tenantId, {
      ...{ kind: 'alter-tenant', settings: { superUsers: ['User:admin'] } },
    })
    expect(ask('a.b')).toBe(0)
    expect(ask('two')).toBe(3)
    expect(world.lines.at(-1)).toEqual({
      ...{ level: 'warn', message: 'a topic could not be made at its first use' },
      fields: {
        ...{ client: client.connection.remoteAddress, tenant: 'acme', topic: 'two' },
        reason:
          'The limit of 1 topics of this cluster would be passed: 1 are used, 1 more are asked for.',
      },
    })
    // another topic's metrics would have its name: Kafka's controller says INVALID_TOPIC_EXCEPTION, its Metadata does not
    expect(ask('a_b')).toBe(3)
    expect(world.lines.at(-1)!.fields).toMatchObject({ topic: 'a_b' })
  })

  test('of a name that no topic can have says so', () => {
    const world = new Harness()
    const { topics } = call(world, world.connect(), metadata, 9, { topics: [{ name: 'a b' }] })
    expect(topics[0]!.errorCode).toBe(17)
  })

  test('shows partitions of a broker that has died as leaderless', () => {
    const world = new Harness({ brokers: 2 })
    world.createTopic('t', 4)
    world.tellGone(2)
    world.run()
    const { topics } = call(world, world.connect(), metadata, 9, { topics: [{ name: 't' }] })
    const leaderless = topics[0]!.partitions.filter(({ leaderId }) => leaderId === -1)
    expect(leaderless).toHaveLength(2)
    for (const partition of leaderless) {
      expect(partition).toMatchObject({ errorCode: 5, offlineReplicas: [2], isrNodes: [2] })
    }
  })
})

test('DescribeTopicPartitions goes through all partitions page by page', () => {
  const world = new Harness()
  for (const name of ['a', 'b', 'c']) world.createTopic(name, 5)
  const client = world.connect()
  const seen: string[] = []
  let cursor: { topicName: string; partitionIndex: number } | null = null
  for (let page = 0; page < 20; page++) {
    const told: ResponseOf<typeof describeTopicPartitions> = call(
      world,
      client,
      describeTopicPartitions,
      0,
      { topics: [], responsePartitionLimit: 4, cursor },
    )
    for (const { name, partitions } of told.topics) {
      seen.push(...partitions.map(({ partitionIndex }) => `${name}${partitionIndex}`))
    }
    cursor = told.nextCursor
    if (cursor === null) break
  }
  expect(seen).toEqual(['a', 'b', 'c'].flatMap((name) => [0, 1, 2, 3, 4].map((i) => name + i)))
})

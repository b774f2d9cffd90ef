/** Group requests through front, rings and brokers; what the coordinator decides is tested in test/coordinator. */
import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import { ZERO_TOPIC_ID } from '../../src/base/ids.ts'
import { groupPartition } from '../../src/front/coordinator-call.ts'
import { metadata } from '../../src/protocol/03-metadata.ts'
import { offsetCommit } from '../../src/protocol/08-offset-commit.ts'
import { offsetFetch } from '../../src/protocol/09-offset-fetch.ts'
import { findCoordinator } from '../../src/protocol/10-find-coordinator.ts'
import { joinGroup } from '../../src/protocol/11-join-group.ts'
import { heartbeat } from '../../src/protocol/12-heartbeat.ts'
import { leaveGroup } from '../../src/protocol/13-leave-group.ts'
import { syncGroup } from '../../src/protocol/14-sync-group.ts'
import { describeGroups } from '../../src/protocol/15-describe-groups.ts'
import { listGroups } from '../../src/protocol/16-list-groups.ts'
import { deleteGroups } from '../../src/protocol/42-delete-groups.ts'
import { offsetDelete } from '../../src/protocol/47-offset-delete.ts'
import type { Api } from '../../src/protocol/api.ts'
import type { Asking, FakeClient } from './fake-client.ts'
import { Harness, type HarnessOptions } from './harness.ts'

const NO_DELAY = { 'group.initial.rebalance.delay.ms': '0' }
const bytes = (text: string) => new TextEncoder().encode(text)

function ask<A extends Api>(
  harness: Harness,
  client: FakeClient,
  api: A,
  version: number,
  request: Asking<A>,
) {
  const correlation = client.send(api, version, request)
  harness.run()
  return client.answer(api, correlation)
}

const start = (options: HarnessOptions = {}) => {
  const harness = new Harness({ brokerConfigs: NO_DELAY, ...options })
  harness.createTopic('t', 2)
  return { harness, client: harness.connect('127.0.0.1:50001') }
}

const commit = (groupId: string, offset: number) => ({
  groupId,
  generationIdOrMemberEpoch: -1,
  memberId: '',
  groupInstanceId: null,
  topics: [
    {
      name: 't',
      partitions: [
        {
          partitionIndex: 0,
          committedOffset: offset,
          committedLeaderEpoch: 0,
          committedMetadata: 'm',
        },
      ],
    },
  ],
})

function expectDeleted(harness: Harness, client: FakeClient, groupId: string) {
  const deleted = ask(harness, client, deleteGroups, 2, { groupsNames: [groupId] })
  expect(deleted?.results).toEqual([{ groupId, errorCode: 0 }])
}

/** Enters group g as its one member; returns its id. */
function joinAlone(harness: Harness, client: FakeClient): string {
  const join = (memberId: string) =>
    ask(harness, client, joinGroup, 9, {
      groupId: 'g',
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 10_000,
      memberId,
      groupInstanceId: null,
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: bytes('subscription') }],
      reason: null,
    })!
  const first = join('')
  expect(first.errorCode).toBe(ErrorCode.MEMBER_ID_REQUIRED)
  const { memberId } = first
  expect(join(memberId)).toMatchObject({ errorCode: 0, generationId: 1, leader: memberId })
  return memberId
}

describe('FindCoordinator', () => {
  it('makes __consumer_offsets at the first question, and names the leader of its partition', () => {
    const { harness, client } = start({ brokers: 3 })
    const found = ask(harness, client, findCoordinator, 4, {
      keyType: 0,
      coordinatorKeys: ['a', 'b'],
    })
    const leader = harness.image.leaderOf(harness.partition('__consumer_offsets'))
    expect(found?.coordinators).toMatchObject([
      { key: 'a', errorCode: 0, nodeId: leader, host: '127.0.0.1', port: 9091 + leader },
      { key: 'b', errorCode: 0, nodeId: leader },
    ])
    const described = ask(harness, client, metadata, 12, { topics: null })
    expect(described?.topics.map(({ name, isInternal }) => [name, isInternal])).toEqual([
      ['__consumer_offsets', true],
      ['t', false],
    ])
    const old = ask(harness, client, findCoordinator, 0, { key: 'a' })
    expect(old).toMatchObject({ errorCode: 0, nodeId: leader, port: 9091 + leader })
  })

  it('finds __consumer_offsets right although a client has asked for it by name, or made it, before', () => {
    const first = start()
    ask(first.harness, first.client, metadata, 4, {
      topics: [{ name: '__consumer_offsets' }],
      allowAutoTopicCreation: true,
    })
    const topicOf = (harness: Harness) =>
      harness.image.topicByName(harness.image.defaultTenant!.tenantId, '__consumer_offsets')!
    expect(topicOf(first.harness).partitionCount).toBe(1)
    expect(topicOf(first.harness).configs['segment.bytes']).toBe('2097152')
    const second = start()
    second.harness.createTopic('__consumer_offsets', 3)
    expect(topicOf(second.harness).effective.cleanupPolicy).toEqual({
      delete: false,
      compact: true,
    })
    const answer = ask(second.harness, second.client, offsetCommit, 8, commit('g', 7))
    expect(answer?.topics[0]?.partitions[0]?.errorCode).toBe(0)
  })

  it('refuses transactions with an error that is final, and says why', () => {
    const { harness, client } = start()
    const found = ask(harness, client, findCoordinator, 3, { keyType: 1, key: 'tx' })
    expect(found?.errorCode).toBe(ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
    expect(found?.errorMessage).toContain('Transactions')
  })
})

it("puts a group where Kafka's Utils.abs(groupId.hashCode()) % partitions puts it", () => {
  const byJava: Record<string, number> = {
    '': 0,
    'group-1': 49,
    'my-group': 36,
    'ümläut-группа-グループ': 48,
    'console-consumer-12345': 6,
    'a-rather-long-group-id-that-overflows-the-hash-many-times-over': 32,
  }
  for (const [groupId, partition] of Object.entries(byJava)) {
    expect([groupId, groupPartition(groupId, 50)]).toEqual([groupId, partition])
  }
})

describe('a group', () => {
  it('lives: joins, syncs, commits, is described and listed, leaves, is deleted', () => {
    const { harness, client } = start()
    const memberId = joinAlone(harness, client)
    const synced = ask(harness, client, syncGroup, 5, {
      groupId: 'g',
      generationId: 1,
      memberId,
      groupInstanceId: null,
      protocolType: 'consumer',
      protocolName: 'range',
      assignments: [{ memberId, assignment: bytes('assignment') }],
    })!
    expect(synced.errorCode).toBe(0)
    expect(new TextDecoder().decode(synced.assignment)).toBe('assignment')
    const member = { groupId: 'g', generationId: 1, memberId, groupInstanceId: null }
    expect(ask(harness, client, heartbeat, 4, member)?.errorCode).toBe(0)

    const committed = ask(harness, client, offsetCommit, 9, {
      ...commit('g', 42),
      generationIdOrMemberEpoch: 1,
      memberId,
    })
    expect(committed?.topics[0]?.partitions[0]?.errorCode).toBe(0)
    const fetched = ask(harness, client, offsetFetch, 9, {
      groups: [{ groupId: 'g', memberId: null, memberEpoch: -1, topics: null }],
      requireStable: true,
    })
    expect(fetched?.groups[0]?.topics[0]?.partitions).toMatchObject([
      { partitionIndex: 0, committedOffset: 42, committedLeaderEpoch: 0, metadata: 'm' },
    ])

    const described = ask(harness, client, describeGroups, 6, { groups: ['g', 'unknown'] })
    expect(described?.groups).toMatchObject([
      {
        groupId: 'g',
        groupState: 'Stable',
        members: [{ clientId: 'test', clientHost: '/127.0.0.1' }],
      },
      { groupId: 'unknown', errorCode: ErrorCode.GROUP_ID_NOT_FOUND },
    ])
    const listed = ask(harness, client, listGroups, 5, { statesFilter: [], typesFilter: [] })
    expect(listed?.groups).toMatchObject([
      { groupId: 'g', protocolType: 'consumer', groupState: 'Stable', groupType: 'classic' },
    ])
    const busy = ask(harness, client, deleteGroups, 2, { groupsNames: ['g'] })
    expect(busy?.results).toEqual([{ groupId: 'g', errorCode: ErrorCode.NON_EMPTY_GROUP }])

    const left = ask(harness, client, leaveGroup, 5, {
      groupId: 'g',
      members: [{ memberId, groupInstanceId: null, reason: 'done' }],
    })
    expect(left?.errorCode).toBe(0)
    const removed = ask(harness, client, offsetDelete, 0, {
      groupId: 'g',
      topics: [{ name: 't', partitions: [{ partitionIndex: 0 }] }],
    })
    expect(removed?.topics[0]?.partitions[0]?.errorCode).toBe(0)
    expectDeleted(harness, client, 'g')
  })

  it('is reached by every port, and listed by that of its coordinator alone', () => {
    const { harness } = start({ brokers: 3 })
    const clients = [1, 2, 3].map((nodeId) => harness.connectTo(nodeId))
    clients.forEach((client, i) => {
      const answer = ask(harness, client, offsetCommit, 8, commit('g', i))
      expect(answer?.topics[0]?.partitions[0]?.errorCode).toBe(0)
    })
    const listed = clients.map(
      (client) => ask(harness, client, listGroups, 4, { statesFilter: [] })?.groups.length,
    )
    expect(listed.sort()).toEqual([0, 0, 1])
  })

  it('of a tenant without groups is not listed, and nothing is made for that', () => {
    const { harness, client } = start()
    const listed = ask(harness, client, listGroups, 4, { statesFilter: [] })
    expect(listed).toMatchObject({ errorCode: 0, groups: [] })
    expect(() => harness.partition('__consumer_offsets')).toThrow()
  })

  it('lives in the partition that its name says, where there are several', () => {
    const brokerConfigs = { ...NO_DELAY, 'offsets.topic.num.partitions': '4' }
    const { harness, client } = start({ brokers: 3, brokerConfigs })
    const names = Array.from({ length: 12 }, (_, i) => `group-${i}`)
    expect(new Set(names.map((name) => groupPartition(name, 4))).size).toBeGreaterThan(2)
    names.forEach((name, i) => {
      const answer = ask(harness, client, offsetCommit, 8, commit(name, i))
      expect(answer?.topics[0]?.partitions[0]?.errorCode).toBe(0)
    })
    const fetched = ask(harness, client, offsetFetch, 8, {
      groups: names.map((groupId) => ({ groupId, topics: null })),
      requireStable: false,
    })
    const offsets = new Map(
      fetched?.groups.map((one) => [one.groupId, one.topics[0]?.partitions[0]?.committedOffset]),
    )
    expect(names.map((name) => offsets.get(name))).toEqual(names.map((_, i) => i))
    const described = ask(harness, client, describeGroups, 5, { groups: names })
    expect(described?.groups.map(({ groupId }) => groupId).sort()).toEqual([...names].sort())
    expect(new Set(described?.groups.map(({ groupState }) => groupState))).toEqual(
      new Set(['Empty']),
    )
    const deleted = ask(harness, client, deleteGroups, 2, { groupsNames: names })
    expect(deleted?.results.map(({ errorCode }) => errorCode)).toEqual(names.map(() => 0))
  })

  it('whose broker has died answers errors that clients retry', () => {
    const { harness, client } = start({ brokers: 2 })
    ask(harness, client, offsetCommit, 8, commit('g', 1))
    const leader = harness.image.leaderOf(harness.partition('__consumer_offsets'))
    harness.hung.add(leader)
    const waiting = client.send(heartbeat, 4, {
      groupId: 'g',
      generationId: 1,
      memberId: 'm',
      groupInstanceId: null,
    })
    harness.run()
    expect(client.answer(heartbeat, waiting)).toBeUndefined()
    harness.tellGone(leader)
    harness.run()
    expect(client.answer(heartbeat, waiting)?.errorCode).toBe(ErrorCode.NOT_COORDINATOR)
    const answer = ask(harness, client, offsetCommit, 8, commit('g', 2))
    expect(answer?.topics).toMatchObject([
      { name: 't', partitions: [{ errorCode: ErrorCode.COORDINATOR_NOT_AVAILABLE }] },
    ])
    const fetched = ask(harness, client, offsetFetch, 5, {
      groupId: 'g',
      topics: [{ name: 't', partitionIndexes: [0] }],
    })
    expect(fetched?.errorCode).toBe(ErrorCode.COORDINATOR_NOT_AVAILABLE)
  })

  it('keeps nothing in flight once it is answered', () => {
    const { harness, client } = start()
    for (let i = 0; i < 50; i++) ask(harness, client, offsetCommit, 8, commit(`g${i}`, 1))
    expect(harness.inFlightBytes).toBe(0)
    expect(harness.proxies[0]!.outstanding).toBe(0)
  })
})

it('while the image of a broker is begun anew, members and commits see nothing of it', () => {
  const { harness, client } = start()
  expect(ask(harness, client, offsetCommit, 9, commit('simple', 1))?.topics).toMatchObject([
    { partitions: [{ errorCode: 0 }] },
  ])
  const memberId = joinAlone(harness, client)
  const [broker] = harness.brokers
  const messages = harness.controller.snapshot()
  const { entries } = messages[0]!
  const part = {
    kind: 'metadata',
    epoch: 1,
    first: 0,
    offset: 1,
    entries: entries.slice(0, 1),
  } as const
  broker!.onControl({ ...part, more: true })
  const beat = { groupId: 'g', generationId: 1, memberId, groupInstanceId: null }
  expect(ask(harness, client, heartbeat, 4, beat)?.errorCode).toBe(ErrorCode.NONE)
  expect(ask(harness, client, offsetCommit, 9, commit('simple', 2))?.topics).toMatchObject([
    { partitions: [{ errorCode: ErrorCode.NONE }] },
  ])
  for (const message of messages) broker!.onControl(message)
  expect(ask(harness, client, offsetCommit, 9, commit('simple', 2))?.topics).toMatchObject([
    { partitions: [{ errorCode: 0 }] },
  ])
})

it('who asks for __consumer_offsets before any group has it made as a group would', () => {
  const { harness, client } = start()
  const topics = [{ name: '__consumer_offsets', topicId: ZERO_TOPIC_ID }]
  const asked = { topics, allowAutoTopicCreation: true }
  const described = ask(harness, client, metadata, 12, asked)
  expect(described?.topics).toMatchObject([{ name: '__consumer_offsets', errorCode: 0 }])
  const { tenantId } = harness.image.defaultTenant!
  const topic = harness.image.topicByName(tenantId, '__consumer_offsets')!
  expect(topic).toMatchObject({ internal: true, partitionCount: 1 })
  expect(topic.effective.cleanupPolicy).toMatchObject({ compact: true, delete: false })
})

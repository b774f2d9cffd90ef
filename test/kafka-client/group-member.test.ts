import { afterEach, expect, test, vi } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import { KafkaClient } from '../../src/kafka-client/client.ts'
import { decodeSubscription, encodeAssignment } from '../../src/kafka-client/consumer-protocol.ts'
import { GroupMember } from '../../src/kafka-client/group-member.ts'
import { metadata } from '../../src/protocol/03-metadata.ts'
import { findCoordinator } from '../../src/protocol/10-find-coordinator.ts'
import { type JoinGroupRequest, joinGroup } from '../../src/protocol/11-join-group.ts'
import { heartbeat } from '../../src/protocol/12-heartbeat.ts'
import { leaveGroup } from '../../src/protocol/13-leave-group.ts'
import { syncGroup } from '../../src/protocol/14-sync-group.ts'
import { apiVersions } from '../../src/protocol/18-api-versions.ts'
import { advertise } from '../../src/protocol/api-versions-response.ts'
import { FakeBroker } from './fake-broker.ts'

const SPOKEN = [apiVersions, metadata, findCoordinator, joinGroup, syncGroup, heartbeat, leaveGroup]

const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

test('who is no member does not commit as an empty group’s administrator', async () => {
  const broker = await FakeBroker.start()
  const client = new KafkaClient({
    bootstrap: [broker.address],
    requestTimeoutMs: 300,
    retryTimeoutMs: 300,
  })
  closers.push(() => {
    client.close()
    broker.close()
  })
  const member = new GroupMember(client, { groupId: 'g', topics: ['t'], assignor: 'range' })
  const commit = member.commit([{ topic: 't', partition: 0, offset: 5 }])
  await expect(commit).rejects.toMatchObject({ codeName: 'UNKNOWN_MEMBER_ID' })
  expect(broker.asked).toEqual([])
})

const P = [0, 1, 2].map((partition) => ({ topic: 't', partition }))

/** A coordinator of one group whose members are told what the test says, in turn: an assignment or an error of SyncGroup. */
async function coordinated(syncs: (typeof P | number)[]) {
  const broker = await FakeBroker.start()
  const { host, port } = broker.address
  const client = new KafkaClient({ bootstrap: [broker.address], requestTimeoutMs: 2_000 })
  const state = { heartbeatError: 0, generation: 0, names: [] as string[] }
  broker.onRequest = ({ api, request, answer }) => {
    state.names.push(api.name)
    if (api === apiVersions) answer({ errorCode: 0, apiKeys: advertise(SPOKEN), throttleTimeMs: 0 })
    else if (api === findCoordinator) {
      const found = { nodeId: 1, host, port, errorCode: 0, errorMessage: null }
      const old = { errorCode: 0, errorMessage: null, nodeId: 0, host: '', port: 0 }
      answer({ ...old, throttleTimeMs: 0, coordinators: [{ key: 'g', ...found }] })
    } else if (api === metadata) {
      answer({
        ...{ throttleTimeMs: 0, clusterId: null, controllerId: 1, errorCode: 0, topics: [] },
        brokers: [{ nodeId: 1, host, port, rack: null }],
      })
    } else if (api === joinGroup) {
      const asked = request as JoinGroupRequest
      const owned = decodeSubscription(asked.protocols[0]!.metadata).owned
      state.names.push(`${asked.memberId || 'new'} owns ${owned.map((one) => one.partition)}`)
      state.generation++
      answer({
        ...{ throttleTimeMs: 0, errorCode: 0, generationId: state.generation, members: [] },
        ...{ protocolType: 'consumer', protocolName: 'cooperative-sticky', leader: 'another' },
        memberId: asked.memberId || `m${state.generation}`,
      })
    } else if (api === syncGroup) {
      const next = syncs.shift()!
      const isError = typeof next === 'number'
      const assignment = isError ? new Uint8Array(0) : encodeAssignment(next)
      const protocol = { protocolType: 'consumer', protocolName: 'cooperative-sticky' }
      answer({ throttleTimeMs: 0, errorCode: isError ? next : 0, ...protocol, assignment })
    } else if (api === heartbeat) {
      answer({ throttleTimeMs: 0, errorCode: state.heartbeatError })
    }
  }
  const member = new GroupMember(client, {
    ...{ groupId: 'g', topics: ['t'], assignor: 'cooperative-sticky', heartbeatMs: 10 },
  })
  closers.push(() => {
    void member.close()
    client.close()
    broker.close()
  })
  const givenUp: number[] = []
  const rebalance = async () => {
    const { added, revoked } = await member.rebalance(async (partitions) => {
      givenUp.push(...partitions.map(({ partition }) => partition))
    })
    return {
      added: added.map((one) => one.partition),
      revoked: revoked.map((one) => one.partition),
    }
  }
  const joins = () => state.names.filter((name) => name.includes(' owns '))
  return { member, state, rebalance, givenUp, joins }
}

test('a cooperative member that the group has lost owns nothing: what it gets is begun where the group stands', async () => {
  const { member, state, rebalance, givenUp, joins } = await coordinated([
    P.slice(0, 2),
    P.slice(0, 2),
  ])
  expect(await rebalance()).toEqual({ added: [0, 1], revoked: [] })
  state.heartbeatError = ErrorCode.UNKNOWN_MEMBER_ID
  await vi.waitFor(() => expect(member.mustJoin).toBe(true))
  state.heartbeatError = 0
  // others may have read on and committed meanwhile
  expect(await rebalance()).toEqual({ added: [0, 1], revoked: [0, 1] })
  expect(givenUp).toEqual([0, 1])
  expect(joins()).toEqual(['new owns ', 'new owns '])
})

test('so does one that is lost in the middle of a rebalance; one that keeps its place goes on', async () => {
  const { state, member, rebalance, givenUp, joins } = await coordinated([
    P.slice(0, 2),
    ErrorCode.ILLEGAL_GENERATION,
    P.slice(1),
    P.slice(1),
  ])
  await rebalance()
  state.heartbeatError = ErrorCode.REBALANCE_IN_PROGRESS
  await vi.waitFor(() => expect(member.mustJoin).toBe(true))
  state.heartbeatError = 0
  expect(await rebalance()).toEqual({ added: [1, 2], revoked: [0, 1] })
  expect(givenUp).toEqual([0, 1])
  expect(joins()).toEqual(['new owns ', 'm1 owns 0,1', 'new owns '])
  state.heartbeatError = ErrorCode.REBALANCE_IN_PROGRESS
  await vi.waitFor(() => expect(member.mustJoin).toBe(true))
  state.heartbeatError = 0
  expect(await rebalance()).toEqual({ added: [], revoked: [] })
  expect(joins().at(-1)).toBe('m3 owns 1,2')
})

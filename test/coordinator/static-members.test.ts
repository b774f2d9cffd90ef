import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import type { JoinGroupResponse } from '../../src/protocol/11-join-group.ts'
import { GroupHost, type JoinOptions, subscription } from './group-host.ts'

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()
const { NONE, FENCED_INSTANCE_ID, UNKNOWN_MEMBER_ID, REBALANCE_IN_PROGRESS } = ErrorCode

/** A stable group of static members i0, i1 …, leader first. */
function staticGroup(host: GroupHost, count = 2, options: JoinOptions = {}): JoinGroupResponse[] {
  const joins = Array.from({ length: count }, (_, i) =>
    host.join({ ...options, instance: `i${i}` }),
  )
  host.advance(host.config.groupInitialRebalanceDelayMs)
  host.settle(joins)
  return joins.map((join) => join.now)
}

describe('a static member', () => {
  it('joins at once, with an id made of its instance', () => {
    const host = new GroupHost()
    const [leader] = staticGroup(host)
    expect(leader!.memberId).toMatch(/^i0-/)
    expect(leader!.members.map(({ groupInstanceId }) => groupInstanceId)).toEqual(['i0', 'i1'])
    expect(host.describe().members.map((one) => one.groupInstanceId)).toEqual(['i0', 'i1'])
  })

  it('with a name of 32 KB has an id that every answer can tell', () => {
    const host = new GroupHost()
    const join = host.join({ instance: 'x'.repeat(32_767) })
    host.advance(host.config.groupInitialRebalanceDelayMs)
    host.settle([join])
    expect(join.now.memberId).toMatch(/^x{1000}-[0-9a-f-]{36}$/)
    expect(host.describe().members).toHaveLength(1)
  })

  it('returns without a rebalance, under a new id and with its old part; its former self is fenced', () => {
    const host = new GroupHost()
    const [leader, follower] = staticGroup(host)
    const back = host.join({ instance: 'i1' }).now
    expect(back).toMatchObject({
      errorCode: NONE,
      generationId: 1,
      leader: leader!.memberId,
      skipAssignment: false,
      members: [],
    })
    expect(back.memberId).not.toBe(follower!.memberId)
    expect(host.heartbeat(leader!.memberId, 1, 'i0')).toBe(NONE)
    expect(host.heartbeat(follower!.memberId, 1, 'i1')).toBe(FENCED_INSTANCE_ID)
    expect(host.heartbeat(follower!.memberId, 1)).toBe(UNKNOWN_MEMBER_ID)
    const sync = host.sync({ ...back, groupInstanceId: 'i1' })
    expect(text(sync.now.assignment)).toBe('part 1')
    // and it is written
    host.restart()
    expect(host.heartbeat(back.memberId, 1, 'i1')).toBe(NONE)
    expect(host.heartbeat(follower!.memberId, 1, 'i1')).toBe(FENCED_INSTANCE_ID)
  })

  it('returns as leader: told to skip the assignment from version 9 on, not to be leader before', () => {
    const host = new GroupHost()
    const [leader] = staticGroup(host)
    const back = host.join({ instance: 'i0' }).now
    expect(back).toMatchObject({ leader: back.memberId, skipAssignment: true, generationId: 1 })
    expect(back.members.map(({ groupInstanceId }) => groupInstanceId).sort()).toEqual(['i0', 'i1'])
    const again = host.join({ instance: 'i0', version: 8 }).now
    expect(again).toMatchObject({ leader: back.memberId, generationId: 1, members: [] })
    expect(again.memberId).not.toBe(back.memberId)
    expect(host.heartbeat(leader!.memberId, 1, 'i0')).toBe(FENCED_INSTANCE_ID)
  })

  it('sets off a rebalance if it changes the protocol of the group', () => {
    const host = new GroupHost()
    const none = new Uint8Array(0)
    const both = [
      ['x', none],
      ['y', none],
    ] as const
    const [leader] = staticGroup(host, 2, { protocols: both })
    const back = host.join({ instance: 'i1', protocols: [['y', none]] })
    expect(back.waits).toBe(true)
    expect(host.heartbeat(leader!.memberId, 1, 'i0')).toBe(REBALANCE_IN_PROGRESS)
    host.join({ memberId: leader!.memberId, instance: 'i0', protocols: both })
    expect(back.now).toMatchObject({ generationId: 2, protocolName: 'y' })
  })

  it('with another subscription keeps the generation, as in Kafka, which looks at protocols only', () => {
    const host = new GroupHost()
    staticGroup(host)
    const protocols = [['range', subscription('b')]] as const
    expect(host.join({ instance: 'i1', protocols }).now.generationId).toBe(1)
  })

  it('that is replaced while it waits is told that it is fenced', () => {
    const host = new GroupHost()
    const [leader, follower] = staticGroup(host)
    const waiting = host.join({ memberId: leader!.memberId, instance: 'i0' })
    const back = host.join({ instance: 'i0' })
    expect(waiting.now).toMatchObject({ errorCode: FENCED_INSTANCE_ID, memberId: leader!.memberId })
    host.join({ memberId: follower!.memberId, instance: 'i1' })
    expect(back.now).toMatchObject({ errorCode: NONE, generationId: 2, leader: back.now.memberId })
  })

  it('that is replaced before the assignment begins the rebalance anew', () => {
    const host = new GroupHost()
    const joins = ['i0', 'i1'].map((instance) => host.join({ instance }))
    host.advance(0)
    const sync = host.sync({ ...joins[1]!.now, groupInstanceId: 'i1' })
    const back = host.join({ instance: 'i1' })
    expect(sync.now.errorCode).toBe(FENCED_INSTANCE_ID)
    expect(host.heartbeat(joins[0]!.now.memberId, 1, 'i0')).toBe(REBALANCE_IN_PROGRESS)
    host.join({ memberId: joins[0]!.now.memberId, instance: 'i0' })
    expect(back.now.generationId).toBe(2)
  })

  it('is fenced or unknown when it names another id or instance', () => {
    const host = new GroupHost()
    const [leader, follower] = staticGroup(host)
    const join = (options: JoinOptions) => host.join(options).now.errorCode
    expect(join({ memberId: leader!.memberId, instance: 'i1' })).toBe(FENCED_INSTANCE_ID)
    expect(join({ memberId: 'nobody', instance: 'i0' })).toBe(FENCED_INSTANCE_ID)
    expect(join({ memberId: leader!.memberId, instance: 'i9' })).toBe(UNKNOWN_MEMBER_ID)
    expect(host.heartbeat(leader!.memberId, 1, 'i1')).toBe(FENCED_INSTANCE_ID)
    expect(host.sync({ ...follower!, groupInstanceId: 'i0' }).now.errorCode).toBe(
      FENCED_INSTANCE_ID,
    )
    const commit = { memberId: leader!.memberId, generationId: 1, instance: 'i1' }
    expect(host.commitErrors({ a: [1] }, commit)).toEqual([FENCED_INSTANCE_ID])
    expect(host.commitErrors({ a: [1] }, { ...commit, instance: 'i0' })).toEqual([NONE])
  })

  it('that returns before it synced, and never does, is out after the rebalance timeout', () => {
    const host = new GroupHost()
    const options = { sessionTimeoutMs: 100_000, rebalanceTimeoutMs: 20_000 }
    const joins = ['i0', 'i1'].map((instance) => host.join({ ...options, instance }))
    host.advance(0)
    const leader = joins[0]!.now
    host.sync({ ...leader, groupInstanceId: 'i0' })
    const back = host.join({ ...options, instance: 'i1' }).now
    expect(back).toMatchObject({ errorCode: NONE, generationId: 1 })
    host.advance(20_000)
    expect(host.heartbeat(back.memberId, 1, 'i1')).toBe(UNKNOWN_MEMBER_ID)
    expect(host.heartbeat(leader.memberId, 1, 'i0')).toBe(REBALANCE_IN_PROGRESS)
  })

  it('whose session passed while it waited for an assignment must be heard of again afterwards', () => {
    const host = new GroupHost()
    const joins = [
      host.join({ instance: 'i0', sessionTimeoutMs: 20_000 }),
      host.join({ instance: 'i1', sessionTimeoutMs: 10_000 }),
    ]
    host.advance(0)
    const sync = host.sync({ ...joins[1]!.now, groupInstanceId: 'i1' })
    host.advance(19_999)
    expect(sync.waits).toBe(true)
    host.advance(1)
    expect(sync.now.errorCode).toBe(REBALANCE_IN_PROGRESS)
    host.advance(9_999)
    expect(host.describe().members).toHaveLength(1)
    host.advance(1)
    expect(host.describe()).toMatchObject({ groupState: 'Empty', members: [] })
  })

  it('stays in a rebalance that it misses, until its session ends', () => {
    const host = new GroupHost()
    const options = { sessionTimeoutMs: 50_000, rebalanceTimeoutMs: 20_000 }
    const [leader] = staticGroup(host, 2, options)
    const again = host.join({ ...options, memberId: leader!.memberId, instance: 'i0' })
    host.advance(20_000)
    expect(again.now).toMatchObject({ generationId: 2 })
    expect(again.now.members.map((one) => one.groupInstanceId)).toEqual(['i0', 'i1'])
    host.advance(50_000)
    expect(host.describe().groupState).toBe('Empty')
  })

  it('alone in a rebalance that nobody rejoins is waited for until its session ends', () => {
    const host = new GroupHost()
    const options = { sessionTimeoutMs: 50_000, rebalanceTimeoutMs: 20_000 }
    const [leader, follower] = staticGroup(host, 2, options)
    host.leave([{ memberId: '', groupInstanceId: 'i0' }])
    expect(host.heartbeat(follower!.memberId, 1, 'i1')).toBe(REBALANCE_IN_PROGRESS)
    expect(host.heartbeat(leader!.memberId, 1)).toBe(UNKNOWN_MEMBER_ID)
    host.advance(20_000)
    expect(host.describe().groupState).toBe('PreparingRebalance')
    host.advance(30_000)
    expect(host.describe()).toMatchObject({ groupState: 'Empty', members: [] })
  })

  it('leaves by its instance id, several at once, with an answer each', () => {
    const host = new GroupHost()
    const [leader, follower] = staticGroup(host, 3)
    const answer = host.leave([
      { memberId: '', groupInstanceId: 'i1' },
      { memberId: '', groupInstanceId: 'i9' },
      { memberId: follower!.memberId, groupInstanceId: 'i1' },
      { memberId: leader!.memberId, groupInstanceId: 'i2' },
      { memberId: leader!.memberId, groupInstanceId: 'i0', reason: 'tired' },
    ]).now
    expect(answer.members.map(({ errorCode }) => errorCode)).toEqual([
      ...[NONE, UNKNOWN_MEMBER_ID, UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, NONE],
    ])
    expect(answer.members[0]).toMatchObject({ memberId: '', groupInstanceId: 'i1' })
    const line = host.lines.findLast(({ message }) => message === 'member left group')!
    expect(line.fields).toMatchObject({ reason: 'client reason: tired', groupInstanceId: 'i0' })
    expect(host.describe().members.map((one) => one.groupInstanceId)).toEqual(['i2'])
  })
})

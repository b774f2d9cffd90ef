import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import { GroupHost, subscription } from './group-host.ts'

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()
const { NONE, REBALANCE_IN_PROGRESS, UNKNOWN_MEMBER_ID, ILLEGAL_GENERATION } = ErrorCode

describe('a newcomer in a stable group', () => {
  it('sets off a rebalance that the others learn of by heartbeat, and all get new parts', () => {
    const host = new GroupHost()
    const [leader, follower] = host.stableGroup(2)
    const { join } = host.enter()
    expect(join.waits).toBe(true)
    expect(host.describe()).toMatchObject({ groupState: 'PreparingRebalance', protocolData: '' })
    expect(host.describe().members.map((member) => text(member.memberMetadata))).toEqual([
      '',
      '',
      '',
    ])
    expect(host.heartbeat(leader!.memberId, 1)).toBe(REBALANCE_IN_PROGRESS)
    expect(host.heartbeat(follower!.memberId, 1)).toBe(REBALANCE_IN_PROGRESS)
    const again = [follower!, leader!].map(({ memberId }) => host.join({ memberId }))
    expect([...again, join].map((one) => one.now.generationId)).toEqual([2, 2, 2])
    expect(join.now.leader).toBe(leader!.memberId)
    expect(again[1]!.now.members.map(({ memberId }) => memberId)).toHaveLength(3)
    expect(host.describe().groupState).toBe('CompletingRebalance')
    const syncs = [join, again[0]!].map((one) => host.sync(one.now))
    expect(syncs.map(({ waits }) => waits)).toEqual([true, true])
    expect(host.heartbeat(follower!.memberId, 2)).toBe(NONE)
    const parts = { [join.now.memberId]: 'x', [follower!.memberId]: 'y', [leader!.memberId]: 'z' }
    const last = host.sync(again[1]!.now, parts)
    expect([...syncs, last].map((one) => text(one.now.assignment))).toEqual(['x', 'y', 'z'])
    expect(host.describe().groupState).toBe('Stable')
    expect(host.heartbeat(leader!.memberId, 1)).toBe(ILLEGAL_GENERATION)
  })

  it('waits no longer than the rebalance timeout for those that do not rejoin, and they are out', () => {
    const host = new GroupHost()
    const options = { sessionTimeoutMs: 100_000, rebalanceTimeoutMs: 30_000 }
    const [leader, follower] = host.stableGroup(2, options)
    const { join } = host.enter(options)
    host.advance(29_999)
    expect(join.waits).toBe(true)
    host.advance(1)
    expect(join.now).toMatchObject({ generationId: 2, leader: join.now.memberId })
    expect(join.now.members).toHaveLength(1)
    expect(host.heartbeat(leader!.memberId, 2)).toBe(UNKNOWN_MEMBER_ID)
    expect(host.join({ memberId: follower!.memberId }).now.errorCode).toBe(UNKNOWN_MEMBER_ID)
  })

  it('that is still to come with its id is waited for', () => {
    const host = new GroupHost()
    const [leader] = host.stableGroup(1)
    const { memberId } = host.join().now
    const back = host.join({ memberId: leader!.memberId })
    expect(back.waits).toBe(true)
    const join = host.join({ memberId })
    expect([back, join].map((one) => one.now.generationId)).toEqual([2, 2])
  })

  it('that never comes with its id is waited for until its session timeout', () => {
    const host = new GroupHost()
    const [leader] = host.stableGroup(1)
    host.join({ sessionTimeoutMs: 6_000 })
    const back = host.join({ memberId: leader!.memberId })
    host.advance(5_999)
    expect(back.waits).toBe(true)
    host.advance(1)
    expect(back.now.generationId).toBe(2)
  })
})

describe('a member that joins again', () => {
  it('as follower with the same metadata is told the generation, without a rebalance', () => {
    const host = new GroupHost()
    const [leader, follower] = host.stableGroup(2)
    expect(host.join({ memberId: follower!.memberId }).now).toMatchObject({
      errorCode: NONE,
      generationId: 1,
      leader: leader!.memberId,
      members: [],
    })
    const sync = host.sync(follower!)
    expect(text(sync.now.assignment)).toBe('part 1')
  })

  it('with other metadata, or as leader, sets off a rebalance', () => {
    const other = [['range', subscription('b')]] as const
    for (const [which, protocols] of [
      [1, other],
      [0, undefined],
    ] as const) {
      const host = new GroupHost()
      const members = host.stableGroup(2)
      const { memberId } = members[which]!
      const again = host.join({ memberId, ...(protocols && { protocols }) })
      expect(again.waits).toBe(true)
      expect(host.heartbeat(members[1 - which]!.memberId, 1)).toBe(REBALANCE_IN_PROGRESS)
      host.join({ memberId: members[1 - which]!.memberId })
      expect(again.now.generationId).toBe(2)
    }
  })

  it('before the assignment is told the generation again, or starts anew with other metadata', () => {
    const host = new GroupHost()
    const first = host.enter()
    const second = host.enter()
    host.advance(0)
    expect(host.join({ memberId: second.memberId }).now).toMatchObject({
      generationId: 1,
      members: [],
    })
    const asLeader = host.join({ memberId: first.memberId }).now
    expect(asLeader).toMatchObject({ generationId: 1, leader: first.memberId })
    expect(asLeader.members).toHaveLength(2)
    const sync = host.sync(second.join.now)
    expect(sync.waits).toBe(true)
    const changed = host.join({
      memberId: second.memberId,
      protocols: [['range', subscription('b')]],
    })
    expect(sync.now.errorCode).toBe(REBALANCE_IN_PROGRESS)
    expect(host.sync(first.join.now).now.errorCode).toBe(REBALANCE_IN_PROGRESS)
    host.join({ memberId: first.memberId })
    expect(changed.now.generationId).toBe(2)
  })
})

describe('the sync phase', () => {
  it('refuses who is no member, another generation, another protocol', () => {
    const host = new GroupHost()
    const [leader] = host.stableGroup(1)
    const sync = (overrides: object, version = 5) =>
      host.sync(leader!, {}, overrides, version).now.errorCode
    expect(sync({ memberId: 'nobody' })).toBe(UNKNOWN_MEMBER_ID)
    expect(sync({ groupId: 'nothing' })).toBe(UNKNOWN_MEMBER_ID)
    expect(sync({ groupId: '' })).toBe(ErrorCode.INVALID_GROUP_ID)
    expect(sync({ generationId: 0 })).toBe(ILLEGAL_GENERATION)
    expect(sync({ protocolType: 'connect' })).toBe(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
    expect(sync({ protocolName: 'other' })).toBe(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
    expect(sync({ protocolName: null })).toBe(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
    expect(sync({}, 4)).toBe(NONE)
    expect(sync({})).toBe(NONE)
  })

  it('writes the assignment before anybody is told', () => {
    const host = new GroupHost()
    const first = host.enter()
    const second = host.enter()
    host.advance(0)
    const follower = host.sync(second.join.now)
    host.autoCommit = false
    const leader = host.sync(first.join.now, { [first.memberId]: 'x', [second.memberId]: 'y' })
    const late = host.sync(second.join.now)
    expect([follower, leader, late].map(({ waits }) => waits)).toEqual([true, true, true])
    host.commit()
    expect([leader, follower, late].map((one) => text(one.now.assignment))).toEqual(['x', 'y', 'y'])
  })

  it('gives nothing to members that the leader forgot, and ignores those that it made up', () => {
    const host = new GroupHost()
    const first = host.enter()
    const second = host.enter()
    host.advance(0)
    const leader = host.sync(first.join.now, { [first.memberId]: 'x', nobody: 'z' })
    expect(text(leader.now.assignment)).toBe('x')
    expect(text(host.sync(second.join.now).now.assignment)).toBe('')
    expect(host.lines.find(({ message }) => message.startsWith('assignment'))).toMatchObject({
      level: 'warn',
      fields: { withoutAssignment: 1 },
    })
    expect(host.describe().members).toHaveLength(2)
  })

  it('throws out who does not sync within the rebalance timeout, even if the group is stable', () => {
    const host = new GroupHost()
    const options = { rebalanceTimeoutMs: 20_000, sessionTimeoutMs: 100_000 }
    const first = host.enter(options)
    const second = host.enter(options)
    host.advance(0)
    expect(host.sync(first.join.now).now.errorCode).toBe(NONE)
    host.advance(19_999)
    expect(host.heartbeat(first.memberId, 1)).toBe(NONE)
    host.advance(1)
    expect(host.heartbeat(first.memberId, 1)).toBe(REBALANCE_IN_PROGRESS)
    expect(host.heartbeat(second.memberId, 1)).toBe(UNKNOWN_MEMBER_ID)
    expect(host.join({ memberId: first.memberId }).now).toMatchObject({ generationId: 2 })
  })

  it('without its leader begins anew when the leader fails', () => {
    const host = new GroupHost()
    const first = host.enter({ sessionTimeoutMs: 6_000 })
    const second = host.enter({ sessionTimeoutMs: 30_000 })
    host.advance(0)
    const sync = host.sync(second.join.now)
    host.advance(6_000)
    expect(sync.now.errorCode).toBe(REBALANCE_IN_PROGRESS)
    const again = host.join({ memberId: second.memberId })
    expect(again.now).toMatchObject({ generationId: 2, leader: second.memberId })
    expect(host.heartbeat(first.memberId, 1)).toBe(UNKNOWN_MEMBER_ID)
  })

  it('sent twice is answered once with the assignment, and once to try again', () => {
    const host = new GroupHost()
    const first = host.enter()
    const second = host.enter()
    host.advance(0)
    const one = host.sync(second.join.now)
    const two = host.sync(second.join.now)
    expect(one.now.errorCode).toBe(REBALANCE_IN_PROGRESS)
    host.sync(first.join.now, { [second.memberId]: 'y' })
    expect(text(two.now.assignment)).toBe('y')
  })

  it('is answered for one that is taken out while it waits', () => {
    const host = new GroupHost()
    host.enter()
    const second = host.enter()
    host.advance(0)
    const sync = host.sync(second.join.now)
    host.leave([{ memberId: second.memberId }])
    expect(sync.now.errorCode).toBe(UNKNOWN_MEMBER_ID)
  })
})

describe('a session', () => {
  it('ends without heartbeats, and its member is out', () => {
    const host = new GroupHost()
    const [leader, follower] = host.stableGroup(2, { sessionTimeoutMs: 10_000 })
    host.advance(9_000)
    expect(host.heartbeat(leader!.memberId, 1)).toBe(NONE)
    host.advance(1_000)
    expect(host.heartbeat(leader!.memberId, 1)).toBe(REBALANCE_IN_PROGRESS)
    expect(host.heartbeat(follower!.memberId, 1)).toBe(UNKNOWN_MEMBER_ID)
    expect(host.describe().members).toHaveLength(1)
  })

  it('goes on by commits too', () => {
    const host = new GroupHost()
    const [leader] = host.stableGroup(1, { sessionTimeoutMs: 10_000 })
    for (let i = 0; i < 5; i++) {
      host.advance(9_000)
      expect(host.commitErrors({ a: [i] }, leader)).toEqual([NONE])
    }
    host.advance(10_000)
    expect(host.describe().groupState).toBe('Empty')
  })

  it('does not end while the member waits for a rebalance', () => {
    const host = new GroupHost()
    const [leader, follower] = host.stableGroup(2, { sessionTimeoutMs: 10_000 })
    const again = host.join({ memberId: leader!.memberId })
    for (let i = 0; i < 5; i++) {
      host.advance(9_000)
      expect(host.heartbeat(follower!.memberId, 1)).toBe(REBALANCE_IN_PROGRESS)
    }
    host.join({ memberId: follower!.memberId })
    expect(again.now.generationId).toBe(2)
  })

  it('of a group that nobody is left in leaves it empty, in a new generation', () => {
    const host = new GroupHost()
    host.stableGroup(3)
    host.advance(100_000)
    expect(host.describe()).toMatchObject({
      groupState: 'Empty',
      protocolType: 'consumer',
      members: [],
    })
    const { join } = host.enter()
    host.advance(0)
    // the last two failed one after the other, each in a generation that nobody joined
    expect(join.now.generationId).toBeGreaterThan(1)
  })

  it('heartbeats for nobody, an unknown group, no group', () => {
    const host = new GroupHost()
    expect(host.heartbeat('nobody', 1)).toBe(UNKNOWN_MEMBER_ID)
    host.stableGroup(1)
    expect(host.heartbeat('nobody', 1)).toBe(UNKNOWN_MEMBER_ID)
  })
})

describe('members that leave', () => {
  it('one by one set off rebalances, and leave the group empty', () => {
    const host = new GroupHost()
    const [leader, follower] = host.stableGroup(2)
    expect(host.leave([leader!]).now).toMatchObject({
      errorCode: NONE,
      members: [{ errorCode: NONE }],
    })
    expect(host.heartbeat(follower!.memberId, 1)).toBe(REBALANCE_IN_PROGRESS)
    const again = host.join({ memberId: follower!.memberId }).now
    expect(again).toMatchObject({ generationId: 2, leader: follower!.memberId })
    host.sync(again)
    host.leave([follower!])
    expect(host.describe()).toMatchObject({ groupState: 'Empty', members: [] })
  })

  it('are answered one by one, or as one before version 3', () => {
    const host = new GroupHost()
    const [leader, follower] = host.stableGroup(2)
    const pending = host.join().now
    const many = host.leave([leader!, { memberId: 'nobody' }, pending, { memberId: '' }]).now
    expect(many.errorCode).toBe(NONE)
    expect(many.members.map(({ errorCode }) => errorCode)).toEqual([
      ...[NONE, UNKNOWN_MEMBER_ID, NONE, UNKNOWN_MEMBER_ID],
    ])
    for (const version of [0, 1, 2]) {
      expect(host.leave([{ memberId: 'nobody' }], version).now.errorCode).toBe(UNKNOWN_MEMBER_ID)
    }
    expect(host.leave([follower!], 2).now.errorCode).toBe(NONE)
    expect(host.describe().groupState).toBe('Empty')
  })

  it('of groups that nobody knows are unknown', () => {
    const host = new GroupHost()
    expect(host.leave([{ memberId: 'nobody' }]).now).toMatchObject({
      errorCode: NONE,
      members: [{ errorCode: UNKNOWN_MEMBER_ID }],
    })
  })

  it('while they wait to join are told so, and the others go on', () => {
    const host = new GroupHost()
    const [leader, follower] = host.stableGroup(2)
    const waiting = host.join({ memberId: leader!.memberId })
    host.leave([leader!])
    expect(waiting.now.errorCode).toBe(UNKNOWN_MEMBER_ID)
    expect(host.join({ memberId: follower!.memberId }).now.generationId).toBe(2)
  })
})

describe('generations', () => {
  it('begin again at 1 after the last', () => {
    const host = new GroupHost()
    const members = host.stableGroup(1)
    const { log } = host
    // the same group, many generations later
    const record = log.at(-1)!
    const value = Uint8Array.from(record.value!)
    const at = 2 + 2 + 'consumer'.length
    new DataView(value.buffer).setInt32(at, 2_147_483_647)
    log.push({ key: record.key, value })
    host.restart()
    expect(host.heartbeat(members[0]!.memberId, 2_147_483_647)).toBe(NONE)
    expect(host.join({ memberId: members[0]!.memberId }).now.generationId).toBe(1)
  })
})

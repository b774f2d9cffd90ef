import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import { GROUP, GroupHost, subscription } from './group-host.ts'

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()
const { NONE, NOT_COORDINATOR, UNKNOWN_MEMBER_ID, KAFKA_STORAGE_ERROR } = ErrorCode

describe('a log that refuses records', () => {
  it('refuses a commit, and nothing is changed by it', () => {
    const host = new GroupHost()
    host.commitOffsets({ a: [1] })
    host.appendError = KAFKA_STORAGE_ERROR
    expect(host.commitErrors({ a: [2], nothing: [3] })).toEqual([
      NOT_COORDINATOR,
      ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    ])
    host.appendError = ErrorCode.MESSAGE_TOO_LARGE
    expect(host.commitErrors({ a: [2] })).toEqual([ErrorCode.UNKNOWN_SERVER_ERROR])
    host.appendError = ErrorCode.NOT_ENOUGH_REPLICAS
    expect(host.commitErrors({ a: [2] })).toEqual([ErrorCode.COORDINATOR_NOT_AVAILABLE])
    host.appendError = NONE
    expect(host.committed()).toEqual(['a-0@1'])
  })

  it('refuses an assignment: everybody who waits is told, and the group rebalances', () => {
    const host = new GroupHost()
    const first = host.enter()
    const second = host.enter()
    host.advance(0)
    const syncs = [host.sync(second.join.now)]
    host.appendError = KAFKA_STORAGE_ERROR
    syncs.push(host.sync(first.join.now, { [first.memberId]: 'x', [second.memberId]: 'y' }))
    expect(syncs.map((one) => one.now.errorCode)).toEqual([NOT_COORDINATOR, NOT_COORDINATOR])
    expect(host.heartbeat(first.memberId, 1)).toBe(ErrorCode.REBALANCE_IN_PROGRESS)
    host.appendError = NONE
    const joins = [first, second].map(({ memberId }) => host.join({ memberId }))
    const [leader] = host.settle(joins)
    expect(leader!.generationId).toBe(2)
    expect(host.describe().groupState).toBe('Stable')
  })

  it('refuses a new group: whoever waits to join it is told', () => {
    const host = new GroupHost()
    host.appendError = KAFKA_STORAGE_ERROR
    const join = host.join({ version: 3 })
    expect(join.now.errorCode).toBe(NOT_COORDINATOR)
    expect(host.list()).toEqual([])
    const told = host.join().now
    expect(host.join({ memberId: told.memberId }).now.errorCode).toBe(UNKNOWN_MEMBER_ID)
    host.appendError = NONE
    host.advance(600_000)
    host.stableGroup(1)
    expect(host.describe().groupState).toBe('Stable')
  })

  it('refuses the return of a static member: its former self is in place again', () => {
    const host = new GroupHost()
    const joins = ['i0', 'i1'].map((instance) => host.join({ instance }))
    host.advance(0)
    host.settle(joins)
    const [leader, follower] = joins.map((join) => join.now)
    host.appendError = KAFKA_STORAGE_ERROR
    expect(host.join({ instance: 'i0' }).now).toMatchObject({
      errorCode: NOT_COORDINATOR,
      memberId: '',
    })
    host.appendError = NONE
    expect(host.heartbeat(leader!.memberId, 1, 'i0')).toBe(NONE)
    expect(
      host
        .describe()
        .members.map((one) => one.memberId)
        .sort(),
    ).toEqual([leader!.memberId, follower!.memberId].sort())
    // which is still the leader, and still expires
    const again = host.join({ memberId: leader!.memberId, instance: 'i0' })
    host.join({ memberId: follower!.memberId, instance: 'i1' })
    expect(again.now).toMatchObject({ generationId: 2, leader: leader!.memberId })
    host.advance(100_000)
    expect(host.describe().members).toEqual([])
  })

  it('refuses the end of a group: it is empty all the same, and goes on from there', () => {
    const host = new GroupHost()
    const [leader] = host.stableGroup(1)
    host.appendError = KAFKA_STORAGE_ERROR
    expect(host.leave([leader!]).now.members[0]!.errorCode).toBe(NONE)
    expect(host.describe()).toMatchObject({ groupState: 'Empty', members: [] })
    expect(host.heartbeat(leader!.memberId, 1)).toBe(UNKNOWN_MEMBER_ID)
    host.leave([{ memberId: 'nobody' }])
    host.appendError = NONE
    const { join } = host.enter()
    host.advance(0)
    expect(join.now.generationId).toBe(3)
    host.settle([join])
    host.restart()
    expect(host.heartbeat(join.now.memberId, 3)).toBe(NONE)
  })

  it('refuses the end of a group and then a restart comes: its members return, and expire', () => {
    const host = new GroupHost()
    const [leader] = host.stableGroup(1)
    host.appendError = KAFKA_STORAGE_ERROR
    host.leave([leader!])
    host.appendError = NONE
    host.restart()
    expect(host.describe().groupState).toBe('Stable')
    host.advance(10_000)
    expect(host.describe()).toMatchObject({ groupState: 'Empty', members: [] })
  })

  it('refuses deletions', () => {
    const host = new GroupHost()
    host.commitOffsets({ a: [1] })
    host.appendError = KAFKA_STORAGE_ERROR
    expect(host.deleteGroups(GROUP, 'nothing')).toEqual([
      NOT_COORDINATOR,
      ErrorCode.GROUP_ID_NOT_FOUND,
    ])
    expect(host.deleteOffsets({ a: [0] }).errorCode).toBe(NOT_COORDINATOR)
    expect(host.committed()).toEqual(['a-0@1'])
  })

  it('can refuse the last step only', () => {
    const host = new GroupHost()
    const step = host.coordinator.onTopicsDeleted([], host.nowMs, host.wallMs)
    host.coordinator.onTopicsDeleted([], host.nowMs, host.wallMs)
    expect(() => host.coordinator.fail(step, NOT_COORDINATOR, host.nowMs, host.wallMs)).toThrow(
      'only the last step',
    )
  })
})

describe('a coordinator that stops', () => {
  it('tells everybody who waits', () => {
    const host = new GroupHost()
    const joining = host.enter().join
    const other = { groupId: 'other' }
    const pair = [host.enter(other), host.enter(other)]
    host.advance(0)
    const syncing = host.sync(pair[1]!.join.now, {}, other)
    const waiting = host.enter({ ...other, groupId: 'third' }).join
    host.restart()
    expect(joining.now.errorCode).toBe(NONE)
    expect([syncing, waiting].map((one) => one.now.errorCode)).toEqual([
      NOT_COORDINATOR,
      NOT_COORDINATOR,
    ])
    expect(waiting.now.memberId).not.toBe('')
  })
})

describe('a restart', () => {
  it('leaves members where they were, each with a fresh session', () => {
    const host = new GroupHost()
    const [leader, follower] = host.stableGroup(2, { sessionTimeoutMs: 10_000 })
    host.commitOffsets({ a: [1], b: [2] }, leader)
    const before = host.snapshot()
    host.advance(9_999)
    host.restart()
    expect(host.snapshot()).toEqual(before)
    host.advance(9_999)
    expect(host.heartbeat(leader!.memberId, 1)).toBe(NONE)
    expect(text(host.sync(follower!).now.assignment)).toBe('part 1')
    expect(host.commitErrors({ a: [5] }, follower!)).toEqual([NONE])
    host.advance(9_999)
    expect(host.heartbeat(leader!.memberId, 1)).toBe(NONE)
    host.advance(1)
    expect(host.heartbeat(leader!.memberId, 1)).toBe(ErrorCode.REBALANCE_IN_PROGRESS)
  })

  it('knows what a group subscribes to', () => {
    const host = new GroupHost()
    const protocols = [['range', subscription('b')]] as const
    const [leader] = host.stableGroup(1, { protocols })
    host.commitOffsets({ a: [1], b: [2] }, leader)
    host.restart()
    const { topics } = host.deleteOffsets({ a: [0], b: [0] })
    expect(topics.map(({ partitions }) => partitions[0]!.errorCode)).toEqual([
      NONE,
      ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC,
    ])
  })

  it('reads what any version of a subscription begins with', () => {
    const host = new GroupHost()
    // version 9, then the topic b, no user data, and something that nobody knows
    const newer = Buffer.from('0009000000010001' + '62' + 'ffffffff' + 'abcdef', 'hex')
    const [leader] = host.stableGroup(1, { protocols: [['range', newer]] })
    host.commitOffsets({ a: [1], b: [2] }, leader)
    const { topics } = host.deleteOffsets({ a: [0], b: [0] })
    expect(topics.map(({ partitions }) => partitions[0]!.errorCode)).toEqual([
      NONE,
      ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC,
    ])
  })

  it('in the middle of a rebalance goes back to the generation before', () => {
    const host = new GroupHost()
    const [leader, follower] = host.stableGroup(2)
    host.enter()
    const again = [leader, follower].map((one) => host.join({ memberId: one!.memberId }))
    expect(again.map((join) => join.now.generationId)).toEqual([2, 2])
    host.restart()
    expect(host.heartbeat(leader!.memberId, 2)).toBe(ErrorCode.ILLEGAL_GENERATION)
    expect(host.heartbeat(follower!.memberId, 1)).toBe(NONE)
  })

  it('under a lower limit has the group rebalance down to it', () => {
    const host = new GroupHost()
    const members = host.stableGroup(3)
    host.config = { ...host.config, groupMaxSize: 2 }
    host.restart()
    expect(host.describe().groupState).toBe('PreparingRebalance')
    const joins = members.map(({ memberId }) => host.join({ memberId }))
    expect(joins.map((join) => join.now.errorCode)).toEqual([
      ...[NONE, NONE, ErrorCode.GROUP_MAX_SIZE_REACHED],
    ])
  })
})

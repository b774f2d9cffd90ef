import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import { groupErrorResponse } from '../../src/coordinator/group/coordinator.ts'
import { metadata } from '../../src/protocol/03-metadata.ts'
import { heartbeat } from '../../src/protocol/12-heartbeat.ts'
import { describeGroups } from '../../src/protocol/15-describe-groups.ts'
import { deleteGroups } from '../../src/protocol/42-delete-groups.ts'
import { GROUP, GroupHost, subscription } from './group-host.ts'

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()
const { NONE, GROUP_ID_NOT_FOUND } = ErrorCode

describe('describing groups', () => {
  it('shows members with metadata and assignment, in every version', () => {
    const host = new GroupHost()
    const [leader, follower] = host.stableGroup(2)
    for (let version = 0; version <= 6; version++) {
      const group = host.describe(GROUP, version)
      expect(group).toMatchObject({
        groupId: GROUP,
        errorCode: NONE,
        groupState: 'Stable',
        protocolType: 'consumer',
        protocolData: 'range',
        authorizedOperations: -2_147_483_648,
      })
      expect(group.members.map(({ memberId }) => memberId)).toEqual([
        leader!.memberId,
        follower!.memberId,
      ])
      expect(group.members.map((one) => text(one.memberAssignment))).toEqual(['part 0', 'part 1'])
      expect(Buffer.from(group.members[0]!.memberMetadata)).toEqual(Buffer.from(subscription('a')))
    }
  })

  it('that are not there shows dead ones, or an error from version 6 on', () => {
    const host = new GroupHost()
    for (let version = 0; version <= 5; version++) {
      expect(host.describe('nothing', version)).toMatchObject({
        errorCode: NONE,
        groupState: 'Dead',
      })
    }
    expect(host.describe('nothing', 6)).toMatchObject({
      errorCode: GROUP_ID_NOT_FOUND,
      errorMessage: 'Group nothing not found.',
      groupState: 'Dead',
    })
  })
})

describe('listing groups', () => {
  it('filters by state and type, in whatever letters', () => {
    const host = new GroupHost()
    host.stableGroup(1)
    host.commitOffsets({ a: [1] }, { groupId: 'simple' })
    host.enter({ groupId: 'coming' })
    const names = (...filters: Parameters<GroupHost['list']>) =>
      host
        .list(...filters)
        .map(({ groupId }) => groupId)
        .sort()
    expect(names()).toEqual(['coming', 'group', 'simple'])
    expect(names(['stable'])).toEqual(['group'])
    expect(names([' STABLE ', 'empty'])).toEqual(['group', 'simple'])
    expect(names(['PreparingRebalance'])).toEqual(['coming'])
    expect(names(['nonsense'])).toEqual([])
    expect(names([], ['Classic'])).toEqual(['coming', 'group', 'simple'])
    expect(names([], ['consumer', 'share'])).toEqual([])
    expect(host.list(['Stable'])).toMatchObject([
      { groupId: GROUP, protocolType: 'consumer', groupState: 'Stable', groupType: 'classic' },
    ])
    for (let version = 0; version <= 5; version++) {
      expect(host.list([], [], version)).toHaveLength(3)
    }
  })
})

describe('what a real Kafka answers', () => {
  it('all operations on a group that is there, for who asks', () => {
    const host = new GroupHost()
    host.commitOffsets({ a: [1] }, { groupId: 'simple' })
    const ask = (groupId: string, includeAuthorizedOperations: boolean) =>
      host.call(describeGroups, 6, { groups: [groupId], includeAuthorizedOperations }).now
        .groups[0]!.authorizedOperations
    expect(ask('simple', true)).toBe(3400)
    expect(ask('simple', false)).toBe(-2_147_483_648)
    expect(ask('nothing', true)).toBe(-2_147_483_648)
  })

  it('nothing about topics without partitions', () => {
    const host = new GroupHost()
    expect(host.commitOffsets({ a: [1], b: [] }).now.topics.map(({ name }) => name)).toEqual(['a'])
    expect(host.deleteOffsets({ b: [], a: [0] }).topics.map(({ name }) => name)).toEqual(['a'])
  })
})

describe('deleting groups', () => {
  it('takes the empty ones with their offsets, and refuses the others', () => {
    const host = new GroupHost()
    const [leader] = host.stableGroup(1)
    host.commitOffsets({ a: [1, 2] }, leader)
    host.commitOffsets({ a: [1] }, { groupId: 'simple' })
    expect(host.deleteGroups(GROUP, 'simple', 'nothing', '')).toEqual([
      ErrorCode.NON_EMPTY_GROUP,
      NONE,
      GROUP_ID_NOT_FOUND,
      GROUP_ID_NOT_FOUND,
    ])
    expect(host.committed('simple')).toEqual([])
    expect(host.describe('simple').errorCode).toBe(GROUP_ID_NOT_FOUND)
    host.leave([leader!])
    expect(host.deleteGroups(GROUP)).toEqual([NONE])
    expect(host.list()).toEqual([])
    host.restart()
    expect(host.list()).toEqual([])
    expect(host.coordinator.gauges.offsets).toBe(0)
  })

  it('answers a group that is named twice once', () => {
    const host = new GroupHost()
    host.commitOffsets({ a: [1] }, { groupId: 'simple' })
    expect(host.deleteGroups('simple', 'simple')).toEqual([NONE])
  })

  it('forgets ids that were given out', () => {
    const host = new GroupHost()
    const { memberId } = host.join().now
    expect(host.deleteGroups(GROUP)).toEqual([NONE])
    expect(host.join({ memberId }).now.errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
    host.advance(60_000)
    expect(host.list()).toEqual([])
  })

  it('and the group comes back when somebody joins', () => {
    const host = new GroupHost()
    host.commitOffsets({ a: [1] })
    host.deleteGroups(GROUP)
    host.stableGroup(1)
    expect(host.describe()).toMatchObject({ groupState: 'Stable' })
    expect(host.committed()).toEqual([])
  })
})

describe('gauges', () => {
  it('count groups by state, members, offsets', () => {
    const host = new GroupHost()
    const [leader] = host.stableGroup(2)
    host.commitOffsets({ a: [5, 6] }, leader)
    host.commitOffsets({ b: [7] }, { groupId: 'simple' })
    host.enter({ groupId: 'coming' })
    const { gauges } = host.coordinator
    expect(gauges.groups).toEqual({
      Empty: 1,
      PreparingRebalance: 1,
      CompletingRebalance: 0,
      Stable: 1,
      Dead: 0,
    })
    expect(gauges.members).toBe(3)
    expect(gauges.offsets).toBe(3)
    expect([...gauges.committedOffsets()]).toContainEqual({
      groupId: 'simple',
      topic: 'b',
      partition: 0,
      offset: 7,
    })
  })
})

describe('the error of a call as a whole', () => {
  it('is none for heartbeats while groups load, as in Kafka', () => {
    const error = ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
    const call = { api: heartbeat, version: 4, request: {} }
    expect(groupErrorResponse(call, error)).toMatchObject({ errorCode: NONE })
  })

  it('names each group where groups are asked for, and knows no other API', () => {
    const error = ErrorCode.NOT_COORDINATOR
    const describe = { api: describeGroups, version: 5, request: { groups: ['x', 'y'] } }
    expect(groupErrorResponse(describe, error)).toMatchObject({
      groups: [
        { groupId: 'x', errorCode: error },
        { groupId: 'y', errorCode: error },
      ],
    })
    const remove = { api: deleteGroups, version: 2, request: { groupsNames: ['x'] } }
    expect(groupErrorResponse(remove, error)).toMatchObject({
      results: [{ groupId: 'x', errorCode: error }],
    })
    const other = { api: metadata, version: 12, request: {} }
    expect(() => groupErrorResponse(other, error)).toThrow('Metadata')
  })
})

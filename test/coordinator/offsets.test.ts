import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import { GROUP_ID_LENGTH_MAX } from '../../src/coordinator/group/config.ts'
import { GROUP, GroupHost, id } from './group-host.ts'

const { NONE, UNKNOWN_MEMBER_ID, ILLEGAL_GENERATION, UNKNOWN_TOPIC_OR_PARTITION } = ErrorCode

describe('a commit', () => {
  it('from outside makes a simple group, whose id may be empty', () => {
    const host = new GroupHost()
    for (const groupId of ['simple', '']) {
      const commit = { groupId, metadata: 'here', leaderEpoch: 7 }
      expect(host.commitErrors({ a: [10, 11], b: [12] }, commit)).toEqual([NONE, NONE, NONE])
      const fetched = host.fetchOffsets(groupId, { a: [0, 3] }).now.groups[0]!
      expect(fetched.topics[0]!.partitions).toMatchObject([
        { committedOffset: 10, committedLeaderEpoch: 7, metadata: 'here', errorCode: NONE },
        { committedOffset: -1, committedLeaderEpoch: -1, metadata: '', errorCode: NONE },
      ])
      expect(host.committed(groupId)).toEqual(['a-0@10', 'a-1@11', 'b-0@12'])
      expect(host.describe(groupId)).toMatchObject({ groupState: 'Empty', protocolType: '' })
    }
  })

  it('is answered completely in every version', () => {
    for (let version = 2; version <= 10; version++) {
      const host = new GroupHost()
      expect(host.commitErrors({ a: [version] }, { version })).toEqual([NONE])
      expect(host.committed()).toEqual([`a-0@${version}`])
    }
  })

  it('that comes later wins, also over a restart', () => {
    const host = new GroupHost()
    for (const offset of [5, 9, 3]) host.commitOffsets({ a: [offset] })
    expect(host.committed()).toEqual(['a-0@3'])
    host.restart()
    expect(host.committed()).toEqual(['a-0@3'])
  })

  it('takes a member of the generation, and no one else while there are members', () => {
    const host = new GroupHost()
    const [leader, follower] = host.stableGroup(2)
    const commit = (who: object) => host.commitErrors({ a: [1] }, who)[0]
    expect(commit(follower!)).toBe(NONE)
    expect(commit({})).toBe(UNKNOWN_MEMBER_ID)
    expect(commit({ memberId: 'nobody', generationId: 1 })).toBe(UNKNOWN_MEMBER_ID)
    expect(commit({ ...leader, generationId: 2 })).toBe(ILLEGAL_GENERATION)
    expect(commit({ ...leader, generationId: -1 })).toBe(ILLEGAL_GENERATION)
    expect(commit({ ...leader, instance: 'i' })).toBe(UNKNOWN_MEMBER_ID)
    host.leave([leader!, follower!])
    expect(commit({ memberId: leader!.memberId, generationId: 1 })).toBe(UNKNOWN_MEMBER_ID)
    expect(commit({ memberId: leader!.memberId })).toBe(NONE)
    expect(commit({})).toBe(NONE)
  })

  it('goes on while members rejoin, and waits for the assignment', () => {
    const host = new GroupHost()
    const [leader, follower] = host.stableGroup(2)
    const joins = [host.join({ memberId: leader!.memberId })]
    expect(host.commitErrors({ a: [1] }, follower!)).toEqual([NONE])
    joins.push(host.join({ memberId: follower!.memberId }))
    const now = { memberId: follower!.memberId, generationId: 2 }
    expect(host.commitErrors({ a: [2] }, now)).toEqual([ErrorCode.REBALANCE_IN_PROGRESS])
    host.settle(joins)
    expect(host.commitErrors({ a: [2] }, now)).toEqual([NONE])
  })

  it('to a group that is not there, in the name of a generation, is refused as the version knows', () => {
    const host = new GroupHost()
    const who = { memberId: 'm', generationId: 3 }
    expect(host.commitErrors({ a: [1] }, { ...who, version: 8 })).toEqual([ILLEGAL_GENERATION])
    expect(host.commitErrors({ a: [1] }, { ...who, version: 9 })).toEqual([
      ErrorCode.GROUP_ID_NOT_FOUND,
    ])
    expect(host.log).toEqual([])
  })

  it('of partitions that are not there is refused for these alone', () => {
    const host = new GroupHost()
    expect(host.commitErrors({ a: [1, 2, 3, 4, 5], nothing: [6] })).toEqual([
      ...[NONE, NONE, NONE, NONE, UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_OR_PARTITION],
    ])
    expect(host.commitErrors({ nothing: [6] }, { version: 10 })).toEqual([
      ErrorCode.UNKNOWN_TOPIC_ID,
    ])
    expect(host.committed()).toEqual(['a-0@1', 'a-1@2', 'a-2@3', 'a-3@4'])
  })

  it('with too much metadata is refused', () => {
    const host = new GroupHost({ offsetMetadataMaxBytes: 4 })
    expect(host.commitErrors({ a: [1] }, { metadata: 'äöüß' })).toEqual([NONE])
    expect(host.commitErrors({ a: [2] }, { metadata: 'abcde' })).toEqual([
      ErrorCode.OFFSET_METADATA_TOO_LARGE,
    ])
    expect(host.committed()).toEqual(['a-0@1'])
  })

  it('under a group id that is too long is refused, and the log names the limit', () => {
    const host = new GroupHost()
    const groupId = 'g'.repeat(GROUP_ID_LENGTH_MAX + 1)
    expect(host.commitErrors({ a: [1] }, { groupId })).toEqual([ErrorCode.INVALID_GROUP_ID])
    expect(host.lines.at(-1)!.fields).toMatchObject({ limit: GROUP_ID_LENGTH_MAX })
  })

  it('is answered when it is committed in the log, and shown then', () => {
    const host = new GroupHost()
    host.commitOffsets({ a: [1] })
    host.autoCommit = false
    const commit = host.commitOffsets({ a: [2] })
    expect(commit.waits).toBe(true)
    const plain = host.fetchOffsets()
    const stable = host.fetchOffsets(GROUP, null, { requireStable: true })
    host.commit()
    expect(commit.now.topics[0]!.partitions[0]!.errorCode).toBe(NONE)
    const offsetOf = (fetch: typeof plain) =>
      fetch.now.groups[0]!.topics[0]!.partitions[0]!.committedOffset
    expect([offsetOf(plain), offsetOf(stable)]).toEqual([1, 2])
    host.autoCommit = true
    expect(host.committed()).toEqual(['a-0@2'])
  })
})

describe('a fetch of offsets', () => {
  it('is answered completely in every version, for all and for some', () => {
    for (let version = 1; version <= 10; version++) {
      const host = new GroupHost()
      host.commitOffsets({ a: [1, 2] })
      for (const topics of version === 1 ? [{ a: [0, 1] }] : [{ a: [0, 1] }, null]) {
        const answer = host.fetchOffsets(GROUP, topics, { version }).now
        const fetched = version >= 8 ? answer.groups[0]! : answer
        expect(fetched.errorCode).toBe(NONE)
        expect(fetched.topics).toHaveLength(1)
        const { partitions } = fetched.topics[0]!
        expect(partitions.map((one) => one.committedOffset)).toEqual([1, 2])
      }
    }
  })

  it('of a group that is not there finds nothing, without an error', () => {
    const host = new GroupHost()
    expect(host.fetchOffsets('nothing').now.groups[0]).toMatchObject({
      errorCode: NONE,
      topics: [],
    })
    const some = host.fetchOffsets('nothing', { a: [0], b: [1] }).now.groups[0]!
    expect(some.topics.map(({ partitions }) => partitions[0]!.committedOffset)).toEqual([-1, -1])
  })

  it('by topic ids knows ids from names, and offsets of a topic that had the name before', () => {
    const host = new GroupHost()
    host.commitOffsets({ a: [1] })
    host.topics.set('a', { topicId: id(77), partitions: 4 })
    const byId = { version: 10 }
    const fetch = (topics: Record<string, number[]>) =>
      host.fetchOffsets(GROUP, topics, byId).now.groups[0]!.topics[0]!
    expect(fetch({ a: [0] })).toMatchObject({
      topicId: id(77),
      partitions: [{ committedOffset: -1, errorCode: NONE }],
    })
    expect(fetch({ nothing: [0] })).toMatchObject({
      topicId: id(99),
      partitions: [{ committedOffset: -1, errorCode: ErrorCode.UNKNOWN_TOPIC_ID }],
    })
    expect(host.committed()).toEqual(['a-0@1'])
    host.topics.delete('a')
    expect(host.fetchOffsets(GROUP, null, byId).now.groups[0]!.topics).toEqual([])
  })

  it('of several groups answers each', async () => {
    const host = new GroupHost()
    const { offsetFetch } = await import('../../src/protocol/09-offset-fetch.ts')
    host.commitOffsets({ a: [1] }, { groupId: 'x' })
    host.commitOffsets({ b: [2] }, { groupId: 'y' })
    const { groups } = host.call(offsetFetch, 9, {
      groupId: '',
      topics: [],
      requireStable: true,
      groups: ['x', 'y', 'z'].map((groupId) => ({ groupId, topics: null, memberEpoch: 5 })),
    }).now
    expect(groups.map(({ groupId, topics }) => [groupId, topics.length])).toEqual([
      ['x', 1],
      ['y', 1],
      ['z', 0],
    ])
  })
})

describe('deleting offsets', () => {
  it('spares what the group subscribes to', () => {
    const host = new GroupHost()
    const [leader] = host.stableGroup(1)
    host.commitOffsets({ a: [1], b: [2] }, leader)
    const { errorCode, topics } = host.deleteOffsets({ a: [0], b: [0, 1, 9], nothing: [0] })
    expect(errorCode).toBe(NONE)
    expect(topics.map(({ partitions }) => partitions.map((one) => one.errorCode))).toEqual([
      [ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC],
      [NONE, NONE, UNKNOWN_TOPIC_OR_PARTITION],
      [UNKNOWN_TOPIC_OR_PARTITION],
    ])
    expect(host.committed()).toEqual(['a-0@1'])
    host.leave([leader!])
    expect(host.deleteOffsets({ a: [0] }).topics[0]!.partitions[0]!.errorCode).toBe(NONE)
    expect(host.committed()).toEqual([])
    host.restart()
    expect(host.committed()).toEqual([])
  })

  it('is refused for groups that are not there, not named, or not of consumers', () => {
    const host = new GroupHost()
    expect(host.deleteOffsets({ a: [0] }).errorCode).toBe(ErrorCode.GROUP_ID_NOT_FOUND)
    expect(host.deleteOffsets({ a: [0] }, '').errorCode).toBe(ErrorCode.INVALID_GROUP_ID)
    const [leader] = host.stableGroup(1, { protocolType: 'connect' })
    expect(host.deleteOffsets({ a: [0] }).errorCode).toBe(ErrorCode.NON_EMPTY_GROUP)
    host.leave([leader!])
    expect(host.deleteOffsets({ a: [0] }).errorCode).toBe(NONE)
  })

  it('spares everything of consumers whose subscription cannot be read', () => {
    const host = new GroupHost()
    const protocols = [['range', Buffer.from('?')]] as const
    const [leader] = host.stableGroup(1, { protocols })
    host.commitOffsets({ a: [1] }, leader)
    expect(host.deleteOffsets({ a: [0] }).topics[0]!.partitions[0]!.errorCode).toBe(
      ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC,
    )
  })

  it('and committing again before that is committed shows the last that is', () => {
    const host = new GroupHost()
    host.commitOffsets({ a: [1] })
    host.autoCommit = false
    host.deleteOffsetsUnanswered({ a: [0] })
    host.commitOffsets({ a: [2] })
    const during = host.fetchOffsets()
    host.commit()
    expect(during.now.groups[0]!.topics[0]!.partitions[0]!.committedOffset).toBe(1)
    host.autoCommit = true
    expect(host.committed()).toEqual(['a-0@2'])
    host.deleteOffsets({ a: [0] })
    expect(host.committed()).toEqual([])
    expect(host.coordinator.gauges.offsets).toBe(0)
  })
})

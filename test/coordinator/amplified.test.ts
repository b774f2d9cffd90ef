import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import { offsetCommit } from '../../src/protocol/08-offset-commit.ts'
import { offsetFetch } from '../../src/protocol/09-offset-fetch.ts'
import { describeGroups } from '../../src/protocol/15-describe-groups.ts'
import { deleteGroups } from '../../src/protocol/42-delete-groups.ts'
import { GROUP, GroupHost, id } from './group-host.ts'

const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value)

describe('a few bytes that ask for a lot', () => {
  it('a group that is described over and over is told once', () => {
    const host = new GroupHost()
    host.stableGroup(2)
    const request = { groups: times(1_000, GROUP), includeAuthorizedOperations: false }
    const { groups } = host.call(describeGroups, 5, request).now
    expect(groups).toHaveLength(1)
    expect(groups[0]!.members).toHaveLength(2)
  })

  it('offsets that are asked for over and over are told once, those that are not there each time', () => {
    const host = new GroupHost()
    host.commitOffsets({ a: [1, 2], b: [3] }, { metadata: 'm'.repeat(4_000) })
    const all = { groupId: GROUP, memberId: null, memberEpoch: -1, topics: null }
    const some = {
      ...all,
      topics: times(10, { name: 'a', topicId: id(0), partitionIndexes: [0, 0, 3] }),
    }
    for (const groups of [times(100, all), times(100, some)]) {
      const request = { groups, groupId: '', topics: [], requireStable: false }
      const answer = host.call(offsetFetch, 9, request).now
      const told = answer.groups.flatMap(({ topics }) => topics.flatMap((one) => one.partitions))
      const found = told.filter(({ committedOffset }) => committedOffset >= 0)
      expect(found.map(({ committedOffset }) => committedOffset)).toEqual(
        groups[0]!.topics === null ? [1, 2, 3] : [1],
      )
      expect(told.length - found.length).toBe(groups[0]!.topics === null ? 0 : 1_000)
      expect(answer.groups).toHaveLength(groups[0]!.topics === null ? 1 : 100)
    }
  })

  it('a group that is deleted over and over goes once', () => {
    const host = new GroupHost()
    host.commitOffsets({ a: [1, 2] })
    const before = host.log.length
    const { results } = host.call(deleteGroups, 2, { groupsNames: times(1_000, GROUP) }).now
    expect(results).toEqual([{ groupId: GROUP, errorCode: ErrorCode.NONE }])
    expect(host.log.length - before).toBe(3)
  })

  it('a commit whose records would be larger than any batch is refused before they are made', () => {
    const host = new GroupHost()
    host.appendBytesMax = Number.POSITIVE_INFINITY
    const groupId = 'g'.repeat(1_024)
    const partition = { partitionIndex: 0, committedOffset: 1, committedLeaderEpoch: -1 }
    const partitions = times(100_000, { ...partition, committedMetadata: '' })
    const { topics } = host.call(offsetCommit, 9, {
      groupId,
      generationIdOrMemberEpoch: -1,
      memberId: '',
      groupInstanceId: null,
      retentionTimeMs: -1,
      topics: [{ name: 'a', topicId: id(0), partitions }],
    }).now
    const errors = new Set(topics[0]!.partitions.map(({ errorCode }) => errorCode))
    expect([...errors]).toEqual([ErrorCode.UNKNOWN_SERVER_ERROR])
    expect(host.log).toHaveLength(0)
    expect(host.coordinator.gauges.offsets).toBe(0)
    expect(host.commitErrors({ a: [1] })).toEqual([ErrorCode.NONE])
  })
})

import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import { SWEEP_RECORDS_MAX } from '../../src/coordinator/group/sweeps.ts'
import { GROUP, GroupHost, id, subscription } from './group-host.ts'

const HOUR = 3_600_000
const CHECK = 60_000
const config = { offsetsRetentionMs: HOUR, offsetsRetentionCheckIntervalMs: CHECK }

describe('offsets expire', () => {
  it('of a simple group, each so long after its commit; then the group is gone', () => {
    const host = new GroupHost(config)
    host.commitOffsets({ a: [1] })
    host.advance(HOUR / 2)
    host.commitOffsets({ b: [2] })
    host.advance(HOUR / 2 - 1)
    expect(host.committed()).toEqual(['a-0@1', 'b-0@2'])
    host.advance(CHECK)
    expect(host.committed()).toEqual(['b-0@2'])
    host.advance(HOUR / 2)
    expect(host.list()).toEqual([])
    host.restart()
    expect(host.list()).toEqual([])
    expect(host.coordinator.gauges.offsets).toBe(0)
  })

  it('of an empty group all at once, so long after it became empty', () => {
    const host = new GroupHost(config)
    const [leader] = host.stableGroup(1, { sessionTimeoutMs: 1_800_000 })
    host.commitOffsets({ a: [1], b: [2] }, leader)
    host.advance(HOUR / 3)
    host.leave([leader!])
    host.restart()
    host.advance(HOUR - CHECK)
    expect(host.committed()).toEqual(['a-0@1', 'b-0@2'])
    host.advance(2 * CHECK)
    expect(host.list()).toEqual([])
  })

  it('of a group that was left, without a restart between', () => {
    const host = new GroupHost(config)
    const [leader] = host.stableGroup(1)
    host.commitOffsets({ a: [1] }, leader)
    host.leave([leader!])
    host.advance(HOUR + CHECK)
    expect(host.list()).toEqual([])
    expect(host.coordinator.gauges).toMatchObject({ members: 0, offsets: 0 })
  })

  it('of a stable group of consumers only where it does not subscribe any more', () => {
    const host = new GroupHost(config)
    const [leader] = host.stableGroup(1, { sessionTimeoutMs: 1_800_000 })
    host.commitOffsets({ a: [1], b: [2] }, leader)
    for (let i = 0; i < 7; i++) {
      host.advance(HOUR / 6)
      expect(host.heartbeat(leader!.memberId, 1)).toBe(ErrorCode.NONE)
    }
    expect(host.committed()).toEqual(['a-0@1'])
  })

  it('never of other groups with members, nor while consumers rebalance', () => {
    for (const [protocolType, protocols] of [
      ['connect', undefined],
      ['consumer', [['range', Buffer.from('?')]] as const],
    ] as const) {
      const host = new GroupHost(config)
      const options = { protocolType, ...(protocols && { protocols }), sessionTimeoutMs: 1_800_000 }
      const [leader] = host.stableGroup(1, options)
      host.commitOffsets({ a: [1] }, leader)
      for (let i = 0; i < 12; i++) {
        host.advance(HOUR / 6)
        host.heartbeat(leader!.memberId, 1)
      }
      expect(host.committed()).toEqual(['a-0@1'])
    }
    const host = new GroupHost(config)
    const options = { rebalanceTimeoutMs: 3 * HOUR, sessionTimeoutMs: 1_800_000 }
    const [leader, other] = host.stableGroup(2, options)
    host.commitOffsets({ b: [1] }, leader)
    host.join({ ...options, memberId: leader!.memberId })
    for (let i = 0; i < 12; i++) {
      host.advance(HOUR / 6)
      host.heartbeat(other!.memberId, 1)
    }
    expect(host.describe().groupState).toBe('PreparingRebalance')
    expect(host.committed()).toEqual(['b-0@1'])
  })

  it('when an old client says so, whatever the broker retains', () => {
    const host = new GroupHost(config)
    host.commitOffsets({ a: [1] }, { version: 4, retentionTimeMs: 2 * HOUR })
    host.commitOffsets({ b: [1] }, { version: 4, retentionTimeMs: 1_000 })
    host.restart()
    host.advance(CHECK)
    expect(host.committed()).toEqual(['a-0@1'])
    host.advance(2 * HOUR - 2 * CHECK)
    expect(host.committed()).toEqual(['a-0@1'])
    host.advance(2 * CHECK)
    expect(host.committed()).toEqual([])
  })

  it('and the group stays as long as somebody has an id of it', () => {
    const host = new GroupHost(config)
    const { memberId } = host.join({ sessionTimeoutMs: 1_000_000 }).now
    host.advance(900_000)
    expect(host.list()).toHaveLength(1)
    expect(host.join({ memberId }).waits).toBe(true)
  })

  it('while a group whose offsets expired commits again, which keeps it', () => {
    const host = new GroupHost(config)
    host.topics.set('many', { topicId: id(3), partitions: 5_000 })
    host.commitOffsets({ many: Array.from({ length: SWEEP_RECORDS_MAX + 10 }, () => 1) })
    host.advanceUntil(() => host.committed().length <= SWEEP_RECORDS_MAX)
    // between the first slice and the next
    expect(host.committed()).toHaveLength(10)
    host.commitOffsets({ a: [7] })
    host.advance(CHECK)
    expect(host.committed()).toEqual(['a-0@7'])
  })

  it('whatever the length of its names: a step is no larger than a batch may be', () => {
    const host = new GroupHost(config)
    const groupId = '\u{4e00}'.repeat(1_024)
    for (let i = 0; i < 5; i++) {
      host.topics.set(`many-${i}`, { topicId: id(10 + i), partitions: 200 })
      const offsets = { [`many-${i}`]: Array.from({ length: 200 }, () => 1) }
      expect(host.commitErrors(offsets, { groupId })[0]).toBe(ErrorCode.NONE)
    }
    expect(host.coordinator.gauges.offsets).toBe(1_000)
    host.advance(HOUR + 2 * CHECK)
    expect(host.coordinator.gauges.offsets).toBe(0)
  })

  it('by many steps that are small', () => {
    const host = new GroupHost(config)
    host.topics.set('many', { topicId: id(3), partitions: 5_000 })
    host.commitOffsets({ many: Array.from({ length: 5_000 }, () => 1) })
    const before = host.log.length
    host.stepSizes.length = 0
    host.advance(HOUR + CHECK)
    expect(host.committed()).toEqual([])
    expect(host.log.length - before).toBe(5_001)
    expect(Math.max(...host.stepSizes)).toBe(SWEEP_RECORDS_MAX)
  })
})

describe('offsets of topics that are deleted', () => {
  it('go at once, but not those of a new topic of the same name', () => {
    const host = new GroupHost()
    host.commitOffsets({ a: [1, 2], b: [3] })
    host.deleteTopic('a')
    expect(host.committed()).toEqual(['b-0@3'])
    host.topics.set('a', { topicId: id(50), partitions: 4 })
    host.commitOffsets({ a: [9] })
    host.deletedTopic('a', id(1))
    expect(host.committed()).toEqual(['a-0@9', 'b-0@3'])
  })

  it('go at the next load if the topic went while nobody looked', () => {
    const host = new GroupHost()
    host.commitOffsets({ a: [1, 2], b: [3] })
    host.topics.delete('a')
    host.topics.set('b', { topicId: id(51), partitions: 4 })
    host.restart()
    expect(host.committed()).toEqual([])
    expect(host.list()).toHaveLength(1)
    host.advance(host.config.offsetsRetentionCheckIntervalMs)
    expect(host.list()).toEqual([])
  })

  it('go though the group subscribes to them', () => {
    const host = new GroupHost()
    const [leader] = host.stableGroup(1, { protocols: [['range', subscription('a', 'b')]] })
    host.commitOffsets({ a: [1], b: [2] }, leader)
    host.deleteTopic('a')
    expect(host.committed(GROUP)).toEqual(['b-0@2'])
    expect(host.heartbeat(leader!.memberId, 1)).toBe(ErrorCode.NONE)
  })
})

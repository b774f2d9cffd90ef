import { expect, it } from 'vitest'
import { encodeOffsetKey } from '../../src/coordinator/group/offset-keys.ts'
import { encodeOffsetValue } from '../../src/coordinator/group/offset-value.ts'
import { GroupHost, id } from './group-host.ts'

/** The goal is a microsecond a record (`native-bench/offsets.mjs` measures it): this only sees that nothing is far off. */
const TIMES_THE_GOAL = 20

it('a tail of many commits loads fast, and comes to the last of each', () => {
  const host = new GroupHost()
  const groups = 100
  const partitions = 120
  const records = 300_000
  host.topics.set('topic', { topicId: id(9), partitions })
  for (let i = 0; i < records; i++) {
    const key = i % (groups * partitions)
    const group = `group-${Math.floor(key / partitions)}`
    host.log.push({
      key: encodeOffsetKey(group, 'topic', key % partitions),
      value: encodeOffsetValue({
        ...{ offset: i, leaderEpoch: 1, metadata: '', topicId: id(9) },
        ...{ commitTimestampMs: host.wallMs, expireTimestampMs: -1 },
      }),
    })
  }
  const { user } = process.cpuUsage()
  host.load()
  const microseconds = process.cpuUsage().user - user
  expect(microseconds).toBeLessThan(records * TIMES_THE_GOAL)
  expect(host.coordinator.gauges.offsets).toBe(groups * partitions)
  const last = [...host.coordinator.gauges.committedOffsets()].map(({ offset }) => offset)
  expect(Math.min(...last)).toBe(records - groups * partitions)
})

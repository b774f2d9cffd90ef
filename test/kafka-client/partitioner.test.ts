import { expect, test } from 'vitest'
import { murmur2, partitionOfKey, StickyPartition } from '../../src/kafka-client/partitioner.ts'

/** From Kafka's own UtilsTest.testMurmur2. */
test.each([
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
])('murmur2 of "%s" is what Java says', (text, hash) => {
  expect(murmur2(Buffer.from(text))).toBe(hash)
})

test('a negative hash still gives a partition', () => {
  expect(partitionOfKey(Buffer.from('21'), 7)).toBe((-973932308 & 0x7fffffff) % 7)
  expect(partitionOfKey(Buffer.of(), 3)).toBeGreaterThanOrEqual(0)
})

test('without a key a partition is kept until the next is asked for, and all get their turn', () => {
  const sticky = new StickyPartition(4)
  const seen = new Set<number>()
  for (let i = 0; i < 200; i++) {
    const { partition } = sticky
    expect(sticky.partition).toBe(partition)
    seen.add(partition)
    sticky.next()
    expect(sticky.partition).not.toBe(partition)
  }
  expect([...seen].sort()).toEqual([0, 1, 2, 3])
  const only = new StickyPartition(1)
  only.next()
  expect(only.partition).toBe(0)
})

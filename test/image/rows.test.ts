import { expect, test } from 'vitest'
import type { PartitionIndex, PartitionNumber } from '../../src/base/ids.ts'
import type { MetadataEntry } from '../../src/image/entry.ts'
import { MetadataImage } from '../../src/image/image.ts'
import { imageEntries } from '../../src/image/snapshot.ts'
import { ACME, formed, tenant, topic, topicId } from './support.ts'

const added = (id: number, firstPartition: number, count: number): MetadataEntry => ({
  ...{ kind: 'partitions-added', tenantId: ACME, topicId: topicId(id) },
  firstPartition: firstPartition as PartitionNumber,
  placements: Array.from({ length: count }, () => ({
    ...{ replicas: [1 as never], leader: 1 as never, leaderEpoch: 0 },
  })),
})

const numbersOf = (image: MetadataImage, name: string): number[] => {
  const row = image.topicByName(ACME, name)!
  return Array.from({ length: row.partitionCount }, (_, i) => row.numberOf(i as PartitionIndex))
}

test('numbers of a topic that was grown by turns with another are those that were given', () => {
  const image = new MetadataImage()
  const entries = [formed, tenant(ACME, 'default')]
  const expected: Record<string, number[]> = { a: [1, 2], b: [3] }
  entries.push(topic(ACME, 1, 'a', 1, [1, 1]), topic(ACME, 2, 'b', 3, [1]))
  let next = 4
  for (let i = 0; i < 40; i++) {
    // in a row with what was before, now and then
    const [id, name] = i % 7 < 4 ? [1, 'a'] : [2, 'b']
    const count = 1 + (i % 3)
    entries.push(added(id as number, next, count))
    for (let more = 0; more < count; more++) expected[name as string]!.push(next++)
  }
  for (const entry of entries) image.apply(entry)
  for (const name of ['a', 'b']) expect(numbersOf(image, name)).toEqual(expected[name])
  const again = new MetadataImage()
  for (const entry of imageEntries(image)) again.apply(entry)
  for (const name of ['a', 'b']) expect(numbersOf(again, name)).toEqual(expected[name])
})

test('a topic that was grown 20,000 times, one partition at a time, is looked up at no cost to speak of', () => {
  const image = new MetadataImage()
  for (const entry of [formed, tenant(ACME, 'default')]) image.apply(entry)
  for (const id of [1, 2]) image.apply(topic(ACME, id, `t${id}`, id, [1]))
  const from = performance.now()
  for (let i = 0; i < 40_000; i++) image.apply(added(1 + (i % 2), 3 + i, 1))
  const row = image.topicByName(ACME, 't1')!
  for (let i = 0; i < 1_000_000; i++) row.numberOf((i % 20_001) as PartitionIndex)
  expect(numbersOf(image, 't1').slice(0, 3)).toEqual([1, 3, 5])
  // half a second; with a list from the newest to the oldest, some twenty
  expect(performance.now() - from).toBeLessThan(7_000)
})

import { describe, expect, it } from 'vitest'
import type {
  BrokerId,
  CellId,
  PartitionIndex,
  PartitionNumber,
  TopicId,
} from '../../src/base/ids.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { newUuid } from '../../src/base/uuid.ts'
import type { MetadataEntry } from '../../src/image/entry.ts'
import { MetadataImage } from '../../src/image/image.ts'
import { ACME, deleted, formed, tenant, topic, topicId, ZETA } from './support.ts'

const SEEDS = process.env.GRIOT_TEST_LONG ? 200 : 20

type Created = Extract<MetadataEntry, { kind: 'topic-created' }>

const imageOf = (...entries: MetadataEntry[]): MetadataImage => {
  const image = new MetadataImage()
  for (const entry of [formed, tenant(ACME, 'default'), tenant(ZETA, 'zeta'), ...entries]) {
    image.apply(entry)
  }
  return image
}

/** What a plain map says of them. */
function expectSame(image: MetadataImage, live: ReadonlyMap<string, Created>, where: string): void {
  expect(image.topicCount, where).toBe(live.size)
  for (const tenantId of [ACME, ZETA]) {
    const own = [...live.values()].filter((one) => one.tenantId === tenantId)
    const names = own.map(({ name }) => name).sort()
    expect(
      image.topics(tenantId).map(({ name }) => name),
      where,
    ).toEqual(names)
    expect(image.tenant(tenantId)?.topicCount, where).toBe(own.length)
  }
  expect([...image.allTopics()].map((one) => one.topicId).sort(), where).toEqual(
    [...live.keys()].sort(),
  )
}

describe('topics', () => {
  it(`are those of a plain map over any coming and going, asked for or not (${SEEDS} seeds)`, () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const random = new SeededRandom(seed)
      const image = imageOf()
      const live = new Map<string, Created>()
      const known = new Map<string, unknown>()
      let next = 1
      const many = random.chance(0.5) ? 400 : 12
      for (let step = 0; step < 1_500; step++) {
        const tenantId = random.chance(0.7) ? ACME : ZETA
        const name = `t${random.below(many)}`
        const there = [...live.values()].find(
          (one) => one.tenantId === tenantId && one.name === name,
        )
        if (there === undefined) {
          const leaders = Array.from({ length: 1 + random.below(4) }, () => 1)
          const made = topic(tenantId, 0, name, next, leaders) as Created
          const entry = { ...made, topicId: newUuid(random) as TopicId }
          next += leaders.length
          live.set(entry.topicId, entry)
          image.apply(entry)
        } else if (random.chance(0.6)) {
          const { topicId: id } = there
          live.delete(id)
          image.apply({ kind: 'topic-deleted', tenantId, topicId: id })
          expect(image.topicById(tenantId, id)).toBeUndefined()
          expect([image.topicByName(tenantId, name), image.hasTopic(id)]).toEqual([
            undefined,
            false,
          ])
        } else {
          const { topicId: id, firstPartition, placements } = there
          const row = image.topicByName(tenantId, name)!
          expect(row).toMatchObject({ topicId: id, name, tenantId, internal: false, cellId: 1 })
          expect(row.partitionCount).toBe(placements.length)
          expect(row.numberOf(0 as PartitionIndex)).toBe(firstPartition)
          expect(image.topicById(tenantId, id)).toBe(row)
          expect(image.topicOf(firstPartition)).toBe(row)
          // the same object as long as it lives
          expect(known.get(id) ?? row).toBe(row)
          known.set(id, row)
        }
        if (step % 300 === 299) expectSame(image, live, `seed ${seed}, step ${step}`)
      }
    }
  })

  it('have one object once somebody has asked for it, and none that is kept where it was glanced at', () => {
    const image = imageOf(topic(ACME, 1, 'idle', 1, [1, 1]))
    const [first, second] = [1, 2].map((number) => image.glance(number as PartitionNumber)!)
    expect(first).toMatchObject({
      index: 0,
      leader: 1,
      topic: { name: 'idle', topicId: topicId(1) },
    })
    expect(second!.topic).not.toBe(first!.topic)
    const asked = image.partition(2 as PartitionNumber)!
    expect(asked).toEqual(second)
    expect(image.glance(1 as PartitionNumber)!.topic).toBe(asked.topic)
    expect(image.topicByName(ACME, 'idle')).toBe(asked.topic)
    image.apply({
      ...{ kind: 'partitions-added', tenantId: ACME, topicId: topicId(1) },
      firstPartition: 3 as PartitionNumber,
      placements: [{ replicas: [1 as BrokerId], leader: 1 as BrokerId, leaderEpoch: 0 }],
    })
    image.apply({ kind: 'topic-configs', tenantId: ACME, topicId: topicId(1), configs: { a: 'b' } })
    expect([asked.topic.partitionCount, asked.topic.configs]).toEqual([3, { a: 'b' }])
    expect(image.glance(3 as PartitionNumber)!.topic).toBe(asked.topic)
  })

  it('that are more than plain are so from the beginning', () => {
    const made = topic(ACME, 1, '__internal', 1, [1], { 'retention.ms': '1' }) as Created
    const image = imageOf({ ...made, internal: true, cellId: 2 as CellId })
    const { topic: row } = image.glance(1 as PartitionNumber)!
    expect(row).toMatchObject({ internal: true, cellId: 2, configs: { 'retention.ms': '1' } })
    expect(image.cellOf(1 as PartitionNumber)).toBe(2)
    expect(row.effective.retentionMs).toBe(1)
    expect(imageOf(made).cellOf(1 as PartitionNumber)).toBe(1)
  })

  it('that are gone stay as they were for whoever holds them, whoever has their place then', () => {
    const image = imageOf(topic(ACME, 1, 'one', 1, [1, 1]), topic(ACME, 2, 'two', 3, [1]))
    const gone = image.topicByName(ACME, 'one')!
    image.apply(deleted(ACME, 1))
    image.apply(topic(ZETA, 3, 'three', 4, [2]))
    expect(gone).toMatchObject({
      tenantId: ACME,
      topicId: topicId(1),
      name: 'one',
      partitionCount: 2,
    })
    expect(image.glance(4 as PartitionNumber)!.topic).toMatchObject({
      tenantId: ZETA,
      name: 'three',
    })
    const [is, was] = [image.cellOf(4 as PartitionNumber), image.cellOf(1 as PartitionNumber)]
    expect([is, was, image.hasPartition(1 as PartitionNumber)]).toEqual([1, 0, false])
    expect(image.glance(1 as PartitionNumber)).toBeUndefined()
  })
})

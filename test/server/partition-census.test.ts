/** How partitions are counted for `/metrics`: out of what a front is told, in slices. */
import { describe, expect, test } from 'vitest'
import type { BrokerId, CellId, PartitionNumber } from '../../src/base/ids.ts'
import type { MetadataEntry } from '../../src/image/entry.ts'
import { MetadataImage } from '../../src/image/image.ts'
import type { ControlMessage } from '../../src/link/control.ts'
import { PartitionCensus } from '../../src/server/partition-census.ts'
import { ACME, formed, tenant, topic, topicId } from '../image/support.ts'

const replicated = (
  id: number,
  first: number,
  lists: readonly number[][],
  configs: Record<string, string> = {},
): MetadataEntry => ({
  ...{ kind: 'topic-created', tenantId: ACME, topicId: topicId(id), name: `r${id}`, configs },
  ...{ internal: false, cellId: 1 as CellId, firstPartition: first as PartitionNumber },
  placements: lists.map((list) => ({
    ...{ replicas: list as BrokerId[], leader: list[0] as BrokerId, leaderEpoch: 0 },
  })),
})

/** Partition 1 is broker 1's and 2 is broker 2's alone; 3 to 5 have three replicas. */
class World {
  readonly image = new MetadataImage()
  readonly census: PartitionCensus
  nowMs = 0
  pauses = 0

  constructor(configs: Record<string, string> = {}) {
    const lists = [
      [1, 2, 3],
      [2, 3, 1],
      [3, 1, 2],
    ]
    this.apply(formed, tenant(ACME, 'default'), topic(ACME, 1, 'single', 1, [1, 2]))
    this.apply(replicated(2, 3, lists, configs))
    this.census = new PartitionCensus({
      ...{ image: this.image, brokers: 3, monotonicMs: () => this.nowMs },
      pause: async () => void this.pauses++,
    })
  }

  apply(...entries: readonly MetadataEntry[]): void {
    for (const entry of entries) this.image.apply(entry)
  }

  led(number: number, leader: number, ...isr: number[]): void {
    this.image.noteLeader(number as PartitionNumber, {
      ...{ leader: leader as BrokerId, leaderEpoch: 5, isr: isr as BrokerId[] },
    })
    this.says({ kind: 'leaders', cellId: 1, leaders: [] })
  }

  says(message: Partial<ControlMessage>): void {
    this.census.onMessage(message as ControlMessage)
  }

  gone(brokerId: number): void {
    this.says({ kind: 'broker-gone', cellId: 1, brokerId })
  }

  /** Without what is nobody's. */
  async counts() {
    this.nowMs += 1_000
    const { led, held, underReplicated, underMinIsr, offline } = await this.census.counts()
    const of = (counts: readonly number[]) => counts.slice(1)
    return {
      ...{ led: of(led), held: of(held), offline },
      ...{ underReplicated: of(underReplicated), underMinIsr: of(underMinIsr) },
    }
  }
}

const well = { underReplicated: [0, 0, 0], underMinIsr: [0, 0, 0], offline: 0 }

describe('partitions are counted', () => {
  test('at others than a broker whose directory was emptied, and as lost where most of their replicas were', async () => {
    const world = new World()
    const emptied = (id: number, life: number) =>
      world.apply({
        ...{ kind: 'broker-directory', cellId: 1 as CellId, brokerId: id as BrokerId, life },
        ...{ directoryId: `${id}${life}`.padStart(32, '0'), rack: null },
        firstPartition: 6 as PartitionNumber,
      })
    for (const id of [1, 2, 3]) emptied(id, 0)
    emptied(1, 1)
    world.says({ kind: 'metadata' })
    expect(await world.counts()).toMatchObject({
      ...{ led: [1, 3, 1], underReplicated: [0, 2, 1], offline: 0 },
    })
    emptied(2, 1)
    world.says({ kind: 'metadata' })
    expect(await world.counts()).toMatchObject({ led: [1, 1, 0], offline: 3 })
  })

  test('at the broker that is asked first, where nobody has asked for them yet', async () => {
    expect(await new World().counts()).toEqual({ ...well, led: [2, 2, 1], held: [4, 4, 3] })
  })

  test('at whoever has said that it leads, with those that keep up, asleep or not', async () => {
    const world = new World({ 'min.insync.replicas': '3' })
    world.led(3, 2, 2, 3)
    world.led(4, 2, 2, 3, 1)
    expect(await world.counts()).toMatchObject({
      ...{ led: [1, 3, 1], underReplicated: [0, 1, 0], underMinIsr: [0, 1, 0], offline: 0 },
    })
    world.led(3, 2, 2, 3, 1)
    expect(await world.counts()).toMatchObject(well)
  })

  test('nowhere, while a broker hangs that is needed for a majority, and as lacking it elsewhere', async () => {
    const world = new World({ 'min.insync.replicas': '3' })
    world.apply(replicated(3, 6, [[2, 3]]))
    world.led(3, 1, 1, 2, 3)
    const hang = (isHung: boolean) =>
      world.says({ kind: 'broker-hung', cellId: 1, brokerId: 2, isHung })
    hang(true)
    // partition 2 is its own alone, and 6 has one replica of two
    expect(await world.counts()).toEqual({
      ...{ led: [2, 0, 2], held: [4, 5, 4], offline: 2 },
      ...{ underReplicated: [1, 0, 2], underMinIsr: [1, 0, 2] },
    })
    hang(false)
    expect(await world.counts()).toMatchObject(well)
  })

  test('as reassigned, at who leads them, while their replicas are moved', async () => {
    const world = new World()
    const move = (target: readonly number[] | null) =>
      world.apply({
        ...{ kind: 'partition-reassigned', tenantId: ACME, topicId: topicId(2), index: 1 },
        ...{
          generation: 1,
          replicas: [2, 3, 1] as BrokerId[],
          target: target as BrokerId[] | null,
        },
        ...{ leaving: [], joined: [], isFirst: true, firstLife: 0 },
      })
    const reassigning = async () => {
      world.says({ kind: 'metadata' })
      world.nowMs += 1_000
      return (await world.census.counts()).reassigning.slice(1)
    }
    expect(await reassigning()).toEqual([0, 0, 0])
    move([2, 3])
    expect(await reassigning()).toEqual([0, 1, 0])
    move(null)
    expect(await reassigning()).toEqual([0, 0, 0])
  })

  test('at a broker that lives, of one that has died and led them', async () => {
    const world = new World({ 'min.insync.replicas': '3' })
    world.led(3, 1, 1, 2, 3)
    world.gone(1)
    // partition 1 is its own alone; 3 has two that live
    expect(await world.counts()).toEqual({
      ...{ led: [0, 3, 1], held: [4, 4, 3], offline: 1 },
      ...{ underReplicated: [0, 2, 1], underMinIsr: [0, 2, 1] },
    })
    world.says({ kind: 'broker-back', brokerId: 1 })
    expect(await world.counts()).toMatchObject({ ...well, led: [2, 2, 1] })
  })

  test('as offline where most replicas are gone, or their leader has given up and nobody leads yet', async () => {
    const world = new World()
    world.led(4, 0)
    expect(await world.counts()).toMatchObject({ ...well, led: [2, 1, 1], offline: 1 })
    world.gone(2)
    world.gone(3)
    expect(await world.counts()).toMatchObject({ ...well, led: [1, 0, 0], offline: 4 })
  })

  test('without those replicas that are to come', async () => {
    const world = new World()
    world.apply({
      ...{ kind: 'partition-reassigned', tenantId: ACME, topicId: topicId(1), index: 0 },
      ...{ replicas: [1] as BrokerId[], target: [1, 2, 3] as BrokerId[], leaving: [] },
      ...{ isFirst: true, generation: 1, firstLife: 0 },
    } as unknown as MetadataEntry)
    world.led(1, 1, 1)
    expect(await world.counts()).toMatchObject({ ...well, held: [4, 5, 4] })
  })

  test('in slices, and at most once a second', async () => {
    const world = new World()
    const leaders = Array.from({ length: 10_000 }, () => 3)
    world.apply(topic(ACME, 3, 'many', 10, leaders))
    const [one, other] = await Promise.all([world.census.counts(), world.census.counts()])
    expect(one.led[3]).toBe(10_001)
    expect(other).toBe(one)
    expect(world.pauses).toBe(10)
    world.led(3, 2, 1, 2, 3)
    world.nowMs = 999
    expect(await world.census.counts()).toBe(one)
    world.nowMs = 1_000
    expect((await world.census.counts()).led[1]).toBe(1)
    world.nowMs = 9_000
    const latest = await world.census.counts()
    expect(await world.census.counts()).toBe(latest)
    expect(world.pauses).toBe(20)
  })
})

import { describe, expect, it } from 'vitest'
import type { BrokerId, CellId, PartitionNumber } from '../../src/base/ids.ts'
import { replicaIdOf } from '../../src/base/replica-id.ts'
import { applyMetadata } from '../../src/image/apply-metadata.ts'
import type { MetadataEntry } from '../../src/image/entry.ts'
import { MetadataImage } from '../../src/image/image.ts'
import { likelyLeader } from '../../src/image/likely-leader.ts'
import { SNAPSHOT_CHUNK_ENTRIES, snapshotMessages } from '../../src/image/snapshot.ts'
import { ACME, deleted, formed, tenant, topic, topicId } from './support.ts'

const number = (n: number) => n as PartitionNumber
const broker = (n: number) => n as BrokerId
const CELL = 1 as CellId

const replicated = (id: number, first: number, ...lists: readonly number[][]): MetadataEntry => ({
  ...{ kind: 'topic-created', tenantId: ACME, topicId: topicId(id), name: `r${id}` },
  ...{ internal: false, cellId: CELL, firstPartition: number(first), configs: {} },
  placements: lists.map((list) => ({
    replicas: list.map(broker),
    leader: broker(list[0]!),
    leaderEpoch: 0,
  })),
})

const directory = (
  id: number,
  life: number,
  first: number,
  rack: string | null = null,
): MetadataEntry => ({
  ...{ kind: 'broker-directory', cellId: CELL, brokerId: broker(id), life, rack },
  directoryId: `${id}${life}`.padStart(32, '0'),
  firstPartition: number(first),
})

const moved = (of: { replicas: number[]; target: number[] }): MetadataEntry => ({
  ...{ kind: 'partition-reassigned', tenantId: ACME, topicId: topicId(1), index: 0 },
  ...{ generation: 1, replicas: of.replicas.map(broker), target: of.target.map(broker) },
  ...{ leaving: [], joined: [], isFirst: true, firstLife: 0 },
})

const led = (leader: number, leaderEpoch: number, ...isr: number[]) => ({
  leader: leader as BrokerId | 0,
  leaderEpoch,
  isr: isr.map(broker),
})

function imageOf(...entries: readonly MetadataEntry[]): MetadataImage {
  const image = new MetadataImage()
  for (const entry of [formed, tenant(ACME, 'default'), ...entries]) image.apply(entry)
  return image
}

function anew(image: MetadataImage, from: MetadataImage): void {
  for (const message of snapshotMessages(from, 1)) applyMetadata(image, message)
}

describe('leaders as they are told', () => {
  it('are the preferred ones at epoch 0 until then, and the latest afterwards', () => {
    const image = imageOf(replicated(1, 1, [2, 3, 1], [3, 1, 2]))
    expect([image.leaderOf(number(1)), image.leaderEpochOf(number(1))]).toEqual([2, 0])
    expect(image.isrOf(number(1))).toEqual([2, 3, 1])
    expect(image.noteLeader(number(1), led(3, 4, 3, 1))).toBe(true)
    expect(image.noteLeader(number(1), led(2, 3, 2))).toBe(false)
    expect(image.noteLeader(number(1), led(3, 4, 3, 1))).toBe(false)
    expect(image.partition(number(1))).toMatchObject({ leader: 3, leaderEpoch: 4 })
    expect(image.isrOf(number(1))).toEqual([3, 1])
    expect(image.noteLeader(number(1), led(3, 4, 3))).toBe(true)
    expect(image.isrOf(number(1))).toEqual([3])
    expect(image.noteLeader(number(1), led(0, 4))).toBe(true)
    expect(image.leaderOf(number(1))).toBe(0)
    expect(image.leaderOf(number(2))).toBe(3)
  })

  it('are no business of a partition with one replica', () => {
    const image = imageOf(topic(ACME, 1, 'plain', 1, [2]))
    const before = image.hash()
    expect(image.noteLeader(number(1), led(3, 4, 3))).toBe(false)
    expect(image.leaderOf(number(1))).toBe(2)
    expect(image.hash()).toBe(before)
  })

  it('count when they are told before the topic is known, and no more when it is gone', () => {
    const image = imageOf()
    expect(image.noteLeader(number(1), led(1, 2, 1))).toBe(false)
    image.apply(replicated(1, 1, [2, 3, 1]))
    expect([image.leaderOf(number(1)), image.leaderEpochOf(number(1))]).toEqual([1, 2])
    image.apply(deleted(ACME, 1))
    expect(image.toldCount).toBe(0)
    expect(image.noteLeader(number(1), led(3, 9, 3))).toBe(false)
    expect(image.toldCount).toBe(0)
  })

  it('are in no hash and no snapshot, and outlive an image that begins anew', () => {
    const image = imageOf(replicated(1, 1, [2, 3, 1]), replicated(2, 2, [1, 2, 3]))
    const quiet = imageOf(replicated(1, 1, [2, 3, 1]), replicated(2, 2, [1, 2, 3]))
    for (const n of [1, 2]) image.noteLeader(number(n), led(3, 5, 3, 2))
    expect(image.hash()).toBe(quiet.hash())
    expect([...snapshotMessages(image, 1)]).toEqual([...snapshotMessages(quiet, 1)])
    quiet.apply(deleted(ACME, 1))
    anew(image, quiet)
    expect(image.hash()).toBe(quiet.hash())
    expect([image.leaderOf(number(2)), image.leaderEpochOf(number(2))]).toEqual([3, 5])
    expect(image.toldCount).toBe(1)
  })

  it('are pruned after a snapshot of several messages, too, and kept between them', () => {
    const entries = Array.from({ length: SNAPSHOT_CHUNK_ENTRIES }, (_, n) =>
      replicated(n + 1, n + 1, [1, 2, 3]),
    )
    const image = imageOf(...entries)
    const last = number(SNAPSHOT_CHUNK_ENTRIES)
    const gone = number(1)
    for (const n of [gone, last]) image.noteLeader(n, led(3, 5, 3))
    const other = imageOf(...entries)
    other.apply(deleted(ACME, 1))
    other.apply(replicated(9_000, last + 1, [1, 2, 3]))
    const messages = [...snapshotMessages(other, 1)]
    expect(messages.length).toBeGreaterThan(1)
    for (const [i, message] of messages.entries()) {
      applyMetadata(image, message)
      if (i === 0) image.noteLeader(last, led(2, 6, 2))
    }
    expect(image.toldCount).toBe(1)
    expect([image.leaderOf(last), image.leaderEpochOf(last)]).toEqual([2, 6])
  })
})

describe('directories of brokers', () => {
  it('give a partition the replica ids of the lives in which it was made', () => {
    const image = imageOf(
      ...[directory(1, 0, 1), directory(2, 0, 1), replicated(1, 1, [2, 1])],
      ...[directory(2, 1, 2), replicated(2, 2, [1, 2, 3])],
    )
    expect(image.firstReplicaIds(number(1))).toEqual([2, 1])
    expect(image.firstReplicaIds(number(2))).toEqual([1, replicaIdOf(broker(2), 1), 3])
    expect(image.firstReplicaIds(number(7))).toEqual([])
    expect(image.brokerDirectory(CELL, broker(2))).toMatchObject({ life: 1, rack: null })
    expect(image.brokerDirectory(CELL, broker(3))).toBeUndefined()
  })

  const filled = (id: number, life: number) =>
    ({ ...directory(id, life, 9), isFilled: true }) as MetadataEntry

  it('that are others than before have not what they had, until that is said', () => {
    const image = imageOf(directory(2, 0, 1), replicated(1, 1, [2, 3, 1], [1, 2, 3]))
    const told = [1, 2].map(number)
    expect(told.map((n) => image.mayLack(n, broker(2)))).toEqual([false, false])
    image.apply(directory(2, 1, 3))
    image.apply(replicated(2, 3, [3, 2, 1]))
    const all = [1, 2, 3].map(number)
    expect(all.map((n) => image.mayLack(n, broker(2)))).toEqual([true, true, false])
    expect(all.map((n) => image.isrOf(n))).toEqual([
      [3, 1],
      [1, 3],
      [3, 2, 1],
    ])
    // whoever leads knows better
    image.noteLeader(number(1), led(3, 4, 3, 1, 2))
    expect(image.isrOf(number(1))).toEqual([3, 1, 2])
    image.apply(filled(2, 1))
    expect(all.map((n) => image.mayLack(n, broker(2)))).toEqual([false, false, false])
    expect(image.isrOf(number(2))).toEqual([1, 2, 3])
    const other = imageOf()
    anew(other, image)
    expect(other.hash()).toBe(image.hash())
    expect(other.brokerDirectory(CELL, broker(2))).toMatchObject({ life: 1, isFilled: true })
  })

  it('leave a partition without a leader where most of its replicas were in them', () => {
    const image = imageOf(directory(1, 0, 1), directory(2, 0, 1), directory(3, 0, 1))
    image.apply(replicated(1, 1, [2, 3, 1], [1, 2]))
    image.apply(topic(ACME, 2, 'plain', 3, [2]))
    const lost = () => [1, 2, 3].map((n) => image.isLost(number(n)))
    expect(lost()).toEqual([false, false, false])
    image.apply(directory(2, 1, 4))
    expect(lost()).toEqual([false, true, false])
    image.apply(directory(3, 1, 4))
    expect(lost()).toEqual([true, true, false])
    // broker 2 had been filled with it before
    image.noteLeader(number(1), led(2, 4, 2, 1))
    expect(lost()).toEqual([false, true, false])
    image.apply(filled(2, 1))
    image.noteLeader(number(1), led(0, 4))
    expect(lost()).toEqual([false, false, false])
  })

  it('are too few of a partition, whoever it is moved to; nobody is told to keep up who has nothing yet', () => {
    const image = imageOf(directory(1, 0, 1), directory(2, 0, 1), directory(3, 0, 1))
    image.apply(replicated(1, 1, [2, 3, 1]))
    for (const id of [2, 3]) image.apply(directory(id, 1, 4))
    image.apply(moved({ replicas: [2, 3, 1], target: [1, 4, 5] }))
    expect(image.replicasOf(number(1))).toEqual([1, 4, 5, 2, 3])
    expect([image.isLost(number(1)), likelyLeader(image, number(1), () => true)]).toEqual([true, 0])
    expect(image.isrOf(number(1))).toEqual([1])
    // an older version said so
    for (const id of [2, 3]) image.apply(filled(id, 1))
    expect(image.isrOf(number(1))).toEqual([2, 3, 1])
    // who has a replica knows better
    image.noteLeader(number(1), { ...led(0, 3, 1), isLost: true })
    expect([image.isLost(number(1)), image.leaderOf(number(1))]).toEqual([true, 0])
    expect(image.isrOf(number(1))).toEqual([1])
    // and who leads knows best
    image.noteLeader(number(1), led(4, 4, 4, 1))
    expect([image.isLost(number(1)), image.leaderOf(number(1))]).toEqual([false, 4])
    expect(image.noteLeader(number(1), { ...led(0, 9, 1), isLost: true })).toBe(false)
    image.noteLeader(number(1), led(0, 4))
    expect([image.isLost(number(1)), image.isrOf(number(1))]).toEqual([false, [4, 1]])
  })

  it.each(['by an entry', 'by an image that begins anew'])(
    'that are exchanged while others serve neither lead nor keep up what they did, told %s',
    (how) => {
      const before = [directory(2, 0, 1), replicated(1, 1, [2, 3, 1], [1, 2, 3])]
      const image = imageOf()
      anew(image, imageOf(...before))
      image.noteLeader(number(1), led(2, 4, 2, 3, 1))
      image.noteLeader(number(2), led(1, 5, 1, 2))
      if (how === 'by an entry') image.apply(directory(2, 1, 3))
      else anew(image, imageOf(...before, directory(2, 1, 3)))
      expect([image.leaderOf(number(1)), image.isrOf(number(1))]).toEqual([0, [3, 1]])
      expect([image.leaderOf(number(2)), image.isrOf(number(2))]).toEqual([1, [1]])
      expect(image.leaderEpochOf(number(1))).toBe(4)
      image.noteLeader(number(1), led(3, 5, 3, 1))
      expect(image.leaderOf(number(1))).toBe(3)
    },
  )

  it('that are not known to be filled hide no partition of which a leader has said that they have it', () => {
    const image = imageOf()
    const before = [directory(1, 0, 1), directory(2, 0, 1), directory(3, 0, 1)]
    anew(image, imageOf(...before, replicated(1, 1, [1, 2, 3])))
    const alive = (...brokers: number[]) =>
      likelyLeader(image, number(1), (b) => brokers.includes(b))
    image.apply(directory(2, 1, 2))
    image.noteLeader(number(1), led(1, 5, 1, 2, 3))
    image.apply(directory(3, 1, 2))
    expect(alive(3)).toBe(0)
    expect(alive(2, 3)).toBe(2)
    image.noteLeader(number(1), led(1, 5, 1, 2, 3))
    expect(alive(2, 3)).toBe(2)
    // one of three elects nobody
    expect(alive(3)).toBe(0)
    // who kept up did so when the leader gives up
    image.noteLeader(number(1), led(0, 5))
    expect(image.isrOf(number(1))).toEqual([1, 2, 3])
    expect([image.isLost(number(1)), alive(2, 3)]).toEqual([false, 2])
  })

  it('leave a partition that gets more replicas with the one that it has, until a leader is told of', () => {
    const image = imageOf(directory(1, 0, 1), replicated(1, 1, [1, 2]))
    image.apply(moved({ replicas: [1], target: [2, 3, 1] }))
    expect(image.isrOf(number(1))).toEqual([1])
    expect(likelyLeader(image, number(1), () => true)).toBe(1)
  })

  it('keep their life when only the rack changes', () => {
    const image = imageOf(directory(1, 0, 1), directory(1, 1, 1), replicated(1, 1, [1, 2]))
    image.apply(directory(1, 1, 9, 'a'))
    expect(image.brokerDirectory(CELL, broker(1))).toMatchObject({ life: 1, rack: 'a' })
    expect(image.firstReplicaIds(number(1))[0]).toBe(replicaIdOf(broker(1), 1))
  })

  it('are in snapshots and hashes, without lives that nothing was made in', () => {
    const image = imageOf(directory(1, 0, 1), replicated(1, 1, [1, 2]))
    for (let life = 1; life < 1_000; life++) image.apply(directory(1, life, 2))
    expect(image.directories.entries()).toHaveLength(2)
    const joined = new MetadataImage()
    anew(joined, image)
    expect(joined.hash()).toBe(image.hash())
    expect(joined.brokerDirectory(CELL, broker(1))).toMatchObject({ life: 999 })
    expect(joined.firstReplicaIds(number(1))).toEqual([1, 2])
    image.apply(directory(1, 999, 2, 'b'))
    expect(joined.hash()).not.toBe(image.hash())
  })
})

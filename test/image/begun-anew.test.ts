import { describe, expect, it } from 'vitest'
import type { BrokerId, PartitionNumber } from '../../src/base/ids.ts'
import { applyMetadata } from '../../src/image/apply-metadata.ts'
import type { MetadataEntry } from '../../src/image/entry.ts'
import { MetadataImage } from '../../src/image/image.ts'
import type { MetadataMessage } from '../../src/image/request.ts'
import { SNAPSHOT_CHUNK_ENTRIES, snapshotMessages } from '../../src/image/snapshot.ts'
import type { MetadataView } from '../../src/image/view.ts'
import { ACME, deleted, formed, tenant, topic } from './support.ts'

const TOPICS = 2 * SNAPSHOT_CHUNK_ENTRIES + 2_000
const number = (n: number) => n as PartitionNumber

/** Topic n has partition n; those with an even number have three replicas. */
function someTopic(n: number): MetadataEntry {
  const made = topic(ACME, n, `t${n}`, n, [1]) as MetadataEntry & { kind: 'topic-created' }
  const replicas = [1, 2, 3] as BrokerId[]
  const placements = made.placements.map((one) => ({ ...one, replicas }))
  return n % 2 === 0 ? { ...made, placements } : made
}

function manyTopics(): MetadataImage {
  const image = new MetadataImage()
  for (const entry of [formed, tenant(ACME, 'default')]) image.apply(entry)
  for (let n = 1; n <= TOPICS; n++) image.apply(someTopic(n))
  return image
}

/** What a thread has, and what the next controller publishes: the first topic is gone, another has come. */
function start() {
  const image = new MetadataImage()
  const source = manyTopics()
  for (const message of snapshotMessages(source, 1)) applyMetadata(image, message)
  const before = source.hash()
  source.apply(deleted(ACME, 1))
  source.apply(someTopic(TOPICS + 1))
  const told = (epoch: number) => [...snapshotMessages(source, epoch)]
  const view: MetadataView = image
  return { image, source, view, before, told }
}

const take = (image: MetadataImage, ...messages: readonly MetadataMessage[]) =>
  messages.map((message) => applyMetadata(image, structuredClone(message)))

describe('an image that begins anew', () => {
  it('is seen when it is whole, by everybody at once, and until then the one before is', () => {
    const { image, source, view, before, told } = start()
    const messages = told(2)
    expect(messages).toHaveLength(3)
    const last = messages.pop()!
    for (const message of messages) {
      take(image, message)
      expect([image.isWhole, image.isBegunAnew, image.epoch]).toEqual([true, true, 2])
      expect(view.topicCount).toBe(TOPICS)
      expect(view.topicByName(ACME, 't1')?.partitionCount).toBe(1)
      expect(view.topicByName(ACME, `t${TOPICS + 1}`)).toBeUndefined()
    }
    expect(view.hash()).toBe(before)
    const replaced: MetadataImage[] = []
    applyMetadata(image, last, (one) => replaced.push(one))
    expect(image.isBegunAnew).toBe(false)
    expect(view.hash()).toBe(source.hash())
    expect(view.offset).toBe(source.offset)
    expect(view.topicByName(ACME, 't1')).toBeUndefined()
    // what was there is for him who wants to know what has gone
    expect(replaced.map((one) => one.hash())).toEqual([before])
    expect([...replaced[0]!.allTopics()]).toHaveLength(TOPICS)
  })

  it('is nothing before the first is whole', () => {
    const image = new MetadataImage()
    const messages = [...snapshotMessages(manyTopics(), 1)]
    const last = messages.pop()!
    take(image, ...messages)
    expect([image.isWhole, image.topicCount, image.clusterId]).toEqual([false, 0, ''])
    take(image, last)
    expect([image.isWhole, image.topicCount]).toEqual([true, TOPICS])
  })

  it('is given up for that of a later term, and not disturbed by what an earlier one says', () => {
    const { image, source, before, told } = start()
    const [first, second, third] = told(3)
    const stale: MetadataMessage = {
      ...{ kind: 'metadata', epoch: 1, first: image.offset, offset: image.offset + 1 },
      entries: [someTopic(99_999)],
    }
    expect(take(image, first!, stale, ...told(2), second!)).toEqual([
      ...[true, false],
      ...[false, false, false],
      true,
    ])
    expect(image.hash()).toBe(before)
    source.apply(deleted(ACME, 2))
    const [begun, ...rest] = told(4)
    expect(take(image, begun!, third!)).toEqual([true, false])
    expect(image.hash()).toBe(before)
    take(image, ...rest)
    expect(image.hash()).toBe(source.hash())
    const delta = [deleted(ACME, 3)]
    for (const entry of delta) source.apply(entry)
    const { offset } = image
    take(image, { kind: 'metadata', epoch: 4, first: offset, offset: offset + 1, entries: delta })
    expect(image.hash()).toBe(source.hash())
  })

  it('begins once more in the same term', () => {
    const { image, source, told } = start()
    const [first, ...rest] = told(2)
    take(image, first!, rest[0]!, first!, ...rest)
    expect(image.hash()).toBe(source.hash())
  })

  it('has a gap where a part of it is missing', () => {
    const { image, told } = start()
    const [first, , third] = told(2)
    take(image, first!)
    expect(() => take(image, third!)).toThrow(
      `metadata from ${2 * SNAPSHOT_CHUNK_ENTRIES} cannot follow an image at ${SNAPSHOT_CHUNK_ENTRIES}`,
    )
  })

  it('has the leaders that are told meanwhile, wherever their partitions are by then', () => {
    const { image, told } = start()
    const messages = told(2)
    const led = (leader: number, leaderEpoch: number) => ({
      leader: leader as BrokerId,
      leaderEpoch,
      isr: [leader as BrokerId],
    })
    take(image, messages[0]!)
    // there already, still to come, and not known to the one before
    const partitions = [2, TOPICS, TOPICS + 2].map(number)
    const [here, later, unknown] = partitions
    for (const partition of [here!, later!]) {
      expect(image.noteLeader(partition, led(3, 7))).toBe(true)
      expect(image.leaderOf(partition)).toBe(3)
    }
    expect(image.noteLeader(unknown!, led(3, 7))).toBe(false)
    take(image, ...messages.slice(1))
    for (const partition of [here!, later!]) {
      expect([image.leaderOf(partition), image.leaderEpochOf(partition)]).toEqual([3, 7])
    }
    const { offset } = image
    const entries = [someTopic(TOPICS + 2)]
    take(image, { kind: 'metadata', epoch: 2, first: offset, offset: offset + 1, entries })
    expect(image.leaderOf(unknown!)).toBe(3)
  })
})

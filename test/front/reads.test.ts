import { describe, expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { fetch } from '../../src/protocol/01-fetch.ts'
import { baseOffsetOf, sizeInBytesOf } from '../../src/record/batch.ts'
import { readRecords } from '../../src/record/records.ts'
import type { FakeClient } from './fake-client.ts'
import { Harness } from './harness.ts'
import {
  batchOf,
  bigBatch,
  type FetchedPartition,
  type FetchOptions,
  fetched,
  partitionsOf,
  sendFetch,
  sendProduce,
} from './requests.ts'

const read = (
  world: Harness,
  client: FakeClient,
  offset: number,
  options: FetchOptions = {},
): FetchedPartition => {
  const correlation = sendFetch(client, { t: { 0: offset } }, { maxWaitMs: 0, ...options })
  world.run()
  return partitionsOf(fetched(client, correlation))['t/0']!
}

const offsetsOf = (records: Uint8Array | null): number[] => {
  const offsets: number[] = []
  for (let at = 0; at < records!.length; at += sizeInBytesOf(records!, at)) {
    offsets.push(...readRecords(records!, at).map(({ offset }) => offset))
  }
  return offsets
}

/** A topic `t` with the batches given, one after another. */
const written = (world: Harness, batches: readonly Uint8Array[], configs = {}): FakeClient => {
  world.createTopic('t', 1, configs)
  const client = world.connect()
  for (const records of batches) {
    sendProduce(client, 't', records)
    world.run()
  }
  return client
}

/** Where reads come from: the hot tail, or the files alone. */
const places = [
  ['the ring log', {}],
  ['the segment file', { arenaBytes: 16 * 1024 }],
] as const

describe.each(places)('a read from %s', (name, options) => {
  const fromFile = name === 'the segment file'
  const harness = () => new Harness(options)

  test('inside a batch gives the whole batch', () => {
    const world = harness()
    const client = written(world, [batchOf('a', 'b', 'c'), batchOf('d', 'e'), batchOf('f')])
    expect(offsetsOf(read(world, client, 1).records)).toEqual([0, 1, 2, 3, 4, 5])
    expect(offsetsOf(read(world, client, 4).records)).toEqual([3, 4, 5])
    expect(read(world, client, 6).records).toHaveLength(0)
    expect(world.files.reads > 0).toBe(fromFile)
  })

  test('gives one batch at least, however small the limit, and whole ones only', () => {
    const world = harness()
    const batches = ['a', 'b', 'c', 'd'].map((text) => bigBatch(text, 100_000))
    const client = written(world, batches)
    const size = batches[0]!.length
    const bytes = (options: FetchOptions) => read(world, client, 0, options).records!.length
    expect(bytes({ partitionMaxBytes: 1 })).toBe(size)
    expect(bytes({ maxBytes: 1 })).toBe(size)
    expect(bytes({ partitionMaxBytes: 2 * size + 50 })).toBe(2 * size)
    expect(bytes({ maxBytes: 3 * size + 50 })).toBe(3 * size)
  })

  test('outside the log is refused with its limits, and nothing is sent', () => {
    const world = harness()
    const client = written(world, [batchOf('a', 'b')])
    for (const offset of [-1, 3, 1000]) {
      expect(read(world, client, offset)).toMatchObject({ errorCode: 1 })
    }
    expect(read(world, client, 2)).toMatchObject({ errorCode: 0, highWatermark: 2 })
  })

  test('with a leader epoch that is not ours is refused, with the leader where the version has it', () => {
    const world = harness()
    const client = written(world, [batchOf('a')])
    expect(read(world, client, 0, { currentLeaderEpoch: 5 })).toMatchObject({ errorCode: 75 })
    expect(read(world, client, 0, { currentLeaderEpoch: 0 })).toMatchObject({ errorCode: 0 })
  })
})

test('partitions of one fetch share its limit, and the first that has something gets a batch', () => {
  const world = new Harness()
  world.createTopic('t', 4)
  const client = world.connect()
  const size = bigBatch('x', 10_000).length
  for (const index of [1, 2, 3]) sendProduce(client, 't', bigBatch('x', 10_000), { index })
  world.run()
  const lengths = (maxBytes: number) => {
    const what = { t: { 0: 0, 1: 0, 2: 0, 3: 0 } }
    const correlation = sendFetch(client, what, { maxBytes, maxWaitMs: 0 })
    world.run()
    const found = partitionsOf(fetched(client, correlation))
    return [0, 1, 2, 3].map((index) => found[`t/${index}`]!.records!.length)
  }
  expect(lengths(1)).toEqual([0, size, 0, 0])
  expect(lengths(size + 100)).toEqual([0, size, 0, 0])
  expect(lengths(2 * size)).toEqual([0, size, size, 0])
  expect(lengths(100_000)).toEqual([0, size, size, size])
})

test('every partition of a fetch is answered, also those that are not there', () => {
  const world = new Harness()
  world.createTopic('t')
  const client = world.connect()
  const correlation = sendFetch(client, { t: { 0: 0, 9: 0 }, nowhere: { 0: 0 } })
  world.run()
  const found = partitionsOf(fetched(client, correlation))
  expect(found['t/0']).toMatchObject({ errorCode: 0 })
  expect(found['t/9']).toMatchObject({ errorCode: 3 })
  expect(found['nowhere/0']).toMatchObject({ errorCode: 3 })
})

test('topics are found by id within the tenant, and nowhere else', () => {
  const world = new Harness()
  world.createTopic('t')
  const client = world.connect()
  sendProduce(client, 't', batchOf('a'))
  world.run()
  const { topicId } = world.image.topicByName(world.image.defaultTenant!.tenantId, 't')!
  const strange = topicId.replace(/./g, (digit) => (digit === '0' ? '1' : '0')) as typeof topicId
  const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1000 }]
  const correlation = client.send(fetch, 16, {
    maxWaitMs: 0,
    minBytes: 1,
    topics: [
      { topicId, partitions },
      { topicId: strange, partitions },
    ],
    forgottenTopicsData: [],
  })
  world.run()
  const [here, there] = fetched(client, correlation)!.responses
  expect(here!.partitions[0]!.records!.length).toBeGreaterThan(60)
  expect(there!.partitions[0]).toMatchObject({ errorCode: 100 })
})

describe('segments', () => {
  const retained = {
    'segment.bytes': '1048576',
    'retention.bytes': '2500000',
    'file.delete.delay.ms': '0',
  }
  const many = () => Array.from({ length: 60 }, (_, i) => bigBatch(`${i}`, 50_000))

  /** As much again: the first segments are too much then. */
  const writeOn = (world: Harness, client: FakeClient) => {
    for (const batch of many()) {
      sendProduce(client, 't', batch)
      world.run()
    }
    world.pass(1_000, 100)
  }

  test('that vanish before they are opened make the front ask again', () => {
    const world = new Harness({ arenaBytes: 16 * 1024 })
    const client = written(world, many(), retained)
    world.files.hung = true
    const slow = sendFetch(client, { t: { 0: 0 } }, { maxWaitMs: 0 })
    world.run()
    writeOn(world, world.connect())
    const [first] = world.disk.list(world.directoryOf('t')).filter((one) => one.endsWith('.log'))
    expect(Number.parseInt(first!, 10)).toBeGreaterThan(0)
    world.files.release()
    world.run()
    // Not KAFKA_STORAGE_ERROR, which is what a file that is merely missing would be.
    expect(partitionsOf(fetched(client, slow))['t/0']).toMatchObject({ errorCode: 1 })
    const start = Number.parseInt(first!, 10)
    expect(offsetsOf(read(world, client, start).records)[0]).toBe(start)
  })

  test('that vanish while they are open give what was located in them, and are let go', () => {
    const world = new Harness({ arenaBytes: 16 * 1024 })
    const client = written(world, many(), retained)
    read(world, client, 0)
    world.files.hung = true
    const slow = sendFetch(client, { t: { 0: 0 } }, { maxWaitMs: 0 })
    world.run()
    writeOn(world, world.connect())
    world.files.release()
    world.run()
    expect(offsetsOf(partitionsOf(fetched(client, slow))['t/0']!.records)[0]).toBe(0)
    world.pass(60_000)
    expect(world.front.services.segments.openFiles).toBe(0)
    expect(read(world, client, 0)).toMatchObject({ errorCode: 1 })
  })

  test('that hold something else than the broker said are not sent', () => {
    const world = new Harness({ arenaBytes: 16 * 1024 })
    const client = written(world, many())
    world.files.spoil = (bytes) => bytes.fill(0x5a)
    expect(read(world, client, 0)).toMatchObject({ errorCode: 56 })
    world.files.spoil = null
    expect(read(world, client, 0)).toMatchObject({ errorCode: 0 })
  })

  test('never give a byte of another partition, whatever happens to them', () => {
    const world = new Harness({ arenaBytes: 512 * 1024, fileReadBytes: 2 ** 20 })
    const random = new SeededRandom(5)
    const topics = ['red', 'green', 'blue']
    for (const topic of topics) {
      world.createTopic(topic, 2, {
        'segment.bytes': '1048576',
        'retention.bytes': '1500000',
        'file.delete.delay.ms': '0',
      })
    }
    const writer = world.connect()
    const readers = [world.connect(), world.connect(), world.connect()]
    let checked = 0
    for (let round = 0; round < 400; round++) {
      const topic = topics[random.below(3)]!
      const index = random.below(2)
      const marker = `<${topic}/${index}>`
      sendProduce(writer, topic, bigBatch(marker, 100 + random.below(60_000)), { index })
      const reader = readers[random.below(3)]!
      reader.socket.blocked = random.chance(0.3)
      const asked = topics[random.below(3)]!
      sendFetch(
        reader,
        { [asked]: { 0: random.below(round + 1), 1: random.below(round + 1) } },
        {
          maxWaitMs: 0,
        },
      )
      if (random.chance(0.7)) world.run()
      if (random.chance(0.2)) for (const one of readers) one.socket.drain()
      if (random.chance(0.05)) world.pass(400_000, 200_000)
      for (const one of readers) checked += checkMarkers(one)
    }
    world.run()
    for (const one of readers) {
      one.socket.drain()
      checked += checkMarkers(one)
    }
    expect(checked).toBeGreaterThan(100)
  })
})

/** Every record of every answer must name the partition that it was answered for. */
function checkMarkers(client: FakeClient): number {
  let checked = 0
  for (const { response } of client.answers.splice(0)) {
    const found = partitionsOf(response as Parameters<typeof partitionsOf>[0])
    for (const [name, { records }] of Object.entries(found)) {
      const marker = `<${name}>`
      for (let at = 0; at < (records?.length ?? 0); at += sizeInBytesOf(records!, at)) {
        expect(baseOffsetOf(records!, at)).toBeGreaterThanOrEqual(0)
        for (const record of readRecords(records!, at)) {
          const text = Buffer.from(record.value!).toString()
          expect(text).toBe(
            marker.repeat(Math.ceil(text.length / marker.length)).slice(0, text.length),
          )
          checked++
        }
      }
    }
  }
  return checked
}

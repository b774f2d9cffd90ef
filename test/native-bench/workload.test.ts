import { describe, expect, test } from 'vitest'
import { HeaderBytes, HeaderPatcher } from '../../native-bench/load/batch-header.ts'
import { Latencies, merged } from '../../native-bench/load/latency.ts'
import { jobsOf } from '../../native-bench/load/plan.ts'
import { parseWorkload } from '../../native-bench/load/workload.ts'
import { readWorkload, workloadNames } from '../../native-bench/load/workload-files.ts'
import { baseTimestampOf, Codec, computedCrcOf, storedCrcOf } from '../../src/record/batch.ts'
import { buildBatch } from '../../src/record/builder.ts'

const small = { name: 'x', topics: {}, produce: {}, consume: {} }
const refused = (json: unknown) => () => parseWorkload(json, 'x.json')

describe('a workload file', () => {
  test('is complete with defaults', () => {
    const { topics, produce, consume } = parseWorkload(small, 'x.json')
    expect(topics).toEqual([
      {
        ...{ name: 'main', count: 1, partitions: 1, replicationFactor: 1, configs: {} },
        preloadBytes: 0,
      },
    ])
    expect(produce[0]).toMatchObject({ name: 'produce', rate: null, acks: -1, topic: 'main' })
    expect(consume[0]).toMatchObject({ from: 'end', assign: 'split', endToEnd: false })
  })

  test.each([
    [{ ...small, produce: { acks: 2 } }, /x\.json: produce: acks is 2, but must be one of/],
    [{ ...small, produce: { rat: 2 } }, /produce: rat is no field here/],
    [{ ...small, tenants: 5 }, /tenants is not supported yet/],
    [{ ...small, topics: [] }, /topics is \[\], but must be an object, or a list/],
    [{ ...small, produce: { topic: 'y' } }, /topic is "y", but topics has only main/],
    [{ ...small, produce: [{}, {}] }, /two groups have the same name/],
    [{ ...small, consume: { connections: 2 } }, /2 connections cannot share 1 partitions/],
    [{ ...small, consume: { endToEnd: true, rewind: true } }, /endToEnd needs "from": "end"/],
    [{ name: 'x', topics: {}, consume: { endToEnd: true } }, /endToEnd needs an entry of produce/],
    [{ name: 'x', topics: {} }, /nothing to do/],
    [
      {
        ...small,
        produce: [
          { name: 'a', recordBytes: 1 },
          { name: 'b', recordBytes: 2 },
        ],
      },
      /all its producers must have the same recordBytes/,
    ],
    [
      { ...small, produce: { recordBytes: 1 << 20, recordsPerBatch: 65 } },
      /makes a batch of more than/,
    ],
    [5, /x\.json: is 5, but must be an object/],
  ])('is refused with the place that is wrong: %j', (json, message) => {
    expect(refused(json)).toThrow(message)
  })

  test('has fields set from the command line, in all elements of a list or in one', () => {
    const all = readWorkload('mixed', ['produce.recordBytes=64', 'produce.1.rate=null'])
    expect(all.produce.map(({ recordBytes }) => recordBytes)).toEqual([64, 64])
    expect(all.produce.map(({ rate }) => rate)).toEqual([1000, null])
    expect(() => readWorkload('mixed', ['produce.x.y=1'])).toThrow('there is no x')
    expect(() => readWorkload('mixed', ['rate'])).toThrow('must be PATH=VALUE')
    expect(() => readWorkload('nope')).toThrow('there is no workload "nope": there are catch-up')
  })

  test('that comes with the package is valid, and named as its file', () => {
    expect(workloadNames().length).toBeGreaterThan(8)
    for (const name of workloadNames()) expect(readWorkload(name).name).toBe(name)
  })
})

test('every partition has one connection of a group, over all of its processes', () => {
  const json = {
    ...{ name: 'x', topics: { count: 3, partitions: 5 } },
    produce: { connections: 4, processes: 3 },
    consume: [
      { name: 'split', connections: 7, processes: 2 },
      { name: 'all', connections: 2, assign: 'all' },
    ],
  }
  const jobs = jobsOf(parseWorkload(json, 'x.json'), 'h:1', 'p')
  const read = (name: string) =>
    jobs
      .filter(({ group }) => group.name === name)
      .flatMap(({ shares }) => shares.flatMap(({ partitions }) => partitions))
      .map(({ topic, partition }) => `${topic}/${partition}`)
      .sort()
  const every = [0, 1, 2].flatMap((topic) => [0, 1, 2, 3, 4].map((p) => `p-main-${topic}/${p}`))
  expect(read('produce')).toEqual(every)
  expect(read('split')).toEqual(every)
  expect(read('all')).toEqual([...every, ...every].sort())
  expect(jobs.filter(({ group }) => group.name === 'produce')).toHaveLength(3)
})

test('histograms of several processes count as one', () => {
  const parts = [0, 1, 2].map((part) => {
    const latencies = new Latencies()
    for (let us = part; us < 30_000; us += 3) latencies.record(us + 1)
    return latencies.text()
  })
  const { count, p50, p99, max, mean } = merged(parts).summary()
  expect(count).toBe(30_000)
  expect(p50 / 15_000).toBeCloseTo(1, 2)
  expect(p99 / 29_700).toBeCloseTo(1, 2)
  expect(max / 30_000).toBeCloseTo(1, 2)
  expect(mean / 15_000).toBeCloseTo(1, 2)
})

test.each([1, 300, 70_000])('a header is patched with its CRC, beside %d bytes', (bytes) => {
  for (const codec of [Codec.none, Codec.lz4]) {
    const record = { timestampMs: 0, key: null, value: Buffer.alloc(bytes, 'abc') }
    const batch = Buffer.from(buildBatch([record, record], { codec }))
    const patcher = new HeaderPatcher(batch.length)
    const header = new HeaderBytes(batch)
    header.setProducer(77n, 5)
    for (const [time, sequence] of [
      [2 ** 33 + 12_345, 0],
      [7, 2 ** 31 - 1],
    ] as const) {
      header.setTimestamp(time)
      header.setSequence(sequence)
      const framed = Buffer.concat([Buffer.alloc(13), batch])
      patcher.patch(framed, 13, header.bytes)
      expect(storedCrcOf(framed, 13)).toBe(computedCrcOf(framed, 13))
      expect(baseTimestampOf(framed, 13)).toBe(time)
      expect(framed.readInt32BE(13 + 53)).toBe(sequence)
    }
  }
})

import { describe, expect, test } from 'vitest'
import { codecOf, writeInt32 } from '../../src/record/batch.ts'
import { buildBatch } from '../../src/record/builder.ts'
import { decompressedBody } from '../../src/record/inspect.ts'
import { readRecords } from '../../src/record/records.ts'
import { Harness } from './harness.ts'
import { batchOf, fetched, partitionsOf, produced, sendFetch, sendProduce } from './requests.ts'

const GZIP = 1

const keyed = (text: string, codec: 0 | 1 = 0, key: string | null = 'k') =>
  buildBatch(
    [
      {
        timestampMs: 1_000_000,
        key: key === null ? null : Buffer.from(key),
        value: Buffer.from(text),
      },
    ],
    { codec },
  )

const stored = (world: Harness) => {
  const client = world.connect()
  const read = sendFetch(client, { t: { 0: 0 } }, { maxWaitMs: 0 })
  world.run()
  return partitionsOf(fetched(client, read))['t/0']!.records!
}

describe('a compacted topic', () => {
  const compacted = () => {
    const world = new Harness()
    world.createTopic('t', 1, { 'cleanup.policy': 'compact' })
    return { world, client: world.connect() }
  }

  test.each([0, GZIP] as const)(
    'refuses a record without a key and names it, codec %i',
    (codec) => {
      const { world, client } = compacted()
      const records = buildBatch(
        [
          { timestampMs: 1, key: Buffer.from('a'), value: null },
          { timestampMs: 1, key: null, value: Buffer.from('b') },
        ],
        { codec },
      )
      const bad = sendProduce(client, 't', records)
      const good = sendProduce(client, 't', keyed('x', codec))
      world.run()
      expect(produced(client, bad)).toMatchObject({
        errorCode: 87,
        recordErrors: [{ batchIndex: 1, batchIndexErrorMessage: expect.stringContaining('key') }],
      })
      expect(produced(client, good)).toMatchObject({ errorCode: 0, baseOffset: 0 })
    },
  )

  test('keeps the order of a connection’s batches, whether the pool looks at them or not', () => {
    const { world, client } = compacted()
    const sent = Array.from({ length: 20 }, (_, i) => {
      // The compressed ones go to the pool, the others are checked on the spot.
      return sendProduce(client, 't', keyed(`${i}`, i % 3 === 0 ? GZIP : 0))
    })
    world.run()
    expect(sent.map((one) => produced(client, one)!.baseOffset)).toEqual(sent.map((_, i) => i))
    expect(client.order).toEqual(sent)
  })
})

describe('message.timestamp.before.max.ms', () => {
  const inTheMiddle = (world: Harness, ageMs: number, codec: 0 | 1) =>
    buildBatch(
      [0, ageMs, 0].map((age) => ({
        timestampMs: world.clock.wallMs() - age,
        key: null,
        value: Buffer.from('v'),
      })),
      { codec },
    )

  test.each([0, GZIP] as const)('holds for every record, of codec %i', (codec) => {
    const world = new Harness()
    world.createTopic('t', 1, { 'message.timestamp.before.max.ms': '10000' })
    const client = world.connect()
    const late = sendProduce(client, 't', inTheMiddle(world, 10_001, codec))
    const inTime = sendProduce(client, 't', inTheMiddle(world, 10_000, codec))
    world.run()
    expect(produced(client, late)).toMatchObject({
      errorCode: 32,
      recordErrors: [{ batchIndex: 1 }],
    })
    expect(produced(client, inTime)).toMatchObject({ errorCode: 0, baseOffset: 0 })
  })

  test('does not hold where the broker sets the time', () => {
    const world = new Harness()
    const append = { 'message.timestamp.type': 'LogAppendTime' }
    world.createTopic('t', 1, { 'message.timestamp.before.max.ms': '10000', ...append })
    const client = world.connect()
    const late = sendProduce(client, 't', inTheMiddle(world, 10_001, GZIP))
    world.run()
    expect(produced(client, late)).toMatchObject({ errorCode: 0 })
  })
})

describe('compression.type', () => {
  const compressed = (type: string) => {
    const world = new Harness()
    world.createTopic('t', 1, { 'compression.type': type })
    return { world, client: world.connect() }
  }

  test('other than the producer’s makes the batch anew', () => {
    const { world, client } = compressed('gzip')
    const sent = [batchOf('one '.repeat(500)), keyed('two', GZIP), batchOf('three')].map((batch) =>
      sendProduce(client, 't', batch),
    )
    world.run()
    expect(sent.map((one) => produced(client, one)!.baseOffset)).toEqual([0, 1, 2])
    const records = stored(world)
    expect(codecOf(records, 0)).toBe(GZIP)
    expect(records.length).toBeLessThan(1000)
    const [record] = readRecords(records, 0, decompressedBody(records, 0, 10_000))
    expect(Buffer.from(record!.value!).toString()).toBe('one '.repeat(500))
  })

  test('never gives a corrupt batch a good CRC', () => {
    const { world, client } = compressed('gzip')
    const records = batchOf('honest')
    records[records.length - 3]! ^= 1
    const bad = sendProduce(client, 't', records)
    const wrongCrc = batchOf('other')
    writeInt32(wrongCrc, 17, 12345)
    const worse = sendProduce(client, 't', wrongCrc)
    world.run()
    expect(produced(client, bad)).toMatchObject({ errorCode: 2 })
    expect(produced(client, worse)).toMatchObject({ errorCode: 2 })
  })

  test('uncompressed takes the compression out', () => {
    const { world, client } = compressed('uncompressed')
    sendProduce(client, 't', keyed('text', GZIP))
    world.run()
    const records = stored(world)
    expect(codecOf(records, 0)).toBe(0)
    expect(Buffer.from(readRecords(records, 0)[0]!.value!).toString()).toBe('text')
  })
})

test('what a connection left on the pool when it died is still written, and nobody minds', () => {
  const world = new Harness()
  world.createTopic('t', 1, { 'compression.type': 'gzip' })
  const client = world.connect()
  sendProduce(client, 't', batchOf('a'))
  client.socket.destroy()
  world.run()
  expect(stored(world).length).toBeGreaterThan(60)
  expect(world.front.services.produces.size).toBe(0)
  expect(world.lines.filter(({ level }) => level === 'error')).toEqual([])
})

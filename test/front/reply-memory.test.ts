import { describe, expect, test } from 'vitest'
import { asBrokerId } from '../../src/base/ids.ts'
import { defaultLimits } from '../../src/net/connection-set.ts'
import { fetch } from '../../src/protocol/01-fetch.ts'
import { sizeInBytesOf } from '../../src/record/batch.ts'
import { readRecords } from '../../src/record/records.ts'
import { Harness } from './harness.ts'
import {
  bigBatch,
  fetched,
  fetchRequest,
  partitionsOf,
  produced,
  sendFetch,
  sendProduce,
} from './requests.ts'

describe('a reader that does not drain its socket', () => {
  const MARK = 'marker '
  const BATCHES = 100
  /** So far from the end, it is in the ring log. */
  const RECENT = { t: { 0: BATCHES - 20 } }
  /** In the file alone. */
  const OLD = { t: { 0: 0 } }

  const filled = (options: ConstructorParameters<typeof Harness>[0] = {}) => {
    const world = new Harness(options)
    world.createTopic('t')
    const writer = world.connect()
    // somebody reads the end, so that batches go through the ring log
    sendFetch(writer, { t: { 0: 0 } }, { maxWaitMs: 0 })
    world.run()
    for (let i = 0; i < BATCHES; i++) {
      sendProduce(writer, 't', bigBatch(MARK, 20_000))
      world.run()
    }
    return { world, writer }
  }

  const isWhole = (records: Uint8Array): boolean => {
    for (let at = 0; at < records.length; at += sizeInBytesOf(records, at)) {
      const [record] = readRecords(records, at)
      const text = Buffer.from(record!.value!).toString()
      if (text !== MARK.repeat(20_000).slice(0, text.length)) return false
    }
    return true
  }

  test('holds its bytes without a copy, and nobody overwrites them', () => {
    const { world, writer } = filled({ arenaBytes: 4 * 2 ** 20 })
    const reader = world.connect()
    reader.socket.blocked = true
    const read = sendFetch(reader, RECENT)
    world.run()
    expect(world.front.services.pins.ringBytes).toBeGreaterThan(300_000)
    expect(world.front.services.fileBuffers.outBytes).toBe(0)
    for (let i = 0; i < 300; i++) {
      sendProduce(writer, 't', bigBatch('other ', 20_000))
      world.run()
    }
    reader.socket.drain()
    const { records } = partitionsOf(fetched(reader, read))['t/0']!
    expect(records!.length).toBeGreaterThan(300_000)
    expect(isWhole(records!)).toBe(true)
    expect(world.front.services.pins.ringBytes).toBe(0)
  })

  test.each([
    ['ring log', RECENT],
    ['file', OLD],
  ])('gets copies from then on, within its cap, and is paused: %s', (_name, what) => {
    const limits = { ...defaultLimits, connectionBytesMax: 900_000 }
    const { world } = filled({ limits })
    const reader = world.connect()
    reader.socket.blocked = true
    const request = fetchRequest(what, { partitionMaxBytes: 410_000 })
    const sent = Buffer.concat(
      Array.from({ length: 50 }, (_, i) => reader.encode(fetch, 11, request, i + 1)),
    )
    reader.connection.onData(sent)
    world.run()
    expect(reader.connection.inFlightBytes).toBeGreaterThan(400_000)
    expect(reader.connection.inFlightBytes).toBeLessThan(1_500_000)
    expect(world.front.services.pins.ringBytes).toBeLessThan(500_000)
    expect(world.front.services.fileBuffers.outBytes).toBeLessThan(2_000_000)
    expect(reader.socket.paused || world.front.services.replyGate.waiting > 0).toBe(true)
    for (let rounds = 0; reader.answers.length < 50; rounds++) {
      expect(rounds).toBeLessThan(60)
      reader.socket.drain()
      reader.socket.blocked = true
      world.run()
    }
    for (const { response } of reader.answers) {
      const found = partitionsOf(response as Parameters<typeof partitionsOf>[0])['t/0']!
      expect(isWhole(found.records!)).toBe(true)
    }
    expect(world.inFlightBytes).toBe(0)
    expect(world.front.services.fileBuffers.outBytes).toBe(0)
  })

  test.each([
    ['ring log', RECENT],
    ['file', OLD],
  ])('lets go of everything when it goes away: %s', (_name, what) => {
    const { world } = filled()
    const reader = world.connect()
    reader.socket.blocked = true
    for (let i = 0; i < 3; i++) sendFetch(reader, what)
    world.run()
    expect(world.inFlightBytes).toBeGreaterThan(300_000)
    reader.socket.destroy()
    expect(world.front.services.pins.ringBytes).toBe(0)
    expect(world.front.services.fileBuffers.outBytes).toBe(0)
    expect(world.inFlightBytes).toBe(0)
  })

  const stuckReaders = (world: Harness, count: number, what: typeof RECENT) =>
    Array.from({ length: count }, () => {
      const reader = world.connect()
      reader.socket.blocked = true
      for (let i = 0; i < 5; i++) sendFetch(reader, what, { partitionMaxBytes: 450_000 })
      world.pass(500)
      return reader
    })

  test.each([
    ['bytes of replies', RECENT, { inFlightBytes: 1_500_000 }],
    ['buffers for file reads', OLD, { fileReadBytes: 800_000 }],
  ])('leaves %s to others, readers and writers', (_name, what, options) => {
    const limits = { ...defaultLimits, connectionBytesMax: 4_000_000 }
    const { world, writer } = filled({ ...options, limits })
    const slow = stuckReaders(world, 10, what)
    const honest = world.connect()
    for (let i = 0; i < 20; i++) {
      const read = sendFetch(honest, what, { partitionMaxBytes: 450_000 })
      const written = sendProduce(writer, 't', bigBatch(MARK, 20_000))
      world.run()
      expect(partitionsOf(fetched(honest, read))['t/0']!.records!.length).toBeGreaterThan(40_000)
      expect(produced(writer, written)).toMatchObject({ errorCode: 0 })
    }
    expect(slow.some(({ closed }) => closed)).toBe(false)
    // Small answers pass in any case, up to two for each; the rest keeps to the budget.
    const { connections, services } = world.front
    const used = what === OLD ? services.fileBuffers.outBytes : connections.replies.usedBytes
    expect(used).toBeLessThan(800_000 + 10 * 2 * 66_000)
    for (const reader of slow) reader.socket.destroy()
    expect(world.inFlightBytes).toBe(0)
  })

  test.each([
    ['bytes of replies', RECENT, { inFlightBytes: 3_000_000 }],
    ['buffers for file reads', OLD, { fileReadBytes: 1_900_000 }],
  ])('is closed when a batch of others finds no %s, the oldest first', (_name, what, options) => {
    const limits = { ...defaultLimits, connectionBytesMax: 4_000_000 }
    const { world } = filled({ ...options, limits })
    const writer = world.connect()
    world.createTopic('large', 1, { 'max.message.bytes': '2000000' })
    sendProduce(writer, 'large', bigBatch('x', 1_200_000))
    // Of the second it is known only once a part of it has been read.
    if (what === OLD) sendProduce(writer, 'large', bigBatch('y', 3_000))
    world.run()
    const slow = stuckReaders(world, 4, what)
    const honest = world.connect()
    const read = sendFetch(honest, { large: { 0: 0 } }, { partitionMaxBytes: 1_000 })
    world.run()
    expect(fetched(honest, read)).toBeUndefined()
    expect(world.front.nextTimerAtMs).toBeLessThanOrEqual(world.clock.monotonicMs() + 5_000)
    world.pass(5_000, 500)
    expect(slow[0]!.closed).toBe(true)
    expect(slow[3]!.closed).toBe(false)
    const { records } = partitionsOf(fetched(honest, read))['large/0']!
    expect(records!.length).toBeGreaterThan(1_200_000)
    for (const reader of slow) reader.socket.destroy()
    world.run()
    expect([world.inFlightBytes, world.front.services.pins.ringBytes]).toEqual([0, 0])
  })
})

test('a fetch that waits for more than there is takes no memory meanwhile, and looks at its files once only', () => {
  const world = new Harness()
  world.createTopic('t', 2)
  const [reader, writer] = [world.connect(), world.connect()]
  for (let i = 0; i < 60; i++) sendProduce(writer, 't', bigBatch('x', 40_000))
  world.run()
  const options = { maxWaitMs: 10_000, minBytes: 50_000_000, partitionMaxBytes: 1_000_000 }
  const read = sendFetch(reader, { t: { 0: 0, 1: 0 } }, options)
  for (let i = 0; i < 20; i++) {
    sendProduce(writer, 't', bigBatch('x', 1_000))
    world.run()
    expect(world.front.connections.replies.usedBytes).toBe(0)
    expect(world.front.services.fileBuffers.outBytes).toBe(0)
  }
  expect(world.files.reads).toBe(0)
  expect(fetched(reader, read)).toBeUndefined()
  world.pass(10_000)
  const { records } = partitionsOf(fetched(reader, read))['t/0']!
  expect(records!.length).toBeGreaterThan(900_000)
})

test('a fetch over two brokers holds nothing of the one while the other hangs', () => {
  const world = new Harness({ brokers: 2 })
  world.createTopic('t', 2)
  const [reader, writer] = [world.connect(), world.connect()]
  for (const index of [0, 1]) sendProduce(writer, 't', bigBatch('x', 100_000), { index })
  world.run()
  const warm = sendFetch(reader, { t: { 0: 0, 1: 0 } })
  world.run()
  expect(fetched(reader, warm)).toBeDefined()
  const hung = world.image.leaderOf(world.partition('t', 1))
  world.hung.add(hung)
  world.front.services.tails.forget(asBrokerId(hung))
  const read = sendFetch(reader, { t: { 0: 0, 1: 0 } })
  world.run()
  expect(fetched(reader, read)).toBeUndefined()
  expect([world.front.services.pins.ringBytes, world.front.connections.replies.usedBytes]).toEqual([
    0, 0,
  ])
  world.hung.clear()
  world.run()
  const parts = partitionsOf(fetched(reader, read))
  expect([parts['t/0'], parts['t/1']].map((part) => part!.records!.length > 90_000)).toEqual([
    true,
    true,
  ])
})

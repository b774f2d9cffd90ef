import { describe, expect, test } from 'vitest'
import { defaultLimits } from '../../src/net/connection-set.ts'
import { produce } from '../../src/protocol/00-produce.ts'
import { fetch } from '../../src/protocol/01-fetch.ts'
import { readRecords } from '../../src/record/records.ts'
import { Harness } from './harness.ts'
import {
  batchOf,
  bigBatch,
  fetched,
  fetchRequest,
  lettersIn,
  partitionsOf,
  produced,
  produceRequest,
  sendFetch,
  sendProduce,
} from './requests.ts'

describe('pipelined requests', () => {
  test('are answered in order, though brokers and files answer out of it', () => {
    const world = new Harness({ brokers: 3 })
    world.createTopic('t', 3)
    const client = world.connect()
    const sent: number[] = []
    world.hung.add(2)
    const chunks: Buffer[] = []
    for (let i = 0; i < 60; i++) {
      const correlation = i + 1
      sent.push(correlation)
      const index = i % 3
      chunks.push(
        i % 4 === 3
          ? client.encode(
              fetch,
              11,
              fetchRequest({ t: { [index]: 0 } }, { maxWaitMs: 0 }),
              correlation,
            )
          : client.encode(produce, 9, produceRequest('t', batchOf(`${i}`), { index }), correlation),
      )
    }
    client.connection.onData(Buffer.concat(chunks))
    world.run()
    expect(client.order.length).toBeLessThan(3)
    world.hung.delete(2)
    world.run()
    expect(client.order).toEqual(sent)
    expect(world.inFlightBytes).toBe(0)
  })

  test('with acks=0 get no answer and hold nobody up', () => {
    const world = new Harness()
    world.createTopic('t')
    const client = world.connect()
    for (let i = 0; i < 5; i++) sendProduce(client, 't', batchOf(`${i}`), { acks: 0 })
    const last = sendProduce(client, 't', batchOf('last'))
    world.run()
    expect(client.order).toEqual([last])
    expect(produced(client, last)).toMatchObject({ baseOffset: 5 })
  })

  test('with acks=0 that are refused close the connection, after the replies before', () => {
    const world = new Harness()
    world.createTopic('t')
    const client = world.connect()
    const good = sendProduce(client, 't', batchOf('a'))
    sendProduce(client, 'nowhere', batchOf('b'), { acks: 0 })
    sendProduce(client, 't', batchOf('c'))
    world.run()
    expect(client.order).toEqual([good])
    expect(client.closed).toBe(true)
    expect(world.lines.at(-1)!.fields.reason).toContain('UNKNOWN_TOPIC_OR_PARTITION')
  })
})

describe('a full ring', () => {
  test('parks that broker’s batches in order, while other brokers go on', () => {
    const world = new Harness({ brokers: 2, commandRingBytes: 64 * 1024 })
    world.createTopic('t', 2)
    const leaders = [0, 1].map((index) => world.image.leaderOf(world.partition('t', index)))
    expect(new Set(leaders).size).toBe(2)
    const [stuck, free] = [world.connect(), world.connect()]
    world.hung.add(leaders[0]!)
    // A small one behind a large one that found no room would find some.
    const sent = Array.from({ length: 100 }, (_, i) => {
      return sendProduce(stuck, 't', bigBatch(`${i} `, i % 2 === 0 ? 4000 : 100), { index: 0 })
    })
    world.run()
    expect(world.proxies[leaders[0]! - 1]!.parkedCommands).toBeGreaterThan(50)
    const other = sendProduce(free, 't', batchOf('x'), { index: 1 })
    world.run()
    expect(produced(free, other)).toMatchObject({ errorCode: 0 })
    expect(world.front.nextTimerAtMs).toBeLessThanOrEqual(world.clock.monotonicMs() + 1)
    world.hung.clear()
    world.run()
    expect(sent.map((one) => produced(stuck, one)!.baseOffset)).toEqual(sent.map((_, i) => i))
  })

  test('asks for a turn once, and then looks again each millisecond: whoever makes room has the core', () => {
    const world = new Harness({ commandRingBytes: 64 * 1024 })
    world.createTopic('t')
    const client = world.connect()
    world.hung.add(1)
    const none = world.kicks
    for (let i = 0; i < 100; i++) sendProduce(client, 't', bigBatch('x', 4000))
    expect(world.kicks).toBeGreaterThan(none)
    world.front.doWork(world.clock.monotonicMs())
    expect(world.proxies[0]!.parkedCommands).toBeGreaterThan(50)
    const before = world.kicks
    for (let i = 0; i < 10; i++) {
      sendProduce(client, 't', bigBatch('x', 4000))
      expect(world.front.doWork(world.clock.monotonicMs())).toBe(0)
    }
    expect(world.kicks - before).toBeLessThanOrEqual(1)
    expect(world.front.nextTimerAtMs).toBeLessThanOrEqual(world.clock.monotonicMs() + 1)
    world.hung.clear()
    world.run()
    expect(client.answers).toHaveLength(110)
  })

  test('stops reading from who fills it', () => {
    const limits = { ...defaultLimits, connectionBytesMax: 200_000 }
    const world = new Harness({ commandRingBytes: 64 * 1024, limits })
    world.createTopic('t')
    const client = world.connect()
    world.hung.add(1)
    for (let i = 0; i < 300; i++) sendProduce(client, 't', bigBatch('x', 4000))
    expect(client.socket.paused).toBe(true)
    expect(client.connection.inFlightBytes).toBeLessThan(210_000)
    world.hung.clear()
    world.run()
    expect(client.answers).toHaveLength(300)
    expect(client.socket.paused).toBe(false)
  })
})

test('a reply ring that is full of promises parks commands, and loses none', () => {
  const world = new Harness({ replyRingBytes: 1024 })
  world.createTopic('t')
  const client = world.connect()
  const sent = Array.from({ length: 200 }, (_, i) => sendProduce(client, 't', batchOf(`${i}`)))
  expect(world.proxies[0]!.outstanding).toBeLessThan(10)
  world.run()
  expect(sent.map((one) => produced(client, one)!.baseOffset)).toEqual(sent.map((_, i) => i))
})

test('batches too large for the ring travel in buffers of their own, in order with the others', () => {
  const world = new Harness({ commandRingBytes: 64 * 1024 })
  world.createTopic('t', 1, { 'max.message.bytes': '3000000' })
  const client = world.connect()
  const sizes = [100, 900_000, 100, 2_900_000, 5_000, 10_000]
  const sent = sizes.map((size) => sendProduce(client, 't', bigBatch(`${size} `, size)))
  world.run()
  expect(sent.map((one) => produced(client, one)!.baseOffset)).toEqual([0, 1, 2, 3, 4, 5])
  const read = sendFetch(client, { t: { 0: 0 } }, { partitionMaxBytes: 10_000_000 })
  world.run()
  const { records } = partitionsOf(fetched(client, read))['t/0']!
  expect(readRecords(records!, 0)).toHaveLength(1)
  const tooLarge = sendProduce(client, 't', bigBatch('x', 3_000_100))
  world.run()
  expect(produced(client, tooLarge)).toMatchObject({ errorCode: 10 })
})

describe('a broker that hangs', () => {
  const limits = { ...defaultLimits, connectionBytesMax: 300_000 }
  const hanging = (frameBytes = 4 * 2 ** 20) => {
    const rings = { commandRingBytes: 64 * 1024, frameBytes }
    const world = new Harness({ ...rings, inFlightBytes: 2_000_000, limits })
    world.createTopic('t')
    world.hung.add(1)
    return world
  }
  const settles = (world: Harness) => {
    world.hung.clear()
    world.run()
    expect(world.inFlightBytes).toBe(0)
    expect(world.front.services.produces.size).toBe(0)
  }

  test('has its batches counted for as long as they are held, though their time is up', () => {
    const world = hanging()
    const client = world.connect()
    let sent = 0
    for (let i = 0; i < 40 && !client.socket.paused; i++, sent++) {
      sendProduce(client, 't', bigBatch('x', 100_000), { timeoutMs: 1 })
      world.pass(500)
    }
    // Answered with REQUEST_TIMED_OUT, but the memory is not free.
    expect(client.answers.length).toBeGreaterThan(5)
    expect(sent).toBeLessThan(12)
    settles(world)
    expect(client.socket.paused).toBe(false)
  })

  test('has its batches counted though the clients have gone', () => {
    const world = hanging()
    let sent = 0
    for (; sent < 40; sent++) {
      const client = world.connect()
      sendProduce(client, 't', bigBatch('x', 100_000))
      if (client.socket.paused) break
      world.run()
      client.socket.destroy()
    }
    expect(sent).toBeLessThan(12)
    world.pass(60_000, 1_000)
    expect(world.inFlightBytes).toBeGreaterThan(500_000)
    settles(world)
  })

  test.each([0, 4 * 2 ** 20])(
    'finds batches whole that came in parts, whatever came after them, with %i bytes of shared memory',
    (frameBytes) => {
      const world = hanging(frameBytes)
      const client = world.connect()
      const sent = ['a', 'b', 'c', 'd'].map((text, i) => {
        const correlation = 100 + i
        const request = produceRequest('t', bigBatch(text, 70_000 + i), { timeoutMs: 1 })
        const frame = client.encode(produce, 9, request, correlation)
        for (let at = 0; at < frame.length; at += 50_000) {
          client.connection.onData(Buffer.from(frame.subarray(at, at + 50_000)))
        }
        // The first two are past their time when the others come, and still wait for the ring.
        if (i === 1) world.pass(1_000)
        return correlation
      })
      settles(world)
      expect(sent.map((one) => produced(client, one)!.errorCode)).toEqual([7, 7, 0, 0])
      const read = sendFetch(client, { t: { 0: 0 } })
      world.run()
      const { records } = partitionsOf(fetched(client, read))['t/0']!
      expect(lettersIn(records!)).toBe('abcd')
      // those buffers are there for the next, and so is that memory
      const { frameBuffers } = world.front.connections
      expect(frameBuffers.keptBytes > 0).toBe(frameBytes === 0)
      expect(world.front.frames?.usedBytes ?? 0).toBe(0)
    },
  )
})

describe('a broker that dies', () => {
  test('fails what it was asked, and everything later, and wakes who waits for it', () => {
    const world = new Harness({ brokers: 2 })
    world.createTopic('t', 2)
    const index = [0, 1].find((i) => world.image.leaderOf(world.partition('t', i)) === 2)!
    const [client, reader, other] = [world.connect(), world.connect(), world.connect()]
    const read = sendFetch(reader, { t: { [index]: 0 } }, { maxWaitMs: 60_000 })
    world.run()
    world.hung.add(2)
    const before = sendProduce(client, 't', batchOf('a'), { index })
    world.run()
    expect(produced(client, before)).toBeUndefined()
    world.tellGone(2)
    world.run()
    expect(produced(client, before)).toMatchObject({ errorCode: 6 })
    expect(partitionsOf(fetched(reader, read))[`t/${index}`]).toMatchObject({ errorCode: 6 })
    const later = sendProduce(client, 't', batchOf('b'), { index })
    const alive = sendProduce(other, 't', batchOf('c'), { index: 1 - index })
    world.run()
    expect(produced(client, later)).toMatchObject({ errorCode: 5 })
    expect(produced(other, alive)).toMatchObject({ errorCode: 0 })
  })

  test('or hangs makes produces time out, not the connection', () => {
    const world = new Harness({ brokers: 2 })
    world.createTopic('t', 2)
    const index = [0, 1].find((i) => world.image.leaderOf(world.partition('t', i)) === 2)!
    const client = world.connect()
    world.hung.add(2)
    const sent = sendProduce(client, 't', batchOf('a'), { index, timeoutMs: 1000 })
    world.pass(1_250)
    expect(produced(client, sent)).toMatchObject({ errorCode: 7 })
    world.hung.delete(2)
    world.run()
    const next = sendProduce(client, 't', batchOf('b'), { index })
    world.run()
    expect(produced(client, next)).toMatchObject({ errorCode: 0, baseOffset: 1 })
    expect(world.front.services.produces.size).toBe(0)
  })
})

test('a client that sends no more gets its long poll answered, and what it has written', () => {
  const world = new Harness()
  world.createTopic('t')
  const client = world.connect()
  const written = sendProduce(client, 't', batchOf('a'))
  const read = sendFetch(client, { t: { 0: 1 } }, { maxWaitMs: 60_000 })
  client.connection.onEnd()
  world.run()
  expect(produced(client, written)).toMatchObject({ errorCode: 0 })
  expect(fetched(client, read)).toBeDefined()
  expect(client.closed).toBe(true)
})

describe('a front that stops', () => {
  test('answers long polls, waits for accepted produces, and closes', () => {
    const world = new Harness()
    world.createTopic('t')
    const [reader, writer, idle] = [world.connect(), world.connect(), world.connect()]
    const read = sendFetch(reader, { t: { 0: 0 } }, { maxWaitMs: 60_000 })
    world.run()
    world.hung.add(1)
    const wrote = sendProduce(writer, 't', batchOf('a'))
    world.front.stop()
    expect(fetched(reader, read)).toBeDefined()
    expect([reader.closed, idle.closed, writer.closed]).toEqual([true, true, false])
    expect(world.front.stopped).toBe(false)
    world.hung.clear()
    world.run()
    expect(produced(writer, wrote)).toMatchObject({ errorCode: 0 })
    expect(world.front.stopped).toBe(true)
    world.front.close()
  })

  test('does not park what it is still reading', () => {
    const world = new Harness()
    world.createTopic('t')
    const reader = world.connect()
    world.hung.add(1)
    const read = sendFetch(reader, { t: { 0: 0 } }, { maxWaitMs: 60_000 })
    world.front.stop()
    world.hung.clear()
    world.run()
    expect(fetched(reader, read)).toBeDefined()
    expect(world.front.stopped).toBe(true)
  })
})

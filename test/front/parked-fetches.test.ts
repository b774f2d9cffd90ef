import { describe, expect, test } from 'vitest'
import { defaultLimits } from '../../src/net/connection-set.ts'
import { Harness } from './harness.ts'
import {
  batchOf,
  bigBatch,
  fetched,
  partitionsOf,
  produced,
  sendFetch,
  sendProduce,
} from './requests.ts'

describe('a fetch that finds nothing', () => {
  test('waits, and is answered by the produce that it waited for', () => {
    const world = new Harness()
    world.createTopic('t')
    const [reader, writer] = [world.connect(), world.connect()]
    const read = sendFetch(reader, { t: { 0: 0 } })
    world.run()
    expect(fetched(reader, read)).toBeUndefined()
    expect(world.front.services.fetches.size).toBe(1)
    sendProduce(writer, 't', batchOf('a'))
    world.run()
    expect(partitionsOf(fetched(reader, read))['t/0']).toMatchObject({ highWatermark: 1 })
    expect(world.front.services.fetches.size).toBe(0)
  })

  test('is answered empty when its time is up, and not before', () => {
    const world = new Harness()
    world.createTopic('t')
    const reader = world.connect()
    const read = sendFetch(reader, { t: { 0: 0 } }, { maxWaitMs: 300 })
    world.pass(299)
    expect(fetched(reader, read)).toBeUndefined()
    expect(world.front.nextTimerAtMs).toBeLessThanOrEqual(world.clock.monotonicMs() + 1)
    world.pass(1)
    expect(partitionsOf(fetched(reader, read))['t/0']).toMatchObject({
      errorCode: 0,
      highWatermark: 0,
      logStartOffset: 0,
    })
  })

  test('does not wait with max.wait.ms 0', () => {
    const world = new Harness()
    world.createTopic('t')
    const reader = world.connect()
    const read = sendFetch(reader, { t: { 0: 0 } }, { maxWaitMs: 0 })
    world.run()
    expect(fetched(reader, read)).toBeDefined()
  })

  test('with min.bytes waits for as much, and then gives all of it', () => {
    const world = new Harness()
    world.createTopic('t', 2)
    const [reader, writer] = [world.connect(), world.connect()]
    sendProduce(writer, 't', bigBatch('a', 1000))
    world.run()
    const read = sendFetch(reader, { t: { 0: 0, 1: 0 } }, { minBytes: 3000, maxWaitMs: 5000 })
    world.run()
    expect(fetched(reader, read)).toBeUndefined()
    sendProduce(writer, 't', bigBatch('b', 1000), { index: 1 })
    world.run()
    expect(fetched(reader, read)).toBeUndefined()
    sendProduce(writer, 't', bigBatch('c', 1000))
    world.run()
    const found = partitionsOf(fetched(reader, read))
    expect(found['t/0']!.records!.length).toBeGreaterThan(2000)
    expect(found['t/1']!.records!.length).toBeGreaterThan(1000)
  })

  test('with min.bytes gives what there is when its time is up', () => {
    const world = new Harness()
    world.createTopic('t')
    const [reader, writer] = [world.connect(), world.connect()]
    sendProduce(writer, 't', batchOf('a'))
    world.run()
    const read = sendFetch(reader, { t: { 0: 0 } }, { minBytes: 3000, maxWaitMs: 100 })
    world.pass(100)
    expect(partitionsOf(fetched(reader, read))['t/0']!.records!.length).toBeGreaterThan(60)
  })

  test('is forgotten with its connection', () => {
    const world = new Harness()
    world.createTopic('t')
    const reader = world.connect()
    sendFetch(reader, { t: { 0: 0 } })
    world.run()
    reader.socket.destroy()
    expect(world.front.services.fetches.size).toBe(0)
    sendProduce(world.connect(), 't', batchOf('a'))
    world.run()
    expect(world.inFlightBytes).toBe(0)
  })

  test('is told when its topic is deleted', () => {
    const world = new Harness()
    world.createTopic('t')
    const reader = world.connect()
    const read = sendFetch(reader, { t: { 0: 0 } }, { maxWaitMs: 60_000 })
    world.run()
    world.deleteTopic('t')
    world.run()
    expect(partitionsOf(fetched(reader, read))['t/0']).toMatchObject({ errorCode: 3 })
  })
})

test('a deadline and a wake-up in the same turn answer once', () => {
  const world = new Harness()
  world.createTopic('t')
  const [reader, writer] = [world.connect(), world.connect()]
  sendFetch(reader, { t: { 0: 0 } }, { maxWaitMs: 100 })
  world.run()
  world.hung.add(1)
  const wrote = sendProduce(writer, 't', batchOf('a'))
  world.hung.delete(1)
  world.clock.advance(100)
  world.run()
  expect(reader.answers).toHaveLength(1)
  expect(produced(writer, wrote)).toMatchObject({ errorCode: 0 })
})

describe('ten thousand parked fetches', () => {
  const READERS = 10_000
  const TOPICS = 100

  const parked = () => {
    const world = new Harness({ replyRingBytes: 2 ** 20 })
    for (let i = 0; i < TOPICS; i++) world.createTopic(`t${i}`)
    const readers = Array.from({ length: READERS }, () => world.connect())
    readers.forEach((reader, i) => {
      sendFetch(reader, { [`t${i % TOPICS}`]: { 0: 0 } }, { maxWaitMs: 30_000 })
    })
    world.run()
    expect(world.front.services.fetches.size).toBe(READERS)
    return { world, readers }
  }

  test('leave one watch per partition, and a produce touches only who waits for it', () => {
    const { world, readers } = parked()
    const { watches } = world.proxies[0]!
    expect(watches.outstanding).toBe(TOPICS)
    const visits = watches.visits
    sendProduce(world.connect(), 't7', batchOf('a'))
    world.run()
    expect(watches.visits - visits).toBe(READERS / TOPICS)
    const answered = readers.filter((reader) => reader.answers.length > 0)
    expect(answered).toHaveLength(READERS / TOPICS)
    expect(answered.every((reader) => readers.indexOf(reader) % TOPICS === 7)).toBe(true)
    expect(world.front.services.fetches.size).toBe(READERS - READERS / TOPICS)
  })

  test('cost nothing while nothing happens', () => {
    const { world } = parked()
    const { watches } = world.proxies[0]!
    const visits = watches.visits
    for (let i = 0; i < 1000; i++) {
      world.clock.advance(1)
      expect(world.front.doWork(world.clock.monotonicMs())).toBe(0)
    }
    expect(watches.visits).toBe(visits)
    // Sending them all again after their time is up asks the broker nothing new.
    expect(watches.outstanding).toBe(TOPICS)
  })
})

test('more watched partitions than the reply ring has room for: deadlines still hold, and others get through', () => {
  const world = new Harness({ replyRingBytes: 4096 })
  world.createTopic('t', 200)
  const offsets = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [i, 0]))
  const [reader, writer] = [world.connect(), world.connect()]
  const read = sendFetch(reader, { t: offsets }, { maxWaitMs: 1000 })
  world.run()
  expect(fetched(reader, read)).toBeUndefined()
  const { watches } = world.proxies[0]!
  expect(watches.outstanding).toBeLessThan(200)
  const wrote = sendProduce(writer, 't', batchOf('a'), { index: 199 })
  world.run()
  expect(produced(writer, wrote)).toMatchObject({ errorCode: 0 })
  world.pass(1000)
  expect(partitionsOf(fetched(reader, read))).toHaveProperty('t/0')
})

describe('long polls that hold the memory for requests', () => {
  const world = () => {
    const made = new Harness({ inFlightBytes: 2 * 200_000 })
    made.createTopic('t', 200)
    return made
  }
  const everything = { t: Object.fromEntries(Array.from({ length: 200 }, (_, i) => [i, 0])) }

  test('count with their partitions, not only with their few bytes', () => {
    const made = world()
    const client = made.connect()
    sendFetch(client, everything, { maxWaitMs: 600_000 })
    made.run()
    expect(made.front.services.fetches.size).toBe(1)
    expect(made.inFlightBytes).toBeGreaterThan(200 * 300)
    client.connection.close()
    expect(made.inFlightBytes).toBe(0)
  })

  test('are answered before their time when others wait for it, the oldest first', () => {
    const made = world()
    const clients = Array.from({ length: 8 }, () => made.connect())
    for (const client of clients) {
      for (let i = 0; i < 5; i++) sendFetch(client, everything, { maxWaitMs: 600_000 })
    }
    made.run()
    // All of them had to pass, and nobody waits any more.
    expect(made.front.connections.budget.waiting).toBe(0)
    expect(made.inFlightBytes).toBeLessThan(400_000)
    expect(clients[0]!.answers.length).toBeGreaterThan(0)
    expect(clients.at(-1)!.answers.length).toBeLessThan(5)
    const other = made.connect()
    const correlation = sendProduce(other, 't', bigBatch('x', 100_000))
    made.run()
    expect(produced(other, correlation)).toMatchObject({ errorCode: 0 })
    for (const client of clients) client.connection.close()
    made.run()
    expect(made.inFlightBytes).toBe(0)
    expect(made.front.services.fetches.heldBytes).toBe(0)
  })

  test('beyond what one connection may have are answered as well: or it would not be seen to go', () => {
    const limits = { ...defaultLimits, connectionBytesMax: 50_000 }
    const made = new Harness({ limits })
    made.createTopic('t')
    const client = made.connect()
    for (let i = 0; i < 1_000; i++) sendFetch(client, { t: { 0: 0 } }, { maxWaitMs: 0x7fffffff })
    made.run()
    // The kernel tells of an end only who reads.
    expect(client.socket.paused).toBe(false)
    expect(client.connection.paused).toBe(false)
    expect(client.answers.length).toBeGreaterThan(900)
    expect(made.inFlightBytes).toBeLessThan(50_000)
    client.connection.close()
    expect(made.inFlightBytes).toBe(0)
  })
})

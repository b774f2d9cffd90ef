import { describe, expect, test } from 'vitest'
import { deleteRecords } from '../../src/protocol/21-delete-records.ts'
import { baseOffsetOf, sizeInBytesOf } from '../../src/record/batch.ts'
import { buildBatch } from '../../src/record/builder.ts'
import { readRecords } from '../../src/record/records.ts'
import type { FakeClient } from './fake-client.ts'
import { Harness, type HarnessOptions } from './harness.ts'
import { bigBatch, fetched, partitionsOf, sendFetch, sendProduce } from './requests.ts'

const BATCHES = 60
const MAX_BYTES = 210_000

/** Batch `i` is one record `i i i …` of 50 KB; all but the newest lie in files alone, of a megabyte each. */
const filled = (options: HarnessOptions = {}): Harness => {
  const world = new Harness({ arenaBytes: 16 * 1024, ...options })
  world.createTopic('t', 1, { 'segment.bytes': '1048576' })
  const writer = world.connect()
  for (let i = 0; i < BATCHES; i++) {
    sendProduce(writer, 't', bigBatch(`${i} `, 50_000))
    world.run()
  }
  return world
}

/** The offsets that an answer holds; each record is what was written there. */
const offsetsIn = (records: Uint8Array): number[] => {
  const offsets: number[] = []
  for (let at = 0; at < records.length; at += sizeInBytesOf(records, at)) {
    const offset = baseOffsetOf(records, at)
    const value = Buffer.from(readRecords(records, at)[0]!.value!).toString()
    expect(value).toBe(`${offset} `.repeat(50_000).slice(0, 50_000))
    offsets.push(offset)
  }
  return offsets
}

const ask = (client: FakeClient, offset: number): number =>
  sendFetch(client, { t: { 0: offset } }, { maxWaitMs: 0, partitionMaxBytes: MAX_BYTES })

const read = (world: Harness, client: FakeClient, offset: number): number[] => {
  const correlation = ask(client, offset)
  world.run()
  const { errorCode, records } = partitionsOf(fetched(client, correlation))['t/0']!
  expect(errorCode).toBe(0)
  return offsetsIn(records!)
}

describe('files that are read in a row', () => {
  test('are read ahead, and every byte is sent once', () => {
    const world = filled()
    const client = world.connect()
    let fetches = 0
    let aheads = 0
    for (let next = 0; next < BATCHES; fetches++) {
      const offsets = read(world, client, next)
      expect(offsets).toEqual(offsets.map((_, i) => next + i))
      next += offsets.length
      if (world.front.services.fileBuffers.outBytes > 0) aheads++
    }
    expect(aheads).toBeGreaterThan(fetches / 2)
    expect(world.files.reads).toBeLessThanOrEqual(fetches + 3)
    client.socket.destroy()
    expect(world.front.services.fileBuffers.outBytes).toBe(0)
    expect(world.inFlightBytes).toBe(0)
  })

  test('are asked for once in many fetches, but not after a while: their beginning may have moved', () => {
    const world = filled()
    const client = world.connect()
    let next = 0
    let fetches = 0
    const before = world.proxies[0]!.locates
    for (; next < 40; fetches++) next += read(world, client, next).length
    const asked = world.proxies[0]!.locates - before
    // a segment of a megabyte ends after five
    expect(fetches).toBeGreaterThanOrEqual(10)
    expect(asked).toBeLessThanOrEqual(fetches / 2 + 1)
    const admin = world.connect()
    admin.send(deleteRecords, 2, {
      topics: [{ name: 't', partitions: [{ partitionIndex: 0, offset: 50 }] }],
      timeoutMs: 10_000,
    })
    world.run()
    world.pass(20)
    const gone = ask(client, next)
    world.run()
    expect(partitionsOf(fetched(client, gone))['t/0']).toMatchObject({
      errorCode: 1,
      logStartOffset: expect.anything(),
    })
  })

  test('are asked for each time where cleaning leaves gaps', () => {
    const world = new Harness({ arenaBytes: 16 * 1024 })
    world.createTopic('t', 1, { 'cleanup.policy': 'compact', 'segment.bytes': '1048576' })
    const writer = world.connect()
    for (let i = 0; i < 40; i++) {
      const record = { timestampMs: 1, key: Buffer.from(`${i}`), value: Buffer.alloc(50_000, 'x') }
      sendProduce(writer, 't', buildBatch([record]))
      world.run()
    }
    const client = world.connect()
    const before = world.proxies[0]!.locates
    let fetches = 0
    for (let next = 0; next < 30; fetches++) {
      const correlation = ask(client, next)
      world.run()
      const { records } = partitionsOf(fetched(client, correlation))['t/0']!
      for (let at = 0; at < records!.length; at += sizeInBytesOf(records!, at)) next++
    }
    expect(fetches).toBeGreaterThan(6)
    expect(world.proxies[0]!.locates - before).toBeGreaterThanOrEqual(fetches)
  })

  test('are not, by a client that jumps', () => {
    const world = filled()
    const client = world.connect()
    for (const offset of [0, 20, 3, 40, 7]) {
      expect(read(world, client, offset)[0]).toBe(offset)
      expect(world.front.services.fileBuffers.outBytes).toBe(0)
    }
    // What was read ahead of another place is let go.
    const offsets = read(world, client, 11)
    expect(world.front.services.fileBuffers.outBytes).toBeGreaterThan(0)
    expect(read(world, client, 0)[0]).toBe(0)
    expect(read(world, client, 11)).toEqual(offsets)
  })

  test('are waited for when they are asked for sooner, and given back when nobody asks any more', () => {
    const world = filled()
    const client = world.connect()
    const next = read(world, client, 0).length
    const second = ask(client, next)
    const { reads } = world.files
    while (world.files.reads === reads) world.turn()
    // What is read for the answer comes; what is read ahead hangs.
    world.files.hung = true
    world.run()
    expect(fetched(client, second)).toBeDefined()
    const third = ask(client, 2 * next)
    world.run()
    expect(fetched(client, third)).toBeUndefined()
    world.files.release()
    world.run()
    expect(offsetsIn(partitionsOf(fetched(client, third))['t/0']!.records!)[0]).toBe(2 * next)
    world.files.hung = true
    const [fourth, fifth] = [ask(client, 3 * next), ask(client, 4 * next)]
    world.run()
    client.socket.destroy()
    expect([fourth, fifth].map((one) => fetched(client, one) === undefined)).toEqual([false, true])
    world.files.release()
    world.run()
    expect(world.front.services.fileBuffers.outBytes).toBe(0)
    expect(world.inFlightBytes).toBe(0)
  })

  test('are checked as any: what is not what was asked for is read again', () => {
    const world = filled()
    const client = world.connect()
    const next = read(world, client, 0).length
    const second = ask(client, next)
    while (fetched(client, second) === undefined) world.turn()
    world.files.spoil = (bytes) => bytes.fill(0x5a)
    world.run()
    world.files.spoil = null
    expect(read(world, client, 2 * next)[0]).toBe(2 * next)
  })

  test('give way to everybody who waits for buffers', () => {
    const world = filled({ fileReadBytes: 2 ** 20, inFlightBytes: 8 * 2 ** 20 })
    const client = world.connect()
    read(world, client, read(world, client, 0).length)
    expect(world.front.services.fileBuffers.outBytes).toBeGreaterThan(0)
    const stuck = [world.connect(), world.connect()]
    for (const client of stuck) {
      client.socket.blocked = true
      ask(client, 5)
      world.run()
    }
    world.createTopic('large', 1, { 'max.message.bytes': '2000000' })
    sendProduce(world.connect(), 'large', bigBatch('x', 900_000))
    sendProduce(world.connect(), 'large', bigBatch('x', 1_000))
    world.run()
    const other = world.connect()
    const sent = sendFetch(other, { large: { 0: 0 } }, { partitionMaxBytes: 1_000 })
    world.run()
    expect(partitionsOf(fetched(other, sent))['large/0']!.records!.length).toBeGreaterThan(900_000)
    for (const client of stuck) client.socket.destroy()
    expect(world.front.services.fileBuffers.outBytes).toBe(0)
  })

  test('are let go when nobody comes for a while', () => {
    const world = filled()
    const client = world.connect()
    read(world, client, read(world, client, 0).length)
    expect(world.front.services.fileBuffers.outBytes).toBeGreaterThan(0)
    world.pass(60_000)
    expect(world.front.services.fileBuffers.outBytes).toBe(0)
  })
})

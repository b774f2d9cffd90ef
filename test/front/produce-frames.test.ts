import { describe, expect, test, vi } from 'vitest'
import { produce } from '../../src/protocol/00-produce.ts'
import { fetch } from '../../src/protocol/01-fetch.ts'
import type { FakeClient } from './fake-client.ts'
import { Harness, type HarnessOptions } from './harness.ts'
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

const MIB = 2 ** 20

function start(options: HarnessOptions = {}) {
  const world = new Harness({ commandRingBytes: 64 * 1024, ...options })
  world.createTopic('t')
  const used = () => world.front.frames!.usedBytes
  return { world, client: world.connect(), used }
}

function storedLetters(world: Harness): string {
  const client = world.connect()
  const read = sendFetch(client, { t: { 0: 0 } }, { partitionMaxBytes: 50 * MIB, maxWaitMs: 0 })
  world.run()
  return lettersIn(partitionsOf(fetched(client, read))['t/0']!.records!)
}

describe('the frame of a large produce', () => {
  test('lies where its broker reads it: no copy on the way, however small the ring', () => {
    const { world, client, used } = start()
    world.hung.add(1)
    const sent = [...'abc'].map((letter) => sendProduce(client, 't', bigBatch(letter, 300_000)))
    expect(used()).toBe(3 * 512 * 1024)
    // none of them waits for room in a ring of 64 KB, nor in a buffer of its own
    expect(world.proxies[0]!.parkedCommands).toBe(0)
    world.hung.clear()
    world.run()
    expect(sent.map((one) => produced(client, one)!.baseOffset)).toEqual([0, 1, 2])
    expect(used()).toBe(0)
    expect(storedLetters(world)).toBe('abc')
  })

  test('is copied where there is no room for it, or no such memory', () => {
    for (const frameBytes of [MIB, 0]) {
      const { world, client } = start({ frameBytes })
      world.hung.add(1)
      const sent = [...'abcdef'].map((letter) =>
        sendProduce(client, 't', bigBatch(letter, 400_000)),
      )
      world.hung.clear()
      world.run()
      expect(sent.map((one) => produced(client, one)!.baseOffset)).toEqual([0, 1, 2, 3, 4, 5])
      expect(storedLetters(world)).toBe('abcdef')
      expect(world.front.frames?.usedBytes ?? 0).toBe(0)
    }
  })

  test('is held until every batch in it is answered, though its time is up or its client gone', () => {
    const { world, client, used } = start()
    world.hung.add(1)
    const late = sendProduce(client, 't', bigBatch('a', 100_000), { timeoutMs: 1 })
    const gone = world.connect()
    sendProduce(gone, 't', bigBatch('b', 100_000))
    world.pass(2_000)
    expect(produced(client, late)).toMatchObject({ errorCode: 7 })
    gone.socket.destroy()
    // what comes now must not lie where those do
    sendProduce(client, 't', bigBatch('c', 100_000))
    expect(used()).toBe(3 * 128 * 1024)
    world.hung.clear()
    world.run()
    expect(storedLetters(world)).toBe('abc')
    expect(used()).toBe(0)
  })

  test.each<[string, (client: FakeClient) => void]>([
    [
      'refused for its topic',
      (client) => void sendProduce(client, 'nowhere', bigBatch('x', 90_000)),
    ],
    [
      'refused for its acks',
      (client) => void sendProduce(client, 't', bigBatch('x', 90_000), { acks: 7 }),
    ],
    [
      'of a version that is not served',
      (client) => {
        const frame = client.encode(produce, 9, produceRequest('t', bigBatch('x', 90_000)), 5)
        frame.writeInt16BE(77, 6)
        client.connection.onData(frame)
      },
    ],
    [
      'malformed',
      (client) => {
        const frame = client.encode(produce, 9, produceRequest('t', bigBatch('x', 90_000)), 5)
        frame.fill(0xff, 30, 60)
        client.connection.onData(frame)
      },
    ],
    [
      'cut off',
      (client) => {
        const frame = client.encode(produce, 9, produceRequest('t', bigBatch('x', 90_000)), 5)
        client.connection.onData(frame.subarray(0, 60_000))
        client.socket.destroy()
      },
    ],
    ['looked at by the pool', (client) => void sendProduce(client, 'gzip', bigBatch('x', 90_000))],
    [
      'damaged',
      (client) => {
        const batch = bigBatch('x', 90_000)
        batch[80_000]! ^= 1
        sendProduce(client, 't', batch)
      },
    ],
  ])('is given back when it is %s', (_, send) => {
    const { world, client, used } = start()
    world.createTopic('gzip', 1, { 'compression.type': 'gzip' })
    send(client)
    world.run()
    client.socket.destroy()
    world.run()
    expect(used()).toBe(0)
  })

  test('is not given back by a handler that failed after a batch was sent on', () => {
    const { world, client, used } = start()
    world.hung.add(1)
    const { produce: send } = world.proxies[0]!
    vi.spyOn(world.proxies[0]!, 'produce').mockImplementationOnce(function (this: never, ...args) {
      send.apply(this, args)
      throw new Error('a bug')
    })
    sendProduce(client, 't', bigBatch('a', 100_000))
    expect(used()).toBe(128 * 1024)
    expect(client.closed).toBe(true)
    sendProduce(world.connect(), 't', bigBatch('b', 100_000))
    world.hung.clear()
    world.run()
    expect(storedLetters(world)).toBe('ab')
  })

  test('is not taken for requests of other kinds', () => {
    const { world, client, used } = start()
    const wide = Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [i, 0]))
    client.send(fetch, 11, fetchRequest({ t: wide }, { maxWaitMs: 60_000 }))
    sendProduce(client, 't', batchOf('small'))
    expect(used()).toBe(0)
    world.run()
  })
})

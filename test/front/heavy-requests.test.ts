import { expect, test } from 'vitest'
import { listOffsets } from '../../src/protocol/02-list-offsets.ts'
import { call } from './call.ts'
import { Harness } from './harness.ts'
import { fetched, sendFetch } from './requests.ts'

const offsetsOf = (count: number) => ({
  replicaId: -1,
  topics: [
    {
      name: 't',
      partitions: Array.from({ length: count }, () => ({ partitionIndex: 0, timestamp: -1 })),
    },
  ],
})

test('what heavy requests leave behind is collected before the next, and when none comes', () => {
  let collected = 0
  const world = new Harness({ collectGarbage: () => collected++ })
  world.createTopic('t')
  const client = world.connect()
  const ask = (count: number) => call(world, client, listOffsets, 5, offsetsOf(count))
  // ordinary ones are left to the engine, however many
  for (let i = 0; i < 4; i++) ask(49_000)
  world.pass(5_000)
  expect(collected).toBe(0)
  ask(150_000)
  expect(collected).toBe(0)
  ask(60_000)
  expect(collected).toBe(1)
  world.pass(999)
  expect(collected).toBe(1)
  world.pass(1)
  expect(collected).toBe(2)
  world.pass(60_000)
  expect(collected).toBe(2)
})

test('a heavy request has the room of large ones to itself until it is answered', () => {
  const world = new Harness({ inFlightBytes: 32 * 2 ** 20 })
  world.createTopic('t')
  const { budget } = world.front.connections
  world.hung.add(1)
  const [first, second, small] = [world.connect(), world.connect(), world.connect()]
  const heavy = first.send(listOffsets, 5, {
    replicaId: -1,
    topics: [
      { name: 't', partitions: [{ partitionIndex: 0, timestamp: -1 }] },
      // of a topic that is not there: they count as well
      { ...offsetsOf(120_000).topics[0]!, name: 'x' },
    ],
  })
  world.run()
  expect(budget.usedBytes).toBe(budget.largeBytesMax)
  const other = second.send(listOffsets, 5, offsetsOf(20_000))
  const little = small.send(listOffsets, 5, {
    ...offsetsOf(1),
    topics: [{ name: 'x', partitions: [{ partitionIndex: 0, timestamp: -1 }] }],
  })
  world.run()
  expect(first.answer(listOffsets, heavy)).toBeUndefined()
  expect(second.answer(listOffsets, other)).toBeUndefined()
  expect(second.connection.paused).toBe(true)
  expect(small.answer(listOffsets, little)).toBeDefined()
  world.hung.delete(1)
  world.run()
  expect(first.answer(listOffsets, heavy)).toBeDefined()
  expect(second.answer(listOffsets, other)).toBeDefined()
  expect(budget.usedBytes).toBe(0)
})

test('a long poll of many elements counts what it holds, and keeps nobody from the room', () => {
  const world = new Harness({ inFlightBytes: 32 * 2 ** 20 })
  world.createTopic('t')
  const { budget } = world.front.connections
  const poller = world.connect()
  const forgotten = [{ topic: 'x', partitions: Array.from({ length: 60_000 }, (_, i) => i) }]
  const poll = sendFetch(poller, { t: { 0: 0 } }, { maxWaitMs: 10_000, forgotten })
  world.run()
  expect(fetched(poller, poll)).toBeUndefined()
  expect(budget.usedBytes).toBeLessThan(1 << 20)
  expect(call(world, world.connect(), listOffsets, 5, offsetsOf(20_000)).topics).toHaveLength(1)
})

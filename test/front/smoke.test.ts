import { expect, test } from 'vitest'
import { metadata } from '../../src/protocol/03-metadata.ts'
import { Harness } from './harness.ts'
import { batchOf, fetched, partitionsOf, produced, sendFetch, sendProduce } from './requests.ts'

test('a client makes a topic by asking for it, writes to it and reads it back', () => {
  const world = new Harness({ brokers: 3 })
  const client = world.connect()
  const asked = client.send(metadata, 9, { topics: [{ name: 'lines' }] })
  world.run()
  const told = client.answer(metadata, asked)!
  expect(told.topics[0]).toMatchObject({ errorCode: 0, name: 'lines' })
  expect(told.topics[0]!.partitions).toHaveLength(4)
  expect(told.brokers.map(({ nodeId, port }) => [nodeId, port])).toEqual([
    [1, 9092],
    [2, 9093],
    [3, 9094],
  ])
  const records = batchOf('hello')
  const wrote = sendProduce(client, 'lines', records, { index: 2 })
  world.run()
  expect(produced(client, wrote)).toMatchObject({ errorCode: 0, baseOffset: 0 })
  const read = sendFetch(client, { lines: { 2: 0 } })
  world.run()
  const found = partitionsOf(fetched(client, read))['lines/2']!
  expect(found).toMatchObject({ errorCode: 0, highWatermark: 1, logStartOffset: 0 })
  // The broker stamps base offset and leader epoch, which lie before byte 16.
  expect(found.records!.slice(16)).toEqual(records.slice(16))
})

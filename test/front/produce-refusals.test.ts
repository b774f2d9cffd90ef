/** What producers are told, from the log's verdict to the sentence in the answer. */
import { describe, expect, test } from 'vitest'
import { type RefusalName, refusalText } from '../../src/front/produce-refusals.ts'
import { parseTopicConfig } from '../../src/image/topic-config.ts'
import { ProduceReason } from '../../src/link/produce-reason.ts'
import { produce } from '../../src/protocol/00-produce.ts'
import { type BatchOptions, buildBatch } from '../../src/record/builder.ts'
import type { FakeClient } from './fake-client.ts'
import { Harness } from './harness.ts'
import { batchOf, bigBatch, type ProduceOptions, produced, sendProduce } from './requests.ts'

function ask(
  world: Harness,
  client: FakeClient,
  records: Uint8Array,
  options: ProduceOptions & { readonly topic?: string } = {},
) {
  const correlation = sendProduce(client, options.topic ?? 't', records, options)
  world.pass(100)
  const { errorCode, errorMessage } = produced(client, correlation)!
  return [errorCode, errorMessage]
}

const at = (timestampMs: number, options: BatchOptions = {}) =>
  buildBatch([{ timestampMs, key: null, value: Buffer.from('a') }], options)
const ofProducer = (producerEpoch: number, baseSequence: number) =>
  at(1_000_000, { producerId: 7, producerEpoch, baseSequence })

describe('a refusal names what was wrong, where, and the limit', () => {
  test('of the batch and its place in the log', () => {
    const world = new Harness()
    const configs = { 'max.message.bytes': '3000000', 'segment.bytes': '1048576' }
    world.createTopic('t', 2, { ...configs, 'message.timestamp.after.max.ms': '5000' })
    const client = world.connect()
    const late = world.clock.wallMs() + 60_000
    const broken = batchOf('a')
    broken[broken.length - 1]! ^= 1
    const large = bigBatch('x', 4_000_000)
    const medium = bigBatch('x', 2_000_000)
    expect(ask(world, client, large, { index: 1 })).toEqual([
      10,
      `batch of ${large.length} bytes exceeds max.message.bytes=3000000 of topic t (t-1)`,
    ])
    expect(ask(world, client, medium)).toEqual([
      18,
      `batch of ${medium.length} bytes exceeds segment.bytes=1048576 of topic t (t-0)`,
    ])
    expect(ask(world, client, broken)).toEqual([
      2,
      'batch does not match its CRC, it was damaged on its way (t-0)',
    ])
    const [error, why] = ask(world, client, at(late))
    expect(error).toBe(32)
    expect(why).toMatch(
      new RegExp(
        `timestamps ${late} to ${late} .*message.timestamp.after.max.ms=5000 of topic t \\(t-0\\)`,
      ),
    )
    expect(ask(world, client, ofProducer(3, 0))).toEqual([0, null])
    expect(ask(world, client, ofProducer(3, 5))).toEqual([
      45,
      'producer 7 (epoch 3, sequence 5) is out of order, batches before it are missing here (t-0)',
    ])
    expect(ask(world, client, ofProducer(2, 1))).toEqual([
      47,
      'producer 7 (epoch 2, sequence 1) is fenced, there is one with a newer epoch (t-0)',
    ])
    expect(ask(world, client, ofProducer(4, 1))[1]).toContain('does not begin its epoch')
    expect(ask(world, client, batchOf('a'), { index: 9 })).toEqual([
      3,
      'topic t has no partition 9 (t-9)',
    ])
    expect(
      ask(world, client, batchOf('a'), { topic: 'n'.repeat(5000) })[1]!.toString().length,
    ).toBeLessThan(600)
  })

  test('of the disk, below version 8 without a word', () => {
    const world = new Harness()
    world.createTopic('t', 1, { 'flush.messages': '1' })
    const client = world.connect()
    expect(ask(world, client, batchOf('a'))).toEqual([0, null])
    world.disk.onOperation = ({ operation, path }) =>
      operation === 'write' && path.endsWith('.log') ? { kind: 'error', code: 'ENOSPC' } : null
    expect(ask(world, client, batchOf('a'))).toEqual([
      56,
      "the broker's disk is full, it takes records again once there is space (t-0)",
    ])
    expect(ask(world, client, batchOf('a'), { version: 7 })).toEqual([56, null])
    world.disk.onOperation = ({ operation, path }) =>
      operation === 'flush' && path.endsWith('.log') ? { kind: 'error', code: 'EIO' } : null
    world.pass(5_000)
    for (const _ of ['waits for the flush', 'comes after']) {
      expect(ask(world, client, batchOf('a'))[1]).toContain('failed to make records durable')
    }
  })

  test('of one among many topics, and of a thousand at most', () => {
    const world = new Harness()
    world.createTopic('t', 2)
    const client = world.connect()
    const partitionData = (from: number, count: number) =>
      Array.from({ length: count }, (_, i) => ({ index: from + i, records: batchOf('a') }))
    const correlation = client.send(produce, 9, {
      acks: -1,
      timeoutMs: 1_000,
      topicData: [
        { name: 'a', partitionData: partitionData(0, 3) },
        { name: 'b', partitionData: [] },
        { name: 't', partitionData: partitionData(1, 2) },
        { name: 'c', partitionData: partitionData(0, 1200) },
      ],
    })
    world.pass(100)
    const answers = client
      .answer(produce, correlation)!
      .responses.flatMap(({ partitionResponses }) =>
        partitionResponses.map(({ errorMessage }) => errorMessage),
      )
    expect(answers.slice(0, 6)).toEqual([
      ...[0, 1, 2].map((index) => `there is no topic a (a-${index})`),
      null,
      'topic t has no partition 2 (t-2)',
      'there is no topic c (c-0)',
    ])
    expect(answers.filter((answer) => answer !== null).length).toBe(1000)
  })
})

test('every reason has a number of its own, and a sentence that no bytes make fail', () => {
  const numbers = Object.values(ProduceReason)
  expect(new Set(numbers).size).toBe(numbers.length)
  const names = Object.keys(ProduceReason).filter((name) => name !== 'NONE') as RefusalName[]
  for (const batch of [batchOf('a'), new Uint8Array(61).fill(0xff)]) {
    for (const config of [parseTopicConfig({}), null]) {
      const refused = { topic: 't', index: 3, config, batch, limitOf: () => 1, storageBytes: 1 }
      for (const name of names) {
        const number = ProduceReason[name as keyof typeof ProduceReason]
        const text = refusalText(name, refused)
        expect(text).toMatch(/^\w.{10,}[^.] \(t-3\)$/)
        expect(text).not.toMatch(/undefined|NaN|null/)
        expect(refusalText(number, refused)).toBe(text)
      }
      for (const unknown of [0, 65_535]) expect(refusalText(unknown, refused)).toBe(null)
    }
  }
})

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { KafkaClient } from '../../src/kafka-client/client.ts'
import { KafkaConnection } from '../../src/kafka-client/connection.ts'
import { KafkaError, UnsupportedApiError } from '../../src/kafka-client/errors.ts'
import { type BatchResult, Producer } from '../../src/kafka-client/producer.ts'
import { produce } from '../../src/protocol/00-produce.ts'
import { metadata } from '../../src/protocol/03-metadata.ts'
import { apiVersions } from '../../src/protocol/18-api-versions.ts'
import { createTopics } from '../../src/protocol/19-create-topics.ts'
import { readRecords } from '../../src/record/records.ts'
import { type Asked, FakeBroker } from './fake-broker.ts'

let broker: FakeBroker
beforeEach(async () => {
  broker = await FakeBroker.start()
})
afterEach(() => broker.close())

const SPOKEN = [
  { apiKey: produce.key, minVersion: 3, maxVersion: 9 },
  { apiKey: metadata.key, minVersion: 0, maxVersion: 99 },
  { apiKey: apiVersions.key, minVersion: 0, maxVersion: 3 },
]
const versions = (errorCode = 0) => ({ errorCode, apiKeys: SPOKEN, throttleTimeMs: 0 })

const options = {
  ...{ clientId: 'test', connectTimeoutMs: 2_000, requestTimeoutMs: 300 },
  responseBytesMax: 1 << 20,
}

const noTopics = { throttleTimeMs: 0, brokers: [], topics: [], errorCode: 0, clusterId: null }
const askAll = {
  ...{ topics: null, allowAutoTopicCreation: false },
  ...{ includeClusterAuthorizedOperations: false, includeTopicAuthorizedOperations: false },
}

describe('a connection', () => {
  test('asks again in version 0 where its own is too new, and speaks what both know', async () => {
    broker.onRequest = ({ api, version, answer }) => {
      if (api === apiVersions) answer(versions(version === 0 ? 0 : 35), 0)
      else answer(noTopics)
    }
    const connection = await KafkaConnection.open(broker.address, options)
    expect(broker.asked.map(({ version }) => version)).toEqual([4, 0])
    await connection.request(metadata, askAll)
    expect(broker.asked.at(-1)!.version).toBe(metadata.validVersions.max)
    expect(connection.versionOf(produce)).toBe(9)
    expect(() => connection.versionOf(createTopics)).toThrow(UnsupportedApiError)
    connection.close()
    await expect(connection.request(metadata, askAll)).rejects.toThrow('this client closed')
  })

  test('answers requests that are under way together, in their order', async () => {
    const waiting: Asked[] = []
    broker.onRequest = (asked) => {
      if (asked.api === apiVersions) asked.answer(versions())
      else waiting.push(asked)
      if (waiting.length === 3) {
        for (const [i, { answer }] of waiting.entries()) answer({ ...noTopics, controllerId: i })
      }
    }
    const connection = await KafkaConnection.open(broker.address, options)
    const answers = await Promise.all([0, 1, 2].map(() => connection.request(metadata, askAll)))
    expect(answers.map(({ controllerId }) => controllerId)).toEqual([0, 1, 2])
    connection.close()
  })

  test('ends when an answer does not come, and so do the requests behind it', async () => {
    broker.onRequest = ({ api, answer }) => void (api === apiVersions && answer(versions()))
    const connection = await KafkaConnection.open(broker.address, options)
    const [first, second] = await Promise.allSettled([
      connection.request(metadata, askAll),
      connection.request(metadata, askAll),
    ])
    expect([first, second]).toMatchObject([
      { reason: { name: 'ConnectionError', reason: 'TIMEOUT' } },
      { reason: { name: 'ConnectionError', reason: 'TIMEOUT' } },
    ])
    expect(connection.isOpen).toBe(false)
  })

  test('that is closed at once is told from one that is lost', async () => {
    broker.onRequest = ({ answer }) => answer(null)
    await expect(KafkaConnection.open(broker.address, options)).rejects.toMatchObject({
      ...{ name: 'ConnectionError', reason: 'CLOSED_AT_ONCE' },
    })
  })
})

describe('a producer', () => {
  /** One broker, one topic of two partitions; `onProduce` says the error code of each partition's answer. */
  function serve(onProduce: (asked: Asked) => void): KafkaClient {
    broker.onRequest = (asked) => {
      if (asked.api === apiVersions) asked.answer(versions())
      else if (asked.api === produce) onProduce(asked)
      else {
        const partitions = [0, 1].map((partitionIndex) => ({
          ...{ errorCode: 0, partitionIndex, leaderId: 1, replicaNodes: [1], isrNodes: [1] },
          ...{ leaderEpoch: 0, offlineReplicas: [] },
        }))
        const topic = { errorCode: 0, name: 't', topicId: '0'.repeat(32), partitions }
        const node = { nodeId: 1, ...broker.address }
        asked.answer({ ...noTopics, brokers: [node], topics: [{ ...topic, isInternal: false }] })
      }
    }
    return new KafkaClient({ bootstrap: [broker.address], requestTimeoutMs: 5_000 })
  }

  type PartitionData = { index: number; records: Uint8Array }
  const partsOf = ({ request }: Asked): PartitionData[] =>
    (request as { topicData: { partitionData: PartitionData[] }[] }).topicData.flatMap(
      ({ partitionData }) => partitionData,
    )
  const valuesIn = (records: Uint8Array) =>
    readRecords(records, 0).map(({ value }) => Buffer.from(value!).toString())

  function answerWith(asked: Asked, errorOf: (part: PartitionData) => number): void {
    const partitionResponses = partsOf(asked).map((part) => ({
      ...{ index: part.index, errorCode: errorOf(part), baseOffset: 0, recordErrors: [] },
      logStartOffset: 0,
    }))
    asked.answer({ responses: [{ name: 't', partitionResponses }], throttleTimeMs: 0 })
  }

  const record = (value: string, partition = 0) => ({
    ...{ topic: 't', partition, key: null, value: Buffer.from(value), timestampMs: 1 },
  })

  test('tries again what passes, in order, and halves what is too large', async () => {
    const stored: string[] = []
    let tries = 0
    const client = serve((asked) =>
      answerWith(asked, ({ records }) => {
        if (tries++ === 0) return 6 // NOT_LEADER_OR_FOLLOWER
        const values = valuesIn(records)
        if (values.length > 3) return 10 // MESSAGE_TOO_LARGE
        stored.push(...values)
        return 0
      }),
    )
    const results: BatchResult[] = []
    // five records a batch, so that others wait behind the one that is sent again
    const onResult = (result: BatchResult) => results.push(result)
    const producer = new Producer(client, { onResult, batchBytes: 130 })
    const values = Array.from({ length: 40 }, (_, i) => String(i))
    for (const value of values) await producer.send(record(value))
    await producer.flush()
    expect(stored).toEqual(values)
    expect(results.every(({ error }) => error === null)).toBe(true)
    expect(results.flatMap(({ records }) => records)).toHaveLength(40)
    expect(producer.bufferedBytes).toBe(0)
    client.close()
  })

  test('tells what does not pass, and goes on with other partitions', async () => {
    const client = serve((asked) => answerWith(asked, ({ index }) => (index === 0 ? 29 : 0)))
    const results: BatchResult[] = []
    const producer = new Producer(client, { onResult: (result) => results.push(result) })
    await Promise.all([producer.send(record('a', 0)), producer.send(record('b', 1))])
    await producer.flush()
    const [first, second] = results.sort((a, b) => a.partition - b.partition)
    expect(first!.error).toBeInstanceOf(KafkaError)
    expect(first!.error!.message).toContain('TOPIC_AUTHORIZATION_FAILED')
    expect(second!.error).toBe(null)
    await expect(producer.send(record('c', 2))).rejects.toThrow('which has partitions 0 to 1')
    client.close()
  })

  test('waits for room while a broker does not answer', async () => {
    const open: Asked[] = []
    let isStuck = true
    const client = serve((asked) => {
      if (isStuck) open.push(asked)
      else answerWith(asked, () => 0)
    })
    const bufferBytes = 50_000
    const producer = new Producer(client, { bufferBytes, batchBytes: 5_000 })
    let sent = 0
    const sending = (async () => {
      for (; sent < 1_000; sent++) await producer.send(record('x'.repeat(1_000)))
    })()
    await expect.poll(() => producer.bufferedBytes).toBeGreaterThan(bufferBytes)
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(sent).toBeLessThan(60)
    // one batch of a partition is out at a time
    expect(open).toHaveLength(1)
    expect(producer.bufferedBytes).toBeLessThan(bufferBytes + 2_000)
    isStuck = false
    for (const asked of open) answerWith(asked, () => 0)
    await sending
    await producer.flush()
    expect(sent).toBe(1_000)
    client.close()
  })

  test('never sleeps on an answer that comes while it looks for more to send', async () => {
    // answers at every distance from the sending, so that each meets another moment of it
    let count = 0
    const client = serve((asked) => {
      const answer = () => answerWith(asked, () => 0)
      const turns = count++ % 7
      const later = (left: number) =>
        left === 0 ? answer() : queueMicrotask(() => later(left - 1))
      if (turns === 6) setTimeout(answer, count % 3)
      else later(turns)
    })
    let stored = 0
    const producer = new Producer(client, {
      ...{ lingerMs: 0, batchBytes: 100 },
      onResult: ({ records }) => (stored += records.length),
    })
    for (let round = 0; round < 300; round++) {
      for (let i = 0; i <= round % 9; i++) await producer.send(record('x'.repeat(20), i % 2))
      await producer.flush()
      expect(producer.bufferedBytes).toBe(0)
    }
    expect(stored).toBeGreaterThan(1_000)
    client.close()
  })

  test('gives up after the delivery time-out', async () => {
    const client = serve((asked) => answerWith(asked, () => 6))
    const results: BatchResult[] = []
    const producer = new Producer(client, {
      ...{ deliveryTimeoutMs: 300, onResult: (result: BatchResult) => results.push(result) },
    })
    await producer.send(record('a'))
    await producer.flush()
    expect(results.map(({ error }) => error!.message)).toEqual([
      'partition 0 of topic "t": NOT_LEADER_OR_FOLLOWER',
    ])
    client.close()
  })
})

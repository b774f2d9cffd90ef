/** Reading from followers (KIP-392) on real threads: what the wire tells, and who serves what while brokers fail. */
import type { Consumer } from 'kafkajs'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { GriotOptions } from '../../dist/index.js'
import { ErrorCode } from '../../src/base/error-code.ts'
import { ZERO_TOPIC_ID } from '../../src/base/ids.ts'
import { fetch as fetchApi } from '../../src/protocol/01-fetch.ts'
import { describeConfigs } from '../../src/protocol/32-describe-configs.ts'
import { isLong } from '../clients/requirements.ts'
import { Wire } from '../clients/wire.ts'
import { batch, ChaosEngine } from './chaos-engine.ts'

let engine: ChaosEngine
const ends: (() => unknown)[] = []
afterEach(async () => {
  await Promise.all(ends.splice(0).map((end) => end()))
  await engine.close()
})

const TOPIC = 'near'
/** All ten records of it. */
const served = { prefers: -1, highWatermark: 10, isFull: true }

/** Three brokers in racks a, b and c; a partition on all of them, which broker 1 leads. Connections to each node. */
async function start(options: GriotOptions = {}): Promise<[one: Wire, two: Wire, three: Wire]> {
  const wires = await connect(options)
  await engine.withAdmin(async (admin) => {
    const replicaAssignment = [{ partition: 0, replicas: [1, 2, 3] }]
    await admin.createTopics({ topics: [{ topic: TOPIC, replicaAssignment }] })
  })
  return wires
}

async function connect(options: GriotOptions): Promise<[one: Wire, two: Wire, three: Wire]> {
  engine = await ChaosEngine.start(3, { rack: '1=a,2=b,3=c', ...options })
  const wires = await Promise.all(engine.griot.brokers.map((broker) => Wire.open(broker)))
  ends.push(() => {
    for (const wire of wires) wire.close()
  })
  return wires as [Wire, Wire, Wire]
}

/** Ten records, of which all three know that they are committed. */
async function fill([, two, three]: readonly [Wire, Wire, Wire]): Promise<void> {
  const producer = await engine.producer()
  for (let i = 0; i < 10; i++) {
    await producer.send({ topic: TOPIC, messages: [{ partition: 0, value: `${i}` }] })
  }
  await engine.withAdmin(async (admin) => {
    const isLed = async () => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [TOPIC] })
      expect(topics[0]!.partitions[0]).toMatchObject({
        leader: 1,
        isr: expect.arrayContaining([1, 2, 3]),
      })
    }
    await vi.waitFor(isLed, { timeout: 15_000, interval: 20 })
  })
  for (const wire of [two, three]) {
    const isThere = async () => expect(await read(wire, { rackId: 'x', at: 9 })).toEqual(served)
    await vi.waitFor(isThere, { timeout: 5_000, interval: 10 })
  }
}

interface Asked {
  readonly at?: number
  readonly rackId?: string
  readonly epoch?: number
  readonly maxWaitMs?: number
  readonly version?: number
  readonly sessionId?: number
  readonly sessionEpoch?: number
}

async function answer(wire: Wire, asked: Asked) {
  const { at = 0, rackId = '', epoch = -1, maxWaitMs = 0, version = 11 } = asked
  const { sessionId = 0, sessionEpoch = -1 } = asked
  const partition = { partition: 0, currentLeaderEpoch: epoch, fetchOffset: at }
  const partitions = [{ ...partition, partitionMaxBytes: 1 << 20 }]
  return wire.request(fetchApi, version, {
    ...{ maxWaitMs, minBytes: 1, maxBytes: 1 << 20, sessionId, sessionEpoch, rackId },
    topics: [{ topic: TOPIC, topicId: ZERO_TOPIC_ID, partitions }],
    forgottenTopicsData: [],
  })
}

/** What is told of the partition: the replica to read from, the high watermark, whether there were records; or an error. */
async function read(wire: Wire, asked: Asked) {
  const { responses } = await answer(wire, asked)
  const part = responses[0]!.partitions[0]!
  if (part.errorCode !== 0) return { error: part.errorCode }
  const isFull = ((part.records as Uint8Array | null)?.length ?? 0) > 0
  return { prefers: part.preferredReadReplica, highWatermark: part.highWatermark, isFull }
}

/** Bytes of answers that came from each broker's log. */
async function bytesOut(): Promise<number[]> {
  const text = await (await fetch(`${engine.griot.url}/metrics`)).text()
  return [1, 2, 3].map((broker) => {
    const name = `kafka_server_brokertopicmetrics_bytesout_total{broker="${broker}"}`
    return Number(
      text
        .split('\n')
        .find((line) => line.startsWith(name))!
        .split(' ')[1],
    )
  })
}

async function heldProduces(): Promise<number> {
  const text = await (await fetch(`${engine.griot.url}/metrics`)).text()
  return Number(/^griot_front_held_total{.*request="Produce"} (\d+)$/m.exec(text)![1])
}

/** Which brokers' logs were read meanwhile. */
async function readFrom(work: () => Promise<unknown>): Promise<number[]> {
  const before = await bytesOut()
  await work()
  // scrapes in a row are told the same
  await new Promise((resolve) => setTimeout(resolve, 250))
  const after = await bytesOut()
  return [1, 2, 3].filter((broker) => after[broker - 1]! > before[broker - 1]!)
}

describe('a consumer that tells its rack', () => {
  test('is named the replica there by the leader, and gets no records of it', async () => {
    const wires = await start()
    const [one] = wires
    await fill(wires)
    const isNamed = (prefers: number) => ({ prefers, highWatermark: 10, isFull: false })
    expect(await read(one, { rackId: 'b' })).toEqual(isNamed(2))
    expect(await read(one, { rackId: 'c', at: 10, maxWaitMs: 5_000 })).toEqual(isNamed(3))
    // the leader is there, or nobody is; or it has not said where it is; or its version knows of no racks
    expect(await read(one, { rackId: 'a' })).toEqual(served)
    expect(await read(one, { rackId: 'd' })).toEqual(served)
    expect(await read(one, {})).toEqual(served)
    expect(await read(one, { rackId: 'b', version: 10 })).toEqual(served)
    // what no follower has is the leader's to tell
    expect(await read(one, { rackId: 'b', at: 11 })).toEqual({ error: 1 })
  })

  test('reads from the log of the node whose port it asks', async () => {
    const wires = await start()
    const [one, two, three] = wires
    await fill(wires)
    expect(await readFrom(() => read(two, { rackId: 'b' }))).toEqual([2])
    expect(await readFrom(() => read(three, { rackId: 'c' }))).toEqual([3])
    expect(await readFrom(() => read(one, { rackId: 'a' }))).toEqual([1])
    // without a rack every port serves what the leader has
    expect(await readFrom(() => read(three, {}))).toEqual([1])
    expect(await read(three, { rackId: 'c' })).toEqual(served)
  })

  test('is woken where it waits when the follower has more', async () => {
    const wires = await start()
    const [one, , three] = wires
    await fill(wires)
    await read(three, { rackId: 'c', at: 10 })
    const from = await readFrom(async () => {
      const startedAt = performance.now()
      const waiting = read(three, { rackId: 'c', at: 10, maxWaitMs: 15_000 })
      await one.produce(TOPIC, 0, batch('late'))
      expect(await waiting).toEqual({ prefers: -1, highWatermark: 11, isFull: true })
      expect(performance.now() - startedAt).toBeLessThan(10_000)
    })
    expect(from).toEqual([3])
  })

  // a group is closed when nothing has happened to it for a minute
  test.runIf(isLong)(
    'is served by the leader until a follower that sleeps hears from it',
    async () => {
      const wires = await start()
      const [one, two, three] = wires
      await fill(wires)
      // the leader alone is kept awake
      for (const endMs = performance.now() + 90_000; performance.now() < endMs; ) {
        await read(one, {})
        await new Promise((resolve) => setTimeout(resolve, 500))
      }
      expect(await readFrom(() => read(three, { rackId: 'c' }))).toEqual([1])
      const isAwake = async () =>
        expect(await readFrom(() => read(three, { rackId: 'c' }))).toEqual([3])
      await vi.waitFor(isAwake, { timeout: 10_000, interval: 50 })
      const isNamed = async () =>
        expect(await read(one, { rackId: 'b' })).toMatchObject({ prefers: 2 })
      await vi.waitFor(isNamed, { timeout: 10_000, interval: 50 })
      expect(await read(two, { rackId: 'b' })).toEqual(served)
    },
  )

  test('is told the same errors by followers', async () => {
    const wires = await start()
    const [, , three] = wires
    await fill(wires)
    expect(await read(three, { rackId: 'c', at: 0 })).toEqual(served)
    const { FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH, OFFSET_OUT_OF_RANGE } = ErrorCode
    expect(await read(three, { rackId: 'c', epoch: 0 })).toEqual({ error: FENCED_LEADER_EPOCH })
    expect(await read(three, { rackId: 'c', epoch: 99 })).toEqual({ error: UNKNOWN_LEADER_EPOCH })
    // neither has it: it is not on its way
    expect(await read(three, { rackId: 'c', at: 11 })).toEqual({ error: OFFSET_OUT_OF_RANGE })
    expect(await read(three, { rackId: 'c', at: -3 })).toEqual({ error: OFFSET_OUT_OF_RANGE })
  })

  test('is told the preferred replica in each answer of its session', async () => {
    const wires = await start()
    const [one] = wires
    await fill(wires)
    const first = await answer(one, { rackId: 'b', sessionEpoch: 0 })
    const { sessionId } = first
    expect(sessionId).toBeGreaterThan(0)
    for (let sessionEpoch = 1; sessionEpoch < 4; sessionEpoch++) {
      const { responses } = await answer(one, { rackId: 'b', sessionId, sessionEpoch })
      expect(responses[0]!.partitions[0]).toMatchObject({ errorCode: 0, preferredReadReplica: 2 })
    }
  })

  test('reads from the leader where that is asked for, and configs say which', async () => {
    const wires = await start({
      brokerConfig: { 'replica.selector.class': 'org.apache.kafka.common.replica.LeaderSelector' },
    })
    const [one, two] = wires
    await fill(wires)
    expect(await read(one, { rackId: 'b' })).toEqual(served)
    expect(await readFrom(() => read(two, { rackId: 'b' }))).toEqual([1])
    const configurationKeys = ['replica.selector.class']
    const resources = [{ resourceType: 4, resourceName: '1', configurationKeys }]
    const { results } = await one.request(describeConfigs, 4, { resources })
    expect(results[0]!.configs[0]!.value).toBe('org.apache.kafka.common.replica.LeaderSelector')
  })
})

/** What a group's only consumer reads, by offset: kafkajs goes back to what it has committed when it joins anew, as it does when its commit's coordinator dies. */
class Reading {
  readonly read: string[] = []
  /** Offsets that were skipped, or read again without a join, or with another value. */
  readonly wrong: string[] = []
  #next = 0
  #mayGoBack = false

  joined(): void {
    this.#mayGoBack = true
  }

  take(offset: number, value: string): void {
    const isBack = offset < this.#next
    if (offset > this.#next || (isBack && !this.#mayGoBack)) {
      this.wrong.push(`${offset} after ${this.#next - 1}`)
    }
    if (isBack && this.read[offset] !== value) this.wrong.push(`${value} at ${offset}`)
    this.#mayGoBack = false
    this.read[offset] = value
    this.#next = offset + 1
  }
}

describe('while brokers fail', () => {
  test('a port whose node cannot be read from serves what the leader has', async () => {
    const wires = await start()
    const [one, , three] = wires
    await fill(wires)
    expect(await readFrom(() => read(three, { rackId: 'c' }))).toEqual([3])
    await engine.chaos.pauseBroker(3, 4_000)
    const from = await readFrom(async () => {
      expect(await read(three, { rackId: 'c', maxWaitMs: 1_000 })).toEqual(served)
    })
    // its ring may be read although its thread stands still; nothing else of it is
    expect([1, 3]).toContain(from[0])
    await one.produce(TOPIC, 0, batch('late'))
    const late = await read(three, { rackId: 'c', at: 10, maxWaitMs: 10_000 })
    expect(late).toEqual({ prefers: -1, highWatermark: 11, isFull: true })
    expect((await read(one, { rackId: 'c' })) as object).toMatchObject({ prefers: -1 })
    await vi.waitFor(
      async () => expect(await read(one, { rackId: 'c' })).toMatchObject({ prefers: 3 }),
      { timeout: 15_000, interval: 100 },
    )
  })

  test('a follower that is cut off keeps nobody waiting', async () => {
    const wires = await start()
    const [one, , three] = wires
    await fill(wires)
    await read(three, { rackId: 'c', at: 10 })
    const waiting = read(three, { rackId: 'c', at: 10, maxWaitMs: 15_000 })
    await engine.chaos.partition(1, 3, 3_000)
    await engine.chaos.partition(2, 3, 3_000)
    await one.produce(TOPIC, 0, batch('late'))
    expect(await waiting).toEqual({ prefers: -1, highWatermark: 11, isFull: true })
    const back = async () =>
      expect(await readFrom(() => read(three, { rackId: 'c', at: 10 }))).toEqual([3])
    await vi.waitFor(back, { timeout: 15_000, interval: 200 })
  })

  test('a consumer of kafkajs gets every record once and in order, from the follower as long as that is there', async () => {
    await start()
    const kafka = engine.client()
    const producer = await engine.producer()
    const reading = new Reading()
    const { read, wrong } = reading
    const consumer: Consumer = kafka.consumer({
      ...{ groupId: 'far', rackId: 'c', maxWaitTimeInMs: 200, metadataMaxAge: 1_000 },
    })
    ends.push(() => consumer.disconnect())
    await consumer.connect()
    await consumer.subscribe({ topic: TOPIC, fromBeginning: true })
    consumer.on(consumer.events.GROUP_JOIN, () => reading.joined())
    await consumer.run({
      eachMessage: async ({ message }) => reading.take(Number(message.offset), `${message.value}`),
    })
    let sent = 0
    const write = async (count: number) => {
      for (const until = sent + count; sent < until; ) {
        await producer.send({ topic: TOPIC, messages: [{ partition: 0, value: `${sent++}` }] })
      }
    }
    const allRead = () =>
      vi.waitFor(() => expect(read).toEqual(Array.from({ length: sent }, (_, i) => `${i}`)), {
        timeout: 25_000,
        interval: 50,
      })
    await write(20)
    await allRead()
    const fromFollower = async () => {
      const from = await readFrom(async () => {
        await write(5)
        await allRead()
      })
      expect(from).toEqual([3])
    }
    await vi.waitFor(fromFollower, { timeout: 15_000, interval: 100 })
    for (const broker of [3, 1, 2, 3]) {
      const writing = write(60)
      await engine.chaos.killBroker(broker)
      await writing
      await allRead()
      await engine.healthIs('serving')
    }
    expect(await heldProduces()).toBeGreaterThan(0)
    await vi.waitFor(fromFollower, { timeout: 25_000, interval: 200 })
    expect(wrong).toEqual([])
  }, 90_000)
})

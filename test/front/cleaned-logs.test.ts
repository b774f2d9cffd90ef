/** Readers of a log that is cleaned meanwhile: its segment files are replaced under their hands. */
import { expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { listOffsets } from '../../src/protocol/02-list-offsets.ts'
import { lastOffsetOf, sizeInBytesOf } from '../../src/record/batch.ts'
import { readRecords } from '../../src/record/records.ts'
import { keyed } from '../log/cleaning-support.ts'
import type { FakeClient } from './fake-client.ts'
import { Harness } from './harness.ts'
import { fetched, partitionsOf, sendFetch, sendProduce } from './requests.ts'

const LONG = process.env.GRIOT_TEST_LONG !== undefined
const RECORD_BYTES = 4_000
const KEYS = 80

/** A compacted topic, written by one client, cleaned by its broker: everything in it is known. */
class CleanedTopic {
  readonly world = new Harness({
    arenaBytes: 16 * 1024,
    brokerSettings: { cleansClientTopics: true, cleaningBytesPerTurn: 48 * 1024 },
  })
  readonly random: SeededRandom
  readonly writer: FakeClient
  /** Batches are of one size: where one begins in an old file, another may in a new one. */
  readonly isEven: boolean
  /** Key by offset. */
  readonly keys: string[] = []

  constructor(seed: number) {
    this.random = new SeededRandom(seed)
    this.isEven = seed % 2 === 0
    const configs = { 'cleanup.policy': 'compact', 'segment.bytes': '1048576' }
    this.world.createTopic('t', 1, configs)
    this.writer = this.world.connect()
  }

  textOf(offset: number): string {
    return `${this.keys[offset]} at ${offset} `.padEnd(RECORD_BYTES, '.')
  }

  timeOf(offset: number): number {
    return 1_000_000 + offset
  }

  /** One batch of a few records. */
  write(): void {
    const first = this.keys.length
    const count = this.isEven ? 1 : 1 + this.random.below(4)
    for (let i = 0; i < count; i++) this.keys.push(this.#key(first + i))
    const records = this.keys.slice(first).map((key, i) => [key, this.textOf(first + i)] as const)
    const batch = keyed(records, { timestampMs: this.timeOf(first), stepMs: 1 })
    sendProduce(this.writer, 't', batch)
  }

  /** Some are written once: who passes over such a record never hears of it again. */
  #key(offset: number): string {
    const once = this.random.chance(0.3)
    return once ? `once ${1_000 + offset}` : `key ${1_000 + this.random.below(KEYS)}`.padEnd(9)
  }

  get logNames(): string[] {
    return this.world.disk.list(this.world.directoryOf('t'))
  }

  get cleanings(): number {
    return this.world.lines.filter(({ message }) => message.startsWith('Log cleaned')).length
  }

  wanted(): Map<string, string> {
    return new Map(this.keys.map((key, offset) => [key, this.textOf(offset)]))
  }
}

/** Reads from the start on, again and again; keeps what a reader of a compacted topic keeps. */
class Follower {
  readonly topic: CleanedTopic
  readonly client: FakeClient
  next = 0
  rounds = 0
  state = new Map<string, string>()
  #asked = -1

  constructor(topic: CleanedTopic) {
    this.topic = topic
    this.client = topic.world.connect()
  }

  ask(): void {
    if (this.#asked >= 0) return
    const partitionMaxBytes = 20_000 + this.topic.random.below(200_000)
    this.#asked = sendFetch(
      this.client,
      { t: { 0: this.next } },
      { maxWaitMs: 0, partitionMaxBytes },
    )
  }

  /** Takes an answer that has come. */
  take(): void {
    if (this.#asked < 0) return
    const answer = fetched(this.client, this.#asked)
    if (answer === undefined) return
    this.#asked = -1
    const { errorCode, records, highWatermark } = partitionsOf(answer)['t/0']!
    expect(errorCode).toBe(0)
    for (let at = 0; at < records!.length; at += sizeInBytesOf(records!, at)) {
      this.#takeBatch(records!, at)
    }
    if (this.next < highWatermark) return
    // at the end: the state is that of the log, whatever was cleaned on the way
    const { keys } = this.topic
    const wanted = new Map(
      keys.slice(0, this.next).map((key, offset) => [key, this.topic.textOf(offset)]),
    )
    expect(this.state).toEqual(wanted)
    this.rounds++
    this.next = 0
    this.state = new Map()
  }

  #takeBatch(records: Uint8Array, at: number): void {
    const last = lastOffsetOf(records, at)
    // no batch behind the asked offset, none twice
    expect(last).toBeGreaterThanOrEqual(this.next)
    for (const { offset, key, value } of readRecords(records, at)) {
      if (offset < this.next) continue
      const name = Buffer.from(key!).toString()
      const text = Buffer.from(value!).toString()
      if (name !== this.topic.keys[offset] || text !== this.topic.textOf(offset)) {
        throw new Error(`offset ${offset} holds ${name}: ${text.slice(0, 30)}`)
      }
      this.state.set(name, text)
    }
    this.next = last + 1
  }
}

test('readers miss nothing, get nothing twice and no error while files are replaced', () => {
  let cleanings = 0
  let rounds = 0
  for (let seed = 1; seed <= (LONG ? 30 : 2); seed++) {
    const topic = new CleanedTopic(seed)
    const { world, random } = topic
    const followers = Array.from({ length: 4 }, () => new Follower(topic))
    for (let round = 0; round < 600; round++) {
      topic.write()
      if (topic.isEven) topic.write()
      // between where a batch was and the reading of it, any number of turns pass
      if (random.chance(0.1)) world.files.hung = true
      for (const follower of followers) if (random.chance(0.7)) follower.ask()
      for (let turns = random.below(6); turns > 0; turns--) world.turn()
      if (random.chance(0.25)) world.files.release()
      if (random.chance(0.1)) world.run()
      // files that nobody reads are closed, and opened again as what they are by then
      if (random.chance(0.2)) world.clock.advance(11_000)
      for (const follower of followers) follower.take()
    }
    world.files.release()
    world.run()
    for (const follower of followers) follower.take()
    cleanings += topic.cleanings
    rounds += followers.reduce((sum, follower) => sum + follower.rounds, 0)
    expect(topic.logNames.filter((name) => /cleaned$|swap/.test(name))).toEqual([])
    expect(world.lines.filter(({ level }) => level === 'error')).toEqual([])
  }
  expect(cleanings).toBeGreaterThan(4)
  expect(rounds).toBeGreaterThan(10)
})

test('offsets are found by time while files are replaced', () => {
  const topic = new CleanedTopic(7)
  const { world, random } = topic
  const client = world.connect()
  let checked = 0
  let asked: { correlation: number; offset: number } | null = null
  for (let round = 0; round < 500; round++) {
    topic.write()
    for (let turns = random.below(8); turns > 0; turns--) world.turn()
    if (asked === null && topic.keys.length > 10) {
      const offset = random.below(topic.keys.length - 10)
      const partitions = [
        { partitionIndex: 0, currentLeaderEpoch: -1, timestamp: topic.timeOf(offset) },
      ]
      const correlation = client.send(listOffsets, 7, {
        replicaId: -1,
        isolationLevel: 0,
        topics: [{ name: 't', partitions }],
      })
      asked = { correlation, offset }
      if (random.chance(0.5)) world.files.hung = true
    }
    if (random.chance(0.2)) world.files.release()
    const answer = asked === null ? undefined : client.answer(listOffsets, asked.correlation)
    if (answer === undefined || asked === null) continue
    const found = answer.topics[0]!.partitions[0]!
    expect(found.errorCode).toBe(0)
    expect(found.offset).toBeGreaterThanOrEqual(asked.offset)
    expect(found.timestamp).toBe(topic.timeOf(found.offset))
    // what lies between has gone: each of its keys has a later value
    for (let offset = asked.offset; offset < found.offset; offset++) {
      expect(topic.keys.lastIndexOf(topic.keys[offset]!)).toBeGreaterThan(offset)
    }
    checked++
    asked = null
  }
  expect(checked).toBeGreaterThan(50)
  expect(topic.cleanings).toBeGreaterThan(2)
})

test('a batch further on, where the asked one was when the broker named the place, is not sent for it', () => {
  const topic = new CleanedTopic(2)
  const { world } = topic
  const client = world.connect()
  const writeKey = (key: string) => {
    topic.keys.push(key.padEnd(9))
    const offset = topic.keys.length - 1
    const batch = keyed([[topic.keys[offset]!, topic.textOf(offset)]], { timestampMs: 1_000_000 })
    sendProduce(topic.writer, 't', batch)
  }
  // one segment is full: its first records will go
  for (let i = 0; i < 250; i++) {
    writeKey(i < 20 || (i >= 200 && i < 220) ? `twice ${i % 200}` : `once ${i}`)
    world.run()
  }
  world.files.hung = true
  const asked = sendFetch(client, { t: { 0: 100 } }, { maxWaitMs: 0, partitionMaxBytes: 50_000 })
  const before = topic.cleanings
  for (let i = 250; topic.cleanings === before; i++) {
    writeKey(`once ${i}`)
    world.run()
  }
  const { opens } = world.files
  world.files.release()
  world.run()
  const { errorCode, records } = partitionsOf(fetched(client, asked))['t/0']!
  expect(errorCode).toBe(0)
  expect(readRecords(records!, 0)[0]!.offset).toBe(100)
  // the file was opened anew, as it is now
  expect(world.files.opens).toBe(opens + 1)
})

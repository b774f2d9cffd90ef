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
const KEYS = 60

/** A compacted topic, written by one client, cleaned by its broker: everything in it is known. */
class CleanedTopic {
  readonly world = new Harness({
    arenaBytes: 16 * 1024,
    brokerSettings: { cleansClientTopics: true, cleaningBytesPerTurn: 48 * 1024 },
  })
  readonly random: SeededRandom
  readonly writer: FakeClient
  /** Key by offset. */
  readonly keys: string[] = []

  constructor(seed: number) {
    this.random = new SeededRandom(seed)
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
    const count = 1 + this.random.below(4)
    for (let i = 0; i < count; i++) this.keys.push(`key ${this.random.below(KEYS)}`)
    const records = this.keys.slice(first).map((key, i) => [key, this.textOf(first + i)] as const)
    const batch = keyed(records, { timestampMs: this.timeOf(first), stepMs: 1 })
    sendProduce(this.writer, 't', batch)
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
    for (let round = 0; round < 500; round++) {
      topic.write()
      // between where a batch was and the reading of it, any number of turns pass
      if (random.chance(0.1)) world.files.hung = true
      for (const follower of followers) if (random.chance(0.7)) follower.ask()
      for (let turns = random.below(6); turns > 0; turns--) world.turn()
      if (random.chance(0.25)) world.files.release()
      if (random.chance(0.1)) world.run()
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

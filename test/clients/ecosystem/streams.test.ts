/**
 * Kafka Streams' word count with at-least-once and the classic group protocol: its internal topics, its counts over a kill -9 of the engine,
 * and over a restart of the program with an empty state directory, when its store comes from its changelog alone.
 *
 * The counts must be right, not only high enough: the program itself never dies in the middle of its work. Its producers are idempotent, so
 * what they repeat after the kill is stored once; its members are still the group's when the engine is back; and a program that is stopped
 * in order commits first.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Admin, Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { EngineProcess } from '../engine-process.ts'
import { fetchAll } from '../kafkajs-fetch.ts'
import { count, missing } from '../requirements.ts'
import { eventually, JavaProcess } from './java-process.ts'

const PARTITIONS = 2
const REPARTITION = 'word-count-words-repartition'
const CHANGELOG = 'word-count-words-store-changelog'
const linesPerPhase = count(2_000, 50_000)
const rounds = count(1, 5)
const wordCount = join(import.meta.dirname, '../java/WordCount.java')

describe.skipIf(missing('java'))("Kafka Streams' word count", () => {
  let directory: string
  let engine: EngineProcess
  let kafka: Kafka
  let admin: Admin
  let program: JavaProcess
  let starts = 0
  let lines = 0
  const expected = new Map<string, number>()

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'griot-streams-'))
    engine = await EngineProcess.create(join(directory, 'data'))
    await engine.start()
    const retry = { retries: 20, maxRetryTime: 1_000 }
    kafka = new Kafka({ brokers: [engine.bootstrap], logLevel: logLevel.NOTHING, retry })
    admin = kafka.admin()
    await admin.connect()
    const topics = ['text', 'counts'].map((topic) => ({ topic, numPartitions: PARTITIONS }))
    await admin.createTopics({ topics })
    await start()
  }, 90_000)

  afterAll(async () => {
    await program?.end('SIGKILL')
    await admin?.disconnect()
    await engine?.end('SIGTERM')
    await rm(directory, { recursive: true, force: true })
  })

  /** Starts the program with a state directory in which nothing is yet. */
  async function start(): Promise<void> {
    program = new JavaProcess(wordCount, [engine.bootstrap, join(directory, `state-${++starts}`)])
    await eventually(
      () => `word count runs: ${program.lines} ${program.stderr}`,
      () => {
        if (program.hasEnded) throw new Error(`word count ended: ${program.stderr}`)
        return program.lines.includes('RUNNING')
      },
      90_000,
    )
  }

  async function say(): Promise<void> {
    const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
    await producer.connect()
    for (let sent = 0; sent < linesPerPhase; sent += 500) {
      const messages = Array.from({ length: 500 }, () => {
        const words = ['the', `word${lines % 97}`, `line${lines % 11}`, lines % 2 ? 'odd' : 'even']
        for (const word of words) expected.set(word, (expected.get(word) ?? 0) + 1)
        return { value: words.join(' '), partition: lines++ % PARTITIONS }
      })
      await producer.send({ topic: 'text', acks: -1, messages })
    }
    await producer.disconnect()
  }

  /** The last count of each word in `counts`. */
  async function counts(): Promise<Map<string, number>> {
    const last = new Map<string, number>()
    for (let partition = 0; partition < PARTITIONS; partition++) {
      for await (const { key, value } of fetchAll(kafka, 'counts', partition)) {
        last.set(key!.toString(), Number(value!.toString()))
      }
    }
    return last
  }

  async function counted(): Promise<void> {
    let last = new Map<string, number>()
    const isReached = ([word, number]: [string, number]) => (last.get(word) ?? 0) >= number
    await eventually(
      () => `${lines} lines are counted: the is ${last.get('the')}: ${program.stderr}`,
      async () => {
        last = await counts()
        return [...expected].every(isReached)
      },
    )
    // whatever would be counted twice has been by now, or comes within two commits
    await new Promise((resolve) => setTimeout(resolve, 1_200))
    expect(await counts()).toEqual(expected)
  }

  const offsets = async (topic: string) =>
    (await admin.fetchTopicOffsets(topic)).map(({ low, high }) => ({
      low: Number(low),
      high: Number(high),
    }))

  it('counts', async () => {
    await say()
    await counted()
  }, 90_000)

  it('makes its internal topics: a compacted changelog, and a repartition topic that it empties', async () => {
    const resources = [REPARTITION, CHANGELOG].map((name) => ({ type: 2, name }))
    const told = await admin.describeConfigs({ resources, includeSynonyms: false })
    const policies = told.resources.map(
      (r) => r.configEntries.find((entry) => entry.configName === 'cleanup.policy')?.configValue,
    )
    expect(policies).toEqual(['delete', 'compact'])
    let last: readonly { low: number; high: number }[] = []
    await eventually(
      () => `nothing is left of ${REPARTITION}: ${JSON.stringify(last)}`,
      async () => {
        last = await offsets(REPARTITION)
        return last.every(({ low, high }) => low === high)
      },
    )
    expect(last.map(({ high }) => high).reduce((sum, high) => sum + high)).toBe(4 * lines)
  }, 90_000)

  for (let round = 1; round <= rounds; round++) {
    it(`counts on over a kill -9 of the engine, round ${round}`, async () => {
      await say()
      await engine.end('SIGKILL')
      await engine.start()
      await say()
      await counted()
      expect(program.hasEnded, program.stderr).toBe(false)
    }, 120_000)
  }

  it('counts on after a restart that leaves it nothing but its changelog', async () => {
    await program.end('SIGTERM')
    const before = await counts()
    expect(before).toEqual(expected)
    await say()
    await start()
    await counted()
  }, 150_000)
})

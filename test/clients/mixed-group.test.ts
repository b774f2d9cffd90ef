/**
 * One group of kafkajs, librdkafka and Java members with one assignor: 12 partitions through joins, leaves, crashes and a kill -9 of the
 * engine. Every record is seen, and none again after its commit.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { EngineProcess } from './engine-process.ts'
import { count, missing } from './requirements.ts'

const PARTITIONS = 12
const TOPIC = 'shared'
const GROUP = 'mixed'
const rounds = count(1, 4)
const here = (name: string) => join(import.meta.dirname, name)

/** What members tell, put together as it happened by their own clocks. */
interface Seen {
  readonly atMs: number
  readonly kind: 'seen' | 'committed'
  readonly member: string
  readonly partition: number
  /** Of the record, or behind the last that is committed. */
  readonly offset: number
}

class Member {
  readonly name: string
  readonly #child: ChildProcess
  assigned: readonly number[] = []
  stderr = ''

  constructor(name: string, command: string, args: readonly string[], events: Seen[]) {
    this.name = name
    this.#child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child.stderr!.on('data', (chunk) => {
      this.stderr = (this.stderr + chunk).slice(-4_000)
    })
    createInterface({ input: this.#child.stdout! }).on('line', (line) => {
      if (line.startsWith('{')) this.#onJson(JSON.parse(line), events)
      else this.#onLine(line, events)
    })
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exited = once(this.#child, 'exit')
    this.#child.kill(signal)
    await exited
    this.assigned = []
  }

  #onLine(line: string, events: Seen[]): void {
    const [at, kind, first = '', second] = line.split(' ')
    if (kind === 'joined') this.assigned = first === '' ? [] : first.split(',').map(Number)
    else if (kind === 'seen' || kind === 'committed') {
      const [partition, offset] = [Number(first), Number(second)]
      events.push({ atMs: Number(at), kind, member: this.name, partition, offset })
    }
  }

  /** A line of Kafka's VerifiableConsumer. */
  #onJson(event: Verifiable, events: Seen[]): void {
    const { timestamp: atMs, name } = event
    const member = this.name
    if (name === 'partitions_assigned') {
      this.assigned = event.partitions!.map(({ partition }) => partition)
    } else if (name === 'records_consumed') {
      for (const { partition, minOffset, maxOffset } of event.partitions!) {
        for (let offset = minOffset; offset <= maxOffset; offset++) {
          events.push({ atMs, kind: 'seen', member, partition, offset })
        }
      }
    } else if (name === 'offsets_committed' && event.success === true) {
      for (const { partition, offset } of event.offsets!) {
        events.push({ atMs, kind: 'committed', member, partition, offset })
      }
    }
  }
}

interface Verifiable {
  readonly timestamp: number
  readonly name: string
  readonly success?: boolean
  readonly partitions?: readonly { partition: number; minOffset: number; maxOffset: number }[]
  readonly offsets?: readonly { partition: number; offset: number }[]
}

describe.skipIf(missing('librdkafka') || missing('java'))(
  'a group of three kinds of clients',
  () => {
    let directory: string
    let engine: EngineProcess
    let kafka: Kafka
    const events: Seen[] = []
    const members: Member[] = []
    let isProducing = true
    let producing: Promise<void>

    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), 'griot-mixed-'))
      engine = await EngineProcess.create(join(directory, 'data'), 3, [
        '--broker-config',
        'group.initial.rebalance.delay.ms=0',
      ])
      await engine.start()
      kafka = new Kafka({
        brokers: [engine.bootstrap],
        logLevel: logLevel.NOTHING,
        retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 1_000 },
      })
      const admin = kafka.admin()
      await admin.connect()
      await admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: PARTITIONS }] })
      await admin.disconnect()
      producing = produce()
    }, 30_000)

    afterAll(async () => {
      isProducing = false
      await Promise.all(members.map((member) => member.end('SIGKILL')))
      await engine?.end('SIGKILL')
      await rm(directory, { recursive: true, force: true })
    })

    async function produce(): Promise<void> {
      const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
      await producer.connect()
      while (isProducing) {
        const messages = Array.from({ length: PARTITIONS * 5 }, (_, i) => ({
          value: 'x'.repeat(20),
          partition: i % PARTITIONS,
        }))
        await producer.send({ topic: TOPIC, messages }).catch(() => {})
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      await producer.disconnect()
    }

    function startMember(kind: 'kafkajs' | 'librdkafka' | 'java'): Member {
      const name = `${kind}-${members.length}`
      const args = [engine.bootstrap, GROUP, TOPIC]
      const java = [
        ...['-Xmx128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'],
        ...[
          '-cp',
          `${process.env.GRIOT_KAFKA_LIBS}/*`,
          'org.apache.kafka.tools.VerifiableConsumer',
        ],
        ...['--bootstrap-server', engine.bootstrap, '--topic', TOPIC, '--group-id', GROUP],
        ...['--session-timeout', '6000'],
        ...['--assignment-strategy', 'org.apache.kafka.clients.consumer.RoundRobinAssignor'],
      ]
      const member =
        kind === 'java'
          ? new Member(name, 'java', java, events)
          : new Member(
              name,
              process.execPath,
              [
                here(kind === 'kafkajs' ? 'group-member.mjs' : 'librdkafka/group-member.mjs'),
                ...args,
              ],
              events,
            )
      members.push(member)
      return member
    }

    /** Waits until these members, and no others, share all partitions evenly, and go on reading. */
    async function settled(wanted: readonly Member[]): Promise<void> {
      await expect
        .poll(
          () => ({
            all: wanted.flatMap(({ assigned }) => assigned).sort((a, b) => a - b),
            sizes: wanted.map(({ assigned }) => assigned.length),
          }),
          { timeout: 40_000, interval: 50, message: wanted.map(({ stderr }) => stderr).join('\n') },
        )
        .toEqual({
          all: Array.from({ length: PARTITIONS }, (_, i) => i),
          sizes: wanted.map(() => PARTITIONS / wanted.length),
        })
      const before = events.length
      await expect.poll(() => events.length, { timeout: 20_000 }).toBeGreaterThan(before + 100)
    }

    it(
      `through ${rounds} rounds of joins, leaves, crashes and a restart of the engine`,
      async () => {
        for (let round = 0; round < rounds; round++) {
          const first = startMember('librdkafka')
          await settled([first])
          const second = startMember('kafkajs')
          const third = startMember('java')
          await settled([first, second, third])
          await second.end('SIGTERM')
          const fourth = startMember('librdkafka')
          await settled([first, third, fourth])
          await first.end('SIGKILL')
          await settled([third, fourth])
          await engine.end('SIGKILL')
          await engine.start()
          const fifth = startMember('kafkajs')
          await settled([third, fourth, fifth])
          for (const member of [third, fourth, fifth]) await member.end('SIGTERM')
        }
        isProducing = false
        await producing
        const last = [startMember('java'), startMember('librdkafka'), startMember('kafkajs')]
        await settledAtEnd()
        for (const member of last) await member.end('SIGTERM')
        check(await endOffsets())
      },
      rounds * 120_000 + 60_000,
    )

    async function endOffsets(): Promise<Map<number, number>> {
      const admin = kafka.admin()
      await admin.connect()
      const offsets = await admin.fetchTopicOffsets(TOPIC)
      await admin.disconnect()
      return new Map(offsets.map(({ partition, high }) => [partition, Number(high)]))
    }

    async function settledAtEnd(): Promise<void> {
      const ends = await endOffsets()
      const committed = () => {
        const last = new Map<number, number>()
        for (const { kind, partition, offset } of events) {
          if (kind === 'committed') last.set(partition, Math.max(offset, last.get(partition) ?? 0))
        }
        return [...ends].filter(([partition, end]) => (last.get(partition) ?? 0) < end)
      }
      await expect.poll(committed, { timeout: 40_000 }).toEqual([])
    }

    function check(ends: ReadonlyMap<number, number>): void {
      const inOrder = events.toSorted((a, b) => a.atMs - b.atMs)
      const seen = new Map<number, Set<number>>()
      const committed = new Map<
        number,
        { readonly offset: number; readonly by: string; atMs: number }
      >()
      for (const { atMs, kind, member, partition, offset } of inOrder) {
        const before = committed.get(partition)
        if (kind === 'committed') {
          if (before === undefined || before.offset < offset) {
            committed.set(partition, { offset, by: member, atMs })
          }
          continue
        }
        const all = seen.get(partition) ?? new Set()
        seen.set(partition, all.add(offset))
        if (before !== undefined && offset < before.offset && before.by !== member) {
          expect.fail(
            `${member} saw ${partition}/${offset}, which ${before.by} had committed ${atMs - before.atMs} ms before`,
          )
        }
      }
      let records = 0
      for (const [partition, end] of ends) {
        records += end
        const all = seen.get(partition)
        for (let offset = 0; offset < end; offset++) {
          if (all?.has(offset) !== true) expect.fail(`nobody saw ${partition}/${offset} of ${end}`)
        }
      }
      const looks = events.filter(({ kind }) => kind === 'seen').length
      console.log(`${records} records, seen ${looks} times by ${members.length} members`)
      expect(records).toBeGreaterThan(1_000)
    }
  },
)

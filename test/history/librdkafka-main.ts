/**
 * A workload by librdkafka in a process of its own, since its acknowledgements are to be timed while nothing else runs: producers or
 * members of a group, as its only argument says (JSON). Commands come by standard input, a line each, and are answered by one:
 * `stop` ends producing, `drain ENDS` ends members that have read to ENDS (JSON), or at the end of its time.
 */
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'
import { nowMs, type ProduceOperation, type ProduceResult } from './history.ts'
import { HistoryWriter } from './history-file.ts'
import type { LibrdkafkaRole } from './recorder-librdkafka.ts'
import { RunJoiner, recordOf, valueText } from './values.ts'
import { ClientErrors, sleep } from './workload.ts'

interface KafkaError extends Error {
  readonly code: number
  readonly isFatal?: boolean
}

interface TopicPartition {
  readonly topic: string
  readonly partition: number
  readonly offset?: number
}

interface Message {
  readonly partition: number
  readonly offset: number
  readonly value: Buffer | null
}

interface Client {
  connect(options: object, done: (error: KafkaError | null) => void): void
  disconnect(done: () => void): void
  on(event: 'event.error', listener: (error: KafkaError) => void): void
}

interface RdkafkaProducer extends Client {
  setPollInterval(ms: number): void
  produce(
    topic: string,
    partition: number,
    value: Buffer,
    key: null,
    timestamp: null,
    done: (error: KafkaError | null, offset: number | null) => void,
  ): void
}

interface RdkafkaConsumer extends Client {
  assign(partitions: readonly TopicPartition[]): void
  unassign(): void
  subscribe(topics: readonly string[]): void
  commitSync(offsets: readonly TopicPartition[]): void
  consume(
    count: number,
    done: (error: KafkaError | null, messages?: readonly Message[]) => void,
  ): void
  setDefaultConsumeTimeout(ms: number): void
}

interface Rdkafka {
  readonly HighLevelProducer: new (config: object) => RdkafkaProducer
  readonly KafkaConsumer: new (config: object, topicConfig: object) => RdkafkaConsumer
  readonly CODES: { readonly ERRORS: Readonly<Record<string, number>> }
}

const role = JSON.parse(process.argv[2]!) as LibrdkafkaRole
const load = createRequire(role.packagePath)
const rdkafka = load('@confluentinc/kafka-javascript') as Rdkafka
const { ERRORS } = rdkafka.CODES
const history = new HistoryWriter(role.historyPath)
const errors = new ClientErrors()
const COMMON = {
  'bootstrap.servers': role.bootstrap,
  'reconnect.backoff.max.ms': 200,
  'retry.backoff.ms': 50,
}
/** By which a broker promises that it has not written. */
const NOT_WRITTEN = [10, 17, 18, 19, 21, 29, 32, 87]
/** By which a coordinator refuses. */
const NOT_COMMITTED = [14, 16, 22, 25, 27, 82]
/** Acknowledgements that come together, and are written as one. */
const TOGETHER_MS = 2
/** Few: a backlog of acknowledgements in this process would hide for how long none came. */
const OUTSTANDING_MAX = 1_000

/** One producer of all partitions; its records count as those of a producer per partition. */
class Producing {
  readonly #producer: RdkafkaProducer
  readonly #isIdempotent: boolean
  readonly #names: readonly string[]
  readonly #numbers: number[]
  /** By partition: what was answered last, and may go on. */
  readonly #open: (ProduceOperation | null)[]
  /** By name and number. */
  readonly #outstanding = new Map<string, { partition: number; number: number; invokeMs: number }>()
  #isStopping = false
  acknowledged = 0

  constructor(name: string, isIdempotent: boolean) {
    this.#isIdempotent = isIdempotent
    this.#names = Array.from({ length: role.partitions }, (_, partition) => `${name}-${partition}`)
    this.#numbers = this.#names.map(() => 0)
    this.#open = this.#names.map(() => null)
    for (const producer of this.#names) {
      history.write({ kind: 'producer', client: role.client, producer, isIdempotent })
    }
    this.#producer = new rdkafka.HighLevelProducer({
      ...COMMON,
      ...{ 'enable.idempotence': isIdempotent, acks: 'all', 'linger.ms': 2 },
      ...{ 'message.timeout.ms': 0, 'queue.buffering.max.messages': 200_000 },
    })
    this.#producer.setPollInterval(1)
    this.#producer.on('event.error', (error) => {
      if (error.isFatal) errors.add(`${name}: fatal: ${error.message}`)
    })
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#producer.connect({}, (error) => (error ? reject(error) : resolve()))
    })
    this.#send()
  }

  /** Resolves when all is answered, or given up after `timeoutMs`. */
  async stop(timeoutMs: number): Promise<void> {
    this.#isStopping = true
    const deadline = nowMs() + timeoutMs
    while (this.#outstanding.size > 0 && nowMs() < deadline) await sleep(5)
    for (const { partition, number, invokeMs } of this.#outstanding.values()) {
      this.#answered(partition, number, invokeMs, { kind: 'unknown', error: 'the run ended' })
    }
    this.#outstanding.clear()
    for (const partition of this.#open.keys()) this.#flush(partition)
  }

  disconnect(): Promise<void> {
    return new Promise((resolve) => this.#producer.disconnect(resolve))
  }

  #send(): void {
    if (this.#isStopping) return
    const room = history.isFull ? 0 : Math.min(500, OUTSTANDING_MAX - this.#outstanding.size)
    for (let i = 0; i < room; i++) this.#sendOne(i % role.partitions)
    for (const partition of this.#open.keys()) {
      const open = this.#open[partition]!
      if (open !== null && nowMs() - open.completeMs > TOGETHER_MS) this.#flush(partition)
    }
    setTimeout(() => this.#send(), 2)
  }

  #sendOne(partition: number): void {
    const { topic, valueBytes } = role
    const producer = this.#names[partition]!
    const number = this.#numbers[partition]!
    const value = Buffer.from(valueText(producer, topic, partition, number, valueBytes), 'latin1')
    const invokeMs = nowMs()
    const key = `${producer}/${number}`
    try {
      this.#producer.produce(topic, partition, value, null, null, (error, offset) => {
        // given up at the end of the run
        if (!this.#outstanding.delete(key)) return
        if (error === null || error === undefined) {
          this.acknowledged++
          const told = offset === null || offset < 0 ? null : offset
          this.#answered(partition, number, invokeMs, { kind: 'ok', offset: told })
          return
        }
        errors.add(`${producer}: ${error.message}`)
        const kind = NOT_WRITTEN.includes(error.code) ? 'failed' : 'unknown'
        this.#answered(partition, number, invokeMs, { kind, error: error.message })
      })
    } catch (error) {
      // its queue is full: nothing was taken
      if ((error as KafkaError).code !== ERRORS.ERR__QUEUE_FULL) throw error
      return
    }
    this.#numbers[partition] = number + 1
    this.#outstanding.set(key, { partition, number, invokeMs })
  }

  #answered(partition: number, number: number, invokeMs: number, result: ProduceResult): void {
    const completeMs = nowMs()
    const open = this.#open[partition]!
    if (open !== null && goesOn(open, number, result, completeMs)) {
      this.#open[partition] = { ...open, count: open.count + 1 }
      return
    }
    this.#flush(partition)
    this.#open[partition] = {
      ...{ kind: 'produce', client: role.client, topic: role.topic, partition },
      ...{ producer: this.#names[partition]!, number, count: 1, invokeMs, completeMs, result },
      attempts: this.#isIdempotent ? 1 : null,
    }
  }

  #flush(partition: number): void {
    const open = this.#open[partition]!
    if (open !== null) history.write(open)
    this.#open[partition] = null
  }
}

function goesOn(
  open: ProduceOperation,
  number: number,
  result: ProduceResult,
  completeMs: number,
): boolean {
  if (open.number + open.count !== number || completeMs - open.completeMs > TOGETHER_MS)
    return false
  if (open.result.kind !== 'ok' || result.kind !== 'ok') return false
  if (open.result.offset === null) return result.offset === null
  return result.offset === open.result.offset + open.count
}

class Member {
  readonly #name: string
  readonly #consumer: RdkafkaConsumer
  readonly #onPolled: (partition: number, next: number) => void
  #owned = new Set<number>()
  /** Waits for the poll that is under way: what that returns may be of the assignment before. */
  #toAssign: readonly TopicPartition[] | null = null
  #isPolling = false
  #isEnding = false
  #ended: (() => void) | null = null

  constructor(name: string, onPolled: (partition: number, next: number) => void) {
    this.#name = name
    this.#onPolled = onPolled
    this.#consumer = new rdkafka.KafkaConsumer(
      {
        ...COMMON,
        ...{ 'client.id': name, 'group.id': role.group, 'enable.auto.commit': false },
        ...{ 'partition.assignment.strategy': 'roundrobin', 'fetch.wait.max.ms': 100 },
        ...{ 'session.timeout.ms': 6_000, 'heartbeat.interval.ms': 300 },
        rebalance_cb: (error: KafkaError, partitions: readonly TopicPartition[]) => {
          this.#rebalanced(error.code === ERRORS.ERR__ASSIGN_PARTITIONS, partitions)
        },
      },
      { 'auto.offset.reset': 'earliest' },
    )
    this.#consumer.setDefaultConsumeTimeout(20)
    this.#consumer.on('event.error', () => {})
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#consumer.connect({}, (error) => (error ? reject(error) : resolve()))
    })
    this.#consumer.subscribe([role.topic])
    this.#poll()
  }

  end(): Promise<void> {
    this.#isEnding = true
    return new Promise((resolve) => (this.#ended = resolve))
  }

  #rebalanced(isAssigned: boolean, partitions: readonly TopicPartition[]): void {
    if (!isAssigned) {
      this.#owned = new Set()
      this.#toAssign = null
      this.#consumer.unassign()
      return
    }
    this.#toAssign = partitions
    if (!this.#isPolling) this.#assign()
  }

  #assign(): void {
    const partitions = this.#toAssign
    if (partitions === null) return
    this.#toAssign = null
    const atMs = nowMs()
    const { group, topic } = role
    for (const { partition } of partitions) {
      const head = { client: this.#name, group, topic, partition }
      history.write({ kind: 'assign', ...head, offset: null, atMs })
    }
    this.#owned = new Set(partitions.map(({ partition }) => partition))
    this.#consumer.assign(partitions)
  }

  #poll(): void {
    if (this.#isEnding) {
      this.#consumer.disconnect(() => this.#ended?.())
      return
    }
    this.#isPolling = true
    const invokeMs = nowMs()
    this.#consumer.consume(500, (_error, messages = []) => {
      this.#isPolling = false
      const next = this.#take(messages, invokeMs)
      if (next.size > 0) this.#commit(next)
      this.#assign()
      setImmediate(() => this.#poll())
    })
  }

  /** Writes down what its own partitions gave; returns where they go on. */
  #take(messages: readonly Message[], invokeMs: number): Map<number, number> {
    const { topic, group } = role
    const joiners = new Map<number, RunJoiner>()
    const next = new Map<number, number>()
    for (const { partition, offset, value } of messages) {
      // given up meanwhile: another member's now
      if (!this.#owned.has(partition)) continue
      let joiner = joiners.get(partition)
      if (joiner === undefined) joiners.set(partition, (joiner = new RunJoiner()))
      joiner.add(recordOf(topic, partition, offset, value))
      next.set(partition, offset + 1)
    }
    const head = { client: this.#name, topic, group, invokeMs, completeMs: nowMs() }
    for (const [partition, { runs }] of joiners) {
      history.write({ kind: 'poll', ...head, partition, runs })
      this.#onPolled(partition, next.get(partition)!)
    }
    return next
  }

  #commit(next: ReadonlyMap<number, number>): void {
    const { topic, group } = role
    const invokeMs = nowMs()
    let result: { kind: 'ok' } | { kind: 'failed' | 'unknown'; error: string } = { kind: 'ok' }
    try {
      this.#consumer.commitSync(
        [...next].map(([partition, offset]) => ({ topic, partition, offset })),
      )
    } catch (error) {
      const { code, message } = error as KafkaError
      result = { kind: NOT_COMMITTED.includes(code) ? 'failed' : 'unknown', error: message }
    }
    const head = { client: this.#name, group, topic, isReset: false, invokeMs, completeMs: nowMs() }
    for (const [partition, offset] of next) {
      history.write({ kind: 'commit', ...head, partition, offset, result })
    }
  }
}

const producers: Producing[] = []
const members: Member[] = []
const read = new Array<number>(role.partitions).fill(0)

async function begin(): Promise<void> {
  for (const [isIdempotent, count] of [
    [true, role.idempotentProducers],
    [false, role.plainProducers],
  ] as const) {
    for (let i = 0; i < count; i++) {
      producers.push(new Producing(`${role.client}-${isIdempotent ? 'i' : 'n'}${i}`, isIdempotent))
    }
  }
  for (let i = 0; i < role.members; i++) {
    members.push(
      new Member(`${role.client}-m${i}`, (partition, next) => {
        read[partition] = Math.max(read[partition]!, next)
      }),
    )
  }
  await Promise.all([...producers, ...members].map((one) => one.start()))
}

async function drain(ends: readonly number[], timeoutMs: number): Promise<void> {
  const { client, group, topic } = role
  const deadline = nowMs() + timeoutMs
  while (ends.some((end, partition) => read[partition]! < end) && nowMs() < deadline)
    await sleep(20)
  for (const [partition, offset] of ends.entries()) {
    history.write({ kind: 'drained', client, group, topic, partition, from: 0, offset })
  }
  await Promise.all(members.map((member) => member.end()))
}

const answer = (about: object) => console.log(JSON.stringify({ ...about, errors: errors.list() }))

async function main(): Promise<void> {
  await begin()
  answer({ ready: true })
  for await (const line of createInterface({ input: process.stdin })) {
    const [command, text = '', timeoutText = '20000'] = line.split(' ')
    if (command === 'stop') {
      await Promise.all(producers.map((producer) => producer.stop(Number(text))))
      answer({ acknowledged: producers.reduce((sum, one) => sum + one.acknowledged, 0) })
    } else if (command === 'count') {
      answer({ acknowledged: producers.reduce((sum, one) => sum + one.acknowledged, 0), read })
    } else if (command === 'drain') {
      await drain(JSON.parse(text), Number(timeoutText))
      answer({ read })
    } else break
  }
  await history.end()
  await Promise.race([Promise.all(producers.map((one) => one.disconnect())), sleep(2_000)])
  process.exit(0)
}

void main().catch((error) => {
  console.error(error)
  process.exit(1)
})

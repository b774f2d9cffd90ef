/** A workload by kafkajs that writes down what it does: producers at full speed, a group that commits what it read. */
import { type Admin, type Consumer, Kafka, logLevel, type Producer } from 'kafkajs'
import { fetchAll } from '../clients/kafkajs-fetch.ts'
import { type FinalOperation, nowMs, type ProduceResult, type RecordRun } from './history.ts'
import type { HistorySink } from './history-file.ts'
import { RunJoiner, recordOf, valueText } from './values.ts'
import {
  ClientErrors,
  NOT_COMMITTED,
  NOT_WRITTEN,
  sleep,
  type WorkloadOptions,
} from './workload.ts'

/** Runs of a line in the history. */
const RUNS_PER_FINAL = 1_000

const kafkaOf = (bootstrap: string, clientId: string): Kafka =>
  new Kafka({
    brokers: bootstrap.split(','),
    clientId,
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 20, maxRetryTime: 200, retries: 1_000 },
  })

interface KafkajsError extends Error {
  readonly type?: string
  readonly retriable?: boolean
  readonly cause?: KafkajsError
}

/** The protocol's name of the error, or that of its class. */
function errorName(error: unknown): string {
  const { cause, type, name } = error as KafkajsError
  return cause?.type ?? type ?? cause?.name ?? name
}

const isRetriable = (error: unknown): boolean => {
  const { cause, retriable } = error as KafkajsError
  return cause?.retriable ?? retriable ?? false
}

interface Outstanding {
  readonly number: number
  readonly count: number
  readonly invokeMs: number
  attempts: number
}

/** One producer of one partition, with one send at a time, since kafkajs keeps no order between several. */
class ProducerLoop {
  readonly #options: WorkloadOptions
  readonly #errors: ClientErrors
  readonly #isIdempotent: boolean
  readonly #partition: number
  readonly #baseName: string
  #incarnation = 0
  #name = ''
  #number = 0
  #producer: Producer | null = null
  #outstanding: Outstanding | null = null
  #isStopping = false
  #isAbandoned = false
  readonly done: Promise<void>
  acknowledged = 0

  constructor(
    options: WorkloadOptions,
    errors: ClientErrors,
    name: string,
    partition: number,
    isIdempotent: boolean,
  ) {
    this.#options = options
    this.#errors = errors
    this.#baseName = name
    this.#partition = partition
    this.#isIdempotent = isIdempotent
    this.done = this.#run()
  }

  /** Resolves when what it sent is answered, or given up after `timeoutMs`. */
  async stop(timeoutMs: number): Promise<void> {
    this.#isStopping = true
    await Promise.race([this.done, sleep(timeoutMs)])
    this.#isAbandoned = true
    if (this.#outstanding !== null) this.#write({ kind: 'unknown', error: 'the run ended' })
    void this.#producer?.disconnect().catch(() => {})
  }

  async #run(): Promise<void> {
    while (!this.#isStopping) {
      try {
        await this.#renew()
      } catch (error) {
        this.#errors.add(`${this.#baseName} connecting: ${(error as Error).message}`)
        await sleep(50)
        continue
      }
      let isFine = true
      while (isFine && !this.#isStopping) {
        if (this.#options.sink.isFull === true) await sleep(5)
        else isFine = await this.#send()
      }
    }
  }

  /** After an idempotent send that failed for good its sequence numbers say nothing: a new producer, with a new name. */
  async #renew(): Promise<void> {
    await this.#producer?.disconnect().catch(() => {})
    const retries = this.#isIdempotent ? 1_000 : 0
    const { bootstrap, client, sink } = this.#options
    const producer = kafkaOf(bootstrap, this.#baseName).producer({
      ...{ idempotent: this.#isIdempotent, maxInFlightRequests: 1, allowAutoTopicCreation: false },
      retry: { initialRetryTime: 20, maxRetryTime: 200, retries },
    })
    await producer.connect()
    this.#producer = producer
    this.#incarnation++
    this.#name = this.#incarnation === 1 ? this.#baseName : `${this.#baseName}#${this.#incarnation}`
    this.#number = 0
    const isIdempotent = this.#isIdempotent
    sink.write({ kind: 'producer', client, producer: this.#name, isIdempotent })
  }

  /** False when it must go on with another producer. */
  async #send(): Promise<boolean> {
    const { topic, recordsPerSend: count, valueBytes } = this.#options
    const partition = this.#partition
    const number = this.#number
    this.#number += count
    const messages = Array.from({ length: count }, (_, i) => ({
      partition,
      value: valueText(this.#name, topic, partition, number + i, valueBytes),
    }))
    const outstanding = { number, count, invokeMs: nowMs(), attempts: 0 }
    this.#outstanding = outstanding
    for (;;) {
      outstanding.attempts++
      try {
        const [answer] = await this.#producer!.send({ topic, acks: -1, messages })
        const offset = Number(answer?.baseOffset ?? -1)
        this.#write({ kind: 'ok', offset: offset < 0 ? null : offset })
        this.acknowledged += count
        return true
      } catch (error) {
        if (this.#isAbandoned) return false
        const name = errorName(error)
        const isFirst = outstanding.attempts === 1
        if (!this.#isIdempotent && isFirst && NOT_WRITTEN.has(name)) {
          // its user would send again where that may help
          if (!isRetriable(error)) this.#errors.add(`${this.#baseName}: ${name}`)
          this.#write({ kind: 'failed', error: name })
          await sleep(20)
          return true
        }
        if (this.#isIdempotent) {
          // it has sent again by itself, who knows how often
          this.#errors.add(`${this.#baseName}: ${name}: ${(error as Error).message}`)
          this.#write({ kind: 'unknown', error: name })
          return false
        }
        if (this.#isStopping) {
          this.#write({ kind: 'unknown', error: name })
          return false
        }
        await sleep(20)
      }
    }
  }

  #write(result: ProduceResult): void {
    const outstanding = this.#outstanding
    if (outstanding === null || (this.#isAbandoned && result.kind === 'ok')) return
    this.#outstanding = null
    const { client, topic, sink } = this.#options
    const place = { topic, partition: this.#partition }
    const { attempts, ...records } = outstanding
    sink.write({
      ...{ kind: 'produce', client, producer: this.#name, ...place, ...records },
      ...{ completeMs: nowMs(), attempts, result },
    })
  }
}

/** A member of the group. */
class Member {
  readonly #options: WorkloadOptions
  readonly #errors: ClientErrors
  readonly #restarts: ClientErrors
  readonly #name: string
  readonly #consumer: Consumer
  readonly #onPolled: (partition: number, next: number) => void
  readonly #onEnded: (member: Member) => void
  #isStopping = false
  /** Goes up with each assignment: a commit must not go out in a later one than its records came in. */
  #generation = 0
  readonly #assigned = new Set<number>()
  /** Of the last commit that was answered. */
  #answered: string | null = null

  constructor(
    options: WorkloadOptions,
    errors: ClientErrors,
    restarts: ClientErrors,
    name: string,
    onPolled: (partition: number, next: number) => void,
    onEnded: (member: Member) => void,
  ) {
    this.#options = options
    this.#errors = errors
    this.#restarts = restarts
    this.#name = name
    this.#onPolled = onPolled
    this.#onEnded = onEnded
    this.#consumer = kafkaOf(options.bootstrap, name).consumer({
      groupId: options.group,
      ...{ sessionTimeout: 6_000, heartbeatInterval: 300, rebalanceTimeout: 6_000 },
      ...{ maxWaitTimeInMs: 100, allowAutoTopicCreation: false },
      // few, since only a restart looks for the coordinator anew
      retry: {
        initialRetryTime: 20,
        maxRetryTime: 200,
        retries: 5,
        restartOnFailure: async () => true,
      },
    })
  }

  async start(): Promise<void> {
    const { topic, group, sink } = this.#options
    const client = this.#name
    const consumer = this.#consumer
    consumer.on('consumer.group_join', ({ payload }) => {
      this.#generation++
      this.#assigned.clear()
      const atMs = nowMs()
      for (const partition of payload.memberAssignment[topic] ?? []) {
        this.#assigned.add(partition)
        sink.write({ kind: 'assign', client, group, topic, partition, offset: null, atMs })
      }
    })
    consumer.on('consumer.commit_offsets', ({ payload }) => {
      const { partitions } = payload.topics[0]!
      this.#answered = `${partitions[0]!.partition} ${partitions[0]!.offset}`
    })
    consumer.on('consumer.crash', ({ payload }) => {
      if (this.#isStopping) return
      const { error, restart } = payload
      const text = `${client} ${restart ? 'restarted' : 'ended'}: ${error.message}`
      if (restart) this.#restarts.add(text)
      else {
        this.#errors.add(text)
        this.#onEnded(this)
      }
    })
    await this.#connect()
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      eachBatch: async ({ batch, resolveOffset, heartbeat, commitOffsetsIfNecessary }) => {
        const { partition } = batch
        const generation = this.#generation
        const joiner = new RunJoiner()
        for (const { offset, value } of batch.messages) {
          joiner.add(recordOf(topic, partition, Number(offset), value))
        }
        const last = batch.messages.at(-1)
        // fetched in an assignment that is over: nobody is given these
        if (last === undefined || !this.#assigned.has(partition)) return
        const atMs = nowMs()
        sink.write({
          ...{ kind: 'poll', client, group, topic, partition, invokeMs: atMs, completeMs: atMs },
          runs: joiner.runs,
        })
        resolveOffset(last.offset)
        const next = Number(last.offset) + 1
        this.#onPolled(partition, next)
        await heartbeat()
        if (generation !== this.#generation) return
        const offsets = [{ topic, partitions: [{ partition, offset: String(next) }] }]
        await this.#commit(partition, next, () => commitOffsetsIfNecessary({ topics: offsets }))
      },
    })
  }

  /** While nothing is there to connect to, kafkajs gives up, and its user does not. */
  async #connect(): Promise<void> {
    while (!this.#isStopping) {
      try {
        await this.#consumer.connect()
        await this.#consumer.subscribe({ topic: this.#options.topic, fromBeginning: true })
        return
      } catch (error) {
        this.#errors.add(`${this.#name} connecting: ${(error as Error).message}`)
        await sleep(100)
      }
    }
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    await this.#consumer.disconnect()
  }

  /** Once, as kafkajs sends it: its own repeated commits may go out in a later generation. */
  async #commit(partition: number, offset: number, commit: () => Promise<void>): Promise<void> {
    const { topic, group, sink } = this.#options
    const invokeMs = nowMs()
    const head = { client: this.#name, group, topic, partition, offset, isReset: false, invokeMs }
    this.#answered = null
    try {
      await commit()
      const isAnswered = this.#answered === `${partition} ${offset}`
      const result = isAnswered
        ? { kind: 'ok' as const }
        : { kind: 'unknown' as const, error: 'no answer' }
      sink.write({ kind: 'commit', ...head, completeMs: nowMs(), result })
    } catch (error) {
      const name = errorName(error)
      const kind = NOT_COMMITTED.has(name) ? 'failed' : 'unknown'
      sink.write({
        ...{ kind: 'commit', ...head, completeMs: nowMs() },
        result: { kind, error: name },
      })
      throw error
    }
  }
}

export class KafkajsWorkload {
  readonly errors = new ClientErrors()
  /** Of consumers, by kafkajs itself: its way of trying again. */
  readonly restarts = new ClientErrors()
  readonly #options: WorkloadOptions
  readonly #loops: ProducerLoop[] = []
  readonly #members: Member[] = []
  readonly #next: number[]
  #membersMade = 0

  private constructor(options: WorkloadOptions) {
    this.#options = options
    this.#next = new Array<number>(options.partitions).fill(0)
  }

  /** Resolves once its producers and members run. */
  static async start(options: WorkloadOptions): Promise<KafkajsWorkload> {
    const workload = new KafkajsWorkload(options)
    const { partitions, client, idempotentProducers, plainProducers, members } = options
    await Promise.all(Array.from({ length: members }, () => workload.addMember()))
    for (let partition = 0; partition < partitions; partition++) {
      for (const [isIdempotent, count] of [
        [true, idempotentProducers],
        [false, plainProducers],
      ] as const) {
        for (let i = 0; i < count; i++) {
          const name = `${client}-${isIdempotent ? 'i' : 'n'}${i}-${partition}`
          const loop = new ProducerLoop(options, workload.errors, name, partition, isIdempotent)
          workload.#loops.push(loop)
        }
      }
    }
    return workload
  }

  /** Records so far. */
  get acknowledged(): number {
    return this.#loops.reduce((sum, loop) => sum + loop.acknowledged, 0)
  }

  /** Offset behind the furthest record that any member was given, by partition. */
  get read(): readonly number[] {
    return this.#next
  }

  /** kafkajs gives a consumer up for good after some errors: then another takes its place, as a supervisor would see to. */
  async addMember(): Promise<void> {
    const name = `${this.#options.client}-m${this.#membersMade++}`
    const onPolled = (partition: number, next: number) => {
      this.#next[partition] = Math.max(this.#next[partition]!, next)
    }
    const member = new Member(
      this.#options,
      this.errors,
      this.restarts,
      name,
      onPolled,
      (ended) => {
        const at = this.#members.indexOf(ended)
        if (at >= 0) this.#members.splice(at, 1)
        void ended.stop().catch(() => {})
        void this.addMember()
      },
    )
    this.#members.push(member)
    await member.start()
  }

  /** The one that came first leaves. */
  async removeMember(): Promise<void> {
    await this.#members.shift()?.stop()
  }

  /** Resolves when all that was sent is answered, or given up after `timeoutMs`. */
  async stopProducing(timeoutMs = 10_000): Promise<void> {
    await Promise.all(this.#loops.map((loop) => loop.stop(timeoutMs)))
  }

  /** Gives the group `timeoutMs` to read up to `ends`, then holds it to that; its members end. */
  async drain(ends: readonly number[], timeoutMs = 20_000): Promise<void> {
    const { client, group, topic, sink } = this.#options
    const deadline = nowMs() + timeoutMs
    const isBehind = () => ends.some((end, partition) => this.#next[partition]! < end)
    while (this.#members.length > 0 && isBehind() && nowMs() < deadline) await sleep(20)
    if (this.#members.length > 0) {
      for (const [partition, offset] of ends.entries()) {
        sink.write({ kind: 'drained', client, group, topic, partition, from: 0, offset })
      }
    }
    await Promise.all(this.#members.map((member) => member.stop()))
  }
}

/** How long ends must stand still before they count as ends, and how long all of this may take. */
const SETTLED_MS = 500
const FINAL_TIMEOUT_MS = 60_000

/**
 * Reads all partitions to their ends into `sink`, after everything is quiet; returns the ends. Rejects when a partition cannot be read
 * for a minute.
 */
export async function recordFinal(
  bootstrap: string,
  topic: string,
  sink: HistorySink,
  keysPerProducer = 0,
): Promise<number[]> {
  const kafka = kafkaOf(bootstrap, 'final-read')
  const deadline = nowMs() + FINAL_TIMEOUT_MS
  const ends: number[] = []
  for (const { partition, low, high } of await settledOffsets(kafka.admin(), topic, deadline)) {
    const head = {
      ...{ kind: 'final', topic, partition, keysPerProducer },
      ...{ logStart: Number(low), logEnd: Number(high) },
    } as const satisfies Omit<FinalOperation, 'runs'>
    ends[partition] = head.logEnd
    const joiner = new RunJoiner()
    const write = (runs: readonly RecordRun[]) => sink.write({ ...head, runs })
    let next = head.logStart
    for (;;) {
      try {
        for await (const { offset, value } of fetchAll(kafka, topic, partition, next)) {
          joiner.add(recordOf(topic, partition, Number(offset), value))
          next = Number(offset) + 1
          if (joiner.runs.length > RUNS_PER_FINAL) write(joiner.runs.splice(0, RUNS_PER_FINAL))
        }
        break
      } catch (error) {
        if (nowMs() > deadline) throw error
        await sleep(100)
      }
    }
    write(joiner.runs)
  }
  return ends
}

/** What nobody learnt the fate of may still be written: waits until no end moves. */
async function settledOffsets(admin: Admin, topic: string, deadline: number) {
  await admin.connect()
  try {
    let before = await admin.fetchTopicOffsets(topic)
    for (;;) {
      await sleep(SETTLED_MS)
      const now = await admin.fetchTopicOffsets(topic)
      const isSettled = now.every(
        ({ partition, high }) => before.find((one) => one.partition === partition)?.high === high,
      )
      if (isSettled) return now
      if (nowMs() > deadline) throw new Error(`the ends of ${topic} do not stand still`)
      before = now
    }
  } finally {
    await admin.disconnect()
  }
}

/**
 * Sends records in batches, one request at a time for each partition so that order holds, with what waits bounded by bytes.
 * At-least-once: after a lost answer a batch is sent again. Every record ends in {@link ProducerOptions.onResult}.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { ErrorCode } from '../base/error-code.ts'
import { ZERO_TOPIC_ID } from '../base/ids.ts'
import { type ProduceResponse, produce } from '../protocol/00-produce.ts'
import { Codec } from '../record/batch.ts'
import { buildBatch, type NewRecord } from '../record/builder.ts'
import { prepareCompression } from '../record/compression.ts'
import type { KafkaClient } from './client.ts'
import { isRetriable, KafkaError, meansStaleMetadata } from './errors.ts'
import { groupBy } from './group-by.ts'
import { partitionOfKey, StickyPartition } from './partitioner.ts'
import { PartitionQueue, type QueuedBatch } from './producer-queue.ts'
import { backoffOf } from './retry.ts'

export type Acks = 'all' | 1 | 0

export interface ProducerOptions {
  readonly acks?: Acks
  readonly codec?: Codec
  /** Of gzip and zstd. */
  readonly compressionLevel?: number
  /** How long a batch that is not full waits for more. */
  readonly lingerMs?: number
  /** Of records, before compression. */
  readonly batchBytes?: number
  /** Of all records that are not answered yet; {@link Producer.send} waits above it. */
  readonly bufferBytes?: number
  /** How long a record may wait for its answer, tries together. */
  readonly deliveryTimeoutMs?: number
  /** Topics that are not there are made by the broker, if it does that. */
  readonly createTopics?: boolean
  /** Once for each batch that has an outcome. */
  readonly onResult?: (result: BatchResult) => void
}

export interface BatchResult {
  readonly topic: string
  readonly partition: number
  readonly records: readonly RecordToSend[]
  /** Of the first record, the others follow; −1 where nothing is known (acks 0). */
  readonly baseOffset: number
  readonly error: Error | null
}

export interface RecordToSend extends Omit<NewRecord, 'offsetDelta'> {
  readonly topic: string
  /** By the key, where left out. */
  readonly partition?: number
}

interface TopicState {
  readonly partitions: number
  readonly sticky: StickyPartition
}

/** Versions above it name topics by id. */
const BY_NAME_MAX = 12
/** What one request carries at most, unless a single batch is larger. */
const REQUEST_BYTES_MAX = 4 * 2 ** 20

export class Producer {
  readonly #client: KafkaClient
  readonly #options: Required<Omit<ProducerOptions, 'compressionLevel' | 'onResult'>>
  readonly #compressionLevel: number | undefined
  readonly #onResult: (result: BatchResult) => void
  readonly #topics = new Map<string, Promise<TopicState>>()
  readonly #queues = new Map<string, PartitionQueue>()
  #bufferedBytes = 0
  #waiters: (() => void)[] = []
  #timer: NodeJS.Timeout | null = null
  #isFlushing = false
  #isDraining = false
  #isDrainWanted = false

  constructor(client: KafkaClient, options: ProducerOptions = {}) {
    this.#client = client
    this.#compressionLevel = options.compressionLevel
    this.#onResult = options.onResult ?? (() => {})
    this.#options = {
      acks: options.acks ?? 'all',
      codec: options.codec ?? Codec.none,
      lingerMs: options.lingerMs ?? 5,
      batchBytes: options.batchBytes ?? 256 * 2 ** 10,
      bufferBytes: options.bufferBytes ?? 32 * 2 ** 20,
      deliveryTimeoutMs: options.deliveryTimeoutMs ?? 120_000,
      createTopics: options.createTopics ?? false,
    }
  }

  /** Bytes of records that have no outcome yet. */
  get bufferedBytes(): number {
    return this.#bufferedBytes
  }

  /**
   * Takes one record; resolves once there is room for more. Throws where the topic or partition cannot be found, a
   * {@link KafkaError}: that is of this record alone.
   */
  async send(record: RecordToSend): Promise<void> {
    const state = await this.#stateOf(record.topic)
    const partition = this.#partitionOf(record, state)
    const queue = this.#queueOf(record.topic, partition)
    const bytes = queue.add(record, performance.now())
    this.#bufferedBytes += bytes
    if (queue.hasClosed) {
      if (record.key === null && record.partition === undefined) state.sticky.next()
      this.#drain()
    } else this.#drainLater()
    while (this.#bufferedBytes > this.#options.bufferBytes) {
      this.#drain()
      await new Promise<void>((resolve) => this.#waiters.push(resolve))
    }
  }

  /** Resolves when every record sent so far has an outcome. */
  async flush(): Promise<void> {
    this.#isFlushing = true
    while (this.#bufferedBytes > 0) {
      this.#drain()
      await new Promise<void>((resolve) => this.#waiters.push(resolve))
    }
    this.#isFlushing = false
  }

  #stateOf(topic: string): Promise<TopicState> {
    const known = this.#topics.get(topic)
    if (known !== undefined) return known
    const asked = this.#client
      .topic(topic, { create: this.#options.createTopics })
      .then(({ partitions }) => ({
        partitions: partitions.length,
        sticky: new StickyPartition(partitions.length),
      }))
    this.#topics.set(topic, asked)
    asked.catch(() => this.#topics.delete(topic))
    return asked
  }

  #partitionOf(record: RecordToSend, { partitions, sticky }: TopicState): number {
    if (record.partition !== undefined) {
      if (record.partition < partitions) return record.partition
      const last = `, which has partitions 0 to ${partitions - 1}`
      throw new KafkaError(
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        `partition ${record.partition} of topic "${record.topic}"${last}`,
      )
    }
    return record.key === null ? sticky.partition : partitionOfKey(record.key, partitions)
  }

  #queueOf(topic: string, partition: number): PartitionQueue {
    const name = `${topic}\0${partition}`
    let queue = this.#queues.get(name)
    if (queue === undefined) {
      queue = new PartitionQueue(topic, partition, this.#options.batchBytes)
      this.#queues.set(name, queue)
    }
    return queue
  }

  #drainLater(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null
      this.#drain()
    }, this.#options.lingerMs)
  }

  /** Sends what is due to each leader that is free; one run at a time, asked for again while it runs it runs again. */
  #drain(): void {
    this.#isDrainWanted = true
    if (this.#isDraining) return
    this.#isDraining = true
    void this.#drainAll()
  }

  async #drainAll(): Promise<void> {
    while (this.#isDrainWanted) {
      this.#isDrainWanted = false
      const now = performance.now()
      const lingerMs = this.#isFlushing || this.#isFullUp ? 0 : this.#options.lingerMs
      const due = [...this.#queues.values()].filter((queue) => queue.isDue(now, lingerMs))
      const leaders = new Map<PartitionQueue, number>()
      for (const queue of due) {
        try {
          leaders.set(queue, await this.#client.leaderOf(queue.topic, queue.partition))
        } catch (error) {
          this.#later([queue.take()], error as Error)
        }
      }
      for (const [leader, queues] of groupBy(leaders.keys(), (queue) => leaders.get(queue)!)) {
        for (const batches of requestsOf(queues)) void this.#send(leader, batches)
      }
      if (this.#bufferedBytes > 0 && [...this.#queues.values()].some((queue) => queue.isWaiting)) {
        this.#drainLater()
      }
    }
    // in the same turn as the last look: who asks from now on starts another run
    this.#isDraining = false
  }

  get #isFullUp(): boolean {
    return this.#bufferedBytes > this.#options.bufferBytes
  }

  async #send(leader: number, batches: readonly QueuedBatch[]): Promise<void> {
    try {
      if (this.#options.codec === Codec.zstd) await prepareCompression()
      const connection = await this.#client.connectionTo(leader)
      const request = this.#requestOf(batches)
      const options = { versionMax: BY_NAME_MAX, waitMs: this.#client.requestTimeoutMs }
      if (this.#options.acks === 0) {
        await connection.requestWithoutAnswer(produce, request, options)
        for (const batch of batches) this.#finish(batch, -1, null)
      } else this.#settle(batches, await connection.request(produce, request, options))
    } catch (error) {
      this.#later(batches, error as Error)
    } finally {
      this.#drain()
    }
  }

  #requestOf(batches: readonly QueuedBatch[]) {
    const { acks, codec } = this.#options
    const level = this.#compressionLevel
    const build = { codec, ...(level === undefined ? {} : { compressionLevel: level }) }
    return {
      acks: acks === 'all' ? -1 : acks,
      timeoutMs: this.#client.requestTimeoutMs,
      topicData: [...groupBy(batches, ({ queue }) => queue.topic)].map(([name, group]) => ({
        name,
        topicId: ZERO_TOPIC_ID,
        partitionData: group.map(({ queue, records }) => ({
          index: queue.partition,
          records: buildBatch(records, build),
        })),
      })),
    }
  }

  #settle(batches: readonly QueuedBatch[], response: ProduceResponse): void {
    const answers = new Map(
      response.responses.flatMap(({ name, partitionResponses }) =>
        partitionResponses.map((answer) => [`${name}\0${answer.index}`, answer] as const),
      ),
    )
    for (const batch of batches) {
      const { topic, partition } = batch.queue
      const answer = answers.get(`${topic}\0${partition}`)
      const what = `partition ${partition} of topic "${topic}"`
      if (answer === undefined) this.#later([batch], new Error(`${what} was not answered`))
      else if (answer.errorCode === 0) this.#finish(batch, answer.baseOffset, null)
      else if (answer.errorCode === ErrorCode.MESSAGE_TOO_LARGE && batch.records.length > 1) {
        batch.queue.putBackHalves(batch)
      } else {
        const detail = answer.recordErrors[0]?.batchIndexErrorMessage ?? answer.errorMessage
        this.#later([batch], new KafkaError(answer.errorCode, what, detail))
      }
    }
  }

  /** Puts batches back to be sent again where the error passes and there is time; otherwise that is their outcome. */
  #later(batches: readonly QueuedBatch[], error: Error): void {
    const mayRetry = isRetriable(error)
    const now = performance.now()
    const again = batches.filter(
      (batch) => mayRetry && now - batch.addedMs < this.#options.deliveryTimeoutMs,
    )
    for (const batch of batches) if (!again.includes(batch)) this.#finish(batch, -1, error)
    if (again.length > 0) void this.#putBack(again, error)
  }

  async #putBack(batches: readonly QueuedBatch[], error: Error): Promise<void> {
    const tries = Math.max(...batches.map((batch) => ++batch.tries))
    await sleep(backoffOf(tries))
    const isStale = !(error instanceof KafkaError) || meansStaleMetadata(error.code)
    if (isStale) {
      const topics = [...new Set(batches.map(({ queue }) => queue.topic))]
      // one that fails shows as the next try's error
      await this.#client.metadata(topics).catch(() => {})
    }
    for (const batch of batches) batch.queue.putBack(batch)
    this.#drain()
  }

  #finish(batch: QueuedBatch, baseOffset: number, error: Error | null): void {
    const { topic, partition } = batch.queue
    batch.queue.done()
    this.#bufferedBytes -= batch.bytes
    this.#onResult({ topic, partition, records: batch.records, baseOffset, error })
    const waiters = this.#waiters
    this.#waiters = []
    for (const wake of waiters) wake()
  }
}

/** Batches of a leader's queues, in requests of bounded size. */
function requestsOf(queues: readonly PartitionQueue[]): QueuedBatch[][] {
  const requests: QueuedBatch[][] = []
  let bytes = REQUEST_BYTES_MAX
  for (const queue of queues) {
    const batch = queue.take()
    if (bytes + batch.bytes > REQUEST_BYTES_MAX) {
      requests.push([])
      bytes = 0
    }
    requests.at(-1)!.push(batch)
    bytes += batch.bytes
  }
  return requests
}

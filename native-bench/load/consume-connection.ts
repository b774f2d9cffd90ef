/** A consumer: one connection to each leader, with one fetch on its way on each, without groups. */
import { ErrorCode, errorName } from '../../src/base/error-code.ts'
import { nowUs } from './clock.ts'
import {
  type FetchedPartition,
  FetchFrame,
  type Reader,
  readBatches,
  readFetched,
} from './fetch-frames.ts'
import type { Connect, LoadConnection } from './load-connection.ts'
import { keyOf, type Leader, type Share, type TopicPartition } from './messages.ts'
import type { ConsumeGroup } from './workload.ts'

export interface ConsumerEvents {
  onFetched(sentUs: number, nowUs: number, records: number, wireBytes: number): void
  /** A batch of `reader` with the time that its producer wrote into it. */
  onBatch(timestamp: number, nowUs: number, reader: Reader): void
  /** Everything that was there when stopAtEnd() was called, has been read. */
  onEnd(): void
  onFailure(error: Error): void
}

export interface ConsumerOptions {
  readonly connect: Connect
  readonly group: ConsumeGroup
  readonly share: Share
  readonly version: number
  leaderOf(partition: TopicPartition): Leader
  offsetOf(partition: TopicPartition): number
  /** Where the logs of partitions begin now; asked for when one began behind what was to be read. */
  earliestOf(partitions: readonly TopicPartition[]): Promise<ReadonlyMap<string, number>>
}

export class Consumer {
  readonly #fetchers: readonly Fetcher[]
  /** Every partition that it reads, and how far it came. */
  readonly readers: readonly Readonly<Reader>[]

  private constructor(fetchers: readonly Fetcher[], readers: readonly Reader[]) {
    this.#fetchers = fetchers
    this.readers = readers
  }

  static async open(options: ConsumerOptions, events: ConsumerEvents): Promise<Consumer> {
    const byLeader = new Map<string, { leader: Leader; readers: Reader[] }>()
    for (const at of options.share.partitions) {
      const leader = options.leaderOf(at)
      const key = `${leader.host}:${leader.port}`
      const found = byLeader.get(key) ?? { leader, readers: [] }
      byLeader.set(key, found)
      found.readers.push({
        ...{ ...at, offset: options.offsetOf(at), offsetAt: 0 },
        ...{ skipped: 0, measured: 0, lastDueUs: 0 },
      })
    }
    let ended = 0
    const onEnd = () => {
      if (++ended === byLeader.size) events.onEnd()
    }
    const fetchers: Fetcher[] = []
    for (const { leader, readers } of byLeader.values()) {
      fetchers.push(await Fetcher.open(leader, readers, options, { ...events, onEnd }))
    }
    const readers = [...byLeader.values()].flatMap((one) => one.readers)
    return new Consumer(fetchers, readers)
  }

  begin(): void {
    for (const fetcher of this.#fetchers) fetcher.begin()
  }

  stopAtEnd(): void {
    for (const fetcher of this.#fetchers) fetcher.stopAtEnd()
  }

  close(): void {
    for (const fetcher of this.#fetchers) fetcher.close()
  }

  /** When the fetches without an answer were sent. */
  open(): number[] {
    return this.#fetchers.map(({ sentUs }) => sentUs)
  }
}

class Fetcher {
  readonly #frame: FetchFrame
  readonly #options: ConsumerOptions
  readonly #events: ConsumerEvents
  readonly #readers = new Map<string, Map<number, Reader>>()
  #connection!: LoadConnection
  sentUs = 0
  /** Of the request that is on its way. */
  #isLast = false
  #isStopping = false
  #hasEnded = false
  #records = 0
  #wireBytes = 0
  #isAtEnd = true
  #now = 0
  /** Of the answer that is read: their logs begin behind their offsets, and it does not say where. */
  #outOfRange: Reader[] = []

  private constructor(
    readers: readonly Reader[],
    options: ConsumerOptions,
    events: ConsumerEvents,
  ) {
    this.#options = options
    this.#events = events
    this.#frame = new FetchFrame(options.version, options.group, readers)
    for (const reader of readers) {
      const ofTopic = this.#readers.get(reader.topic) ?? new Map<number, Reader>()
      this.#readers.set(reader.topic, ofTopic.set(reader.partition, reader))
    }
  }

  static async open(
    leader: Leader,
    readers: readonly Reader[],
    options: ConsumerOptions,
    events: ConsumerEvents,
  ): Promise<Fetcher> {
    const fetcher = new Fetcher(readers, options, events)
    fetcher.#connection = await options.connect(leader, {
      onAnswer: (memory, at) => fetcher.#answered(memory, at),
      onFailure: events.onFailure,
    })
    return fetcher
  }

  begin(): void {
    this.#frame.refresh()
    this.sentUs = nowUs()
    this.#isLast = this.#isStopping
    this.#connection.send(this.#frame.bytes)
    this.#connection.flush()
  }

  stopAtEnd(): void {
    this.#isStopping = true
  }

  close(): void {
    this.#connection.close()
  }

  #answered(memory: Buffer, at: number): void {
    this.#now = nowUs()
    this.#records = 0
    this.#wireBytes = 0
    this.#isAtEnd = true
    const error = readFetched(this.#options.version, memory, at, (topicAt, partition) =>
      this.#take(memory, topicAt, partition),
    )
    if (error !== 0) {
      this.#refused(error)
      return
    }
    this.#events.onFetched(this.sentUs, this.#now, this.#records, this.#wireBytes)
    if (this.#outOfRange.length > 0) {
      this.#skip(this.#outOfRange.splice(0)).catch(this.#events.onFailure)
      return
    }
    if (!this.#isLast || !this.#isAtEnd) this.begin()
    else if (!this.#hasEnded) {
      this.#hasEnded = true
      this.#events.onEnd()
    }
  }

  #take(memory: Buffer, topicAt: number, found: FetchedPartition): void {
    const { group } = this.#options
    const reader = this.#readerOf(memory, topicAt, found)
    if (reader === undefined) return
    if (found.error === ErrorCode.OFFSET_OUT_OF_RANGE) {
      this.#outOfRange.push(reader)
      return
    }
    if (found.error !== 0) {
      this.#refused(found.error)
      return
    }
    const onBatch = group.endToEnd
      ? (time: number) => this.#events.onBatch(time, this.#now, reader)
      : null
    const batches = readBatches(memory, found.recordsAt, found.recordsBytes, onBatch)
    this.#records += batches.records
    this.#wireBytes += batches.wireBytes
    if (batches.next >= 0) reader.offset = batches.next
    if (reader.offset < found.highWatermark) this.#isAtEnd = false
    else if (group.rewind) reader.offset = Math.max(0, found.logStart)
  }

  /** Retention was faster: reads on where the logs begin now. */
  async #skip(readers: readonly Reader[]): Promise<void> {
    const earliest = await this.#options.earliestOf(readers)
    for (const reader of readers) {
      const next = earliest.get(keyOf(reader))!
      reader.skipped += Math.max(0, next - reader.offset)
      reader.offset = next
    }
    this.begin()
  }

  #readerOf(memory: Buffer, topicAt: number, found: FetchedPartition): Reader | undefined {
    if (this.#readers.size === 1) {
      return this.#readers.values().next().value!.get(found.partition)
    }
    const topic = memory.toString('latin1', topicAt, topicAt + found.topicBytes)
    return this.#readers.get(topic)?.get(found.partition)
  }

  #refused(error: number): void {
    const { topic } = this.#options.group
    const what = `Fetch from the topics of ${topic} was answered with ${errorName(error)}`
    this.#events.onFailure(new Error(what))
  }
}

/**
 * Reads partitions from where each stands: one fetch at a time to each leader, the next already on its way while the last is
 * worked on, so that memory stays within two answers a leader. The caller pulls with {@link Fetcher.next}.
 */
import { ErrorCode } from '../base/error-code.ts'
import { ZERO_TOPIC_ID } from '../base/ids.ts'
import { type FetchResponse, fetch } from '../protocol/01-fetch.ts'
import { type FetchedBatches, firstBatchBytes, offsetBehind } from './batches.ts'
import type { KafkaClient } from './client.ts'
import { isRetriable, KafkaError, meansStaleMetadata } from './errors.ts'
import { groupBy } from './group-by.ts'
import {
  findOffsets,
  type Isolation,
  isolationLevel,
  keyOf,
  OffsetAt,
  type TopicPartition,
} from './offsets.ts'
import { backoffOf } from './retry.ts'

export interface FetcherOptions {
  readonly isolation: Isolation
  readonly maxWaitMs?: number
  readonly minBytes?: number
  /** Of one answer. */
  readonly bytesMax?: number
  readonly partitionBytesMax?: number
  /** Where to go on when an offset is no longer, or not yet, there. */
  readonly outOfRange?: 'start' | 'end' | 'fail'
  /** Told of what passes: connections lost, offsets that are gone. */
  readonly onTrouble?: (message: string) => void
}

export interface FetchedPart extends FetchedBatches {
  /** Where the partition stands once these batches are read. */
  readonly nextOffset: number
}

interface Position extends TopicPartition {
  offset: number
  /** Changes with every assignment, so that an answer to an older fetch is told apart. */
  readonly generation: number
  bytesMax: number
}

/** A part, and the position that it was fetched for: that may have been given up before the caller asks. */
interface Taken {
  readonly position: Position
  readonly part: FetchedPart
}

type Answer =
  | { readonly kind: 'parts'; readonly parts: readonly Taken[] }
  | { readonly kind: 'error'; readonly error: unknown }

/** Topic ids come with version 13; names are what the caller gave, and every broker takes 12. */
const BY_NAME_MAX = 12

export class Fetcher {
  readonly #client: KafkaClient
  readonly #options: Required<Omit<FetcherOptions, 'onTrouble'>>
  readonly #onTrouble: (message: string) => void
  readonly #positions = new Map<string, Position>()
  /** Leaders that a fetch is under way to, or whose answer has not been taken yet. */
  readonly #busy = new Set<number>()
  readonly #answers: { nodeId: number; answer: Answer }[] = []
  #wake: (() => void) | null = null
  #generation = 0
  #failures = 0
  #isClosed = false
  #isStale = false

  constructor(client: KafkaClient, options: FetcherOptions) {
    this.#client = client
    this.#options = {
      isolation: options.isolation,
      maxWaitMs: options.maxWaitMs ?? 500,
      minBytes: options.minBytes ?? 1,
      bytesMax: options.bytesMax ?? 16 * 2 ** 20,
      partitionBytesMax: options.partitionBytesMax ?? 2 ** 20,
      outOfRange: options.outOfRange ?? 'start',
    }
    this.#onTrouble = options.onTrouble ?? (() => {})
  }

  /** Reads the partition from `offset` on; anew where it was read before. */
  assign(partition: TopicPartition, offset: number): void {
    const { topic, partition: index } = partition
    const generation = ++this.#generation
    const bytesMax = this.#options.partitionBytesMax
    this.#positions.set(keyOf(partition), {
      ...{ topic, partition: index, offset, generation, bytesMax },
    })
    this.#signal()
  }

  unassign(partition: TopicPartition): void {
    this.#positions.delete(keyOf(partition))
    this.#signal()
  }

  close(): void {
    this.#isClosed = true
    this.#signal()
  }

  /** The next answer's parts, empty after `timeoutMs` without any; null once closed. Throws what does not pass. */
  async next(timeoutMs: number): Promise<readonly FetchedPart[] | null> {
    const deadline = performance.now() + timeoutMs
    for (;;) {
      if (this.#isClosed) return null
      await this.#fetchWhereIdle()
      const taken = this.#answers.shift()
      if (taken === undefined) {
        const leftMs = deadline - performance.now()
        if (leftMs <= 0) return []
        await this.#waitForAnswer(leftMs)
        continue
      }
      this.#busy.delete(taken.nodeId)
      const { answer } = taken
      if (answer.kind === 'error') {
        await this.#onError(answer.error)
        continue
      }
      const parts = answer.parts
        .filter(({ position }) => !this.#isMoved(position))
        .map(({ part }) => part)
      // the next fetch is on its way while the caller works on these
      await this.#fetchWhereIdle()
      if (parts.length > 0) return parts
    }
  }

  #signal(): void {
    this.#wake?.()
    this.#wake = null
  }

  async #waitForAnswer(timeoutMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  async #fetchWhereIdle(): Promise<void> {
    if (this.#positions.size === 0) return
    try {
      if (this.#isStale) {
        await this.#client.metadata([...new Set([...this.#positions.values()].map((p) => p.topic))])
        this.#isStale = false
      }
      const leaders = new Map<Position, number>()
      for (const position of this.#positions.values()) {
        leaders.set(position, await this.#client.leaderOf(position.topic, position.partition))
      }
      for (const [leader, positions] of groupBy(leaders.keys(), (p) => leaders.get(p)!)) {
        if (!this.#busy.has(leader)) this.#fetch(leader, positions)
      }
    } catch (error) {
      await this.#onError(error)
    }
  }

  #fetch(nodeId: number, positions: readonly Position[]): void {
    this.#busy.add(nodeId)
    const { isolation, maxWaitMs, minBytes, bytesMax } = this.#options
    const byTopic = groupBy(positions, ({ topic }) => topic)
    const asked = new Map(positions.map((position) => [keyOf(position), position]))
    const request = {
      ...{ replicaId: -1, replicaState: {}, maxWaitMs, minBytes },
      ...{ isolationLevel: isolationLevel(isolation), sessionId: 0, sessionEpoch: -1 },
      maxBytes: bytesMax,
      topics: [...byTopic].map(([topic, group]) => ({
        topic,
        topicId: ZERO_TOPIC_ID,
        partitions: group.map(({ partition, offset, bytesMax: partitionMaxBytes }) => ({
          ...{ partition, fetchOffset: offset, partitionMaxBytes },
        })),
      })),
      forgottenTopicsData: [],
    }
    void this.#client
      .requestNode(nodeId, fetch, request, { versionMax: BY_NAME_MAX, waitMs: maxWaitMs })
      .then((response) => this.#partsOf(response, asked))
      .then(
        (parts): Answer => ({ kind: 'parts', parts }),
        (error: unknown): Answer => ({ kind: 'error', error }),
      )
      .then((answer) => {
        this.#answers.push({ nodeId, answer })
        this.#signal()
      })
  }

  /** What came, positions moved on past it. Throws the first error that is of no single partition. */
  async #partsOf(response: FetchResponse, asked: ReadonlyMap<string, Position>): Promise<Taken[]> {
    if (response.errorCode !== 0) throw new KafkaError(response.errorCode, 'Fetch')
    const parts: Taken[] = []
    let failed: KafkaError | null = null
    for (const { topic, partitions } of response.responses) {
      for (const data of partitions) {
        const position = asked.get(keyOf({ topic, partition: data.partitionIndex }))
        if (position === undefined || this.#isMoved(position)) continue
        if (data.errorCode === ErrorCode.OFFSET_OUT_OF_RANGE) await this.#reset(position)
        else if (data.errorCode === 0) parts.push({ position, part: this.#take(position, data) })
        else failed = new KafkaError(data.errorCode, nameOf(position))
      }
    }
    // what came is kept: the error comes again with the next fetch
    if (failed !== null && parts.length === 0) throw failed
    if (failed !== null && meansStaleMetadata(failed.code)) this.#isStale = true
    this.#failures = 0
    return parts
  }

  #isMoved(position: Position): boolean {
    return this.#positions.get(keyOf(position))?.generation !== position.generation
  }

  #take(
    position: Position,
    data: FetchResponse['responses'][number]['partitions'][number],
  ): FetchedPart {
    const { topic, partition, offset } = position
    const bytes = data.records ?? new Uint8Array(0)
    const nextOffset = offsetBehind(bytes, offset, nameOf(position))
    // brokers send the first batch whole whatever the limit; should one not, ask for as much as it takes
    if (nextOffset === offset && bytes.length > 0) {
      position.bytesMax = Math.max(2 * position.bytesMax, firstBatchBytes(bytes) ?? 0)
    }
    position.offset = nextOffset
    const isCommitted = this.#options.isolation === 'read_committed'
    return {
      ...{ topic, partition, bytes, fromOffset: offset, nextOffset },
      aborted: isCommitted ? (data.abortedTransactions ?? []) : null,
    }
  }

  async #reset(position: Position): Promise<void> {
    const { outOfRange } = this.#options
    const where = `offset ${position.offset} of ${nameOf(position)}`
    if (outOfRange === 'fail') throw new KafkaError(ErrorCode.OFFSET_OUT_OF_RANGE, where)
    const timestampMs = outOfRange === 'start' ? OffsetAt.EARLIEST : OffsetAt.LATEST
    const [found] = await findOffsets(this.#client, [{ ...position, timestampMs }])
    this.#onTrouble(`${where} is not there (any more): going on at ${found!.offset}`)
    position.offset = found!.offset
  }

  /** Waits a little and goes on where the error passes by itself; throws it otherwise. */
  async #onError(error: unknown): Promise<void> {
    if (this.#isClosed) return
    if (!isRetriable(error)) throw error
    this.#isStale = true
    this.#failures++
    if (this.#failures === TROUBLE_AFTER) this.#onTrouble(`${(error as Error).message}; trying on`)
    await new Promise((resolve) => setTimeout(resolve, backoffOf(this.#failures)))
  }
}

/** A leader that moves is no news; the fourth failure in a row is. */
const TROUBLE_AFTER = 4

const nameOf = ({ topic, partition }: TopicPartition) =>
  `partition ${partition} of topic "${topic}"`

import { ErrorCode } from '../base/error-code.ts'
import { asBrokerId, type PartitionIndex, type PartitionNumber } from '../base/ids.ts'
import { brokerPath, segmentPath } from '../base/paths.ts'
import type { BrokerProxy, OffsetsSink } from '../cell/broker-proxy.ts'
import type { TopicView } from '../image/view.ts'
import { OffsetSource } from '../link/commands.ts'
import type { OffsetsReply } from '../link/replies.ts'
import {
  BATCH_HEADER_BYTES,
  baseOffsetOf,
  MAGIC_V2,
  magicOf,
  sizeInBytesOf,
} from '../record/batch.ts'
import type { RequestContext } from './context.ts'
import { DECOMPRESSED_BYTES_MAX } from './slow-produce.ts'

/** What was asked of a partition's leader about a time. */
export interface TimestampQuestion {
  readonly topic: TopicView
  readonly index: PartitionIndex
  readonly partition: PartitionNumber
  readonly leader: BrokerProxy
  readonly timestamp: number
  readonly currentLeaderEpoch: number
}

/** `offset` and `timestamp` −1 when no record is that young. */
export type TimestampDone = (error: number, offset: number, timestamp: number) => void

/** Times the broker is asked again because the segment that it named has gone. */
const RETRIES_MAX = 3

/** Look-ups that read at a time: each has a batch in memory, and one request can ask for thousands. */
const READERS_MAX = 4

/** Look-ups that wait for their turn, and how many read. Belongs to the front's thread. */
export class TimestampReads {
  readonly #waiting: (() => void)[] = []
  #running = 0

  /** Calls `read` when it is its turn; it says {@link done} once its memory is free. */
  enter(read: () => void): void {
    if (this.#running >= READERS_MAX) this.#waiting.push(read)
    else {
      this.#running++
      read()
    }
  }

  done(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#running--
    else next()
  }
}

/** Finds the exact record: the broker has named the batches that hold it, which are read and searched here. */
export function findByTimestamp(
  context: RequestContext,
  question: TimestampQuestion,
  reply: Readonly<OffsetsReply>,
  done: TimestampDone,
): void {
  const reads = context.services.timestampReads
  const place = { ...reply }
  reads.enter(() => {
    const finish: TimestampDone = (error, offset, timestamp) => {
      done(error, offset, timestamp)
      reads.done()
    }
    new TimestampLookup(context, question, finish).read(place)
  })
}

/** Whether these bytes are the one batch that the broker named. */
const isBatchOf = (batch: Uint8Array, reply: Readonly<OffsetsReply>): boolean =>
  batch.length === reply.byteLength &&
  batch.length >= BATCH_HEADER_BYTES &&
  magicOf(batch, 0) === MAGIC_V2 &&
  sizeInBytesOf(batch, 0) === batch.length &&
  baseOffsetOf(batch, 0) === reply.offset

class TimestampLookup implements OffsetsSink {
  readonly #context: RequestContext
  readonly #question: TimestampQuestion
  readonly #done: TimestampDone
  #retries = 0

  constructor(context: RequestContext, question: TimestampQuestion, done: TimestampDone) {
    this.#context = context
    this.#question = question
    this.#done = done
  }

  read(reply: Readonly<OffsetsReply>): void {
    const { segments, fileBuffers, settings } = this.#context.services
    const { topic, index } = this.#question
    const brokerId = asBrokerId(reply.brokerId ?? 0)
    const target = fileBuffers.take(reply.byteLength)
    const path = segmentPath(
      settings.dataRoot,
      topic.cellId,
      brokerId,
      topic.tenantId,
      topic.topicId,
      index,
      reply.segmentBaseOffset,
    )
    segments.read({
      path,
      directory: brokerPath(settings.dataRoot, topic.cellId, brokerId),
      position: reply.position,
      length: reply.byteLength,
      target,
      done: (failure, bytesRead) => {
        // The pool's thread gets bytes of its own.
        const batch = failure === null ? target.slice(0, bytesRead) : null
        fileBuffers.give(target)
        if (batch !== null && isBatchOf(batch, reply)) this.#search(batch, reply)
        else if (batch !== null || failure?.code === 'ENOENT') {
          // a file that was replaced may be open here as it was
          segments.invalidate(path)
          this.#askAgain()
        } else this.#done(ErrorCode.KAFKA_STORAGE_ERROR, -1, -1)
      },
    })
  }

  onOffsets(_token: number, reply: Readonly<OffsetsReply>): void {
    if (reply.error === ErrorCode.NONE && reply.source === OffsetSource.BATCH) {
      this.read({ ...reply })
    } else this.#done(reply.error, reply.offset, reply.timestamp)
  }

  #askAgain(): void {
    const { leader, partition, timestamp, currentLeaderEpoch } = this.#question
    if (this.#retries++ < RETRIES_MAX) {
      leader.listOffsets(partition, timestamp, currentLeaderEpoch, this, 0)
      this.#context.services.afterCallback()
    } else this.#done(ErrorCode.KAFKA_STORAGE_ERROR, -1, -1)
  }

  #search(batch: Uint8Array, reply: Readonly<OffsetsReply>): void {
    const task = {
      kind: 'find-timestamp',
      batch,
      // For the greatest timestamp the broker says which it is.
      timestampMs: reply.timestamp,
      startOffset: reply.logStartOffset,
      decompressedBytesMax: DECOMPRESSED_BYTES_MAX,
    } as const
    this.#context.services.records.run(task, (result) => {
      if (result.kind === 'found') this.#done(ErrorCode.NONE, result.offset, result.timestampMs)
      else {
        const { topic, index } = this.#question
        // Batches are stored as they come: a header that is right says nothing of what is compressed behind it.
        this.#context.connection.logRefused('records that were stored cannot be read', {
          ...{ topic: topic.name, partition: index, segment: reply.segmentBaseOffset },
          reason: result.kind === 'failed' ? result.message : result.kind,
        })
        this.#done(ErrorCode.UNKNOWN_SERVER_ERROR, -1, -1)
      }
    })
  }
}

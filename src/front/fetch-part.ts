import {
  asBrokerId,
  asPartitionNumber,
  type BrokerId,
  type PartitionIndex,
  type PartitionNumber,
  type TopicId,
} from '../base/ids.ts'
import type { LogReads } from '../cell/broker-proxy.ts'
import type { TailReader } from '../cell/tail-reader.ts'
import { Waiter } from '../cell/watch-table.ts'
import type { TopicView } from '../image/view.ts'
import type { FollowerQuestion } from './follower-fetch.ts'

/** No records: an answer has an empty field, never null. */
export const NOTHING: readonly Uint8Array[] = [new Uint8Array(0)]

/** A stretch of a segment file, and what the log was like when it was named. */
export interface Whereabouts {
  /** Whose file it is. */
  readonly brokerId?: number
  readonly segmentBaseOffset: number
  readonly position: number
  readonly byteLength: number
  readonly highWatermark: number
  readonly lastStableOffset: number
  readonly logStartOffset: number
}

/** What a part does when its high watermark moves, or when waiting has become pointless. */
export interface PartOwner {
  onPartWoken(part: FetchPart): void
}

/**
 * One partition of a fetch: what is asked, and what was found. Lives as long as its fetch session, or as its one
 * request where there is none. Belongs to the front's thread.
 */
export class FetchPart extends Waiter {
  /** Empty where the client names topics by id. */
  readonly topicName: string
  readonly topicId: TopicId
  readonly index: PartitionIndex
  // asked
  fetchOffset = 0
  maxBytes = 0
  currentLeaderEpoch = -1
  // whose turn it is, and whom it was asked of
  owner: PartOwner | null = null
  proxy: LogReads | null = null
  /** Whose replica is read in place of the leader's; 0: the leader's. */
  follower: BrokerId | 0 = 0
  question: FollowerQuestion | null = null
  /** Until the request is answered, the leader is read from: a follower could not serve it. */
  isPastFollowers = false
  /** A follower whose group is closed: it is to be opened once the leader has answered. */
  asleep: BrokerId | 0 = 0
  topic: TopicView | undefined = undefined
  partition: PartitionNumber = asPartitionNumber(0)
  /** What was found may be out of date. */
  dirty = true
  /** Of the question that is out to find it; −1 for none. */
  askedAs = -1
  /** Nobody leads it, as far as is known: it waits for somebody, and is not waited for. */
  isUnled = false
  /** Times the broker was asked again because what it said was gone. */
  retries = 0
  // found
  error = 0
  highWatermark = -1
  lastStableOffset = -1
  logStartOffset = -1
  /** Whole batches, in pieces one after another. */
  records: readonly Uint8Array[] = NOTHING
  recordsBytes = 0
  /** Of those, bytes of ring logs that leave without a copy. */
  heldBytes = 0
  // where it is: in a ring log of this thread's knowledge, or where the broker says
  source = 0
  /** Whose files and ring those are. */
  brokerId: BrokerId = asBrokerId(0)
  segmentBaseOffset = 0
  position = 0
  byteLength = 0
  /** Of the batch at `position` in a segment file. */
  batchBaseOffset = -1
  /** Monotonic milliseconds until which what the broker said of its place holds. */
  locatedUntilMs = 0
  /** The ring log in which it was found, where `source` is one: to no other do the positions belong. */
  tail: TailReader | null = null
  secondPosition = 0
  secondLength = 0
  /** Found, and not read yet. */
  pending = false
  /** Bytes of the first batch, when they were more than was allowed. */
  neededBytes = 0
  /** The replica that its client is to read from, which is not this one; 0 for none. */
  preferred: BrokerId | 0 = 0
  // last told to the client within the session
  toldHighWatermark = -1
  toldLogStartOffset = -1

  constructor(topicName: string, topicId: TopicId, index: PartitionIndex) {
    super()
    this.topicName = topicName
    this.topicId = topicId
    this.index = index
  }

  ask(fetchOffset: number, maxBytes: number, currentLeaderEpoch: number): void {
    this.fetchOffset = fetchOffset
    this.maxBytes = maxBytes
    this.currentLeaderEpoch = currentLeaderEpoch
  }

  /** Where a broker says, or said, that it is. */
  isAt(where: Whereabouts): void {
    this.brokerId = asBrokerId(where.brokerId ?? 0)
    this.segmentBaseOffset = where.segmentBaseOffset
    this.position = where.position
    this.byteLength = where.byteLength
    this.highWatermark = where.highWatermark
    this.lastStableOffset = where.lastStableOffset
    this.logStartOffset = where.logStartOffset
    this.secondLength = 0
  }

  found(records: readonly Uint8Array[], bytes: number, heldBytes = 0): void {
    this.records = records
    this.recordsBytes = bytes
    this.heldBytes = heldBytes
  }

  /** What may be read of it, or has been. */
  get availableBytes(): number {
    return this.pending ? this.byteLength + this.secondLength : this.recordsBytes
  }

  /**
   * The broker was asked to tell when the high watermark moves beyond the offset, and has not: what was found before still holds. Spares a question per
   * poll for each quiet partition of a session.
   */
  get isStillAtEnd(): boolean {
    const { fetchOffset, highWatermark, partition, proxy } = this
    if (fetchOffset !== highWatermark || highWatermark < 0) return false
    return proxy!.watchedAt(partition) === highWatermark
  }

  /** Forgets the records. */
  drop(): void {
    this.pending = false
    this.tail = null
    this.records = NOTHING
    this.recordsBytes = this.heldBytes = 0
  }

  /** Before it is looked for again. */
  clear(): void {
    this.error = 0
    this.drop()
    this.source = this.neededBytes = 0
    this.isUnled = false
    this.preferred = 0
    this.retries = 0
  }

  fail(error: number): void {
    this.error = error
    this.drop()
    this.highWatermark = this.lastStableOffset = this.logStartOffset = -1
  }

  onWoken(error: number): void {
    this.dirty = true
    if (error !== 0 && this.follower !== 0) this.isPastFollowers = true
    this.owner?.onPartWoken(this)
  }
}

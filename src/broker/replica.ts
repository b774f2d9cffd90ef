import type { PartitionIndex, PartitionNumber } from '../base/ids.ts'
import type { Timer } from '../base/timer-queue.ts'
import type { TopicView } from '../image/view.ts'
import type { TopicCount } from '../link/topic-counts.ts'
import type { PartitionLog } from '../log/partition-log.ts'
import type { Used } from './broker-use.ts'
import type { ReplicaGroup } from './replication/replica-group.ts'
import { WaitingProduces } from './waiting-produces.ts'
import type { Watches } from './watches.ts'

/** What is known of a log while it is closed: enough for a fetch at its end. */
export interface QuietEnds {
  readonly logStartOffset: number
  /** Log end and high watermark: nothing is in between when a log is closed. */
  readonly endOffset: number
}

/**
 * A partition of which this broker holds a replica and that was touched lately. Kept by the {@link ReplicaTable}; a partition without one
 * costs this thread nothing but its columns in the image.
 */
export class Replica {
  readonly number: PartitionNumber
  /** Changes only when the image was begun anew. */
  topic: TopicView
  readonly index: PartitionIndex
  readonly directory: string
  /** Its log is one of several, of a Raft group. */
  readonly isReplicated: boolean
  /** null where it is not replicated, or closed. */
  group: ReplicaGroup | null = null
  /** The term in which it leads, and of which the fronts were told; 0 where it does not. */
  ledTerm = 0
  /** What the fronts were told of who keeps up. */
  toldIsr = ''
  readonly waiting = new WaitingProduces()
  /** null while dehydrated or failed. */
  log: PartitionLog | null = null
  quiet: QuietEnds | null = null
  watches: Watches | null = null
  /** What is counted for its topic here; null before the first batch. */
  counted: TopicCount | null = null
  /** Where it is counted what its tenant uses; null before anything was done. */
  used: Used | null = null
  touchedAtMs = 0
  /** DELETE_RECORDS that are not answered yet. */
  deletes = 0
  /** Not 0: failed, and not to be opened before this monotonic time. */
  failedUntilMs = 0
  /** Being flushed in order to be closed. */
  isClosing = false
  /** Its log is to be a group's as soon as it is at rest: nothing new is taken. */
  isToBeRaised = false
  /** Waits for the write at the end of this turn. */
  isStaged = false
  /** Waits to be looked at in this turn: a flush has completed, or a timer has run. */
  isFlushed = false
  /** A coordinator waits for what it has appended. */
  isHeld = false
  /** A coordinator lives in it: of several replicas, it leads as long as that does. */
  isCoordinated = false
  /** Out of the table: the topic was deleted. */
  isRemoved = false
  timer: Timer | null = null

  constructor(
    number: PartitionNumber,
    topic: TopicView,
    index: PartitionIndex,
    directory: string,
    isReplicated = false,
  ) {
    this.isReplicated = isReplicated
    this.number = number
    this.topic = topic
    this.index = index
    this.directory = directory
  }

  /** Nothing of this turn or of a flush hangs on its log. */
  get isAtRest(): boolean {
    const isTouched = this.isStaged || this.isHeld
    if (isTouched || this.waiting.size > 0 || this.deletes > 0) return false
    if (this.isReplicated && this.isCoordinated) return false
    return this.group === null || this.group.isAtRest
  }
}

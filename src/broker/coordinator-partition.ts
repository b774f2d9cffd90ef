import type { PartitionNumber, TenantId } from '../base/ids.ts'
import type { Timer } from '../base/timer-queue.ts'
import type {
  CoordinatorAnswer,
  CoordinatorCall,
  HostedCoordinator,
} from '../coordinator/hosted.ts'
import type { TopicView } from '../image/view.ts'
import type { PartitionLog } from '../log/partition-log.ts'
import { CommitQueue } from '../machine/commit-queue.ts'
import { baseOffsetOf } from '../record/batch.ts'
import { RecordCursor } from '../record/records.ts'
import type { CallToken } from './coordinator-answers.ts'

/** What coordinates in a partition of an internal topic; null for a topic in which nothing does. */
export type NewCoordinator = (
  topic: TopicView,
  number: PartitionNumber,
) => HostedCoordinator<CallToken> | null

/** A coordinator, the partition whose log it lives in, and what waits for both. Kept by {@link Coordinators}. */
export class CoordinatorPartition {
  readonly number: PartitionNumber
  readonly tenantId: TenantId
  readonly coordinator: HostedCoordinator<CallToken>
  /** Answers that wait until their records, and all before, are committed. */
  readonly answers = new CommitQueue<readonly CoordinatorAnswer<CallToken>[]>()
  /** Calls that wait until the log is loaded. */
  waiting: CoordinatorCall<CallToken>[] = []
  /** Those that are not answered: each is, once, whatever becomes of the coordinator. */
  readonly open = new Set<CallToken>()
  isLoaded = false
  /** By the last {@link load}. */
  loadedBytes = 0
  /** Not loaded yet, because what its log holds is not committed. */
  waitsForFlush = false
  /** A timer of the coordinator has fired since it was loaded. */
  hasFired = false
  /** Records below are replayed. */
  nextOffset: number
  /** Records replayed while loading, since it was begun, or since its broker leads. */
  records = 0
  /** Monotonic ms at which that began, within the turn. */
  startedAtMs = 0
  /** Records wait for the write at the end of this turn. */
  isStaged = false
  usedAtMs: number
  /** In which its broker leads the partition; 0 where that is its only replica. */
  ledTerm = 0
  timer: Timer | null = null

  constructor(
    number: PartitionNumber,
    tenantId: TenantId,
    coordinator: HostedCoordinator<CallToken>,
    { logStartOffset }: Pick<PartitionLog, 'logStartOffset'>,
    nowMs: number,
  ) {
    this.number = number
    this.tenantId = tenantId
    this.coordinator = coordinator
    this.nextOffset = logStartOffset
    this.usedAtMs = nowMs
  }

  /** Replays about `bytesMax` of the log, whole batches, up to `endOffset`, between two batches; true once there is no more. Throws DiskError. */
  load(log: PartitionLog, bytesMax: number, endOffset = log.logEndOffset): boolean {
    this.loadedBytes = 0
    if (this.nextOffset >= endOffset) return true
    log.readBatches(this.nextOffset, (bytes, at, byteLength) => {
      if (baseOffsetOf(bytes, at) >= endOffset) return false
      const cursor = new RecordCursor(bytes, at)
      while (cursor.next()) {
        if (cursor.offset < this.nextOffset) continue
        const key = cursor.key()
        if (key !== null) this.coordinator.replay(cursor.offset, key, cursor.value())
        this.records++
        this.nextOffset = cursor.offset + 1
      }
      this.loadedBytes += byteLength
      return this.loadedBytes < bytesMax
    })
    if (this.loadedBytes >= bytesMax) return false
    // cleaning leaves gaps, at the end too
    this.nextOffset = endOffset
    return true
  }
}

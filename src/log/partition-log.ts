import { invariant } from '../base/assert.ts'
import { ErrorCode } from '../base/error-code.ts'
import type { PartitionNumber } from '../base/ids.ts'
import type { Region } from '../base/region.ts'
import { BatchCopier, type CopyOptions, type CopyOutcome } from './batch-copier.ts'
import { BatchStager } from './batch-stager.ts'
import { CommitBound } from './commit-bound.ts'
import { DiskError } from './disk.ts'
import { Durability, type LogPoint } from './durability.ts'
import type { LogEnvironment } from './environment.ts'
import { FlushBook } from './flush-book.ts'
import type { LogCleaning } from './log-cleaning.ts'
import type { LogConfig } from './log-config.ts'
import { LogRestart, type RestartDone, type RestartWith } from './log-restart.ts'
import { LogRing } from './log-ring.ts'
import { type DeleteRecordsDone, LogStart } from './log-start.ts'
import { LogTail, logPoint } from './log-tail.ts'
import { LogTimers } from './log-timers.ts'
import {
  type AppendOutcome,
  type LocateOutcome,
  LocateSource,
  type OffsetsOutcome,
} from './outcomes.ts'
import type { PartitionLogOptions } from './partition-log-options.ts'
import { ProducerState } from './producer-state.ts'
import { findTimestamp, locate, type ReadableLog, readBatches } from './reads.ts'
import { type OpenedLog, openLog } from './recovery.ts'
import type { RecoveryPoint } from './recovery-points.ts'
import { applyRetention } from './retention.ts'
import { retentionDueAtMs } from './rules.ts'
import type { Segment } from './segment.ts'

/** A reader this close to the end is about to reach it: as much as the largest ring holds. */
const NEAR_END_BYTES = 8 * 2 ** 20
/** So long after somebody read the end it is taken to be read. */
const READ_FOR_MS = 10_000

/** One replica's log, on its broker's thread. `nowMs` of stage is wall-clock time; of onTimer and nextTimerAtMs monotonic time. */
export class PartitionLog implements ReadableLog {
  readonly partition: PartitionNumber
  readonly directory: string
  readonly environment: LogEnvironment
  /** What the recovery points said before it was opened. */
  readonly foundPoint: RecoveryPoint
  readonly segments: Segment[]
  readonly damaged: OpenedLog['damaged']
  readonly epochs: OpenedLog['epochs']
  readonly cleanPoint: OpenedLog['cleanPoint']
  readonly producers: ProducerState
  /** @internal What cleans this log now: told before segments go. */
  cleaning: LogCleaning | null = null
  /** @internal How far its group has committed it; null where it is the only replica. */
  bound: CommitBound | null = null
  /** @internal How it grows. */
  readonly tail: LogTail
  readonly #stager: BatchStager
  readonly #copier: BatchCopier
  readonly #durability: Durability
  readonly #book: FlushBook
  readonly #ring: LogRing | null
  readonly #timers: LogTimers
  readonly #start: LogStart
  readonly #restart: LogRestart
  readonly #onAcknowledged: (() => void) | undefined
  #config: LogConfig
  #startOffset: number
  #failure: string | null
  #closed = false
  #readUntilMs = Number.NEGATIVE_INFINITY
  /** Retention found more to remove than is followed by durable names, or a segment was rolled. */
  #retentionWaits = false

  /** Opens what is in the directory, recovering it if the recovery points say so. Throws DiskError. */
  static open(options: PartitionLogOptions): PartitionLog {
    const { environment, directory, partition, config } = options
    const { indexIntervalBytes } = config
    const open = () => {
      const point = environment.recoveryPoints.of(partition)
      const opened = openLog({ environment, directory, partition, point, indexIntervalBytes })
      return new PartitionLog(options, opened, point)
    }
    // On a full disk too: what cannot be opened can be neither read nor emptied.
    return environment.space === null ? open() : environment.space.withReserve(open)
  }

  private constructor(options: PartitionLogOptions, opened: OpenedLog, point: RecoveryPoint) {
    const { environment, directory, partition, config } = options
    this.environment = environment
    this.directory = directory
    this.partition = partition
    this.foundPoint = point
    this.segments = opened.segments
    this.damaged = opened.damaged
    this.epochs = opened.epochs
    this.cleanPoint = opened.cleanPoint
    this.#config = config
    const { endOffset } = opened
    this.#startOffset = opened.segments[0]?.baseOffset ?? endOffset
    for (const range of opened.damaged) this.#startOffset = Math.min(this.#startOffset, range.from)
    const begun = opened.starts.offsets.at(-1) ?? 0
    this.#startOffset = Math.max(this.#startOffset, Math.min(begun, endOffset))
    this.#failure = opened.failure
    this.#onAcknowledged = options.onAcknowledged
    this.producers = new ProducerState(
      environment,
      directory,
      opened.snapshots,
      this.segments,
      endOffset,
    )
    this.producers.expirationMs = config.producerIdExpirationMs
    this.producers.removeSnapshots((offset) => offset > endOffset)
    this.#ring = environment.rings === null ? null : new LogRing(environment.rings, partition)
    this.#book = new FlushBook(this, () => this.#flushed())
    const durable = Math.min(point.flushedOffset, endOffset)
    this.#markSegments(durable, opened.recovered)
    this.#book.found()
    const end = logPoint(this.segments, endOffset)
    this.#durability = new Durability(environment.flush, this.#book, end, durable)
    this.#durability.flushMessages = config.flushMessages
    this.#timers = new LogTimers(this, this.#book, this.#ring)
    this.tail = new LogTail(this, {
      endOffset,
      isDirty: point.dirty && !point.powerLoss,
      hasEpochFile: opened.hasEpochFile,
      book: this.#book,
      durability: this.#durability,
      timers: this.#timers,
      ring: this.#ring,
    })
    this.#stager = new BatchStager(this, this.#ring, this.#durability, {
      config,
      origin: options.origin ?? 'client',
      appendsWhenFull: options.appendsWhenFull ?? false,
    })
    if (options.isReplicated === true) {
      this.bound = new CommitBound(this, options.commitOffset ?? this.#startOffset)
    }
    this.#copier = new BatchCopier(this, this.#ring)
    this.#start = new LogStart(this, this.#book, opened.starts)
    this.#restart = new LogRestart(this, this.#book)
    if (this.#failure === null) this.#start.dropBeyondEnd()
    if (opened.recovered && this.#failure === null)
      this.tail.keepMended(durable, opened.restartedAt)
    else if (durable < endOffset) this.#durability.request(false)
    if (this.#failure === null) this.#start.settle()
  }

  #markSegments(durable: number, dirty: boolean): void {
    this.segments.forEach((segment, index) => {
      const end = this.segments[index + 1]?.baseOffset ?? Number.POSITIVE_INFINITY
      segment.flushed = !dirty || end < durable
      segment.named = !dirty
    })
  }

  get logStartOffset(): number {
    return this.#startOffset
  }
  get logEndOffset(): number {
    return this.tail.endOffset
  }
  /** With one replica: everything that is stored. */
  get highWatermark(): number {
    return this.committed.offset
  }
  get lastStableOffset(): number {
    return this.committed.offset
  }
  /** Offsets below are durable. */
  get durableOffset(): number {
    return this.#durability.durableOffset
  }
  /** A produce whose last offset is below may be answered. */
  get acknowledgedOffset(): number {
    const { storedOffset, bound } = this
    return bound === null ? storedOffset : Math.min(storedOffset, bound.committed.offset)
  }
  /** Everything below is on this disk as durably as the topic's config asks, committed or not. */
  get storedOffset(): number {
    return this.#durability.answerableOffset
  }
  /** The end of what may be read. */
  get committed(): LogPoint {
    const { acknowledged } = this.#durability
    const { bound } = this
    if (bound === null) return acknowledged
    return bound.committed.offset < acknowledged.offset ? bound.committed : acknowledged
  }
  /** @internal Why it takes no appends until a flush that was asked for has ended, null when it does. */
  get unsettled(): string | null {
    if (this.#restart.isUnderWay) return 'the log is about to begin anew'
    return this.#start.isUnsettled ? 'the log start is being put right' : null
  }
  /** Not null once the log takes no appends until it is opened again: the reason. Reads of good segments go on. */
  get failure(): string | null {
    return this.#failure
  }
  /** The failure is that of a flush. */
  get hasLostFlush(): boolean {
    return this.#durability.isLost
  }
  get config(): LogConfig {
    return this.#config
  }
  get leaderEpoch(): number {
    return this.epochs.latest
  }
  get sizeBytes(): number {
    return this.segments.reduce((sum, segment) => sum + segment.size, 0)
  }
  get ring(): { readonly region: Region; readonly generation: number } | null {
    return this.#ring?.writer ?? null
  }
  /** Whether stage has taken anything that write has not written yet. */
  get hasStaged(): boolean {
    return this.#stager.hasStaged
  }
  /** @internal */
  get closed(): boolean {
    return this.#closed
  }
  /** The segment that appends go to. */
  get active(): Segment | undefined {
    return this.segments.at(-1)
  }
  /** Wall-clock ms at which retention.ms will want something gone, Infinity for never: to open the log again by. */
  get retentionDueAtMs(): number {
    return retentionDueAtMs(this.segments, this.#config)
  }

  /**
   * Validates one batch, gives it its offsets and copies it; `batch` is not used after the call. What may be answered
   * is known after {@link write}: when that returns an error, all produces staged since the write before whose
   * lastOffset is logEndOffset or more have failed.
   */
  stage(
    batch: Uint8Array,
    nowMs: number,
    leaderEpoch: number,
    out: AppendOutcome,
    roomBytes = Number.POSITIVE_INFINITY,
  ): void {
    this.#stager.stage(batch, nowMs, leaderEpoch, out, roomBytes)
  }

  /** One write for everything staged. On error it is undone as if it had never been staged. */
  write(): DiskError | null {
    return this.#stager.write()
  }

  /**
   * Appends whole batches of `bytes`, from `from` up to `to`, as another replica's log has them: at once, not with {@link write}.
   * Nothing may be staged.
   */
  appendCopies(
    bytes: Uint8Array,
    from: number,
    to: number,
    options: CopyOptions,
    out: CopyOutcome,
  ): void {
    invariant(!this.hasStaged, 'appendCopies with batches staged')
    this.#copier.append(bytes, from, to, options, out)
    this.#stager.moved()
  }

  /**
   * The group has committed everything below `offset`, here no more than there is. Never goes back. Whether that moves the high
   * watermark's bound. Throws DiskError.
   */
  commitTo(offset: number): boolean {
    invariant(this.bound !== null, 'commitTo of a log that is the only replica')
    if (!this.bound.commitTo(offset)) return false
    this.#ring?.publishWatermarks(this)
    return true
  }

  /** The log is one of several from now on, committed to `commitOffset` or as far as it may be read already, or the only one. Throws DiskError. */
  setReplicated(isReplicated: boolean, commitOffset = 0): void {
    const from = Math.max(commitOffset, this.highWatermark)
    this.bound = isReplicated ? new CommitBound(this, from) : null
    this.#ring?.publishWatermarks(this)
  }

  /** @internal The log can take no appends any more. */
  fail(reason: string): void {
    if (this.#failure !== null) return
    this.#failure = reason
    const { logger } = this.environment
    const { directory, partition } = this
    logger.log('error', `Log takes no more appends: ${reason}`, { directory, partition })
  }

  /** Where the bytes from `offset` on are: at most `maxBytes`, but one batch at least. */
  locate(offset: number, maxBytes: number, out: LocateOutcome): void {
    this.#reading(out, () => locate(this, this.#ring?.writer ?? null, offset, maxBytes, out))
    const { segment, position } = this.committed
    const isNear =
      out.source !== LocateSource.FILE ||
      (out.segmentBaseOffset === segment?.baseOffset && position - out.position < NEAR_END_BYTES)
    if (out.error === ErrorCode.NONE && isNear) this.noteReader()
  }

  /** Somebody reads the end of the log: what is appended next is to be found in the ring. */
  noteReader(): void {
    this.#readUntilMs = this.environment.clock.monotonicMs() + READ_FOR_MS
  }

  /**
   * Whether somebody has read, or waited for, the end lately. Who reads from the ring does not say so each time, but asks here
   * when it ends before the log does.
   */
  get isReadAtEnd(): boolean {
    return this.environment.clock.monotonicMs() < this.#readUntilMs
  }

  /** ListOffsets: a time in ms, or one of Kafka's negative ones. offset −1 when there is none. */
  offsetForTimestamp(timestamp: number, out: OffsetsOutcome): void {
    this.#reading(out, () => findTimestamp(this, timestamp, out))
  }

  #reading(out: { error: number }, read: () => void): void {
    try {
      read()
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      const { directory, partition } = this
      const fields = { directory, partition }
      this.environment.logger.log('error', `Log cannot be read: ${error.message}`, fields)
      out.error = ErrorCode.KAFKA_STORAGE_ERROR
    }
  }

  /** OffsetForLeaderEpoch (KIP-320): see {@link LeaderEpochs.endOf}. */
  endOffsetForEpoch(
    epoch: number,
    currentEpoch = -1,
  ): { readonly epoch: number; readonly endOffset: number } {
    return this.epochs.endOf(epoch, this.logEndOffset, currentEpoch)
  }

  /** DeleteRecords: see {@link LogStart.deleteBelow}. */
  deleteRecords(offset: number, done: DeleteRecordsDone): void {
    this.#start.deleteBelow(offset, done)
  }

  /**
   * Calls `visit` for each batch from the one that holds `offset` on, up to the log end; false stops. For logs that a
   * broker reads itself. Throws DiskError.
   */
  readBatches(
    offset: number,
    visit: (bytes: Uint8Array, at: number, byteLength: number) => boolean,
  ): void {
    readBatches(this, offset, visit)
  }

  /** Monotonic time at which onTimer wants to be called. */
  get nextTimerAtMs(): number {
    return this.#timers.nextAtMs
  }

  /** Retention, flush.ms, producer expiry, an idle ring: whatever is due at `nowMs`. */
  onTimer(nowMs: number): void {
    this.#timers.fire(nowMs)
  }

  /** Removes what retention.ms and retention.bytes want gone, as far as the name of what follows is durable. */
  applyRetention(): void {
    if (this.segments.length === 0 || this.#closed) return
    const before = this.#startOffset
    this.#retentionWaits = applyRetention(this) > 0
    if (before !== this.#startOffset) this.#ring?.publishWatermarks(this)
  }

  /** @internal A segment was rolled: retention is looked at as soon as its name is durable. */
  retainWhenFlushed(): void {
    this.#retentionWaits = true
  }

  /** Retention is looked at again after the flush that is under way. */
  get retentionWaits(): boolean {
    return this.#retentionWaits
  }

  /** @internal Segments in a row were cleaned into one. */
  replaceSegments(old: readonly Segment[], cleaned: Segment): void {
    this.segments.splice(this.segments.indexOf(old[0]!), old.length, cleaned)
  }

  /** @internal A segment that begins at `offset` is the first now. */
  startsAt(offset: number): void {
    this.#startOffset = Math.max(this.#startOffset, offset)
  }

  /** @internal What is below `offset` was deleted: nobody reads it any more, and its segments go. */
  beginsAt(offset: number): void {
    if (offset <= this.#startOffset) return
    this.#startOffset = offset
    this.#ring?.publishWatermarks(this)
    this.applyRetention()
  }

  /** The topic's config has changed: what it says holds from now on. */
  updateConfig(config: LogConfig): void {
    const before = this.#config
    if (config === before) return
    this.#config = config
    this.#stager.updateConfig(config)
    this.producers.expirationMs = config.producerIdExpirationMs
    this.#durability.flushMessages = config.flushMessages
    // what waits for no flush by the old rule may wait for one by the new
    const unflushed = this.logEndOffset - this.durableOffset
    if (unflushed > 0 && unflushed >= config.flushMessages) this.#durability.request(false)
    this.#timers.reconfigured(before)
  }

  /** Asks that what is written be made durable. */
  requestFlush(done: ((error: DiskError | null) => void) | null = null): void {
    this.#durability.request(false, done)
  }

  /** Asks for all files to be made durable: before {@link close}. Nothing may be staged. */
  flushAll(done: (error: DiskError | null) => void): void {
    invariant(!this.hasStaged, 'flushAll with batches staged')
    if (this.active === undefined || !this.tail.isDirty || this.#failure !== null) {
      done(null)
      return
    }
    try {
      this.tail.seal()
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      done(error)
      return
    }
    this.#durability.request(true, done)
  }

  /** Before {@link truncateTo} of a log that was opened a while ago: see {@link LogTail.announceCut}. */
  announceCut(offset: number, done: (failed: DiskError | null) => void): boolean {
    return this.segments.length > 0 && this.tail.announceCut(offset, done)
  }

  /** Forgets everything from the batch that holds `offset` on. Throws DiskError. */
  truncateTo(offset: number): void {
    invariant(!this.hasStaged, 'truncateTo with batches staged')
    if (offset >= this.logEndOffset || this.segments.length === 0) return
    invariant(offset >= this.#startOffset, 'truncateTo below the log start')
    const { bound } = this
    invariant(bound === null || offset >= bound.committed.offset, 'truncateTo below the commit')
    this.cleaning?.cancel()
    this.tail.cutBack(offset)
    this.#stager.moved()
  }

  /**
   * Gives up the whole log for one that begins, empty, at `offset`, which lies beyond its start and beyond all that is committed here. `done` is called once, after
   * two flushes: with null the log is to be abandoned and opened again, see {@link LogRestart}. Until then it is as it was, but takes no appends.
   */
  restartAt(offset: number, given: RestartWith, done: RestartDone): void {
    this.#restart.begin(offset, given, done)
  }

  /** Drops the pins of a front whose thread has exited. */
  releaseFront(front: number): void {
    this.#ring?.writer?.releaseFront(front)
  }

  /** Lets go of ring and descriptors. Clean, if flushAll has completed and nothing was staged since. */
  close(): RecoveryPoint {
    invariant(!this.hasStaged, 'close with batches staged')
    const { recoveryPoints } = this.environment
    this.#closed = true
    this.cleaning?.release()
    this.#ring?.giveUpRing()
    for (const segment of this.segments) segment.release()
    this.tail.markClean()
    return recoveryPoints.of(this.partition)
  }

  /** Lets go of everything after an error, whatever state that has left: the next open checks the log's end. */
  abandon(): void {
    this.#failure ??= 'abandoned'
    this.#stager.abandon()
    this.close()
  }

  #flushed(): void {
    this.#ring?.publishWatermarks(this)
    this.#onAcknowledged?.()
    if (!this.#retentionWaits) return
    this.#retentionWaits = false
    this.#timers.retainSoon()
  }
}

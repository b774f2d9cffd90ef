import { DiskError } from './disk.ts'
import type { Durability, LogPoint } from './durability.ts'
import type { FlushBook } from './flush-book.ts'
import { EPOCH_FILE, encodeEpochs } from './leader-epochs.ts'
import type { LogRing } from './log-ring.ts'
import type { LogTimers } from './log-timers.ts'
import type { PartitionLog } from './partition-log.ts'
import { evenWhenFull } from './retention.ts'
import { asksForFlushes } from './rules.ts'
import { Segment } from './segment.ts'

/** Of so many a snapshot costs next to nothing beside what is written between two notes. */
const PRODUCERS_PER_NOTE = 4_000

export interface LogTailOptions {
  readonly endOffset: number
  /** The recovery points name the log as written. */
  readonly isDirty: boolean
  /** There is a file of its leader epochs. */
  readonly hasEpochFile: boolean
  readonly book: FlushBook
  readonly durability: Durability
  readonly timers: LogTimers
  readonly ring: LogRing | null
}

/** Where a log ends, in its active segment. */
export function logPoint(segments: readonly Segment[], offset: number): LogPoint {
  const segment = segments.at(-1) ?? null
  return { offset, segment, position: segment?.size ?? 0 }
}

/**
 * The end of a log on disk: how it grows, segment by segment, how it is cut back and sealed, and what is said of it in
 * the recovery points, in epochs and snapshots, before or with that. On the broker's thread.
 */
export class LogTail {
  readonly #log: PartitionLog
  readonly #book: FlushBook
  readonly #durability: Durability
  readonly #timers: LogTimers
  readonly #ring: LogRing | null
  #endOffset: number
  #dirty: boolean
  #hasEpochFile: boolean
  /** Its only epoch, which began with the log, is told by its batches alone: see {@link LogTail.assignEpoch}. */
  #owesEpochs = false
  /** Since the last snapshot of the producers. */
  #notes = 0

  constructor(log: PartitionLog, options: LogTailOptions) {
    this.#log = log
    this.#book = options.book
    this.#durability = options.durability
    this.#timers = options.timers
    this.#ring = options.ring
    this.#endOffset = options.endOffset
    this.#dirty = options.isDirty
    this.#hasEpochFile = options.hasEpochFile
  }

  get endOffset(): number {
    return this.#endOffset
  }

  /** The recovery points name this log as written. */
  get isDirty(): boolean {
    return this.#dirty
  }

  /** The segment for the first batch of a log, and for those after a roll. Throws DiskError. */
  addSegment(nowMs: number): Segment {
    const { config, directory, environment, segments } = this.#log
    const { disk, files, random } = environment
    if (segments.length === 0) {
      this.#tellDirty(this.#log.durableOffset)
      disk.mkdirs(directory)
      this.#book.addDirectories()
    }
    const segment = new Segment(disk, files, directory, this.#endOffset, 0)
    segment.log.get()
    segment.createdMs = nowMs
    const jitterMs = Math.min(config.segmentJitterMs, config.segmentMs)
    segment.jitterMs = jitterMs > 0 ? random.uint32() % jitterMs : 0
    segments.push(segment)
    this.#book.add(directory)
    return segment
  }

  /** Seals the active segment and begins the next. Throws DiskError; nothing may be staged. */
  roll(nowMs: number): Segment {
    const { active, producers, segments } = this.#log
    active!.seal()
    this.#storeOwedEpochs()
    this.#snapshotProducers()
    const next = this.addSegment(nowMs)
    producers.removeStray(segments)
    this.#log.retainWhenFlushed()
    const isNamed = this.#book.flushName(next)
    // what is to be cleaned must be durable first
    if (!isNamed || this.#log.config.cleanupPolicy.compact) this.#durability.request(false)
    return next
  }

  /**
   * Retention has removed segments. A round that was to flush them ends when that is durable: one that comes back with a power
   * cut may have a hole, and the log would end there, below what the round made durable.
   */
  removed(): void {
    this.#durability.include(this.#log.directory)
  }

  #snapshotProducers(): void {
    const path = this.#log.producers.snapshot(this.#endOffset)
    if (path !== null) this.#book.add(path)
    this.#book.add(this.#log.directory)
  }

  /** Before an append: the recovery points must name this log. Throws DiskError. */
  markDirty(): void {
    this.#book.touched()
    if (!this.#dirty) this.#tellDirty(this.#log.durableOffset)
  }

  #tellDirty(durableOffset: number): void {
    const { environment, partition } = this.#log
    environment.recoveryPoints.markDirty(partition, durableOffset)
    this.#dirty = true
  }

  /** The log is being closed: the recovery points are told when everything up to its end is durable. Throws DiskError. */
  markClean(): void {
    const { environment, failure, partition } = this.#log
    if (!this.#dirty || this.#book.cleanAt !== this.#endOffset || failure !== null) return
    environment.recoveryPoints.markClean(partition, this.#endOffset)
    this.#dirty = false
  }

  /** The log's epochs have changed. Throws DiskError. */
  storeEpochs(): void {
    const { directory, environment, epochs } = this.#log
    const path = `${directory}/${EPOCH_FILE}`
    environment.disk.writeFileAtomic(path, encodeEpochs(epochs.lines))
    this.#hasEpochFile = true
    this.#owesEpochs = false
    this.#book.add(path)
    this.#book.add(directory)
  }

  #storeOwedEpochs(): void {
    if (this.#owesEpochs) this.storeEpochs()
  }

  /**
   * Batches from `offset` on have `leaderEpoch`, which is news. Throws DiskError, and the log knows nothing of it then. The first epoch of a new log has no file before
   * the log is closed, rolled or noted: making files is most of what a first record costs, and an opening that finds none reads the batches, which are few until then.
   */
  assignEpoch(leaderEpoch: number, offset: number): void {
    const { epochs } = this.#log
    if (!epochs.assign(leaderEpoch, offset)) return
    this.#owesEpochs = offset === 0 && !this.#hasEpochFile
    if (this.#owesEpochs) return
    try {
      this.storeEpochs()
    } catch (error) {
      epochs.truncate(offset)
      throw error
    }
  }

  /** Before a batch that does not follow on the one before: another replica's log was cleaned up to `gapsTo`. Throws DiskError. */
  allowGaps(gapsTo: number): void {
    const { cleanPoint, directory } = this.#log
    if (gapsTo <= cleanPoint.gapsTo) return
    cleanPoint.allowGaps(gapsTo)
    this.#book.add(directory)
  }

  /** Makes the directory where it is missing, for files that lie beside the log. Throws DiskError. */
  makeDirectory(): void {
    this.#log.environment.disk.mkdirs(this.#log.directory)
    this.#book.addDirectories()
  }

  /** A file beside the log has changed: it goes with the next flush round, and with `now` with the one under way as well, as it is now. */
  flushAlso(path: string, now = false): void {
    this.#book.add(path)
    if (now) this.#durability.include(path)
  }

  /** Names in the log's directory have changed that must not change back: they are made durable. */
  flushNames(): void {
    this.#book.add(this.#log.directory)
    this.#durability.request(false)
  }

  /** `bytes` up to `endOffset` are in the active segment. */
  appended(endOffset: number, bytes: number): void {
    this.#endOffset = endOffset
    this.#log.active!.flushed = false
    if (this.#book.wrote(bytes)) this.#noteWritten()
    const end = logPoint(this.#log.segments, endOffset)
    this.#durability.wrote(end)
    this.#log.bound?.wrote(end)
    if (this.#book.unflushedBytes >= this.#book.flushEveryBytes) this.#durability.request(false)
    this.#timers.appended()
  }

  /** So that an opening after the death of the process finds little to read; a snapshot ends the replay of producers, and is larger where there are many. */
  #noteWritten(): void {
    const { producers } = this.#log
    try {
      this.#storeOwedEpochs()
      if (++this.#notes > producers.table.size / PRODUCERS_PER_NOTE) {
        this.#notes = 0
        this.#trySnapshot()
      }
      this.#noteWhole(this.#endOffset)
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
    }
  }

  /** Everything that a clean stop leaves is on disk, to be flushed. Throws DiskError. */
  seal(): void {
    const log = this.#log
    evenWhenFull(log, () => log.active!.seal())
    evenWhenFull(log, () => this.#storeOwedEpochs())
    evenWhenFull(log, () => this.#snapshotProducers())
    log.producers.removeStray(log.segments)
  }

  /**
   * What recovery has read, and has written again, is whole: the checks of this start are not repeated after the next death. It is made durable where the topic asks for
   * that, or where what lies in the files may be what a flush has failed to write. Throws DiskError.
   */
  keepMended(durableOffset: number, restartedAt: number): void {
    const { config, directory, foundPoint, producers } = this.#log
    // what a power cut leaves beside the log may be of batches that it has taken
    if (foundPoint.powerLoss) producers.removeUnproven(durableOffset, restartedAt)
    producers.ensureLoaded()
    this.markDirty()
    this.#book.addDirectories()
    this.#book.add(`${directory}/${EPOCH_FILE}`)
    for (const path of producers.rewriteSnapshots(durableOffset, restartedAt)) this.#book.add(path)
    if (producers.wantsSnapshot) this.#trySnapshot()
    if (foundPoint.powerLoss || asksForFlushes(config)) this.#durability.request(true)
    else this.#noteWhole(this.#endOffset)
  }

  /** What it would save is no reason not to open a log, or not to say that it is whole. */
  #trySnapshot(): void {
    const { producers, segments } = this.#log
    try {
      this.#snapshotProducers()
      producers.removeStray(segments)
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
    }
  }

  /**
   * Before {@link cutBack}. A power cut that leaves the log cut back, and takes what the recovery points were told of that, would leave a damaged one. False where none
   * can; else `done` is called once, when none can any more, or with why that is not known. Until then the log takes no appends. Throws DiskError.
   */
  announceCut(offset: number, done: (failed: DiskError | null) => void): boolean {
    const { environment, partition } = this.#log
    const { recoveryPoints } = environment
    const end = offset < this.#endOffset ? this.#endOfCut(offset).end : offset
    if (!recoveryPoints.mayTellBeyond(partition, end)) return false
    const { writtenOffset } = recoveryPoints.of(partition)
    evenWhenFull(this.#log, () => {
      recoveryPoints.lower(partition, end, (failed) => {
        if (failed !== null) done(failed)
        else this.#announceAgain(offset, done)
      })
      this.#noteWhole(writtenOffset)
    })
    this.#dirty = true
    return true
  }

  /** A flush round may have ended meanwhile, and have said that more is durable. */
  #announceAgain(offset: number, done: (failed: DiskError | null) => void): void {
    const { closed, directory, failure } = this.#log
    let failed: DiskError | null = null
    try {
      if (closed || failure !== null) failed = new DiskError('ECANCELED', directory, 'truncate')
      else if (this.announceCut(offset, done)) return
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      failed = error
    }
    done(failed)
  }

  /** Where a log of at least one segment ends without the batch that holds `offset`. */
  #endOfCut(offset: number) {
    const { segments } = this.#log
    const index = Math.max(
      0,
      segments.findLastIndex((segment) => segment.baseOffset < offset),
    )
    const last = segments[index]!
    const place = last.findBatch(offset, last.size)
    const end = place?.baseOffset ?? segments[index + 1]?.baseOffset ?? this.#endOffset
    return { last, place, end }
  }

  /** Forgets everything from the batch that holds `offset` on, which is in the log. Throws DiskError. */
  cutBack(offset: number): void {
    const log = this.#log
    const { segments } = log
    const { last, place, end } = this.#endOfCut(offset)
    this.#book.touched()
    const { writtenOffset } = log.environment.recoveryPoints.of(log.partition)
    // Before anything is gone: a log that ends below what was durable is damaged.
    this.#tellDirty(Math.min(log.durableOffset, end))
    this.#ring?.giveUpRing()
    // With what is appended next: segments that came back would follow on it, or take its place.
    this.#book.add(log.directory)
    while (log.active !== last) segments.pop()!.remove()
    this.#endOffset = last.truncateTo(offset, place, log.config.indexIntervalBytes)
    log.cleanPoint.truncate(this.#endOffset)
    last.flushed = false
    log.producers.reload(this.#endOffset)
    if (log.epochs.truncate(this.#endOffset)) this.storeEpochs()
    const point = logPoint(segments, this.#endOffset)
    this.#durability.truncated(point)
    log.bound?.truncated(point)
    this.#noteWhole(Math.min(writtenOffset, this.#endOffset))
  }

  /** Again, after word of something else: the next opening is not to read all that was not flushed. Throws DiskError. */
  #noteWhole(offset: number): void {
    this.#book.noteWritten(offset, this.#durability.isFlushing)
  }
}

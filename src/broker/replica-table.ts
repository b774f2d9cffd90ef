import type { BrokerId, CellId, PartitionNumber } from '../base/ids.ts'
import { partitionPath } from '../base/paths.ts'
import { TimerQueue } from '../base/timer-queue.ts'
import type { MetadataView } from '../image/view.ts'
import { DiskError, type FlushPort, isEndOfProcess } from '../log/disk.ts'
import type { LogEnvironment } from '../log/environment.ts'
import { PartitionLog } from '../log/partition-log.ts'
import { Replica } from './replica.ts'

export interface ReplicaTableOptions {
  readonly environment: LogEnvironment
  /** The broker's directory. */
  readonly root: string
  readonly cellId: CellId
  readonly brokerId: BrokerId
  readonly image: MetadataView
  readonly openLogsMax: number
  readonly failedRetryMs: number
  /** The replica failed: answer who waits. Its log is closed by then. */
  readonly onFailed: (replica: Replica) => void
  /** A flush that the replica's log asked for has completed. */
  readonly onFlushed: (replica: Replica) => void
  /** Opens the group of a replicated partition, and its log with it by {@link ReplicaTable.openLog}. */
  readonly openGroup: (replica: Replica) => void
  /** The log of a replica whose group is open is about to be closed; `isQuiet`: nobody waits for anything of it. */
  readonly onClosing: (replica: Replica, isQuiet: boolean) => void
}

/** How much a log holds. */
export interface LogMeasures {
  readonly logStartOffset: number
  /** The high watermark. */
  readonly endOffset: number
  readonly sizeBytes: number
}

/** A touch is noted in the order of use at most this often per partition. */
const TOUCH_EVERY_MS = 250
/** Logs that may be open beyond the limit while others are being flushed. */
const OVERSHOOT = 1.25
/** Idle logs looked at for one that may be closed: the others are being flushed. */
const LOOKS_PER_IDLE = 4
/** Partitions looked at for one that may be closed, when too many logs are open. */
const PRESSURE_LOOKS = 32

/**
 * The partitions that are in use here, and which of them have their logs open. Everything that may throw on account of one partition
 * goes through {@link guard}, so that it ends with that partition. On the broker's thread.
 */
export class ReplicaTable {
  readonly timers = new TimerQueue()
  readonly #options: ReplicaTableOptions
  readonly #replicas = new Map<PartitionNumber, Replica>()
  /** Those with an open log, touched longest ago first. */
  readonly #open = new Set<Replica>()
  /** Those without, likewise. */
  readonly #closed = new Set<Replica>()
  /** Logs that were open and are not: nobody else changes them. */
  readonly #closedLogs = new Map<PartitionNumber, LogMeasures>()
  readonly #closedSince = new Set<PartitionNumber>()
  #closedBytesSum = 0
  #opened = 0
  #failed = 0

  constructor(options: ReplicaTableOptions) {
    this.#options = options
  }

  get openCount(): number {
    return this.#open.size
  }

  /** Logs opened since the start. */
  get openedTotal(): number {
    return this.#opened
  }

  /** Bytes of all logs that were opened since the start; looks at those that are open. */
  logBytes(): number {
    let bytes = this.#closedBytesSum
    for (const { log } of this.#open) if (log !== null) bytes += log.sizeBytes
    return bytes
  }

  /** Without opening it: null where it was not open since the start, or has failed. */
  measuresOf(number: PartitionNumber): LogMeasures | null {
    const log = this.#replicas.get(number)?.log ?? null
    if (log === null) return this.#closedLogs.get(number) ?? null
    const { logStartOffset, highWatermark, sizeBytes } = log
    return { logStartOffset, endOffset: highWatermark, sizeBytes }
  }

  /** Some logs were closed since that was asked. */
  get hasClosed(): boolean {
    return this.#closedSince.size > 0
  }

  /** Those that were closed since that was asked last. */
  takeClosed(): PartitionNumber[] {
    const taken = [...this.#closedSince]
    this.#closedSince.clear()
    return taken
  }

  /** Partitions that failed and have not been opened again. */
  get failedCount(): number {
    return this.#failed
  }

  get size(): number {
    return this.#replicas.size
  }

  get(number: PartitionNumber): Replica | undefined {
    return this.#replicas.get(number)
  }

  openReplicas(): Iterable<Replica> {
    return this.#open
  }

  replicas(): Iterable<Replica> {
    return this.#replicas.values()
  }

  /** The replica of a partition that the image names; undefined when it is another cell's. */
  admit(number: PartitionNumber): Replica | undefined {
    const known = this.#replicas.get(number)
    if (known !== undefined) return known
    const partition = this.#options.image.partition(number)
    if (partition === undefined || partition.topic.cellId !== this.#options.cellId) return undefined
    const { topic, index } = partition
    const directory = partitionPath(this.#options.root, topic.tenantId, topic.topicId, index)
    const isReplicated = this.#options.image.isReplicated(number)
    const replica = new Replica(number, topic, index, directory, isReplicated)
    this.#replicas.set(number, replica)
    this.#closed.add(replica)
    return replica
  }

  /**
   * The replica's log, opened if it is not; null while the partition is failed. One that takes no appends any more is
   * returned, for reads, until it is time to try again. Counts as a touch.
   */
  open(replica: Replica, nowMs: number): PartitionLog | null {
    if (nowMs - replica.touchedAtMs >= TOUCH_EVERY_MS) this.touch(replica, nowMs)
    const log = replica.log
    if (log !== null) {
      if (log.failure === null) return log
      this.noteFailure(replica, nowMs)
      if (nowMs < replica.failedUntilMs) return log
      this.#close(replica)
    }
    if (nowMs < replica.failedUntilMs) return null
    if (!replica.isReplicated) return this.openLog(replica, nowMs)
    this.#options.openGroup(replica)
    return replica.log
  }

  /** The log has said that it takes no more appends: when to try again. */
  noteFailure(replica: Replica, nowMs: number): void {
    if (replica.failedUntilMs !== 0) return
    this.#failed++
    replica.failedUntilMs = nowMs + this.#options.failedRetryMs
  }

  touch(replica: Replica, nowMs: number): void {
    replica.touchedAtMs = nowMs
    const set = replica.log === null ? this.#closed : this.#open
    set.delete(replica)
    set.add(replica)
  }

  /** The same, for those that are touched all the time. */
  touchLightly(replica: Replica, nowMs: number): void {
    if (nowMs - replica.touchedAtMs >= TOUCH_EVERY_MS) this.touch(replica, nowMs)
  }

  /** Runs `work` for one partition: whatever it throws fails that partition and nothing else; false then. */
  guard(replica: Replica, nowMs: number, work: () => void): boolean {
    try {
      work()
      return true
    } catch (error) {
      this.fail(replica, nowMs, error)
      return false
    }
  }

  /** Ends the partition's log after an error; it is opened anew, with recovery, when it is touched after a while. */
  fail(replica: Replica, nowMs: number, error: unknown): void {
    if (isEndOfProcess(error)) throw error
    const { environment, failedRetryMs } = this.#options
    environment.logger.log('error', `Partition failed: ${describe(error)}`, {
      topic: replica.topic.name,
      partition: replica.index,
      directory: replica.directory,
      retryInMs: failedRetryMs,
      // a disk's error says it all; anything else is a bug of ours
      stack: error instanceof DiskError ? undefined : stackOf(error),
    })
    if (replica.failedUntilMs === 0) this.#failed++
    replica.failedUntilMs = nowMs + failedRetryMs
    this.#close(replica, true)
    replica.quiet = null
    this.#options.onFailed(replica)
  }

  /** The topic's config, or the broker's own, has changed: the log goes by it from now on. */
  reconfigure(replica: Replica, nowMs: number): void {
    const { log } = replica
    if (log === null) return
    const config = replica.topic.effectiveAt(this.#options.brokerId)
    if (this.guard(replica, nowMs, () => log.updateConfig(config))) this.arm(replica)
  }

  /** Asks to be called again when the log wants it. Later times are found out when the timer fires. */
  arm(replica: Replica): void {
    const atMs = replica.log === null ? Number.POSITIVE_INFINITY : replica.log.nextTimerAtMs
    if (atMs === Number.POSITIVE_INFINITY) return
    const timer = replica.timer
    if (timer !== null) {
      if (timer.atMs <= atMs) return
      this.timers.cancel(timer)
    }
    replica.timer = this.timers.schedule(atMs, (nowMs) => this.#onTimer(replica, nowMs))
  }

  /** Closes the log, keeping what a fetch at its end needs to know. Only at rest. */
  dehydrate(replica: Replica, nowMs: number): void {
    const log = replica.log
    if (log === null) return
    const quiet = { logStartOffset: log.logStartOffset, endOffset: log.logEndOffset }
    // of a replica, others may append behind its back
    const isAlone = !replica.isReplicated
    const usable = isAlone && log.failure === null && log.highWatermark === log.logEndOffset
    this.guard(replica, nowMs, () => {
      this.#close(replica)
      replica.quiet = usable ? quiet : null
    })
    replica.waiting.release()
  }

  /**
   * Begins to dehydrate, and forgets, what was not touched since `sinceMs`, at most `limit`; returns how many. Those
   * whose flush is under way do not count: waiting for them is no work.
   */
  dehydrateIdle(nowMs: number, sinceMs: number, limit: number): number {
    let done = 0
    let looks = Math.min(this.#open.size, limit * LOOKS_PER_IDLE)
    for (const replica of this.#open) {
      if (looks-- === 0 || done >= limit || replica.touchedAtMs > sinceMs) break
      // at the back of the order until its flush is done
      this.touch(replica, replica.touchedAtMs)
      if (this.flushAndClose(replica)) done++
    }
    for (const replica of this.#closed) {
      if (done >= limit || replica.touchedAtMs > sinceMs) break
      done++
      if ((replica.watches?.active ?? 0) > 0) this.touch(replica, nowMs)
      else this.#forget(replica)
    }
    return done
  }

  /** Takes the replica out: its topic was deleted. Its log is closed; the files stay for the remover. */
  remove(replica: Replica, nowMs: number): void {
    replica.isRemoved = true
    this.guard(replica, nowMs, () => this.#close(replica))
    this.#noteClosed(replica.number, null)
    this.#forget(replica)
  }

  #noteClosed(number: PartitionNumber, log: LogMeasures | null): void {
    const before = this.#closedLogs.get(number)?.sizeBytes ?? 0
    this.#closedBytesSum += (log?.sizeBytes ?? 0) - before
    if (log === null) {
      this.#closedLogs.delete(number)
      this.#closedSince.delete(number)
    } else {
      this.#closedLogs.set(number, log)
      this.#closedSince.add(number)
    }
  }

  #forget(replica: Replica): void {
    if (replica.failedUntilMs !== 0) this.#failed--
    replica.failedUntilMs = 0
    this.#closed.delete(replica)
    this.#replicas.delete(replica.number)
  }

  /** Opens the log of a replica that has none open; null where that fails. */
  openLog(replica: Replica, nowMs: number): PartitionLog | null {
    if (this.#open.size >= this.#options.openLogsMax) this.#makeRoom(nowMs)
    const environment = {
      ...this.#options.environment,
      flush: this.#flushPortOf(replica),
    }
    try {
      replica.log = PartitionLog.open({
        environment,
        directory: replica.directory,
        partition: replica.number,
        // written by coordinators alone, whose records go on when the disk is full
        origin: replica.topic.internal ? 'broker' : 'client',
        appendsWhenFull: replica.topic.internal,
        config: replica.topic.effectiveAt(this.#options.brokerId),
        isReplicated: replica.isReplicated,
      })
    } catch (error) {
      this.fail(replica, nowMs, error)
      return null
    }
    if (replica.failedUntilMs !== 0) this.#failed--
    replica.failedUntilMs = 0
    replica.quiet = null
    this.#opened++
    this.#noteClosed(replica.number, null)
    this.#closed.delete(replica)
    this.#open.add(replica)
    this.arm(replica)
    return replica.log
  }

  /** Errors in a flush's completion belong to the partition, too. */
  #flushPortOf(replica: Replica): FlushPort {
    const { environment, onFlushed } = this.#options
    return {
      request: (path, done) =>
        environment.flush.request(path, (error) => {
          const nowMs = environment.clock.monotonicMs()
          if (!this.guard(replica, nowMs, () => done(error))) return
          onFlushed(replica)
          // retention may have waited for it
          this.arm(replica)
        }),
      remove: (path, done) => environment.flush.remove(path, done),
    }
  }

  /**
   * Closes the log once it is flushed, if nobody has touched it by then: it need not be checked when it is opened again.
   * False when that is under way, or cannot be now.
   */
  flushAndClose(replica: Replica): boolean {
    const log = replica.log
    if (log === null || replica.isClosing || !replica.isAtRest) return false
    const { clock } = this.#options.environment
    const touchedAtMs = replica.touchedAtMs
    replica.isClosing = true
    this.guard(replica, clock.monotonicMs(), () =>
      log.flushAll((error) => {
        replica.isClosing = false
        const isQuiet = replica.touchedAtMs === touchedAtMs && replica.isAtRest
        if (replica.log !== log) return
        if (error === null && isQuiet) this.dehydrate(replica, clock.monotonicMs())
        // a full disk: not again and again, but when it is idle for as long once more
        if (error !== null) this.touch(replica, clock.monotonicMs())
      }),
    )
    return true
  }

  /** Begins to close what was touched longest ago; with far too many open, one is closed without its flush. */
  #makeRoom(nowMs: number): void {
    const isPressing = this.#open.size >= this.#options.openLogsMax * OVERSHOOT
    let looks = PRESSURE_LOOKS
    for (const replica of this.#open) {
      if (looks-- === 0) return
      if (!replica.isAtRest) continue
      if (isPressing) {
        this.dehydrate(replica, nowMs)
        return
      }
      this.flushAndClose(replica)
    }
  }

  #onTimer(replica: Replica, nowMs: number): void {
    replica.timer = null
    const log = replica.log
    if (log === null) return
    if (log.nextTimerAtMs > nowMs) this.arm(replica)
    else if (this.guard(replica, nowMs, () => log.onTimer(nowMs))) {
      this.#options.onFlushed(replica)
      this.arm(replica)
    }
  }

  /** Closes the log of a replica whose group is not open; it is opened again when it is asked for. */
  closeLog(replica: Replica): void {
    this.#close(replica)
  }

  /** The log was abandoned, since it begins anew: it is to be opened again. */
  dropLog(replica: Replica): void {
    this.#letGo(replica)
  }

  #close(replica: Replica, isAbandoned = false): void {
    if (replica.group !== null) this.#options.onClosing(replica, !isAbandoned && replica.isAtRest)
    const log = this.#letGo(replica)
    if (log === null) return
    try {
      // what was staged in this turn is lost with whoever waited for it
      if (log.hasStaged || isAbandoned) log.abandon()
      else log.close()
    } catch (error) {
      if (isEndOfProcess(error)) throw error
      this.#options.environment.logger.log('warn', `A log did not close: ${describe(error)}`, {
        directory: replica.directory,
      })
    }
  }

  /** It has no log from now on; returns the one it had. */
  #letGo(replica: Replica): PartitionLog | null {
    if (replica.timer !== null) {
      this.timers.cancel(replica.timer)
      replica.timer = null
    }
    const log = replica.log
    if (log === null) return null
    replica.log = null
    replica.isClosing = false
    const { logStartOffset, highWatermark, sizeBytes } = log
    this.#noteClosed(replica.number, { logStartOffset, endOffset: highWatermark, sizeBytes })
    this.#open.delete(replica)
    if (!replica.isRemoved) this.#closed.add(replica)
    return log
  }
}

const describe = (error: unknown): string => (error instanceof Error ? error.message : `${error}`)
const stackOf = (error: unknown): string | undefined =>
  error instanceof Error ? error.stack : undefined

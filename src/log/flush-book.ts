import { DiskError } from './disk.ts'
import type { DurabilityHost, LogPoint } from './durability.ts'
import type { PartitionLog } from './partition-log.ts'
import { evenWhenFull } from './retention.ts'
import type { Segment } from './segment.ts'

/** Between two entries of a log in the recovery points: so much of it is read after the death of a process. */
const NOTE_EVERY_BYTES = 16 * 2 ** 20
/** From flush to flush of a log that asks for none: as much as Kafka's, which are flushed when a segment is rolled. */
const FLUSH_EVERY_BYTES = 2 ** 30

/** Which files of a log are not durable yet: what a flush round takes, and what is known after it. */
export class FlushBook implements DurabilityHost {
  readonly #log: PartitionLog
  readonly #onDurable: () => void
  readonly flushEveryBytes: number
  readonly #noteEveryBytes: number
  readonly #lostBefore: number
  /** Directories, snapshots and the epoch file, since the last round. */
  #paths = new Set<string>()
  /** Of the round in flight: sealed segments, and those whose name may not be durable. */
  #sealed: Segment[] = []
  #unnamed: Segment[] = []
  /** Byte of the active segment up to which the recovery points were told. */
  #notedPosition = 0
  #cleanAt = -1
  unflushedBytes = 0
  #unnotedBytes = 0
  /** Monotonic time by which flush.ms wants a round. */
  flushAtMs = Number.POSITIVE_INFINITY

  constructor(log: PartitionLog, onDurable: () => void) {
    this.#log = log
    this.#onDurable = onDurable
    this.#lostBefore = log.environment.recoveryPoints.lostFlushesOf(log.partition)
    this.flushEveryBytes = log.environment.flushEveryBytes ?? FLUSH_EVERY_BYTES
    this.#noteEveryBytes = log.environment.noteEveryBytes ?? NOTE_EVERY_BYTES
  }

  /** End offset up to which everything, indexes and snapshot too, is durable; −1 for not known. */
  get cleanAt(): number {
    return this.#cleanAt
  }

  /** The log is opened: what no flush is known to have covered counts as if it had just been written. */
  found(): void {
    for (const { flushed, size } of this.#log.segments) if (!flushed) this.unflushedBytes += size
  }

  /** Something has changed: the log is not clean. */
  touched(): void {
    this.#cleanAt = -1
  }

  /** So many more bytes are in the log; true when it is time to note how far it is whole. */
  wrote(bytes: number): boolean {
    this.unflushedBytes += bytes
    this.#unnotedBytes += bytes
    return this.#unnotedBytes >= this.#noteEveryBytes
  }

  /** Whole below `offset`; while a round is under way, which may lose what it flushes, nothing is. Throws DiskError. */
  noteWritten(offset: number, isFlushing: boolean): void {
    this.#unnotedBytes = 0
    const { environment, partition } = this.#log
    if (!isFlushing && !this.hasLostFlush) environment.recoveryPoints.markWritten(partition, offset)
  }

  onRound(): void {
    const { environment, partition } = this.#log
    evenWhenFull(this.#log, () => environment.recoveryPoints.roundBegins(partition))
  }

  onRoundEnd(): void {
    const { environment, partition } = this.#log
    environment.recoveryPoints.roundEnded(partition)
  }

  /** `path` was made or changed: it goes with the next round. */
  add(path: string): void {
    this.#paths.add(path)
  }

  /** The log's directory, its name and that of the one above go with the next round: each may be new. */
  addDirectories(): void {
    for (let at = this.#log.directory, n = 0; n < 3 && at.includes('/'); n++) {
      this.add(at)
      at = at.slice(0, at.lastIndexOf('/'))
    }
  }

  /**
   * Makes the name of a new segment durable now: a round may have much to flush before it comes to that. False where only a
   * round can: of a new log, the name of its directory is not durable either.
   */
  flushName(segment: Segment): boolean {
    const log = this.#log
    if (!log.segments[0]!.named) return false
    log.environment.flush.request(log.directory, (error) => {
      if (error !== null) {
        if (!this.isGone(log.directory)) this.onFlushFailed(error)
        return
      }
      // as of a round: after a flush that failed, one that succeeds proves nothing
      if (this.hasLostFlush) return
      segment.named = true
      if (!log.closed) this.#onDurable()
    })
    return true
  }

  collect(everything: boolean): string[] {
    const { segments, active } = this.#log
    const paths = [...this.#paths]
    this.#paths.clear()
    this.unflushedBytes = 0
    this.flushAtMs = Number.POSITIVE_INFINITY
    this.#sealed = segments.filter((segment) => !segment.flushed && segment !== active)
    this.#unnamed = segments.filter((segment) => !segment.named)
    for (const segment of segments) {
      if (segment.flushed) continue
      paths.push(segment.log.path)
      if (segment !== active || everything) {
        paths.push(segment.path('.index'), segment.path('.timeindex'))
      }
    }
    return paths
  }

  onDurable(point: LogPoint, everything: boolean): void {
    if (this.#log.closed) return
    for (const segment of this.#sealed) segment.flushed = true
    for (const segment of this.#unnamed) segment.named = true
    if (everything) this.#cleanAt = point.offset
    this.#note(point, everything)
    this.#onDurable()
  }

  /** Every entry is a write: not one for each flush of a topic that flushes each batch. */
  #note(point: LogPoint, everything: boolean): void {
    const { environment, partition } = this.#log
    const known = environment.recoveryPoints.of(partition).flushedOffset
    const inSegment = point.segment !== null && known >= point.segment.baseOffset
    const few = inSegment && point.position - this.#notedPosition < this.#noteEveryBytes
    if (known === point.offset || (few && !everything)) return
    try {
      environment.recoveryPoints.markFlushed(partition, point.offset)
      this.#notedPosition = point.position
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
    }
  }

  get hasLostFlush(): boolean {
    const { environment, partition } = this.#log
    return environment.recoveryPoints.lostFlushesOf(partition) !== this.#lostBefore
  }

  /** Of a closed log, too: the one that was opened meanwhile has to know. */
  onFlushFailed(error: DiskError): void {
    if (!this.hasLostFlush || this.#log.closed) {
      this.#log.environment.recoveryPoints.markFlushLost(this.#log.partition)
    }
    if (this.#log.closed) return
    this.#log.fail(`a flush failed, what it was to keep may be lost (${error.message})`)
    this.#onDurable()
  }

  isGone(path: string): boolean {
    return !this.#log.environment.disk.exists(path)
  }
}

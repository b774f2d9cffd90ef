import { InvariantError } from '../base/assert.ts'
import type { PartitionNumber } from '../base/ids.ts'
import type { Region } from '../base/region.ts'
import type { DiskError } from './disk.ts'
import type { LogEnvironment } from './environment.ts'
import type { LogConfig } from './log-config.ts'
import type { AppendOutcome, LocateOutcome, OffsetsOutcome } from './outcomes.ts'
import type { RecoveryPoint } from './recovery-points.ts'

export interface PartitionLogOptions {
  readonly environment: LogEnvironment
  /** The replica's directory; made at the first write. */
  readonly directory: string
  readonly partition: PartitionNumber
  readonly config: LogConfig
  /** `broker`: batches of our own making, metadata for one; only what holds for every batch is checked. Default `client`. */
  readonly origin?: 'client' | 'broker'
  /** Appends go on below the mark of a full disk, at the end from the reserve: metadata. Default false. */
  readonly appendsWhenFull?: boolean
}

const todo = (): never => {
  throw new InvariantError('not written yet')
}

/**
 * One replica's log, on its broker's thread. `nowMs` of stage is wall-clock time; of onTimer and nextTimerAtMs
 * monotonic time.
 */
export class PartitionLog {
  /** Opens what is in the directory, recovering it if `environment.recoveryPoints` says so. Throws DiskError. */
  static open(_options: PartitionLogOptions): PartitionLog {
    return todo()
  }

  get logStartOffset(): number {
    return todo()
  }
  get highWatermark(): number {
    return todo()
  }
  get lastStableOffset(): number {
    return todo()
  }
  get logEndOffset(): number {
    return todo()
  }
  /** Offsets below are durable. */
  get durableOffset(): number {
    return todo()
  }
  /** A produce whose last offset is below may be answered. */
  get acknowledgedOffset(): number {
    return todo()
  }
  /** Not null once the log can take no appends until it is opened again (the reason). Reads of whole segments go on. */
  get failure(): string | null {
    return todo()
  }
  get sizeBytes(): number {
    return todo()
  }
  get ring(): { readonly region: Region; readonly generation: number } | null {
    return todo()
  }
  /** Whether stage has taken anything that write has not written yet. */
  get hasStaged(): boolean {
    return todo()
  }

  /**
   * Validates one batch, gives it its offsets and copies it; `batch` is not used after the call. What may be answered
   * is known after {@link write}: when that returns an error, all produces staged since the write before whose
   * lastOffset is logEndOffset or more have failed.
   */
  stage(_batch: Uint8Array, _nowMs: number, _leaderEpoch: number, _out: AppendOutcome): void {
    todo()
  }

  /** One write for everything staged. On error it is undone as if it had never been staged. */
  write(): DiskError | null {
    return todo()
  }

  /** Where the bytes from `offset` on are: at most `maxBytes`, but one batch at least. */
  locate(_offset: number, _maxBytes: number, _out: LocateOutcome): void {
    todo()
  }

  /** ListOffsets: a time in ms, or one of Kafka's negative ones. offset −1 when there is none. */
  offsetForTimestamp(_timestamp: number, _out: OffsetsOutcome): void {
    todo()
  }

  /** OffsetForLeaderEpoch (KIP-320): the largest epoch not above the asked one, and where it ends; −1, −1 for none. */
  endOffsetForEpoch(_epoch: number): { readonly epoch: number; readonly endOffset: number } {
    return todo()
  }

  /** Calls `visit` for each batch from the one that holds `offset` on, up to the log end; false stops. For logs that a broker reads itself. */
  readBatches(
    _offset: number,
    _visit: (bytes: Uint8Array, at: number, byteLength: number) => boolean,
  ): void {
    todo()
  }

  /** Monotonic time at which onTimer wants to be called, Infinity for never. */
  get nextTimerAtMs(): number {
    return todo()
  }

  /** Roll by time, retention, flush.ms, producer expiry, idle ring. */
  onTimer(_nowMs: number): void {
    todo()
  }

  applyRetention(): void {
    todo()
  }

  updateConfig(_config: LogConfig): void {
    todo()
  }

  /** Asks for all files to be made durable: before {@link close}. */
  flushAll(_done: (error: DiskError | null) => void): void {
    todo()
  }

  /** Forgets everything from `offset` on. */
  truncateTo(_offset: number): void {
    todo()
  }

  /** Drops the pins of a front whose thread has exited. */
  releaseFront(_front: number): void {
    todo()
  }

  /** Lets go of ring and descriptors. Clean, if flushAll has completed and nothing was staged since. */
  close(): RecoveryPoint {
    return todo()
  }

  /** Closes the log and removes its directory: the topic was deleted. */
  delete(): void {
    todo()
  }
}

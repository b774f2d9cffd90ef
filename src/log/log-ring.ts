import type { PartitionNumber } from '../base/ids.ts'
import {
  type RingLogPublication,
  type RingLogWatermarks,
  RingLogWriter,
  type StagedRange,
} from '../shared/ring-log-writer.ts'
import type { RingLogHolder, RingLogPool } from './ring-log-pool.ts'

/** A ring written through this many times within {@link BUSY_MS} is too small. */
const GROW_AFTER_LAPS = 2
const BUSY_MS = 2_000
const GROW_BY = 4
/** After a ring was refused, the next is asked for no sooner. */
const RETRY_MS = 1_000
/** Unused for so long, a ring is given back. */
const IDLE_MS = 30_000

/** The ring log of one partition, when it has one: taken at the first append, grown, given up. On the broker's thread. */
export class LogRing implements RingLogHolder {
  /** From {@link reserve}: write what is staged first, then ask again. */
  static readonly WRITE_FIRST = -3
  /** From {@link reserve}: this batch goes to the file from where it is. */
  static readonly NO_ROOM = -1

  readonly #pool: RingLogPool
  readonly #partition: PartitionNumber
  readonly #range: StagedRange = {
    firstIndex: 0,
    firstLength: 0,
    secondIndex: 0,
    secondLength: 0,
  }
  writer: RingLogWriter | null = null
  ringUsedAtMs = 0
  #blockBytes: number
  #retryAtMs = Number.NEGATIVE_INFINITY
  #busyBytes = 0
  #busySinceMs = 0
  #grow = false

  constructor(pool: RingLogPool, partition: PartitionNumber) {
    this.#pool = pool
    this.#partition = partition
    this.#blockBytes = pool.minBytes
  }

  /** Room for a batch: its index in the writer's bytes, or WRITE_FIRST or NO_ROOM. `log` says where a new ring begins. */
  reserve(length: number, log: RingLogPublication, nowMs: number): number {
    this.ringUsedAtMs = nowMs
    if (this.writer === null) {
      if (!this.#take(this.#blockBytes, length, log, nowMs)) return LogRing.NO_ROOM
    } else if (this.#grow && this.writer.stagedBytes === 0) {
      this.#take(this.#blockBytes, length, log, nowMs)
    }
    const index = this.writer!.reserve(length)
    if (index >= 0) return index
    if (index === RingLogWriter.STAGED_FULL || this.writer!.stagedBytes > 0) {
      return LogRing.WRITE_FIRST
    }
    // Pinned by a reader, or too small: another takes over.
    if (!this.#take(this.#blockBytes, length, log, nowMs)) return LogRing.NO_ROOM
    const again = this.writer!.reserve(length)
    return again >= 0 ? again : LogRing.NO_ROOM
  }

  #take(wanted: number, length: number, log: RingLogPublication, nowMs: number): boolean {
    // A batch takes up to half of the data area, which is a little less than the block.
    let bytes = wanted
    while (bytes < this.#pool.maxBytes && bytes < length * 2 + bytes / 64 + 4096) bytes *= 2
    if (bytes < length * 2 + bytes / 64 + 4096 || nowMs < this.#retryAtMs) return false
    this.#grow = false
    const ring = this.#pool.take(this, this.#partition, bytes, log, nowMs)
    if (ring === null) {
      this.#retryAtMs = nowMs + RETRY_MS
      this.#blockBytes = this.writer?.region.byteLength ?? this.#pool.minBytes
      return false
    }
    const old = this.writer
    this.writer = ring
    this.#blockBytes = bytes
    this.#busyBytes = 0
    this.#busySinceMs = nowMs
    if (old !== null) this.#pool.retire(this, old)
    this.#pool.hold(this)
    return true
  }

  /** Adds what is staged to `pieces`: one or two views of shared memory. */
  stagedPieces(pieces: Uint8Array[]): void {
    const writer = this.writer!
    const range = writer.stagedRange(this.#range)
    pieces.push(writer.bytes.subarray(range.firstIndex, range.firstIndex + range.firstLength))
    if (range.secondLength > 0) {
      pieces.push(writer.bytes.subarray(range.secondIndex, range.secondIndex + range.secondLength))
    }
  }

  /** What was staged, `bytes` long, is in the file. */
  publish(log: RingLogPublication, bytes: number): void {
    this.writer!.publish(log)
    this.#busyBytes += bytes
    const block = this.#blockBytes
    if (this.#busyBytes < block * GROW_AFTER_LAPS) return
    if (this.ringUsedAtMs - this.#busySinceMs < BUSY_MS && block < this.#pool.maxBytes) {
      this.#blockBytes = Math.min(this.#pool.maxBytes, block * GROW_BY)
      this.#grow = true
    }
    this.#busyBytes = 0
    this.#busySinceMs = this.ringUsedAtMs
  }

  publishWatermarks(offsets: RingLogWatermarks): void {
    this.writer?.publishWatermarks(offsets)
  }

  /** The log has grown by other ways than the ring, to `log`. */
  skipTo(log: RingLogPublication): void {
    this.writer?.skipTo(log.logEndOffset)
    this.writer?.publishWatermarks(log)
  }

  rollback(): void {
    this.writer?.rollback()
  }

  get idleAtMs(): number {
    return this.writer === null ? Number.POSITIVE_INFINITY : this.ringUsedAtMs + IDLE_MS
  }

  giveUpRing(): void {
    const writer = this.writer
    if (writer === null || writer.stagedBytes > 0) return
    this.writer = null
    this.#blockBytes = this.#pool.minBytes
    this.#pool.retire(this, writer)
  }
}

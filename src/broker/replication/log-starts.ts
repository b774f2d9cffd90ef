import { ErrorCode } from '../../base/error-code.ts'
import type { DeleteRecordsDone } from '../../log/log-start.ts'
import type { PartitionLog } from '../../log/partition-log.ts'
import type { ControlEntry, Position } from '../../raft/types.ts'

/** First byte of the payload of a host's entry that moves the log's start: the offset follows, f64, little-endian. */
const LOG_START = 1
const PAYLOAD_BYTES = 9

interface Start {
  readonly at: Position
  readonly offset: number
}

/** What moves of a log's start need of its replica. */
export interface StartHost {
  /** Whether what is below `offset` may go. */
  readonly mayBeginAt: (offset: number) => boolean
  readonly onStart: (isKept: boolean) => void
}

/**
 * Where records were deleted up to, as entries of the group: every replica moves its log's start once that is committed, so that no leader
 * that follows brings back what was deleted. Who has asked is answered then. Of one replica, on the broker's thread.
 */
export class LogStarts {
  /** Not committed as far as is known here, rising. */
  #starts: Start[] = []
  /** The latest that is committed and that the disk has not kept; −1 for none. */
  #refused = -1
  /** Asked for, and not proposed yet. */
  readonly #asked: { readonly offset: number; readonly done: DeleteRecordsDone }[] = []
  readonly #waiting = new Map<Position, DeleteRecordsDone>()

  constructor(recovered: readonly ControlEntry[]) {
    this.noted(recovered)
  }

  /** Why `offset` (−1: the high watermark) cannot be the start, or whether nothing is to be done; null where it is to be proposed. */
  static answerNow(log: PartitionLog, offset: number): ErrorCode | null {
    if (!log.config.cleanupPolicy.delete) return ErrorCode.POLICY_VIOLATION
    if (offset < 0 || offset > log.highWatermark) return ErrorCode.OFFSET_OUT_OF_RANGE
    return offset <= log.logStartOffset ? ErrorCode.NONE : null
  }

  /** Something is to be proposed. */
  get isAsked(): boolean {
    return this.#asked.length > 0
  }

  /** The log is to begin at `offset`: proposed once what is staged is written, since what batches are given counts on the positions before them. */
  ask(offset: number, done: DeleteRecordsDone): void {
    this.#asked.push({ offset, done })
  }

  /** `propose` gives an entry its position, or refuses it with −1. */
  propose(propose: (payload: Uint8Array) => Position): void {
    for (const { offset, done } of this.#asked.splice(0)) {
      const at = propose(payloadOf(offset))
      if (at < 0) done(ErrorCode.NOT_LEADER_OR_FOLLOWER, -1)
      else this.#waiting.set(at, done)
    }
  }

  /** Entries were written to this replica's log. */
  noted(entries: readonly ControlEntry[]): void {
    for (const entry of entries) {
      if (entry.kind !== 'host') continue
      const offset = offsetOf(entry.payload)
      if (offset !== null) this.#starts.push({ at: entry.at, offset })
    }
  }

  /** What lies from `position` on was cut off. */
  truncated(position: Position): void {
    this.#starts = this.#starts.filter(({ at }) => at < position)
    for (const [at, done] of [...this.#waiting]) {
      if (at < position) continue
      this.#waiting.delete(at)
      done(ErrorCode.NOT_LEADER_OR_FOLLOWER, -1)
    }
  }

  /**
   * Everything below `position` is committed: the log's start follows, as soon as it may. `onStart` is called when it has, or when the disk
   * has refused to keep it: it is tried again with the next commit.
   */
  commit(position: Position, log: PartitionLog, { mayBeginAt, onStart }: StartHost): void {
    this.#again(log, onStart)
    while (this.#starts.length > 0 && this.#starts[0]!.at < position) {
      const { at, offset } = this.#starts[0]!
      // what is below is committed, and not yet as durable here as the topic asks for
      if (offset > log.highWatermark || !mayBeginAt(offset)) return
      this.#starts.shift()
      const done = this.#waiting.get(at)
      this.#waiting.delete(at)
      this.#delete(offset, log, onStart, done)
    }
  }

  #delete(
    offset: number,
    log: PartitionLog,
    onStart: (isKept: boolean) => void,
    done?: DeleteRecordsDone,
  ): void {
    log.deleteRecords(offset, (error, lowWatermark) => {
      // the others move theirs: this one is behind until it has done so, too
      const isKept = error !== ErrorCode.KAFKA_STORAGE_ERROR
      if (!isKept) this.#refused = Math.max(this.#refused, offset)
      onStart(isKept)
      done?.(error, lowWatermark)
    })
  }

  /** What the disk has refused. */
  #again(log: PartitionLog, onStart: (isKept: boolean) => void): void {
    const offset = this.#refused
    if (offset < 0) return
    this.#refused = -1
    this.#delete(offset, log, onStart)
  }

  /** This replica leads no more: what becomes of what it has proposed is not known. */
  refuseAll(): void {
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const done of waiting) done(ErrorCode.NOT_LEADER_OR_FOLLOWER, -1)
  }

  /** This replica is closed. */
  close(): void {
    for (const { done } of this.#asked.splice(0)) done(ErrorCode.NOT_LEADER_OR_FOLLOWER, -1)
    this.refuseAll()
  }
}

function payloadOf(offset: number): Uint8Array {
  const bytes = new Uint8Array(PAYLOAD_BYTES)
  bytes[0] = LOG_START
  new DataView(bytes.buffer).setFloat64(1, offset, true)
  return bytes
}

/** null: an entry of a kind that this version does not know. */
function offsetOf(payload: unknown): number | null {
  if (!(payload instanceof Uint8Array)) return null
  if (payload.length !== PAYLOAD_BYTES || payload[0] !== LOG_START) return null
  return new DataView(payload.buffer, payload.byteOffset, payload.byteLength).getFloat64(1, true)
}

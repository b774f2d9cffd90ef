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

/**
 * Where records were deleted up to, as entries of the group: every replica moves its log's start once that is committed, so that no leader
 * that follows brings back what was deleted. Who has asked is answered then. Of one replica, on the broker's thread.
 */
export class LogStarts {
  /** Not committed as far as is known here, rising. */
  #starts: Start[] = []
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

  static payload(offset: number): Uint8Array {
    const bytes = new Uint8Array(PAYLOAD_BYTES)
    bytes[0] = LOG_START
    new DataView(bytes.buffer).setFloat64(1, offset, true)
    return bytes
  }

  /** `done` waits for the entry at `at`, which was proposed. */
  wait(at: Position, done: DeleteRecordsDone): void {
    this.#waiting.set(at, done)
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
   * Everything below `position` is committed: the log's start follows, as soon as it may. `moved` is called when it has.
   */
  commit(
    position: Position,
    log: PartitionLog,
    { mayBeginAt, moved }: { mayBeginAt: (offset: number) => boolean; moved: () => void },
  ): void {
    while (this.#starts.length > 0 && this.#starts[0]!.at < position) {
      const { at, offset } = this.#starts[0]!
      // what is below is committed, and not yet as durable here as the topic asks for
      if (offset > log.highWatermark || !mayBeginAt(offset)) return
      this.#starts.shift()
      const done = this.#waiting.get(at)
      this.#waiting.delete(at)
      log.deleteRecords(offset, (error, lowWatermark) => {
        moved()
        done?.(error, lowWatermark)
      })
    }
  }

  /** This replica leads no more: what becomes of what it has proposed is not known. */
  refuseAll(): void {
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const done of waiting) done(ErrorCode.NOT_LEADER_OR_FOLLOWER, -1)
  }
}

/** null: an entry of a kind that this version does not know. */
function offsetOf(payload: unknown): number | null {
  if (!(payload instanceof Uint8Array)) return null
  if (payload.length !== PAYLOAD_BYTES || payload[0] !== LOG_START) return null
  return new DataView(payload.buffer, payload.byteOffset, payload.byteLength).getFloat64(1, true)
}

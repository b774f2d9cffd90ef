/**
 * What a coordinator and the broker that hosts it say to each other. A coordinator is a deterministic object over one partition of an
 * internal topic: it neither reads clocks nor writes logs; its host loads the log into it, appends what it decides, and sends its
 * answers once they are committed.
 */
import type { ErrorCode } from '../base/error-code.ts'
import type { TopicId } from '../base/ids.ts'
import type { Api } from '../protocol/api.ts'

/** A request on its way to its answer; `T` is the host's. */
export interface CoordinatorCall<T> {
  readonly token: T
  readonly api: Api
  readonly version: number
  /** The decoded request. */
  readonly request: unknown
  readonly clientId: string
  /** As Kafka shows it: `/127.0.0.1`. */
  readonly clientHost: string
}

export interface CoordinatorAnswer<T> {
  readonly token: T
  /** Complete for every version of the call's API. */
  readonly response: unknown
}

/** A record of the internal topic; a null value is a tombstone. */
export interface CoordinatorRecord {
  readonly key: Uint8Array
  readonly value: Uint8Array | null
}

/** What a call, a timer or an event led to: records to append together, and answers that wait until all of that is committed. */
export interface CoordinatorStep<T> {
  readonly records: readonly CoordinatorRecord[]
  readonly answers: readonly CoordinatorAnswer<T>[]
}

export interface HostedCoordinator<T> {
  /** The only way that replicated state changes: at load for each record of the log, then for each record of a step once it is staged. */
  replay(offset: number, key: Uint8Array, value: Uint8Array | null): void
  /** Everything is replayed. */
  onLoaded(nowMs: number, wallMs: number): CoordinatorStep<T>
  /** The records of the step are replayed before the next call. `nowMs` is monotonic, `wallMs` wall-clock time. */
  handle(call: CoordinatorCall<T>, nowMs: number, wallMs: number): CoordinatorStep<T>
  /** The records of the last step were not appended, and the log goes on without them: what is answered instead. */
  fail(
    step: CoordinatorStep<T>,
    error: ErrorCode,
    nowMs: number,
    wallMs: number,
  ): readonly CoordinatorAnswer<T>[]
  /** Monotonic ms, Infinity for none. */
  readonly nextTimerAtMs: number
  /** Fires at most `limit` timers that are due; returns how many. */
  fireTimers(
    nowMs: number,
    wallMs: number,
    limit: number,
    take: (step: CoordinatorStep<T>) => void,
  ): number
  onTopicsDeleted(
    topics: readonly { readonly name: string; readonly topicId: TopicId }[],
    nowMs: number,
    wallMs: number,
  ): CoordinatorStep<T>
  /** Everything below `offset` is committed. */
  commit(offset: number): void
  /** The end: what is answered to everybody who waits. The object is not used afterwards. */
  stop(): readonly CoordinatorAnswer<T>[]
  /** What counts against a limit of its tenant, as it is replayed; left out where nothing does. */
  readonly groupCount?: number
  /** Nothing lives in it but what its log holds, or, before it is loaded, its log tells of nobody who does: it can be dropped, and loaded again when it is needed. */
  readonly isQuiet: boolean
}

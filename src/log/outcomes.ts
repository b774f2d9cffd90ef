/** Answers of a partition log, filled into objects of the caller: the fields are those of the replies in `link`. */
import type { ErrorCode } from '../base/error-code.ts'
import type { BatchFaultKind } from '../record/fault.ts'

/** Why a batch is refused: what is wrong with it, with its place in this log, or with the log and its disk. */
export type AppendFault =
  | BatchFaultKind
  | 'beyondSegment'
  | 'transactional'
  | SequenceFault
  | 'overStorage'
  | 'diskFull'
  | 'writeFailed'
  | 'flushFailed'
  | 'logFailed'

export type SequenceFault = 'producerFenced' | 'epochBeginsLate' | 'outOfSequence'

/** What became of a staged batch. */
export interface AppendOutcome {
  error: ErrorCode
  baseOffset: number
  lastOffset: number
  /** −1 with CreateTime. */
  logAppendTimeMs: number
  logStartOffset: number
  /** The batch is in the log already: answer with these offsets, once they are acknowledged. */
  duplicate: boolean
  /** Why it was refused. */
  fault: AppendFault | null
  /** The same for the log's own lines. */
  faultMessage: string | null
}

export const newAppendOutcome = (): AppendOutcome => ({
  error: 0,
  baseOffset: -1,
  lastOffset: -1,
  logAppendTimeMs: -1,
  logStartOffset: 0,
  duplicate: false,
  fault: null,
  faultMessage: null,
})

/** Where located bytes are; the values of FetchSource in `link`. */
export const LocateSource = { NONE: 0, FILE: 1, RING: 2 } as const

/** LocatedReply of `link` without its correlation. With RING the front looks the offset up in the ring itself. */
export interface LocateOutcome {
  error: number
  source: number
  logStartOffset: number
  highWatermark: number
  lastStableOffset: number
  logEndOffset: number
  segmentBaseOffset: number
  position: number
  byteLength: number
  leaderEpoch: number
  ringByteOffset: number
  ringByteLength: number
  ringGeneration: number
  batchBaseOffset: number
}

/** Whether a timestamp look-up is answered; the values of OffsetSource in `link`. */
export const TimestampSource = { ANSWERED: 0, BATCH: 1 } as const

/**
 * OffsetsReply of `link` without its correlation. With BATCH the answer is the first record at or after
 * `logStartOffset`, in the `byteLength` bytes of batches at `position`, whose timestamp is `timestamp` or more; `offset` is
 * the base offset of the first of them.
 */
export interface OffsetsOutcome {
  error: number
  source: number
  offset: number
  timestamp: number
  leaderEpoch: number
  byteLength: number
  segmentBaseOffset: number
  position: number
  logStartOffset: number
}

/** Kafka's special timestamps of ListOffsets. */
export const LATEST_TIMESTAMP = -1
export const EARLIEST_TIMESTAMP = -2
export const MAX_TIMESTAMP = -3
export const EARLIEST_LOCAL_TIMESTAMP = -4
export const LATEST_TIERED_TIMESTAMP = -5
export const EARLIEST_PENDING_UPLOAD_TIMESTAMP = -6

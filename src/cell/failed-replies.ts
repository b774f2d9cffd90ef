/** Replies that no broker sent, for when there is none to ask. */
import { ErrorCode } from '../base/error-code.ts'
import { FetchSource, OffsetSource } from '../link/commands.ts'
import { ProduceReason } from '../link/produce-reason.ts'
import type {
  DeletedReply,
  EpochEndedReply,
  LocatedReply,
  OffsetsReply,
  ProducedReply,
} from '../link/replies.ts'

export const failedProduced = (error: number): ProducedReply => ({
  correlation: 0,
  error,
  reason:
    error === ErrorCode.LEADER_NOT_AVAILABLE ? ProduceReason.noLeader : ProduceReason.brokerGone,
  baseOffset: -1,
  logAppendTimeMs: -1,
  logStartOffset: -1,
})

export const failedLocated = (error: number): LocatedReply => ({
  correlation: 0,
  error,
  source: FetchSource.NONE,
  logStartOffset: -1,
  highWatermark: -1,
  lastStableOffset: -1,
  logEndOffset: -1,
  segmentBaseOffset: 0,
  position: 0,
  byteLength: 0,
  leaderEpoch: -1,
  ringByteOffset: -1,
  ringByteLength: 0,
  ringGeneration: 0,
  batchBaseOffset: -1,
})

export const failedDeleted = (error: number): DeletedReply => ({
  correlation: 0,
  error,
  lowWatermark: -1,
})

export const failedEpochEnd = (error: number): EpochEndedReply => ({
  correlation: 0,
  error,
  leaderEpoch: -1,
  endOffset: -1,
})

export const failedOffsets = (error: number): OffsetsReply => ({
  correlation: 0,
  error,
  source: OffsetSource.ANSWERED,
  offset: -1,
  timestamp: -1,
  leaderEpoch: -1,
  byteLength: 0,
  segmentBaseOffset: 0,
  position: 0,
  logStartOffset: -1,
})

/**
 * Why a broker refuses a produce, beside the error code: PRODUCED carries the number, the front makes a sentence of it. Numbers
 * are never used again for something else.
 */
export const ProduceReason = {
  NONE: 0,
  // the batch itself: BatchFaultKind of `record`
  truncated: 1,
  badLength: 2,
  badMagic: 3,
  tooLarge: 4,
  badCrc: 5,
  badBaseOffset: 6,
  badCount: 7,
  unknownCodec: 8,
  controlFromClient: 9,
  badProducer: 10,
  badTimestamp: 11,
  timestampOutOfRange: 12,
  trailingBytes: 13,
  badRecords: 14,
  keyMissing: 15,
  // the batch in its log
  beyondSegment: 32,
  transactional: 33,
  producerFenced: 34,
  epochBeginsLate: 35,
  outOfSequence: 36,
  overStorage: 37,
  // the log and its disk
  diskFull: 64,
  writeFailed: 65,
  flushFailed: 66,
  logFailed: 67,
  // the broker
  unknownPartition: 96,
  notLeader: 97,
  stopping: 98,
  batchMissing: 99,
  brokerGone: 100,
  noLeader: 101,
  // the replica: the batch was not appended by the first two; what became of it under the others shows only with the next leader
  electing: 102,
  notEnoughReplicas: 103,
  leadershipLost: 104,
  notEnoughReplicasAfterAppend: 105,
} as const
export type ProduceReasonName = keyof typeof ProduceReason
export type ProduceReason = (typeof ProduceReason)[ProduceReasonName]

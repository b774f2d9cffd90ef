import type { ErrorCode } from '../base/error-code.ts'

export type BatchFaultKind =
  | 'truncated'
  | 'badLength'
  | 'badMagic'
  | 'tooLarge'
  | 'badCrc'
  | 'badBaseOffset'
  | 'badCount'
  | 'unknownCodec'
  | 'controlFromClient'
  | 'badProducer'
  | 'badTimestamp'
  | 'timestampOutOfRange'
  | 'trailingBytes'
  | 'badRecords'
  | 'keyMissing'

/** Why a batch is refused: a value, with the error code that Kafka answers and a sentence for the client. */
export interface BatchFault {
  readonly kind: BatchFaultKind
  readonly errorCode: ErrorCode
  readonly message: string
  /** Index within the batch of the record at fault, where one is. */
  readonly recordIndex?: number
}

/** Bytes that are not what their header says: records that do not parse, or data that do not decompress. */
export class RecordFormatError extends Error {
  override name = 'RecordFormatError'
}

/** Decompressed data would pass the bound that the caller set. */
export class DecompressedTooLargeError extends RecordFormatError {
  override name = 'DecompressedTooLargeError'
}

/** What the front has done by the pool: plain messages, and the function that does them on whatever thread. */
import {
  BATCH_HEADER_BYTES,
  type Codec,
  maxTimestampOf,
  NO_TIMESTAMP,
  sizeInBytesOf,
} from '../record/batch.ts'
import type { BatchFault } from '../record/fault.ts'
import { checkRecords, decompressedBody, recompress, type TimeBounds } from '../record/inspect.ts'
import { firstRecordAtOrAfter } from '../record/records.ts'
import { type BatchLimits, validateBatch } from '../record/validate.ts'

export type RecordTask =
  /** A produced batch: are the records what the topic allows? */
  | {
      readonly kind: 'check'
      readonly batch: Uint8Array
      readonly requireKeys: boolean
      readonly decompressedBytesMax: number
      readonly times?: TimeBounds
    }
  /** As `check`, and compressed as the topic wants. */
  | {
      readonly kind: 'recompress'
      readonly batch: Uint8Array
      readonly codec: Codec
      readonly level: number | null
      readonly requireKeys: boolean
      readonly decompressedBytesMax: number
      readonly times?: TimeBounds
    }
  /** The first record of stored batches, from `startOffset` on, that is not older than `timestampMs`. */
  | {
      readonly kind: 'find-timestamp'
      readonly batch: Uint8Array
      readonly timestampMs: number
      readonly startOffset: number
      readonly decompressedBytesMax: number
    }

export type RecordResult =
  | { readonly kind: 'batch'; readonly batch: Uint8Array }
  | { readonly kind: 'fault'; readonly fault: BatchFault }
  | { readonly kind: 'found'; readonly offset: number; readonly timestampMs: number }

/** Does one task; throws only for what a broker has stored and cannot be read. */
export function runRecordTask(task: RecordTask): RecordResult {
  switch (task.kind) {
    case 'check': {
      const fault = brokenBatch(task.batch) ?? checkRecords(task.batch, task)
      return fault === null ? { kind: 'batch', batch: task.batch } : { kind: 'fault', fault }
    }
    case 'recompress': {
      // Stamping a new CRC must not hide that the old one was wrong.
      const fault = brokenBatch(task.batch)
      if (fault !== null) return { kind: 'fault', fault }
      const options = task.level === null ? task : { ...task, compressionLevel: task.level }
      return recompress(task.batch, task.codec, options)
    }
    case 'find-timestamp':
      return findTimestamp(task)
    default:
      return task satisfies never
  }
}

/** Sizes are the broker's to check, and the header's times: against the batch as it will be stored. */
const LIMITS: BatchLimits = {
  maxMessageBytes: Number.POSITIVE_INFINITY,
  origin: 'client',
  timestampType: 'logAppendTime',
  timestampBeforeMaxMs: Number.POSITIVE_INFINITY,
  timestampAfterMaxMs: Number.POSITIVE_INFINITY,
}

const brokenBatch = (batch: Uint8Array): BatchFault | null =>
  validateBatch(batch, 0, batch.length, LIMITS, 0)

function findTimestamp(task: RecordTask & { kind: 'find-timestamp' }): RecordResult {
  const { batch, timestampMs, startOffset, decompressedBytesMax } = task
  let at = 0
  while (at + BATCH_HEADER_BYTES <= batch.length) {
    const size = sizeInBytesOf(batch, at)
    if (size < BATCH_HEADER_BYTES || at + size > batch.length) break
    if (maxTimestampOf(batch, at) >= timestampMs) {
      const body = decompressedBody(batch, at, decompressedBytesMax)
      const found = firstRecordAtOrAfter(batch, at, timestampMs, startOffset, body)
      if (found !== null) return { kind: 'found', ...found }
    }
    at += size
  }
  return { kind: 'found', offset: -1, timestampMs: NO_TIMESTAMP }
}

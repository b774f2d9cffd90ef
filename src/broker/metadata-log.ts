/** The controller's log as a partition log: entries as records, an append one batch, whole or not at all. */
import { invariant } from '../base/assert.ts'
import { asPartitionNumber } from '../base/ids.ts'
import { type Disk, DiskError } from '../log/disk.ts'
import { DEFAULT_LOG_CONFIG, type LogConfig } from '../log/log-config.ts'
import type { PartitionLog } from '../log/partition-log.ts'
import { evenWhenFull } from '../log/retention.ts'
import { buildBatch } from '../record/builder.ts'
import { RecordCursor } from '../record/records.ts'
import { parseCheckpointName } from './checkpoint-file.ts'

/** Never given to a topic's partition: the controller numbers those from 1. */
export const METADATA_PARTITION = asPartitionNumber(0)

export const METADATA_LOG_CONFIG: LogConfig = {
  ...DEFAULT_LOG_CONFIG,
  retentionMs: -1,
  retentionBytes: -1,
  // nothing goes by itself: only what a snapshot has taken the place of
  cleanupPolicy: { delete: true, compact: false },
  segmentBytes: 16 * 2 ** 20,
  segmentMs: Number.MAX_SAFE_INTEGER,
  maxMessageBytes: 2 ** 28,
  messageTimestampAfterMaxMs: Number.MAX_SAFE_INTEGER,
  // what a majority has is durable with each of them
  flushMessages: 1,
}

/** Of a broker's directory. */
export const metadataPath = (root: string): string => `${root}/metadata`

/** Whether a broker's directory holds metadata, all of it or not. Throws DiskError. */
export function hasMetadata(disk: Disk, root: string): boolean {
  const directory = metadataPath(root)
  const names = disk.list(directory)
  if (names.some((name) => parseCheckpointName(name) !== null)) return true
  const segments = names.filter((name) => /^\d{20}\.log$/.test(name))
  return segments.some((name) => disk.size(`${directory}/${name}`) > 0)
}

export const batchOf = (entries: readonly Uint8Array[], timestampMs: number): Uint8Array =>
  buildBatch(entries.map((value) => ({ timestampMs, key: null, value })))

/** Begins a segment behind what the log has, if there is anything in its last one; where that begins, null where it cannot be now: no purge is worth a replica of the metadata. */
export function rolled(log: PartitionLog): number | null {
  if (log.hasStaged || log.failure !== null) return null
  try {
    if ((log.active?.size ?? 0) > 0) {
      evenWhenFull(log, () => log.tail.markDirty())
      evenWhenFull(log, () => log.tail.roll(log.environment.clock.wallMs()))
    }
  } catch (error) {
    if (error instanceof DiskError) return null
    throw error
  }
  return log.logEndOffset
}

/** Calls `each` for the entries of [`fromOffset`, `toOffset`), in order. Throws DiskError. */
export function readEntries(
  log: PartitionLog,
  fromOffset: number,
  toOffset: number,
  each: (offset: number, bytes: Uint8Array) => void,
): void {
  if (fromOffset >= Math.min(toOffset, log.logEndOffset)) return
  log.readBatches(fromOffset, (bytes, at) => {
    const cursor = new RecordCursor(bytes, at)
    while (cursor.next()) {
      if (cursor.offset < fromOffset) continue
      if (cursor.offset >= toOffset) return false
      const entry = cursor.value()
      invariant(entry !== null, 'a metadata entry has a value')
      each(cursor.offset, entry)
    }
    return true
  })
}
